"""docs/BOARDS.md, made from the board files: `python -m tinyml.boardpage` writes it anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .board import Board, FlashReads, I2c, Region, list_boards
from .paths import ROOT

PAGE = ROOT / "docs" / "BOARDS.md"
_HEAD = """\
# Boards

Made from the files in `boards/` by `python -m tinyml.boardpage`; do not edit it here.

**What is verified.** No board is attached to the machines that build and test this project, so
each board says below what was checked, and how. *Registers*: a test compares every address and bit
field that its firmware names with the chip vendor's own description. *Simulated core*: the firmware
ran on an emulated core whose registers are a model written for the test from the same manuals; it
finds a wrong order or divider, not a manual misread. *QEMU*: the firmware ran on that emulated
machine. *Links*: the tests link an image for the board. Nothing here has been run on silicon unless
it says so: take the rest as documented, not as known.

At boot the firmware reports the clock it really runs at: where an oscillator or PLL does not start
it goes on more slowly, says what failed, and results are marked `degraded`.
"""
_KEYS = """\
## The keys of a board file

The loader is strict: an unknown key, two regions that overlap, a pin with two uses or a probe that
does not exist is an error that names the file and the key.

| key | means |
|---|---|
| `name`, `title`, `aliases` | what `--board` takes (also the file's name), and text for people |
| `soc` | the C file in `firmware/soc/` with clock, console and trigger of this family |
| `clock_hz` | the core clock that the firmware sets; it refuses to compile what it cannot set |
| `stack_bytes` | stack reserved, a multiple of 8 (4096) |
| `[core]` `cpu`, `fpu`, `isa` | core, floating-point unit, and extensions where they are optional |
| `[[region]]` `name`, `kind`, `start`, `size`, `note` | memory; the first `flash` holds the \
program, the first `ram` stack, data and arena |
| `[flash]` `wait_states`, `read_bytes`, `line_bytes`, `code_lines`, `data_lines`, `source` | for \
estimates of cycles, and kernels chosen by them: each read of `read_bytes` comes so much later, \
unless a cache of lines for code and for data has it |
| `[oscillator]` `kind`, `hz` | what the clock is made from: `crystal`, `external` (a clock fed \
in, the oscillator bypassed) or `internal` |
| `[console]` `uart`, `base`, `baud`, `tx`, `rx`, `function`, `pins` | the UART of the protocol, \
its pins and their alternate function's number, and where it comes out |
| `[console]` `irq` | the UART's receive interrupt, for which `mps2`, `nrf51` and `stm32f4` sleep: \
an emulator that spins is slow to bring the next byte. An STM32 whose CYCCNT counts stays awake: \
in sleep that would stand still |
| `[trigger]` `pin`, `led` | high while inference runs; the level at which an LED on it is lit, \
`high` or `low`, where it drives one: `tinyml energy` then marks its result `led` |
| `[i2c]` `sda`, `scl`, `source` | pins of an I2C bus, for an INA219, INA226 or INA228 \
(docs/METERS.md); `base` instead of pins: a register that drives both lines |
| `[power]` `supply_v`, `active_ma`, `source` | for energy estimates; no figure without its source |
| `[probe]` `default`, `[probe.NAME]` | the flasher, and options of each flasher |
| `[emulator]` `machine`, `serial_index`, `counter_hz` | QEMU's machine |
| `[usb]` `ids` | of the board's own serial port; none where an adapter is needed |
| `links`, `notes`, `verified` | text for people; this page |

Pins are written as the chip's vendor writes them: PD12 (STM32), P0.13 (nRF), GP15 (RP2),
GPIO7.3 (i.MX RT).
"""


def page(boards: tuple[Board, ...]) -> str:
    """The whole page, in Markdown."""
    shown = [board for board in boards if not board.host]
    lines = [_HEAD, "## All boards", ""]
    lines += [
        "| board | core | clock | flash | RAM | console | flasher | run so far |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_row(board) for board in shown]
    lines += ["", _KEYS]
    for board in shown:
        lines += [*_section(board), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _row(board: Board) -> str:
    console = board.console.uart if board.console else ""
    if board.emulator is None:
        console += ", USB" if board.usb else ", adapter"
    ram = sum(region.size for region in board.regions if region.kind == "ram")
    cells = [
        f"[{board.name}](#{board.name})",
        board.core.cpu.removeprefix("cortex-").upper(),
        f"{board.clock_hz / 1e6:g} MHz",
        _size(board.flash.size),
        _size(ram),
        console,
        board.probe.default,
        _ran_on(board),
    ]
    return f"| {' | '.join(cells)} |"


def _ran_on(board: Board) -> str:
    """The nearest to the board itself that its firmware has run on."""
    if any(text.startswith("silicon") for text in board.verified):
        return "the board"
    if board.emulator:
        return "QEMU"
    if any(text.startswith("rp2040py") for text in board.verified):
        return "rp2040py"
    if any(text.startswith("QEMU") for text in board.verified):
        return "simulated core; QEMU's nearest machine"
    return "simulated core"


def _section(board: Board) -> Iterator[str]:
    yield f"## {board.name}"
    yield ""
    yield f"{board.title}. Code: `firmware/soc/{board.soc}.c`."
    if board.aliases:
        yield f"Also called {', '.join(f'`{alias}`' for alias in board.aliases)}."
    yield ""
    yield f"- Clock: {_clock(board)}"
    yield f"- Cycle counter: {', else '.join(board.core.counters)}"
    yield from (f"- Memory: {_region(region)}" for region in board.regions)
    if board.flash_reads:
        yield f"- Flash: {_flash_reads(board.flash_reads)}"
    if board.console:
        yield f"- Console: {_console(board)}"
    yield f"- Trigger: {_trigger(board)}"
    if board.i2c:
        yield f"- I2C: {_i2c(board.i2c)}"
    yield f"- Power: {_power(board)}"
    yield f"- Flashers: {', '.join(_flashers(board))}"
    if board.emulator:
        yield f"- Emulator: QEMU {board.emulator.machine}"
    yield from (f"- Note: {note}" for note in board.notes)
    yield from (f"- Verified: {text}" for text in board.verified)
    yield from (f"- See <{link}>" for link in board.links)


def _clock(board: Board) -> str:
    text = f"{board.clock_hz / 1e6:g} MHz"
    if board.oscillator is None:
        return text
    kind = {
        "crystal": "a crystal",
        "external": "a clock signal fed in",
        "internal": "the chip's own RC oscillator, right to about 1 %",
    }[board.oscillator.kind]
    return f"{text} from {board.oscillator.hz / 1e6:g} MHz, {kind}"


def _region(region: Region) -> str:
    text = f"{region.name} ({region.kind}), {_size(region.size)} at 0x{region.start:08X}"
    return f"{text}: {region.note}" if region.note else text


def _flash_reads(reads: FlashReads) -> str:
    cache = f"{reads.code_lines} lines of code and {reads.data_lines} of data"
    late = f"{reads.read_bytes} bytes a read, {reads.wait_states} wait states"
    return f"{late}, cached in {cache}, {reads.line_bytes} bytes each; {reads.source}"


def _console(board: Board) -> str:
    assert board.console is not None
    console = board.console
    text = f"{console.uart} at {console.baud} baud"
    if console.tx and console.rx:
        text += f", {console.tx.name} TX, {console.rx.name} RX"
    if console.function:
        text += f" (function {console.function})"
    return f"{text}, {console.pins}" if console.pins else text


def _trigger(board: Board) -> str:
    if board.trigger is None:
        return "none"
    led = f", drives an LED that is lit while it is {board.trigger_led}"
    return board.trigger.name + (led if board.trigger_led else "")


def _i2c(i2c: I2c) -> str:
    if i2c.sda is None or i2c.scl is None:
        return f"a register at 0x{i2c.base:08X} that drives both lines; {i2c.source}"
    return f"{i2c.sda.name} SDA, {i2c.scl.name} SCL; {i2c.source}"


def _power(board: Board) -> str:
    power = board.power
    if power is None or power.active_ma is None:
        return "no figure with a source, so no estimate of energy"
    return f"{power.active_ma:g} mA at {power.supply_v:g} V; {power.source}"


def _flashers(board: Board) -> Iterator[str]:
    yield f"{board.probe.default} (default)"
    yield from (name for name in sorted(board.probe.options) if name != board.probe.default)


def _size(size: int) -> str:
    return f"{size >> 20} MiB" if size % (1 << 20) == 0 else f"{size / 1024:g} KiB"


def write(target: Path = PAGE) -> None:
    target.write_text(page(list_boards()), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write()
