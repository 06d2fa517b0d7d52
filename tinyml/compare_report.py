"""The comparison of engines as one table for people."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from .clean import printable
from .compare import Comparison, Row
from .report import grid, number


def table(comparison: Comparison) -> RenderableType:
    """Outputs, latency, layers, flash and RAM of each engine, and the last by the first."""
    title = f"{comparison.model} on {comparison.board}"
    table = grid(title, "", *comparison.engines, "ratio", right=(*comparison.engines, "ratio"))
    texts = ["" if not d else "differ" for d in comparison.differences]
    table.add_row("outputs", "", *(t or "equal" for t in texts), "")
    section = ""
    for row in comparison.rows:
        if row.section != section:
            section = row.section
            table.add_section()
            table.add_row(Text(_heading(section, comparison), style="bold"))
        table.add_row(*_cells(row))
    notes = [f"outputs of {comparison.samples} samples"]
    notes += [f"outputs differ: {d}" for d in comparison.differences if d]
    if comparison.emulated:
        notes.append("emulated: executed instructions, no cycles and no time of a board")
    return Group(table, *(Text(printable(note, 400)) for note in notes))


def _heading(section: str, comparison: Comparison) -> str:
    unit = comparison.unit if section in ("latency", "layers") else "bytes"
    return f"{section}, {unit}"


def _cells(row: Row) -> list[Text]:
    values = [Text("" if v is None else number(v)) for v in row.values]
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    return [Text(printable(f"  {row.name}", 60)), *values, Text(ratio)]
