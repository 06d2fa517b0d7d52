"""The comparison of engines as one table for people."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .clean import printable
from .compare import Comparison, Row
from .report import number


def table(comparison: Comparison) -> RenderableType:
    """Outputs, latency, layers, flash and RAM of each engine, and the last by the first."""
    grid = Table(
        title=printable(f"{comparison.model} on {comparison.board}"),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
    )
    grid.add_column("")
    for engine in comparison.engines:
        grid.add_column(engine, justify="right")
    grid.add_column("ratio", justify="right")
    texts = ["" if not d else "differ" for d in comparison.differences]
    grid.add_row("outputs", "", *(t or "equal" for t in texts), "")
    section = ""
    for row in comparison.rows:
        if row.section != section:
            section = row.section
            grid.add_section()
            grid.add_row(Text(_heading(section, comparison), style="bold"))
        grid.add_row(*_cells(row))
    notes = [f"outputs of {comparison.samples} samples"]
    notes += [f"outputs differ: {d}" for d in comparison.differences if d]
    if comparison.emulated:
        notes.append("emulated: executed instructions, no cycles and no time of a board")
    return Group(grid, *(Text(printable(note, 400)) for note in notes))


def _heading(section: str, comparison: Comparison) -> str:
    unit = comparison.unit if section in ("latency", "layers") else "bytes"
    return f"{section}, {unit}"


def _cells(row: Row) -> list[Text]:
    values = [Text("" if v is None else number(v)) for v in row.values]
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    return [Text(printable(f"  {row.name}", 60)), *values, Text(ratio)]
