"""What a board is made of: cores, memory, clock, pins, console, power, probe and emulator."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..errors import BoardError

# How vendors write a pin: STM32 PD12, nRF P0.13, RP2 GP15, i.MX RT GPIO7.3. One alternative each.
PINS = {
    "stm32": r"P([A-K])(1[0-5]|[0-9])",
    "nrf": r"P([0-3])\.(3[01]|[12][0-9]|0?[0-9])",
    "rp2": r"GP()(4[0-7]|[1-3][0-9]|[0-9])",
    "imxrt": r"GPIO([1-9])\.(3[01]|[12][0-9]|[0-9])",
}


@dataclass(frozen=True)
class Core:
    """What a processor core can do. `optional` extensions may be missing from a chip.

    `base` is what no chip with this core lacks and no board file lists.
    """

    cpu: str
    base: frozenset[str] = frozenset()
    isa: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    fpus: tuple[str, ...] = ()
    dwt: bool = True
    caches: bool = False  # an option of the core: the firmware asks it
    dual_issue: bool = False  # two instructions a cycle: inner loops have an order for it

    @property
    def counters(self) -> tuple[str, ...]:
        """Cycle counters in the order the firmware tries them."""
        return ("dwt", "systick") if self.dwt else ("systick",)

    @property
    def defines(self) -> tuple[str, ...]:
        """What the kernels ask of the core where the compiler does not tell them."""
        return ("TM_DUAL_ISSUE",) if self.dual_issue else ()

    def flags(self, isa: frozenset[str], fpu: str | None) -> tuple[str, ...]:
        """Compiler flags for this core with the extensions `isa` and the unit `fpu`."""
        if self.cpu == "host":
            return ()
        missing = "".join(f"+no{name}" for name in sorted(self.isa - isa))
        if self.fpus == ("auto",) and fpu is None:
            missing += "+nofp"
        flags = (f"-mcpu={self.cpu}{missing}", "-mthumb")
        if fpu is None and "mve" not in isa:  # MVE passes vectors in FPU registers
            return (*flags, "-mfloat-abi=soft")
        return (*flags, f"-mfpu={fpu or 'auto'}", "-mfloat-abi=hard")


_DSP = frozenset({"dsp"})
_T1 = frozenset({"thumb"})
_T2 = _T1 | {"thumb2"}
_SINGLE = "fpv5-sp-d16"

CORES: Mapping[str, Core] = {
    core.cpu: core
    for core in (
        Core("cortex-m0", _T1, dwt=False),
        Core("cortex-m0plus", _T1, dwt=False),
        Core("cortex-m3", _T2),
        Core("cortex-m4", _T2, isa=_DSP, fpus=("fpv4-sp-d16",)),
        Core(
            "cortex-m7",
            _T2,
            isa=_DSP,
            fpus=(_SINGLE, "fpv5-d16"),
            caches=True,
            dual_issue=True,
        ),
        Core("cortex-m33", _T2, isa=_DSP, optional=_DSP, fpus=(_SINGLE,)),
        Core(
            "cortex-m55",
            _T2,
            _DSP | {"mve"},
            optional=frozenset({"mve"}),
            fpus=("auto",),
            caches=True,
        ),
        Core("host", dwt=False),
    )
}


@dataclass(frozen=True)
class Region:
    """Memory [start, start + size); `kind` is "flash" or "ram". `note` is text for people."""

    name: str
    kind: str
    start: int
    size: int
    note: str = ""

    @property
    def end(self) -> int:
        return self.start + self.size


@dataclass(frozen=True)
class FlashReads:
    """What a read of the flash costs, and the cache in front of it, for estimates of cycles.

    The flash delivers `read_bytes` at a time, `wait_states` cycles late. `code_lines` and
    `data_lines` of `line_bytes` keep what was read last (0: no cache).
    """

    wait_states: int
    read_bytes: int
    line_bytes: int
    code_lines: int
    data_lines: int
    source: str


@dataclass(frozen=True)
class Pin:
    """A pin as its vendor writes it: PD12, P0.13, GP15 or GPIO7.3."""

    name: str

    @property
    def style(self) -> str:
        """Whose way of writing pins this is: a key of PINS."""
        return next(style for style in PINS if re.fullmatch(PINS[style], self.name))

    @property
    def port(self) -> int:
        """Number of the port (A is 0); 0 where the chip has one port."""
        letters = self._part(1)
        return "ABCDEFGHIJK".index(letters) if letters.isalpha() else int(letters or 0)

    @property
    def bit(self) -> int:
        return int(self._part(2))

    def _part(self, group: int) -> str:
        found = re.fullmatch(PINS[self.style], self.name)
        assert found is not None
        return found[group]


@dataclass(frozen=True)
class Oscillator:
    """What the core clock is made from, `hz` at its source.

    `kind` is "crystal" (at the chip's two oscillator pins), "external" (a clock signal fed to one
    of them: the oscillator is bypassed) or "internal" (the chip's own RC oscillator, about 1 %).
    """

    kind: str
    hz: int


@dataclass(frozen=True)
class Console:
    """The UART that carries the protocol; `pins` says where it comes out, for people.

    `tx` and `rx` are the chip's pins, `function` is the number of the alternate function that
    joins them to the UART, on chips that number them. `irq` is the number of the interrupt with
    which a received byte wakes the core, None where firmware looks at the UART again and again.
    """

    uart: str
    base: int
    baud: int
    pins: str = ""
    tx: Pin | None = None
    rx: Pin | None = None
    function: int = 0
    irq: int | None = None


@dataclass(frozen=True)
class I2c:
    """The pins of an I2C bus that firmware drives bit by bit; `source` says where they are from.

    Boards without pins have `base` instead, the address of a register that drives the two lines.
    """

    source: str
    sda: Pin | None = None
    scl: Pin | None = None
    base: int = 0


@dataclass(frozen=True)
class Power:
    """Supply (V) and current while computing (mA, None: unknown), with where that is from."""

    supply_v: float
    active_ma: float | None = None
    source: str = ""


@dataclass(frozen=True)
class Probe:
    """The probe used unless another is asked for, and the options of each probe by name."""

    default: str
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Emulator:
    """A QEMU machine. The console is serial number `serial_index`, counted from 0.

    `counter_hz` is what the processor's SysTick runs at inside the emulator, whatever the
    firmware believes.
    """

    machine: str
    serial_index: int
    counter_hz: int


@dataclass(frozen=True)
class Board:
    """One target, as its board file describes it."""

    name: str
    title: str
    soc: str
    core: Core
    isa: frozenset[str]
    fpu: str | None
    clock_hz: int
    probe: Probe
    aliases: tuple[str, ...] = ()
    regions: tuple[Region, ...] = ()
    flash_reads: FlashReads | None = None
    stack_bytes: int = 4096
    console: Console | None = None
    trigger: Pin | None = None
    trigger_led: str = ""
    i2c: I2c | None = None
    oscillator: Oscillator | None = None
    power: Power | None = None
    emulator: Emulator | None = None
    usb: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    verified: tuple[str, ...] = ()

    @property
    def host(self) -> bool:
        return self.core.cpu == "host"

    @property
    def flags(self) -> tuple[str, ...]:
        """Compiler flags that select the core and its floating-point unit."""
        return self.core.flags(self.isa, self.fpu)

    @cached_property
    def flash(self) -> Region:
        """The region that holds vectors, code and constants."""
        return self._first("flash")

    @cached_property
    def ram(self) -> Region:
        """The region that holds stack, data and arena."""
        return self._first("ram")

    def _first(self, kind: str) -> Region:
        for region in self.regions:
            if region.kind == kind:
                return region
        raise BoardError(f"board {self.name!r} has no {kind} region")
