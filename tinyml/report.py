"""Tables for people: builds, runs, models, boards, ports. Nothing here decides anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .clean import printable

if TYPE_CHECKING:
    from .board import Board
    from .doctor import Finding
    from .flow import Built
    from .ledger import Ledger
    from .overview import Overview
    from .ports import PortInfo
    from .quality import Report
    from .results import Run

_BAR = 40
_LAYERS = 20
_REASONS = 5
_COLUMNS = ("operator", "count", "types", "largest output", "MACs", "weights")


def grid(title: str, *columns: str, right: Sequence[str] = (), whole: Sequence[str] = ()) -> Table:
    """An empty table. Where a terminal is narrow, what is to the `right`, numbers, and `whole` stay
    on one line, and all else goes on in the next one: nothing is cut off."""
    table = Table(
        title=Text(printable(title)),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        title_style="bold",
        collapse_padding=True,
        pad_edge=False,
        min_width=len(printable(title)),  # where there is room, the title stays on one line
    )
    for column in columns:
        one_line = column in right or column in whole
        justify: Literal["left", "right"] = "right" if column in right else "left"
        table.add_column(column, justify=justify, no_wrap=one_line, overflow="fold")
    return table


def _row(table: Table, *cells: object) -> None:
    """Cells as plain text: names from models must not be read as markup."""
    table.add_row(*(c if isinstance(c, Text) else Text(printable(str(c))) for c in cells))


def number(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ")


def sizes(built: Built) -> RenderableType:
    """Flash and RAM by part."""
    report = built.image.sizes
    if report is None:
        return Text(f"built {built.folder} for this computer")
    table = grid(
        f"{built.model.name} on {built.board.title}",
        "flash",
        "bytes",
        "RAM",
        "bytes ",
        right=("bytes", "bytes "),
    )
    flash, ram = [*report.flash.items()], [*report.ram.items()]
    for i in range(max(len(flash), len(ram))):
        left = flash[i] if i < len(flash) else ("", None)
        other = ram[i] if i < len(ram) else ("", None)
        cells = [left[0], "" if left[1] is None else number(left[1])]
        cells += [other[0], "" if other[1] is None else number(other[1])]
        _row(table, *cells)
    board = built.board
    table.add_section()
    _row(table, "total", number(report.flash_total), "total", number(report.ram_total))
    _row(table, "board has", number(board.flash.size), "board has", number(board.ram.size))
    from .engines import tflm

    plan = built.plan
    bound = number(plan.lower_bound)
    note = f"arena {number(plan.arena)} bytes; lower bound (peak of live bytes) {bound}"
    if isinstance(plan, tflm.Plan):
        note = (
            f"arena {number(plan.arena)} bytes {plan.found.source}: persistent "
            f"{number(plan.found.persistent)}, tensors and scratch {number(plan.found.head)}"
        )
    return Group(table, Text(printable(note, 400)))


def unit_note(run: Run) -> str:
    """What the counts are, in words that cannot be taken for more than they are."""
    if run.unit.endswith("(this computer)"):
        return f"time of this computer, not of a board; +-{run.resolution:.0f} ns per figure"
    if run.emulated:
        return (
            f"emulated ({run.probe}): executed instructions, +-{run.resolution:.0f} per figure; "
            "no cycles and no time of a board"
        )
    return f"measured on the board: cycles at {run.clock_hz / 1e6:g} MHz ({run.counter})"


def run_table(run: Run) -> RenderableType:
    """Per layer and in all, with what the figures are."""
    unit = run.unit.replace(" (", "\n(")
    table = grid(
        f"{run.model} on {run.board}, engine {run.engine}",
        "step",
        "layer",
        "operator",
        "MACs",
        unit,
        "per MAC",
        right=("step", "MACs", unit, "per MAC"),
    )
    for step in run.steps:
        ratio = f"{step.count / step.macs:.2f}" if step.macs else ""
        macs = number(step.macs) if step.macs else ""
        _row(table, step.index, step.label, step.op, macs, number(step.count), ratio)
    if run.median is not None:
        total = sum(s.macs for s in run.steps)
        table.add_section()
        ratio = f"{run.median / total:.2f}" if total else ""
        _row(table, "", "inference", "", number(total), number(run.median), ratio)
    lines = [unit_note(run)]
    if run.milliseconds is not None:
        lines.append(f"latency {run.milliseconds:.3f} ms (median of {len(run.counts)})")
    if run.memory is not None:
        m = run.memory
        lines.append(
            f"memory: arena {number(m.arena)} bytes, guards {m.guard}; "
            f"stack peak {number(m.stack_peak)} of {number(m.stack_size)} bytes"
        )
    if run.accuracy is not None:
        lines.append(f"accuracy {run.accuracy:.2%} of {run.samples} samples")
    if run.validity != "valid":
        lines.append(f"{run.validity}: {', '.join(run.reasons)}")
    return Group(table, *(Text(printable(line, 400)) for line in lines))


def quality(found: Report) -> RenderableType:
    """Layers by what int8 costs them, worst first; then what is odd, and accuracies."""
    table = grid(
        f"integers against float32, {found.samples} samples, worst layer first",
        "layer",
        "operator",
        "type",
        "error",
        "most steps",
        "float values",
        "held",
        "used",
        "saturated",
        right=("error", "most steps", "used", "saturated"),
    )
    for layer in found.layers[:_LAYERS]:
        values, holds = (f"{a:.4g} to {b:.4g}" for a, b in (layer.range, layer.holds))
        names = layer.label, layer.op, layer.kind
        ends = f"{layer.used:.0%}", f"{layer.saturated:.2%}"
        _row(table, *names, f"{layer.error:.2%}", f"{layer.steps:.1f}", values, holds, *ends)
    lines = [*found.findings]
    if len(found.layers) > _LAYERS:
        lines.insert(0, f"and {len(found.layers) - _LAYERS} better layers; --json has them all")
    if found.accuracy is not None and found.float_accuracy is not None:
        lines.append(
            f"accuracy {found.accuracy:.2%} in integers, {found.float_accuracy:.2%} in float32"
        )
    return Group(table, *(Text(printable(line, 400)) for line in lines))


def overview(found: Overview, *, layers: bool = False) -> RenderableType:
    """One screen: operators, ends, engines, RAM over time, boards. With `layers`, those too."""
    table = grid(found.name, *_COLUMNS, right=("count", "MACs", "weights"))
    for k in found.kinds:
        cells = ("; ".join(k.types), _shape(k.shape), _some(k.macs), _some(k.weights))
        _row(table, k.op, k.count, *cells)
    table.add_section()
    total = number(sum(k.count for k in found.kinds))
    _row(table, "", total, "", "", number(found.macs), number(sum(k.weights for k in found.kinds)))
    parts: list[RenderableType] = [_layer_table(found), table] if layers else [table]
    for p in found.ports:
        quant = "" if p.scale is None else f", scale {p.scale:.6g}, zero point {p.zero_point}"
        parts.append(_line(f"{p.kind} {p.name}: {_shape(p.shape)} {p.dtype}{quant}"))
    for engine in found.engines:
        if not engine.reasons:
            parts.append(_line(f"engine {engine.name}: supported, {engine.note}", "green"))
        for reason in engine.reasons[:_REASONS]:
            parts.append(_line(f"engine {engine.name}: not supported: {reason}", "red"))
        if len(engine.reasons) > _REASONS:
            rest = len(engine.reasons) - _REASONS
            parts.append(_line(f"engine {engine.name}: and {rest} more; --json has them all"))
        if engine.hint:
            parts.append(_line(f"  {engine.hint}"))
    return Group(*parts, _ram_over_time(found), _line(_fitting(found)))


def _line(text: str, style: str = "") -> Text:
    return Text(printable(text, 400), style=style)


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _some(value: int) -> str:
    return number(value) if value else ""


def _layer_table(found: Overview) -> Table:
    columns = ("layer", "operator", "types", "output", "MACs", "weights")
    table = grid("layers", *columns, right=("MACs", "weights"))
    for x in found.layers:
        label = "  " * x.inside + x.label
        _row(table, label, x.op, x.types, _shape(x.shape), _some(x.macs), _some(x.weights))
    return table


def _ram_over_time(found: Overview) -> RenderableType:
    """Live bytes as bars, layer by layer, or by several where there are many."""
    title = f"RAM: arena {number(found.arena or 0)} bytes, lower bound {number(found.peak)}"
    if found.arena is None:
        title = f"RAM: at least {number(found.peak)} bytes for tensors"
    table = grid(title, "while", "live bytes", "", right=("live bytes",))
    most = max((m.bytes for m in found.ram), default=1)
    for m in found.ram:
        _row(table, m.label, number(m.bytes), "█" * round(_BAR * m.bytes / max(most, 1)))
    return table


def _fitting(found: Overview) -> str:
    yes = ", ".join(name for name, fits in found.fits.items() if fits)
    no = ", ".join(name for name, fits in found.fits.items() if not fits)
    what = "weights, arena, stack" if found.arena is not None else "weights and tensors at least"
    return f"fits ({what}): {yes or 'none'}" + (f"; not: {no}" if no else "")


def boards(rows: Sequence[Board]) -> RenderableType:
    columns = ("name", "also", "core", "flash", "RAM", "emulator")
    table = grid("boards", *columns, right=("flash", "RAM"), whole=("name", "core"))
    for b in rows:
        flash, ram = ("", "") if b.host else (_kib(b.flash.size), _kib(b.ram.size))
        machine = b.emulator.machine if b.emulator else ""
        core = "" if b.host else b.core.cpu.removeprefix("cortex-").upper()
        _row(table, b.name, ", ".join(b.aliases), core, flash, ram, machine)
    return table


def board_json(b: Board) -> dict[str, Any]:
    return {
        "name": b.name,
        "title": b.title,
        "aliases": list(b.aliases),
        "cpu": b.core.cpu,
        "isa": sorted(b.isa),
        "clock_hz": b.clock_hz,
        "regions": [{"name": r.name, "kind": r.kind, "size": r.size} for r in b.regions],
        "emulator": b.emulator.machine if b.emulator else None,
        "verified": list(b.verified),
    }


def ports(rows: Sequence[PortInfo]) -> RenderableType:
    if not rows:
        return Text("no serial ports")
    columns = ("device", "what", "USB id", "serial number", "boards", "held by")
    table = grid("serial ports", *columns, whole=columns[:1])
    for p in rows:
        cells = (p.description, p.usb, p.serial_number, ", ".join(p.boards), ", ".join(p.holders))
        _row(table, p.device, *cells)
    notes = [f"{p.device}: {note}" for p in rows for note in (p.problem, p.firmware) if note]
    return Group(table, *(Text(printable(note, 400)) for note in notes))


def account(ledger: Ledger, where: str, size: int, seconds: float) -> RenderableType:
    """What a board has said so far: inferences received and lost, and how the line did."""
    boot = ledger.boot
    who = "a reader of an INA" if ledger.readings else "nobody has said who it is"
    who = f"{boot.model} on {boot.board}, {boot.engine}" if boot else who
    table = grid(f"{where}: {who}", "what", "figure", right=("figure",))
    rows: list[tuple[str, object]] = [("inferences received", number(ledger.received))]
    if ledger.asked:
        rows.append(("asked for", number(ledger.asked)))
    rows += [("lost", number(ledger.lost)), ("told twice", number(ledger.repeated))]
    if ledger.median is not None:
        spread = f"{number(ledger.least)} to {number(ledger.most)}"
        rows += [("ticks, last", number(ledger.ticks[-1])), ("median", number(ledger.median))]
        rows += [("least to most", spread)]
    if ledger.layers:
        rows.append(("steps timed", len(ledger.layers)))
    if ledger.readings:
        rows.append(("readings of an INA", number(ledger.readings)))
    if ledger.memory is not None:
        m = ledger.memory
        rows.append(("stack peak", f"{number(m.stack_peak)} of {number(m.stack_size)}"))
    rows += [("damaged lines", number(ledger.damaged)), ("other lines", number(ledger.foreign))]
    rows += [("starts of the device", ledger.boots), ("disconnections", ledger.cut)]
    rows += [("bytes", number(size)), ("time", duration(seconds))]
    for name, value in rows:
        _row(table, name, value)
    lines = [f"{duration(at)}: {text}" for at, text in [*ledger.events][-5:]]
    return Group(table, *(Text(printable(line, 200)) for line in lines))


def duration(seconds: float) -> str:
    """Hours do not end at 24: a soak may run for days."""
    minutes, rest = divmod(max(int(seconds), 0), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def doctor(rows: Sequence[Finding]) -> RenderableType:
    table = grid("tools", "tool", "for", "found")
    for f in rows:
        found = f.found or ("MISSING: " if f.required else "not installed: ") + f.hint
        _row(table, f.name, f.need, found)
    return table


def key_values(title: str, values: Mapping[str, object]) -> RenderableType:
    table = grid(title, "what", "value")
    for key, value in values.items():
        _row(table, key, value)
    return table


def _kib(size: int) -> str:
    return f"{size // 1024} KiB"
