"""From the TOML of a board file to its Board: every value is checked, and errors name the key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..paths import FIRMWARE
from .table import LINE, Table, suggest
from .values import (
    CORES,
    PINS,
    Board,
    Console,
    Core,
    Emulator,
    FlashReads,
    I2c,
    Oscillator,
    Pin,
    Power,
    Probe,
    Region,
)

_PROBES = Path(__file__).resolve().parents[1] / "probes"
_ADDRESS_SPACE = 1 << 32

# Text that reaches C, a linker script or a command line is held to these patterns.
NAME = r"[a-z][a-z0-9_]{0,39}"
_ALIAS = r"[a-z0-9][a-z0-9_-]{0,39}"
_UART = r"[A-Z][A-Z0-9_]{0,19}"
_PIN = "|".join(pattern.replace("(", "(?:") for pattern in PINS.values())
_PIN_HINT = "is no pin of a chip, as in PD12, P0.13, GP15 or GPIO7.3"
_MACHINE = r"[a-z0-9][a-z0-9-]{0,39}"
_OPTION = r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_./:+-]{0,119}"
_USB_ID = r"[0-9a-f]{4}:[0-9a-f]{4}"
_LINK = r"https://[A-Za-z0-9._~:/?#@!&+,;=%-]{1,300}"


def parse_board(values: Mapping[str, Any], file: str) -> Board:
    """The board that TOML `values` describe; BoardError names `file` and the key."""
    top = Table(file, "", values).only(
        "name title aliases soc clock_hz stack_bytes core region flash oscillator console trigger "
        "i2c power probe emulator usb links notes verified"
    )
    name = top.text("name", NAME)
    if plain(Path(file).stem) != name:
        raise top.error("name", f"is {name!r}, but the file must be called {name}.toml")
    core, isa, fpu = _core(top.table("core"))
    host = core.cpu == "host"
    console: Console | None = _optional(top, "console", _console, required=not host)
    trigger, trigger_led = _optional(top, "trigger", _trigger) or (None, "")
    i2c: I2c | None = _optional(top, "i2c", _i2c)
    _check_pins(top, console, trigger, i2c)
    return Board(
        name=name,
        title=top.text("title", LINE),
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
        i2c=i2c,
        oscillator=_optional(top, "oscillator", _oscillator),
        power=_optional(top, "power", _power),
        probe=_probe(top.table("probe")),
        emulator=_optional(top, "emulator", _emulator),
        usb=_optional(top, "usb", lambda t: t.only("ids").texts("ids", _USB_ID)) or (),
        links=top.texts("links", _LINK),
        notes=top.texts("notes", LINE),
        verified=top.texts("verified", LINE),
    )


def _core(table: Table) -> tuple[Core, frozenset[str], str | None]:
    table.only("cpu isa fpu")
    core = CORES[table.one_of("cpu", CORES)]
    isa = frozenset(table.texts("isa", LINE)) if "isa" in table.values else core.isa
    for name in sorted(isa - core.isa):
        raise table.error("isa", f"{core.cpu} has no {name!r}")
    for name in sorted(core.isa - isa - core.optional):
        raise table.error("isa", f"{core.cpu} always has {name!r}")
    fpu = table.text("fpu", LINE, default="") or None
    if fpu is not None and fpu not in core.fpus:
        have = ", ".join(core.fpus) or "none"
        raise table.error("fpu", f"{core.cpu} has no FPU {fpu!r} (it may have: {have})")
    return core, core.base | isa, fpu


def _aliases(top: Table, name: str) -> tuple[str, ...]:
    aliases = top.texts("aliases", _ALIAS)
    names = [name, *map(plain, aliases)]
    for alias in sorted({a for a in names if names.count(a) > 1}):
        raise top.error("aliases", f"{alias!r} is there twice (the name counts)")
    return aliases


def _regions(top: Table, host: bool) -> tuple[Region, ...]:
    regions: list[Region] = []
    for table in top.tables("region"):
        table.only("name kind start size note")
        region = Region(
            name=table.text("name", NAME),
            kind=table.one_of("kind", ("flash", "ram")),
            start=table.integer("start", 0, _ADDRESS_SPACE - 1, multiple=16),
            size=table.integer("size", 1, _ADDRESS_SPACE, multiple=16),
            note=table.text("note", LINE, default=""),
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


def _flash_reads(table: Table) -> FlashReads:
    table.only("wait_states read_bytes line_bytes code_lines data_lines source")
    read_bytes = table.integer("read_bytes", 1, 64)
    return FlashReads(
        wait_states=table.integer("wait_states", 0, 255),
        read_bytes=read_bytes,
        line_bytes=table.integer("line_bytes", read_bytes, 64 * read_bytes, multiple=read_bytes),
        code_lines=table.integer("code_lines", 0, 1024),
        data_lines=table.integer("data_lines", 0, 1024),
        source=table.text("source", LINE),
    )


def _console(table: Table) -> Console:
    table.only("uart base baud pins tx rx function irq")
    for key, other in (("tx", "rx"), ("rx", "tx")):
        if key in table.values and other not in table.values:
            raise table.error(other, f"is missing: {key} is given")
    return Console(
        uart=table.text("uart", _UART),
        base=table.integer("base", 0, _ADDRESS_SPACE - 1, multiple=4),
        baud=table.integer("baud", 1200, 10_000_000),
        pins=table.text("pins", LINE, default=""),
        tx=_pin(table, "tx") if "tx" in table.values else None,
        rx=_pin(table, "rx") if "rx" in table.values else None,
        function=table.integer("function", 0, 31, default=0),
        irq=table.integer("irq", 0, 479) if "irq" in table.values else None,
    )


def _pin(table: Table, key: str) -> Pin:
    name = table.text(key, LINE)
    if not re.fullmatch(_PIN, name):
        raise table.error(key, f"{name[:60]!r} {_PIN_HINT}")
    return Pin(name)


def _trigger(table: Table) -> tuple[Pin, str]:
    """The pin, and at which level an LED that hangs on it is lit ("": there is none)."""
    table.only("pin led")
    led = table.one_of("led", ("high", "low")) if "led" in table.values else ""
    return _pin(table, "pin"), led


def _i2c(table: Table) -> I2c:
    """Two pins, or the base address of a register that drives the lines."""
    table.only("sda scl base source")
    if "base" in table.values:
        for key in ("sda", "scl"):
            if key in table.values:
                raise table.error(key, "is given, and so is base: a bus has one of the two")
        base = table.integer("base", 1, _ADDRESS_SPACE - 1, multiple=4)
        return I2c(table.text("source", LINE), base=base)
    return I2c(table.text("source", LINE), _pin(table, "sda"), _pin(table, "scl"))


def _check_pins(top: Table, console: Console | None, trigger: Pin | None, i2c: I2c | None) -> None:
    """Each pin has one use, and all are written in one vendor's way."""
    named = {"console.tx": console.tx, "console.rx": console.rx} if console else {}
    named["trigger.pin"] = trigger
    named |= {"i2c.sda": i2c.sda, "i2c.scl": i2c.scl} if i2c else {}
    used: dict[str, Pin] = {}
    for key, pin in named.items():
        if pin is None:
            continue
        for other, taken in used.items():
            if taken.style != pin.style:
                raise top.error(key, f"{pin.name} is not written like {other}, {taken.name}")
            if (taken.port, taken.bit) == (pin.port, pin.bit):
                raise top.error(key, f"{pin.name} is {other} already")
        used[key] = pin


def _oscillator(table: Table) -> Oscillator:
    table.only("kind hz")
    return Oscillator(
        kind=table.one_of("kind", ("crystal", "external", "internal")),
        hz=table.integer("hz", 1_000_000, 100_000_000),
    )


def _power(table: Table) -> Power:
    table.only("supply_v active_ma source")
    active = table.number("active_ma", 10_000.0) if "active_ma" in table.values else None
    source = table.text("source", LINE, default="")
    if active is not None and not source:
        raise table.error("source", "is missing: say where active_ma is from")
    return Power(table.number("supply_v", 60.0), active, source)


def _probe(table: Table) -> Probe:
    probes = _stems(_PROBES, "[a-z]*.py")
    default = table.one_of("default", probes)
    options: dict[str, Mapping[str, str]] = {}
    for name in table.values:
        if name == "default":
            continue
        if name not in probes:
            raise table.error(name, f"there is no such probe{suggest(name, probes)}")
        chosen = table.table(name)
        for key in chosen.values:
            if not re.fullmatch(NAME, key):
                raise chosen.error(key, f"an option name must match {NAME}")
            if key in ("program", "arguments"):
                raise chosen.error(key, "a board file may not choose what is run")
        options[name] = {key: chosen.text(key, _OPTION) for key in chosen.values}
    return Probe(default, options)


def _emulator(table: Table) -> Emulator:
    table.only("machine serial_index counter_hz")
    return Emulator(
        machine=table.text("machine", _MACHINE),
        serial_index=table.integer("serial_index", 0, 15, default=0),
        counter_hz=table.integer("counter_hz", 1, 4_000_000_000),
    )


def _optional(top: Table, key: str, read: Any, *, required: bool = False) -> Any:
    return read(top.table(key)) if required or key in top.values else None


def plain(name: str) -> str:
    """`name` as names are compared: "-" equals "_", and capitals do not count."""
    return name.strip().lower().replace("-", "_")


def _stems(folder: Path, pattern: str) -> set[str]:
    return {file.stem for file in folder.glob(pattern)}
