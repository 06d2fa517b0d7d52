"""Tables for people: builds, runs, models, boards, ports. Nothing here decides anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .clean import printable

if TYPE_CHECKING:
    from .board import Board
    from .doctor import Finding
    from .flow import Built
    from .graph import Graph
    from .ledger import Ledger
    from .plan import Plan
    from .ports import PortInfo
    from .quality import Report
    from .results import Run

_BAR = 40
_LAYERS = 20


def _table(title: str, *columns: str, right: Sequence[str] = ()) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, title_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left")
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
    table = _table(
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
    if run.emulated:
        return (
            f"emulated ({run.probe}): executed instructions, +-{run.resolution:.0f} per figure; "
            "no cycles and no time of a board"
        )
    if run.unit != "cycles":
        return f"{run.unit} on this computer, not a board"
    return f"measured on the board: cycles at {run.clock_hz / 1e6:g} MHz ({run.counter})"


def run_table(run: Run) -> RenderableType:
    """Per layer and in all, with what the figures are."""
    table = _table(
        f"{run.model} on {run.board}, engine {run.engine}",
        "step",
        "layer",
        "operator",
        "MACs",
        run.unit,
        "per MAC",
        right=("step", "MACs", run.unit, "per MAC"),
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
    table = _table(
        f"int8 against float32, {found.samples} samples, worst layer first",
        "layer",
        "operator",
        "error",
        "most steps",
        "float values",
        "int8 holds",
        "used",
        "saturated",
        right=("error", "most steps", "used", "saturated"),
    )
    for layer in found.layers[:_LAYERS]:
        values, holds = (f"{a:.4g} to {b:.4g}" for a, b in (layer.range, layer.holds))
        cells = (f"{layer.error:.2%}", f"{layer.steps:.1f}", values, holds)
        _row(table, layer.label, layer.op, *cells, f"{layer.used:.0%}", f"{layer.saturated:.2%}")
    lines = [*found.findings]
    if len(found.layers) > _LAYERS:
        lines.insert(0, f"and {len(found.layers) - _LAYERS} better layers; --json has them all")
    if found.accuracy is not None and found.float_accuracy is not None:
        lines.append(
            f"accuracy {found.accuracy:.2%} in int8, {found.float_accuracy:.2%} in float32"
        )
    return Group(table, *(Text(printable(line, 400)) for line in lines))


def inspect(name: str, graph: Graph, refusals: Sequence[str], plan: Plan | None) -> RenderableType:
    """Operators, inputs, outputs, what cannot be compiled, and RAM over the schedule."""
    table = _table(name, "operator", "layer", "output", "type", "MACs", right=("MACs",))
    steps = {s.node.outputs[0]: s for s in plan.steps} if plan else {}
    for node in graph.nodes:
        out = graph.outs(node)[0]
        step = steps.get(node.outputs[0])
        macs = number(step.macs) if step and step.macs else ""
        shape = "x".join(map(str, out.shape))
        _row(table, node.op, node.label, shape, out.dtype.name, macs)
    parts: list[RenderableType] = [table]
    for kind, names, keys in (
        ("input", graph.input_names, graph.inputs),
        ("output", graph.output_names, graph.outputs),
    ):
        for n, key in zip(names, keys, strict=True):
            t = graph.tensors[key]
            quant = "" if t.quant is None else f", scale {t.scale:.6g}, zero point {t.zero_point}"
            parts.append(Text(f"{kind} {n}: {'x'.join(map(str, t.shape))} {t.dtype.name}{quant}"))
    parts += [Text(f"not supported: {r}", style="red") for r in refusals]
    if plan is not None:
        parts.append(Text(f"MACs {number(plan.macs)}, weights {number(plan.weight_bytes)} bytes"))
        parts.append(ram_over_time(plan))
    return Group(*parts)


def ram_over_time(plan: Plan) -> RenderableType:
    """Live bytes at each item of the schedule as bars."""
    table = _table(
        f"RAM: arena {number(plan.arena)} bytes, lower bound {number(plan.lower_bound)}",
        "item",
        "live bytes",
        "",
        right=("item", "live bytes"),
    )
    live = plan.live_bytes()
    names = ["inputs", *(i.steps[-1].node.label for i in plan.schedule), "outputs"]
    for label, value in zip(names, live, strict=True):
        bar = "█" * round(_BAR * value / max(*live, 1))
        _row(table, label, number(value), bar)
    return table


def boards(rows: Sequence[Board]) -> RenderableType:
    table = _table("boards", "name", "also", "core", "flash", "RAM", "emulator")
    for b in rows:
        flash, ram = ("", "") if b.host else (_kib(b.flash.size), _kib(b.ram.size))
        machine = b.emulator.machine if b.emulator else ""
        _row(table, b.name, ", ".join(b.aliases), b.core.cpu, flash, ram, machine)
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


def fits(rows: Sequence[tuple[Board, bool]]) -> RenderableType:
    yes = ", ".join(b.name for b, ok in rows if ok)
    no = ", ".join(b.name for b, ok in rows if not ok)
    return Text(f"fits (weights, arena, stack): {yes or 'none'}" + (f"; not: {no}" if no else ""))


def ports(rows: Sequence[PortInfo]) -> RenderableType:
    if not rows:
        return Text("no serial ports")
    table = _table("serial ports", "device", "what", "USB id", "serial number", "boards", "held by")
    for p in rows:
        cells = (p.description, p.usb, p.serial_number, ", ".join(p.boards), ", ".join(p.holders))
        _row(table, p.device, *cells)
    notes = [f"{p.device}: {note}" for p in rows for note in (p.problem, p.firmware) if note]
    return Group(table, *(Text(printable(note, 400)) for note in notes))


def account(ledger: Ledger, where: str, size: int, seconds: float) -> RenderableType:
    """What a board has said so far: inferences received and lost, and how the line did."""
    boot = ledger.boot
    who = f"{boot.model} on {boot.board}, {boot.engine}" if boot else "nobody has said who it is"
    table = _table(f"{where}: {who}", "what", "figure", right=("figure",))
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
    table = _table("tools", "tool", "for", "found")
    for f in rows:
        found = f.found or ("MISSING: " if f.required else "not installed: ") + f.hint
        _row(table, f.name, f.need, found)
    return table


def key_values(title: str, values: Mapping[str, object]) -> RenderableType:
    table = _table(title, "what", "value")
    for key, value in values.items():
        _row(table, key, value)
    return table


def _kib(size: int) -> str:
    return f"{size // 1024} KiB"
