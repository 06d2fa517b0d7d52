"""Engines side by side: one model on one board, its outputs, latency by layer, flash and RAM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import flow, tflm_host
from .board import Board
from .device import infer
from .engines import tflm
from .errors import InputError
from .flow import Built, Model, Tell
from .graph import Array, Graph
from .plan import Plan
from .results import Run
from .samples import device_inputs
from .sizes import FLASH_PARTS, RAM_PARTS
from .tflm_build import Options


@dataclass(frozen=True)
class Side:
    """What one engine made of the model; without a board there are outputs and an arena only."""

    engine: str
    outputs: Mapping[str, Array]
    arena: int
    parts: Mapping[str, int]
    built: Built | None = None
    run: Run | None = None


@dataclass(frozen=True)
class Row:
    """One line of the table: a value of each engine, None where it has none."""

    section: str
    name: str
    values: tuple[float | None, ...]

    @property
    def ratio(self) -> float | None:
        """The last value by the first."""
        first, last = self.values[0], self.values[-1]
        return last / first if first and last is not None else None


@dataclass(frozen=True)
class Comparison:
    """`differences` says how each engine's outputs differ from the first one's; empty: equal."""

    model: str
    board: str
    samples: int
    engines: tuple[str, ...]
    differences: tuple[str, ...]
    unit: str
    emulated: bool
    rows: tuple[Row, ...]

    @property
    def equal(self) -> bool:
        return not any(self.differences)

    def to_json(self) -> dict[str, Any]:
        sections: dict[str, dict[str, Any]] = {}
        for row in self.rows:
            values = dict(zip(self.engines, row.values, strict=True))
            sections.setdefault(row.section, {})[row.name] = {**values, "ratio": row.ratio}
        return {
            "model": self.model,
            "board": self.board,
            "samples": self.samples,
            "engines": list(self.engines),
            "outputs_equal": self.equal,
            "differences": list(self.differences),
            "unit": self.unit,
            "emulated": self.emulated,
            **sections,
        }


def compare(
    model: Model,
    board: Board,
    engines: Sequence[str],
    output: Path,
    *,
    prefix: str,
    runtime: Options | None = None,
    inputs: Mapping[str, Array] | None = None,
    optimize: str = "balanced",
    probe: str | None = None,
    count: int = 3,
    samples: int = 3,
    tell: Tell,
) -> Comparison:
    """Build, run and measure a model with each engine; below `output` each has its folders.

    `inputs` by name, (N, *shape); without them, `samples` seeded random ones.
    """
    if len(engines) < 2 or len(set(engines)) < len(engines):
        raise InputError("compare needs two different engines", hint="--engines aot,tflm")
    raw = random_inputs(model.graph, samples) if inputs is None else inputs
    raw = device_inputs(model.graph, raw)
    sides = []
    for engine in engines:
        tell(f"engine {engine}")
        if engine == "tflm" and board.host:
            sides.append(_on_host(model, raw))
            continue
        built = flow.build(
            model,
            board,
            output / engine,
            prefix=prefix,
            optimize=optimize,
            runtime=runtime if engine == "tflm" else None,
            tell=tell,
        )
        sides.append(_measured(engine, built, raw, output, probe, count))
    return _comparison(model, board, sides, len(next(iter(raw.values()))))


def random_inputs(graph: Graph, samples: int, seed: int = 0) -> dict[str, Array]:
    """Whole-range integers, normally distributed floats; (N, *shape) by name."""
    generator = np.random.default_rng(seed)
    found: dict[str, Array] = {}
    for name, key in zip(graph.input_names, graph.inputs, strict=True):
        tensor = graph.tensors[key]
        shape = (samples, *tensor.sample_shape)
        if tensor.dtype.kind == "f":
            found[name] = generator.normal(size=shape).astype(tensor.dtype)
        elif tensor.dtype.kind == "b":
            found[name] = generator.integers(0, 2, shape).astype(tensor.dtype)
        else:
            info = np.iinfo(tensor.dtype)
            found[name] = generator.integers(info.min, info.max, shape, tensor.dtype, True)
    return found


def _on_host(model: Model, inputs: Mapping[str, Array]) -> Side:
    planned = tflm.plan(model.graph, model.bytes)
    found = tflm_host.run(planned, model.bytes, inputs)
    parts = {"arena persistent": found.arena.persistent, "arena head": found.arena.head}
    return Side("tflm", found.outputs, found.arena.size, parts)


def _measured(
    engine: str,
    built: Built,
    inputs: Mapping[str, Array],
    output: Path,
    probe: str | None,
    count: int,
) -> Side:
    run = flow.bench(built, output / f"{engine}-results", count=count, probe=probe)
    outputs = infer(built, inputs, probe=probe)
    plan = built.plan
    parts = {}
    if isinstance(plan, tflm.Plan):
        parts = {"arena persistent": plan.found.persistent, "arena head": plan.found.head}
    return Side(engine, outputs, plan.arena, parts, built, run)


def _comparison(model: Model, board: Board, sides: Sequence[Side], samples: int) -> Comparison:
    runs = [s.run for s in sides if s.run is not None]
    timed = len(runs) == len(sides)
    rows: list[Row] = []
    if timed:
        rows.append(Row("latency", "inference", tuple(r.median for r in runs)))
        rows += _layers([s.built for s in sides if s.built is not None], runs)
    rows += _memory(sides)
    return Comparison(
        model.name,
        board.name,
        samples,
        tuple(s.engine for s in sides),
        tuple(_differences(s.outputs, sides[0].outputs) for s in sides[1:]),
        runs[0].unit if timed else "",
        timed and runs[0].emulated,
        tuple(rows),
    )


def _differences(got: Mapping[str, Array], want: Mapping[str, Array]) -> str:
    """Empty where all outputs are equal; else how many values differ, and by how much at most."""
    texts = []
    for name, wanted in want.items():
        found = got[name]
        off = found != wanted
        if wanted.dtype.kind == "f":
            off &= ~(np.isnan(found) & np.isnan(wanted))
        if off.any():
            most = np.abs(found.astype(np.float64) - wanted.astype(np.float64)).max()
            texts.append(f"{name}: {int(off.sum())} of {off.size} differ, by at most {most:g}")
    return "; ".join(texts)


def _layers(builts: Sequence[Built], runs: Sequence[Run]) -> list[Row]:
    """Counts by layer, where the first engine's items and the others' are put side by side.

    An item stands for all operators up to the one that makes its output, so what one engine fuses
    or leaves out meets the other's operators.
    """
    if any(len(r.steps) != len(b.plan.schedule) for b, r in zip(builts, runs, strict=True)):
        return []
    first = builts[0]
    counts = [_grouped(first.plan, b.plan, r) for b, r in zip(builts, runs, strict=True)]
    return [
        Row("layers", f"{i} {op} {label}", tuple(c[i] for c in counts))
        for i, (label, op, _) in enumerate(first.steps)
    ]


def _grouped(base: Plan | tflm.Plan, plan: Plan | tflm.Plan, run: Run) -> list[float]:
    """Counts of the items of `plan`, added up over the items of `base`."""
    ends = [item.steps[-1].node.outputs for item in base.schedule]
    sums = [0.0] * len(ends)
    group = 0
    for item, step in zip(plan.schedule, run.steps, strict=True):
        outputs = {name for s in item.steps for name in s.node.outputs}
        made = [i for i, end in enumerate(ends) if outputs & set(end)]
        position = made[0] if made else min(group, len(sums) - 1)
        sums[position] += step.count
        group = position + 1 if made else group
    return sums


def _memory(sides: Sequence[Side]) -> list[Row]:
    sizes = [s.built.image.sizes if s.built is not None else None for s in sides]
    rows: list[Row] = []
    if all(size is not None for size in sizes):
        found = [size for size in sizes if size is not None]
        for part in FLASH_PARTS:
            rows.append(Row("flash", part, tuple(s.flash[part] for s in found)))
        rows.append(Row("flash", "total", tuple(s.flash_total for s in found)))
        for part in RAM_PARTS:
            rows.append(Row("RAM", part, tuple(s.ram[part] for s in found)))
        rows.append(Row("RAM", "total", tuple(s.ram_total for s in found)))
    else:
        rows.append(Row("RAM", "arena", tuple(s.arena for s in sides)))
    names = dict.fromkeys(name for s in sides for name in s.parts)
    rows += [Row("RAM", f"of it {n}", tuple(s.parts.get(n) for s in sides)) for n in names]
    uses = [s.run.memory if s.run is not None else None for s in sides]
    if all(use is not None and use.stack_peak for use in uses):
        rows.append(Row("RAM", "stack used", tuple(u.stack_peak for u in uses if u is not None)))
    return rows
