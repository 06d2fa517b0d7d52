"""The Run of a bench, and the reasons to doubt it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .link import Link
from .probes import Counting
from .results import LineUse, MemoryUse, Run, Step

if TYPE_CHECKING:
    from .session import Bench, Session


def summarise(
    session: Session,
    bench: Bench,
    counting: Counting,
    *,
    probe: str,
    probe_details: str = "",
    toolchain: str,
    steps: Sequence[tuple[str, str, int]] = (),
    memory: MemoryUse | None = None,
    warnings: Sequence[str] = (),
) -> Run:
    """The Run of a bench, with the reasons to doubt it. `steps` has (label, op, MACs) of each."""
    boot = session.boot
    counted = counting.scale > 0
    run = Run(
        board=boot.board,
        engine=boot.engine,
        model=boot.model,
        model_hash=boot.hash,
        toolchain=toolchain,
        probe=probe,
        probe_details=probe_details,
        unit=counting.unit,
        emulated=counting.emulated,
        resolution=counting.scale,
        clock_hz=boot.clock_hz,
        clock_status=boot.clock,
        counter=boot.counter,
        counts=tuple(map(counting.count, bench.ticks)) if counted else (),
        steps=_steps(bench, counting, steps) if counted else (),
        output_crc=f"{bench.crcs[0]:08X}" if bench.crcs else "",
        memory=memory,
        line=line_use(session.link),
        warnings=tuple(warnings),
    )
    return run.because(*_doubts(run, session, bench, counted))


def _steps(
    bench: Bench, counting: Counting, named: Sequence[tuple[str, str, int]]
) -> tuple[Step, ...]:
    medians = [statistics.median(column) for column in zip(*bench.layers, strict=True)]
    rows = []
    for index, ticks in enumerate(medians):
        label, op, macs = named[index] if index < len(named) else (f"step {index}", "", 0)
        rows.append(Step(index, label, op, macs, ticks * counting.scale))
    return tuple(rows)


def _doubts(run: Run, session: Session, bench: Bench, counted: bool) -> Iterator[str]:
    if run.counter == "none" or (counted and not all(bench.ticks)):
        yield "no_counter"
    if not counted:
        yield "not_counted"
    if len(set(bench.crcs)) > 1:
        yield "outputs_vary"
    if run.memory is not None and run.memory.guard == "broken":
        yield "guard_broken"
    if run.memory is not None and 0 < run.memory.stack_size <= run.memory.stack_peak:
        yield "stack"
    if run.clock_status != "ok" and not run.emulated:
        yield "clock"
    if run.spread > 0.02:
        yield "spread"
    if counted and len(bench.ticks) < 3:
        yield "few"
    if not bench.complete:
        yield "lost"
    if session.link.resent and not run.emulated:  # an emulator's line has no noise: it was slow
        yield "resent"
    if session.link.restarts:
        yield "restarted"


def line_use(link: Link) -> LineUse:
    """What the serial line did to the conversation so far."""
    return LineUse(
        received=link.log.received,
        damaged=link.ledger.damaged,
        resent=link.resent,
        restarts=link.restarts,
        lost=link.ledger.lost,
    )
