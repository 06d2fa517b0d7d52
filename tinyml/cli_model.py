"""The commands `quantize` and `inspect`: a model by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .cli import (
    CalibrationOption,
    JsonOption,
    KeepOption,
    TypeOption,
    UnsafeOption,
    _numbers,
    _print_json,
    _project,
    _tell,
    _warn,
    app,
    err,
    out,
)
from .errors import InputError


@app.command()
def quantize(
    model: Annotated[
        Path | None,
        typer.Argument(help="A .keras, .h5, float .tflite, .onnx or .pt2 file, or a SavedModel."),
    ] = None,
    calibration: CalibrationOption = None,
    kind: TypeOption = None,
    keep: KeepOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The .tflite file to write.")
    ] = None,
    float_io: Annotated[
        bool, typer.Option(help="Keep float32 inputs and outputs; integers inside.")
    ] = False,
    unsafe: UnsafeOption = False,
    test: Annotated[
        Path | None, typer.Option(help="Labelled .npz: inputs by name and `labels`.")
    ] = None,
    min_accuracy: Annotated[
        float | None, typer.Option(min=0, max=1, help="Fail below this share of right answers.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Convert a float model to a fully int8 .tflite file, and say what that costs by layer."""
    from . import data, quality, report
    from .quantize import quantize as convert

    project = _project(model)
    numbers = _numbers(project, kind, keep)
    source = model or (project.model if project else Path())
    calibration = calibration or (project.calibration if project else None)
    test = test or (project.test if project else None)
    target = output or source.with_suffix(".tflite")
    if target.exists() and source.exists() and target.samefile(source):
        target = source.with_name(f"{source.stem}_{numbers.kind}.tflite")
    if min_accuracy is not None and test is None:
        raise InputError("--min-accuracy needs a labelled set", hint="give --test test.npz")
    if test is not None:
        data.load_arrays(test)  # one that is missing or damaged is told before the work begins
    done = convert(
        source,
        calibration=calibration,
        output=target,
        io_dtype="float32" if float_io else "int8",
        numbers=numbers,
        unsafe=unsafe,
        keep_float=True,
        progress=_tell,
    )
    _warn(done.warnings)
    assert calibration is not None  # there is no conversion without
    _tell("comparing with float32")
    arrays = data.input_arrays(calibration, done.inputs)
    labelled = None if test is None else data.labelled_set(test, done.inputs)
    found = quality.report(done.float_model, target.read_bytes(), arrays, labelled)
    if as_json:
        ends = {"inputs": list(done.inputs), "outputs": list(done.outputs)}
        _print_json({"file": str(target), **ends, **found.to_json()})
    else:
        out.print(report.quality(found))
        names = f"{', '.join(done.inputs)} -> {', '.join(done.outputs)}"
        out.print(f"{target}: {names}", markup=False)
    if min_accuracy is not None and (found.accuracy or 0) < min_accuracy:
        err.print(f"error: accuracy {found.accuracy:.2%} is below {min_accuracy:.2%}", style="red")
        raise typer.Exit(3)


@app.command()
def inspect(
    model: Annotated[Path | None, typer.Argument(help="A .tflite file.")] = None,
    layers: Annotated[bool, typer.Option("--layers", help="List every layer.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show operators, MACs, weights, what each engine supports, RAM over time, boards that fit."""
    from . import report
    from .board import list_boards
    from .overview import overview

    project = _project(model)
    found = overview(model or (project.model if project else Path()), list_boards())
    if as_json:
        _print_json({**found.to_json(), "not_supported": list(found.engines[0].reasons)})
    else:
        out.print(report.overview(found, layers=layers))
    if found.engines[0].reasons:
        raise typer.Exit(1)
