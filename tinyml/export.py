"""A model's sources for another build system: with a CMake and a Makefile fragment beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from . import __version__, compare, example, flow, tflm_build, tflm_host
from .board import Board, load_board
from .emit import environment
from .engines import tflm
from .engines.tflm import Arena
from .files import whole_folder
from .flow import Model, Tell
from .plan import Plan
from .tflm_build import Options

_WORDS = 1.25  # TFLite-Micro may need more than on this computer: CMSIS-NN's scratch


@dataclass(frozen=True)
class Exported:
    """The folder, what is in it, and the plan."""

    folder: Path
    files: tuple[str, ...]
    plan: Plan | tflm.Plan


def export(
    model: Model,
    folder: Path,
    engine: str,
    *,
    prefix: str,
    board: Board | None = None,
    runtime: Options | None = None,
    custom: Mapping[str, str] | None = None,
    arena: int | None = None,
    optimize: str = "balanced",
    golden: example.Golden | None = None,
    tell: Tell,
) -> Exported:
    """Write a model's sources into `folder`, which must be new or empty, and example.c beside them.

    The kernels and the order in memory are those of a build for `board` at the same `optimize`;
    without a board, plain C for any core. All weights stay in flash: RAM that is free there is not
    free in another program. The arena of TFLite-Micro is found by running where `board` and
    `runtime` are given; else it is `arena`, or a guess from a run on this computer that the file is
    told to be.
    """
    with whole_folder(folder) as work:
        plan: Plan | tflm.Plan
        if engine == "tflm":
            plan, sources, includes = _tflm(
                model, work, prefix, board, runtime, custom, arena, tell
            )
        else:
            plan = flow.compile_model(
                model, board or load_board("host"), optimize, weights_in_ram=False
            )
            flow.write_sources(model, plan, prefix, work, compact=optimize == "size")
            (work / "tm_wire.h").unlink()  # of the bench firmware
            sources, includes = ("model.c",), (".", "include")
        flow.write_facts(model, plan, work)
        example.write(
            plan.graph,
            prefix,
            model.bytes,
            work,
            golden=golden,
            firmware=False,
            name="example.c",
        )
        defines = board.core.defines if board and engine != "tflm" else ()
        if engine != "tflm" and optimize != "speed":
            defines += ("TM_COMPACT",)
        _fragments(model, work, prefix, sources, includes, engine, defines)
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return Exported(folder, tuple(files), plan)


def _tflm(
    model: Model,
    folder: Path,
    prefix: str,
    board: Board | None,
    runtime: Options | None,
    custom: Mapping[str, str] | None,
    arena: int | None,
    tell: Tell,
) -> tuple[tflm.Plan, tuple[str, ...], tuple[str, ...]]:
    plan = tflm.plan(model.graph, model.bytes, custom)
    if arena is not None:
        found = Arena(arena, source="given with --arena")
    elif runtime is not None and board is not None and not board.host:
        found = tflm_build.search(plan, prefix, model.bytes, board, runtime, tell)
    else:
        found = _guess(model, plan, tell)
    plan = replace(plan, found=found)
    tflm.emit(plan, prefix, model.bytes, folder)
    return plan, tflm.SOURCES, (".", "include")


def _guess(model: Model, plan: tflm.Plan, tell: Tell) -> Arena:
    """From one run on this computer, with room for what other kernels take."""
    inputs = compare.random_inputs(model.graph, 1)
    found = tflm_host.run(plan, model.bytes, inputs).arena
    size = -(-int(found.size * _WORDS) // 16) * 16
    tell("the arena is a guess from a run on this computer: give --board and --tflm to find it")
    source = f"a guess: {found.size} on a computer with 64-bit pointers and reference kernels"
    return Arena(size, found.persistent, found.head, source)


def _fragments(
    model: Model,
    folder: Path,
    prefix: str,
    sources: tuple[str, ...],
    includes: tuple[str, ...],
    engine: str,
    defines: tuple[str, ...],
) -> None:
    env = environment()
    for template, name in (("export.cmake", "model.cmake"), ("export.mk", "model.mk")):
        text = env.get_template(f"{template}.j2").render(
            version=__version__,
            hash=model.hash,
            prefix=prefix,
            sources=sources,
            includes=includes,
            defines=defines,
            tflm=engine == "tflm",
        )
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
