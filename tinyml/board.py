"""Boards: the frozen description of a target and the strict loader of boards/<name>.toml."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from .errors import BoardError
from .paths import BOARDS, FIRMWARE

_PROBES = Path(__file__).resolve().parent / "probes"
_LIST_HINT = "tinyml boards lists them"
_MAX_FILE_BYTES = 64 * 1024
_ADDRESS_SPACE = 1 << 32

# Text that reaches C, a linker script or a command line is held to these patterns.
_NAME = r"[a-z][a-z0-9_]{0,39}"
_ALIAS = r"[a-z0-9][a-z0-9_-]{0,39}"
_UART = r"[A-Z][A-Z0-9_]{0,19}"
# How vendors write a pin: STM32 PD12, nRF P0.13, RP2 GP15, i.MX RT GPIO7.3. One alternative each.
_PINS = {
    "stm32": r"P([A-K])(1[0-5]|[0-9])",
    "nrf": r"P([0-3])\.(3[01]|[12][0-9]|0?[0-9])",
    "rp2": r"GP()(4[0-7]|[1-3][0-9]|[0-9])",
    "imxrt": r"GPIO([1-9])\.(3[01]|[12][0-9]|[0-9])",
}
_PIN = "|".join(pattern.replace("(", "(?:") for pattern in _PINS.values())
_PIN_HINT = "is no pin of a chip, as in PD12, P0.13, GP15 or GPIO7.3"
_MACHINE = r"[a-z0-9][a-z0-9-]{0,39}"
_OPTION = r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_./:+-]{0,119}"
_USB_ID = r"[0-9a-f]{4}:[0-9a-f]{4}"
_LINK = r"https://[A-Za-z0-9._~:/?#@!&+,;=%-]{1,300}"
_LINE = r"[ -~]{1,300}"


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

    @property
    def counters(self) -> tuple[str, ...]:
        """Cycle counters in the order the firmware tries them."""
        return ("dwt", "systick") if self.dwt else ("systick",)

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
        Core("cortex-m7", _T2, isa=_DSP, fpus=(_SINGLE, "fpv5-d16"), caches=True),
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
        """Whose way of writing pins this is: a key of _PINS."""
        return next(style for style in _PINS if re.fullmatch(_PINS[style], self.name))

    @property
    def port(self) -> int:
        """Number of the port (A is 0); 0 where the chip has one port."""
        letters = self._part(1)
        return "ABCDEFGHIJK".index(letters) if letters.isalpha() else int(letters or 0)

    @property
    def bit(self) -> int:
        return int(self._part(2))

    def _part(self, group: int) -> str:
        found = re.fullmatch(_PINS[self.style], self.name)
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
    joins them to the UART, on chips that number them.
    """

    uart: str
    base: int
    baud: int
    pins: str = ""
    tx: Pin | None = None
    rx: Pin | None = None
    function: int = 0


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


def load_board(name: str | Path) -> Board:
    """The board called `name` or aliased so ("-" equals "_"), or that of a .toml file."""
    text = str(name)
    if isinstance(name, Path) or text.endswith(".toml") or "/" in text:
        return _read(Path(name))
    wanted = _plain(text)
    if re.fullmatch(_NAME, wanted) and (BOARDS / f"{wanted}.toml").is_file():
        return _read(BOARDS / f"{wanted}.toml")
    boards = list_boards()
    names = {_plain(n): board for board in boards for n in (board.name, *board.aliases)}
    if wanted in names:
        return names[wanted]
    raise BoardError(f"unknown board {text!r}{_suggest(wanted, names)}", hint=_LIST_HINT)


def list_boards(folder: Path = BOARDS) -> tuple[Board, ...]:
    """Every board file of `folder`, by name; BoardError where two claim one name."""
    boards = tuple(_read(file) for file in sorted(folder.glob("*.toml")))
    owners: dict[str, str] = {}
    for board in boards:
        for name in map(_plain, (board.name, *board.aliases)):
            if name in owners:
                raise BoardError(
                    f"{board.name}.toml: aliases: {name!r} is taken by {owners[name]}.toml"
                )
            owners[name] = board.name
    return boards


def parse_board(values: Mapping[str, Any], file: str) -> Board:
    """The board that TOML `values` describe; BoardError names `file` and the key."""
    top = _Table(file, "", values).only(
        "name title aliases soc clock_hz stack_bytes core region flash oscillator console trigger "
        "power probe emulator usb links notes verified"
    )
    name = top.text("name", _NAME)
    if _plain(Path(file).stem) != name:
        raise top.error("name", f"is {name!r}, but the file must be called {name}.toml")
    core, isa, fpu = _core(top.table("core"))
    host = core.cpu == "host"
    console: Console | None = _optional(top, "console", _console, required=not host)
    trigger, trigger_led = _optional(top, "trigger", _trigger) or (None, "")
    _check_pins(top, console, trigger)
    return Board(
        name=name,
        title=top.text("title", _LINE),
        aliases=_aliases(top, name),
        soc=top.one_of("soc", _stems(FIRMWARE / "soc", "*.c") | {"host"}),
        core=core,
        isa=isa,
        fpu=fpu,
        clock_hz=top.integer("clock_hz", 1, 4_000_000_000, default=0 if host else None),
        stack_bytes=top.integer("stack_bytes", 512, 1 << 20, default=4096, multiple=8),
        regions=_regions(top, host),
        flash_reads=_optional(top, "flash", _flash_reads),
        console=console,
        trigger=trigger,
        trigger_led=trigger_led,
        oscillator=_optional(top, "oscillator", _oscillator),
        power=_optional(top, "power", _power),
        probe=_probe(top.table("probe")),
        emulator=_optional(top, "emulator", _emulator),
        usb=_optional(top, "usb", lambda t: t.only("ids").texts("ids", _USB_ID)) or (),
        links=top.texts("links", _LINK),
        notes=top.texts("notes", _LINE),
        verified=top.texts("verified", _LINE),
    )


def _read(file: Path) -> Board:
    try:
        if file.stat().st_size > _MAX_FILE_BYTES:
            raise BoardError(f"{file}: a board file has at most {_MAX_FILE_BYTES} bytes")
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or error
        raise BoardError(f"{file}: cannot read board file: {reason}", hint=_LIST_HINT) from error
    except (ValueError, RecursionError) as error:  # covers TOML, UTF-8 and over-long integers
        raise BoardError(f"{file}: not valid TOML: {error}") from error
    return parse_board(values, str(file))


def _core(table: _Table) -> tuple[Core, frozenset[str], str | None]:
    table.only("cpu isa fpu")
    core = CORES[table.one_of("cpu", CORES)]
    isa = frozenset(table.texts("isa", _LINE)) if "isa" in table.values else core.isa
    for name in sorted(isa - core.isa):
        raise table.error("isa", f"{core.cpu} has no {name!r}")
    for name in sorted(core.isa - isa - core.optional):
        raise table.error("isa", f"{core.cpu} always has {name!r}")
    fpu = table.text("fpu", _LINE, default="") or None
    if fpu is not None and fpu not in core.fpus:
        have = ", ".join(core.fpus) or "none"
        raise table.error("fpu", f"{core.cpu} has no FPU {fpu!r} (it may have: {have})")
    return core, core.base | isa, fpu


def _aliases(top: _Table, name: str) -> tuple[str, ...]:
    aliases = top.texts("aliases", _ALIAS)
    plain = [name, *map(_plain, aliases)]
    for alias in sorted({a for a in plain if plain.count(a) > 1}):
        raise top.error("aliases", f"{alias!r} is there twice (the name counts)")
    return aliases


def _regions(top: _Table, host: bool) -> tuple[Region, ...]:
    regions: list[Region] = []
    for table in top.tables("region"):
        table.only("name kind start size note")
        region = Region(
            name=table.text("name", _NAME),
            kind=table.one_of("kind", ("flash", "ram")),
            start=table.integer("start", 0, _ADDRESS_SPACE - 1, multiple=16),
            size=table.integer("size", 1, _ADDRESS_SPACE, multiple=16),
            note=table.text("note", _LINE, default=""),
        )
        if region.end > _ADDRESS_SPACE:
            raise table.error("size", "the region ends beyond the 32-bit address space")
        for other in regions:
            if region.name == other.name:
                raise table.error("name", f"{region.name!r} is there twice")
            if region.start < other.end and other.start < region.end:
                raise table.error("start", f"region {region.name} overlaps region {other.name}")
        regions.append(region)
    kinds = {region.kind for region in regions}
    for kind in () if host else ("flash", "ram"):
        if kind not in kinds:
            raise top.error("region", f"no region of kind {kind!r}")
    return tuple(regions)


def _flash_reads(table: _Table) -> FlashReads:
    table.only("wait_states read_bytes line_bytes code_lines data_lines source")
    read_bytes = table.integer("read_bytes", 1, 64)
    return FlashReads(
        wait_states=table.integer("wait_states", 0, 255),
        read_bytes=read_bytes,
        line_bytes=table.integer("line_bytes", read_bytes, 64 * read_bytes, multiple=read_bytes),
        code_lines=table.integer("code_lines", 0, 1024),
        data_lines=table.integer("data_lines", 0, 1024),
        source=table.text("source", _LINE),
    )


def _console(table: _Table) -> Console:
    table.only("uart base baud pins tx rx function")
    for key, other in (("tx", "rx"), ("rx", "tx")):
        if key in table.values and other not in table.values:
            raise table.error(other, f"is missing: {key} is given")
    return Console(
        uart=table.text("uart", _UART),
        base=table.integer("base", 0, _ADDRESS_SPACE - 1, multiple=4),
        baud=table.integer("baud", 1200, 10_000_000),
        pins=table.text("pins", _LINE, default=""),
        tx=_pin(table, "tx") if "tx" in table.values else None,
        rx=_pin(table, "rx") if "rx" in table.values else None,
        function=table.integer("function", 0, 31, default=0),
    )


def _pin(table: _Table, key: str) -> Pin:
    name = table.text(key, _LINE)
    if not re.fullmatch(_PIN, name):
        raise table.error(key, f"{name[:60]!r} {_PIN_HINT}")
    return Pin(name)


def _trigger(table: _Table) -> tuple[Pin, str]:
    """The pin, and at which level an LED that hangs on it is lit ("": there is none)."""
    table.only("pin led")
    led = table.one_of("led", ("high", "low")) if "led" in table.values else ""
    return _pin(table, "pin"), led


def _check_pins(top: _Table, console: Console | None, trigger: Pin | None) -> None:
    """Each pin has one use, and all are written in one vendor's way."""
    named = {"console.tx": console.tx, "console.rx": console.rx} if console else {}
    used: dict[str, Pin] = {}
    for key, pin in (named | {"trigger.pin": trigger}).items():
        if pin is None:
            continue
        for other, taken in used.items():
            if taken.style != pin.style:
                raise top.error(key, f"{pin.name} is not written like {other}, {taken.name}")
            if (taken.port, taken.bit) == (pin.port, pin.bit):
                raise top.error(key, f"{pin.name} is {other} already")
        used[key] = pin


def _oscillator(table: _Table) -> Oscillator:
    table.only("kind hz")
    return Oscillator(
        kind=table.one_of("kind", ("crystal", "external", "internal")),
        hz=table.integer("hz", 1_000_000, 100_000_000),
    )


def _power(table: _Table) -> Power:
    table.only("supply_v active_ma source")
    active = table.number("active_ma", 10_000.0) if "active_ma" in table.values else None
    source = table.text("source", _LINE, default="")
    if active is not None and not source:
        raise table.error("source", "is missing: say where active_ma is from")
    return Power(table.number("supply_v", 60.0), active, source)


def _probe(table: _Table) -> Probe:
    probes = _stems(_PROBES, "[a-z]*.py")
    default = table.one_of("default", probes)
    options: dict[str, Mapping[str, str]] = {}
    for name in table.values:
        if name == "default":
            continue
        if name not in probes:
            raise table.error(name, f"there is no such probe{_suggest(name, probes)}")
        chosen = table.table(name)
        for key in chosen.values:
            if not re.fullmatch(_NAME, key):
                raise chosen.error(key, f"an option name must match {_NAME}")
            if key in ("program", "arguments"):
                raise chosen.error(key, "a board file may not choose what is run")
        options[name] = {key: chosen.text(key, _OPTION) for key in chosen.values}
    return Probe(default, options)


def _emulator(table: _Table) -> Emulator:
    table.only("machine serial_index counter_hz")
    return Emulator(
        machine=table.text("machine", _MACHINE),
        serial_index=table.integer("serial_index", 0, 15, default=0),
        counter_hz=table.integer("counter_hz", 1, 4_000_000_000),
    )


def _optional(top: _Table, key: str, read: Any, *, required: bool = False) -> Any:
    return read(top.table(key)) if required or key in top.values else None


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_")


def _stems(folder: Path, pattern: str) -> set[str]:
    return {file.stem for file in folder.glob(pattern)}


def _suggest(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(names), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


@dataclass(frozen=True)
class _Table:
    """One TOML table being read: typed access that names the file and the full key."""

    file: str
    prefix: str
    values: Mapping[str, Any]

    def error(self, key: str, problem: str) -> BoardError:
        shown = key if key.isascii() and key.isprintable() else ascii(key)
        return BoardError(f"{self.file}: {self.prefix}{shown}: {problem}")

    def only(self, known: str) -> _Table:
        names = known.split()
        for key in self.values:
            if key not in names:
                raise self.error(key, f"unknown key{_suggest(key, names)}")
        return self

    def _get(self, key: str, default: Any) -> Any:
        value = self.values.get(key, default)
        if value is None:
            raise self.error(key, "is missing")
        return value

    def text(self, key: str, pattern: str, default: str | None = None) -> str:
        if default is not None and key not in self.values:
            return default
        value = self._get(key, None)
        if not isinstance(value, str):
            raise self.error(key, f"must be a string, is {_kind(value)}")
        if not re.fullmatch(pattern, value):
            raise self.error(key, f"{value[:60]!r} does not match {pattern}")
        return value

    def one_of(self, key: str, names: Iterable[str]) -> str:
        value = self.text(key, _LINE)
        if value not in names:
            known = ", ".join(sorted(names))
            raise self.error(key, f"no {value!r}{_suggest(value, names)} (there is: {known})")
        return value

    def integer(
        self, key: str, low: int, high: int, *, default: int | None = None, multiple: int = 1
    ) -> int:
        if default is not None and key not in self.values:
            return default
        value = self._get(key, None)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(key, f"must be an integer, is {_kind(value)}")
        if not low <= value <= high:
            raise self.error(key, f"must be in {low}..{high}")
        if value % multiple:
            raise self.error(key, f"must be a multiple of {multiple}")
        return value

    def number(self, key: str, high: float) -> float:
        value = self._get(key, None)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.error(key, f"must be a number, is {_kind(value)}")
        if not math.isfinite(value) or not 0 < value <= high:
            raise self.error(key, f"must be above 0 and at most {high:g}")
        return float(value)

    def texts(self, key: str, pattern: str) -> tuple[str, ...]:
        value = self._get(key, [])
        if not isinstance(value, list):
            raise self.error(key, f"must be a list of strings, is {_kind(value)}")
        items = _Table(self.file, self.prefix, {f"{key}[{i}]": v for i, v in enumerate(value)})
        return tuple(items.text(name, pattern) for name in items.values)

    def table(self, key: str) -> _Table:
        value = self._get(key, None)
        if not isinstance(value, dict):
            raise self.error(key, f"must be a table, is {_kind(value)}")
        return _Table(self.file, f"{self.prefix}{key}.", value)

    def tables(self, key: str) -> tuple[_Table, ...]:
        value = self._get(key, [])
        if not isinstance(value, list):
            raise self.error(key, f"must be [[{key}]] tables, is {_kind(value)}")
        items = _Table(self.file, self.prefix, {f"{key}[{i}]": v for i, v in enumerate(value)})
        return tuple(items.table(name) for name in items.values)


def _kind(value: object) -> str:
    return {"str": "a string", "dict": "a table", "list": "a list"}.get(
        type(value).__name__, f"a {type(value).__name__}"
    )
