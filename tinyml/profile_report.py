"""A profile as tables with bars, for people."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .clean import printable
from .profile import Profile, Step, Use
from .report import grid, number

_BAR = 10
_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")


def table(profile: Profile, columns: int = 120) -> RenderableType:
    """Each step, the whole, why each kernel was taken, and what the figures are.

    Of less than 100 `columns`, the figures take all: kernels are told in their own table only.
    """
    timed, wide = bool(profile.rules), columns >= 100
    title = f"{profile.model} on {profile.board}, --optimize {profile.optimize}"
    cycles = ("estimated\ncycles",) if timed else ()
    right = ("step", "MACs", "instruc-\ntions", "/ MAC", *cycles, "next")
    kernel, bars = (("kernel",), ("",)) if wide else ((), ())
    names = ("step", "layer", *kernel, *right[1:], *bars)
    table = grid(title, *names, right=right, whole=bars)
    most = max((_weight(step.use) for step in profile.steps), default=1)

    def row(index: object, label: str, kernel: str, cells: list[str], share: float) -> None:
        texts = [str(index), label, *([kernel] if wide else []), *cells]
        bar = [Text(_bar(share), style="cyan")] if wide else []
        table.add_row(*(Text(printable(text)) for text in texts), *bar)

    for step in profile.steps:
        cells = [*_figures(step.use, step.macs, timed), _ratio(step)]
        row(step.index, step.label, step.kernel, cells, _weight(step.use) / max(most, 1))
    table.add_section()
    if profile.outside.instructions:
        row("", "calls of steps", "", [*_figures(profile.outside, 0, timed), ""], 0)
    row("", "total", "", [*_figures(profile.total, profile.macs, timed), ""], 0)
    notes = (Text(printable(note, 600)) for note in _notes(profile))
    return Group(table, _kernels(profile), *notes)


def _weight(use: Use) -> int:
    return use.instructions if use.cycles is None else use.cycles


def _figures(use: Use, macs: int, timed: bool) -> list[str]:
    cells = [number(macs) if macs else "", number(use.instructions)]
    cells.append(f"{use.instructions / macs:.2f}" if macs else "")
    return [*cells, number(use.cycles or 0)] if timed else cells


def _bar(share: float) -> str:
    full, part = divmod(round(share * _BAR * 8), 8)
    return "█" * full + _EIGHTHS[part]


def _ratio(step: Step) -> str:
    if step.next_use is None:
        return ""
    return f"x {_weight(step.next_use) / max(_weight(step.use), 1):.2f}"


def _kernels(profile: Profile) -> Table:
    """Steps with the same kernel for the same reason on one line."""
    table = grid("kernels", "kernel", "steps", "why not a better one", "next best")
    groups: dict[tuple[str, str, str], list[str]] = {}
    for step in profile.steps:
        key = (step.kernel, step.reason, step.next_kernel)
        groups.setdefault(key, []).append(str(step.index))
    for (kernel, reason, other), steps in groups.items():
        table.add_row(kernel, ", ".join(steps), Text(printable(reason, 400)), other or "none")
    return table


def _notes(profile: Profile) -> list[str]:
    notes = [
        f"emulated ({profile.machine}): executed instructions of one inference on zeros, the same "
        "on every run"
    ]
    if profile.rules:
        notes.append(
            f"estimated: {number(profile.total.cycles or 0)} cycles, "
            f"{profile.milliseconds:.2f} ms at {profile.clock_hz / 1e6:g} MHz, not measured; "
            f"{profile.rules}"
        )
        reads = profile.flash or f"the file of {profile.board} has no [flash]: no wait states"
        notes.append(f"flash: {reads}")
    else:
        notes.append(f"no estimate of cycles: there are no timing rules for {profile.cpu}")
    ram = f"arena {number(profile.arena)}, stack {number(profile.stack)}"
    if profile.weights_in_ram:
        ram += f", weights {number(profile.weights_in_ram)}"
    return [*notes, f"bytes: code {number(profile.code)}; RAM: {ram}"]
