"""Commands about TFLite-Micro: compare engines, export files for another build system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .cli import (
    ArenaOption,
    ArgmaxOption,
    BoardOption,
    CalibrationOption,
    CustomOption,
    JsonOption,
    KeepOption,
    ModelArgument,
    OptimizeOption,
    ProbeOption,
    TflmOption,
    TypeOption,
    UnsafeOption,
    _board,
    _engine,
    _level,
    _load,
    _numbers,
    _only_class,
    _print_json,
    _project,
    _tell,
    _tell_argmax,
    app,
    out,
)
from .errors import InputError

if TYPE_CHECKING:
    from .flow import Model
    from .tflm_build import Options


@app.command()
def compare(
    model: ModelArgument = None,
    engines: Annotated[str, typer.Option(help="Engines, the first one to compare by.")] = (
        "aot,tflm"
    ),
    board: BoardOption = None,
    inputs: Annotated[
        Path | None, typer.Option(help=".npz by input name; seeded random inputs without.")
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Inferences to time.")] = 3,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for all of it.")] = Path(
        "compare"
    ),
    calibration: CalibrationOption = None,
    kind: TypeOption = None,
    keep: KeepOption = None,
    optimize: OptimizeOption = None,
    unsafe: UnsafeOption = False,
    probe: ProbeOption = None,
    tflm: TflmOption = None,
    arena: ArenaOption = "emulator",
    custom_op: CustomOption = None,
    as_json: JsonOption = False,
) -> None:
    """One model with several engines: outputs, latency by layer, flash and RAM in one table."""
    from . import compare as comparing
    from . import compare_report, data, flow
    from .clean import identifier
    from .files import check_replaceable, check_writable

    project = _project(model)
    target = _board(board or (project.board if project else None))
    names = [_engine(None, name.strip()) for name in engines.split(",")]
    level = _level(project, optimize)
    source = model or (project.model if project else Path())
    folder = output / f"{identifier(source.stem)}-{target.name}"
    for name in names:
        check_replaceable(folder / name, flow.MARK)
    check_writable(folder)
    if inputs is not None:
        data.load_arrays(inputs)  # one that is missing or damaged is told before the work begins
    runtime = None
    if "tflm" in names and not target.host:
        runtime = read_options(tflm, arena, custom_op)
    calibrated = calibration or (project.calibration if project else None)
    loaded = _load(source, calibrated, unsafe, _numbers(project, kind, keep))
    arrays = None if inputs is None else data.input_arrays(inputs, loaded.graph.input_names)
    found = comparing.compare(
        loaded,
        target,
        names,
        folder,
        prefix=identifier(source.stem),
        runtime=runtime,
        inputs=arrays,
        optimize=level,
        probe=probe,
        count=count,
        tell=_tell,
    )
    if as_json:
        _print_json(found.to_json())
    else:
        out.print(compare_report.table(found))
    if not found.equal:
        raise typer.Exit(3)


@app.command()
def export(
    model: ModelArgument = None,
    engine: Annotated[str | None, typer.Option(help="aot or tflm.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to write, new or empty.")
    ] = None,
    board: BoardOption = None,
    calibration: CalibrationOption = None,
    kind: TypeOption = None,
    keep: KeepOption = None,
    optimize: OptimizeOption = None,
    argmax: ArgmaxOption = False,
    unsafe: UnsafeOption = False,
    tflm: TflmOption = None,
    arena: ArenaOption = "emulator",
    custom_op: CustomOption = None,
    inputs: Annotated[
        Path | None, typer.Option(help="The first sample goes into the example, as its check.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a model's sources, with CMake and Makefile fragments, for your own build system."""
    from . import data
    from . import export as exporting
    from .board import load_board
    from .clean import identifier
    from .files import check_replaceable, check_writable
    from .tflm_build import read_arena

    project = _project(model)
    name = _engine(project, engine)
    level = _level(project, optimize)
    source = model or (project.model if project else Path())
    board_name = board or (project.board if project else None)
    target = load_board(board_name) if board_name else None
    folder = output or Path(f"{identifier(source.stem)}-{name}")
    _tell_argmax(output, argmax)
    check_replaceable(folder, None)
    check_writable(folder)
    if inputs is not None:
        data.load_arrays(inputs)
    size = read_arena(arena)
    runtime = None
    if name == "tflm" and tflm is not None and target is not None:
        runtime = read_options(tflm, arena, custom_op)
    calibrated = calibration or (project.calibration if project else None)
    loaded = _load(source, calibrated, unsafe, _numbers(project, kind, keep))
    if argmax:
        loaded = _only_class(loaded, name)
    golden = None
    if inputs is not None:
        from .cli_example import read_golden

        golden = read_golden(loaded, inputs, name)
    done = exporting.export(
        loaded,
        folder,
        name,
        prefix=project.prefix if project else identifier(source.stem),
        board=target,
        runtime=runtime,
        custom=_custom(custom_op),
        arena=size if isinstance(size, int) else None,
        optimize=level,
        golden=golden,
        tell=_tell,
    )
    if as_json:
        _print_json({"folder": str(done.folder), "files": done.files, "arena": done.plan.arena})
        return
    out.print(f"files: {done.folder}: {', '.join(done.files)}", markup=False)
    out.print(f"arena {done.plan.arena} bytes", markup=False)


def read_options(folder: Path | None, arena: str, custom_op: list[str] | None) -> Options:
    """What --tflm, --arena and --custom-op say."""
    from .tflm_build import Options, read_arena
    from .tflm_library import check_folder, given_folder

    found = given_folder(folder)
    check_folder(found)
    return Options(found, read_arena(arena), _custom(custom_op))


def _custom(texts: list[str] | None) -> dict[str, str]:
    custom: dict[str, str] = {}
    for text in texts or []:
        name, equals, function = text.rpartition("=")
        if not equals or not name or not function:
            raise InputError(f"--custom-op is {text!r}", hint="NAME=Register_NAME")
        custom[name] = function
    return custom


def run_on_host(model: Model, inputs: Path, results: Path, as_json: bool) -> None:
    """`run` on this computer, with the tflite-micro package: outputs, arena, operators."""
    from . import data, report, tflm_host
    from .engines import tflm
    from .samples import accuracy, device_inputs

    planned = tflm.plan(model.graph, model.bytes)
    arrays = data.input_arrays(inputs, model.graph.input_names)
    labels = data.labels_of(inputs, model.graph.input_names)
    found = tflm_host.run(planned, model.bytes, device_inputs(model.graph, arrays))
    data.save_arrays(results, found.outputs)
    summary: dict[str, Any] = {
        "board": "host",
        "probe": "tflite-micro package",
        "samples": len(next(iter(found.outputs.values()))),
        "outputs": str(results),
        "arena_bytes": found.arena.size,
        "arena_persistent_bytes": found.arena.persistent,
        "arena_head_bytes": found.arena.head,
    }
    if labels is not None:
        summary["accuracy"] = accuracy(model.graph, found.outputs, labels)
        right = round(summary["accuracy"] * len(labels))
        summary["right"] = f"{right} of {len(labels)}"
    operators = {o.name: o.version for o in planned.operators}
    if as_json:
        _print_json({**summary, "arena_parts": dict(found.parts), "operators": operators})
        return
    summary["operators"] = ", ".join(f"{n} {v}" for n, v in operators.items())
    out.print(report.key_values(f"{model.name} in TFLite-Micro on this computer", summary))
    note = "arena with 64-bit pointers and reference kernels: a board's is another"
    out.print(note, markup=False)
