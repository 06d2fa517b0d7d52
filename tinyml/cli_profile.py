"""The command that shows where a model's time goes."""

from __future__ import annotations

from typing import Annotated

import typer

from .cli import (
    BoardOption,
    CalibrationOption,
    JsonOption,
    KeepOption,
    ModelArgument,
    OptimizeOption,
    TypeOption,
    UnsafeOption,
    _board,
    _level,
    _load,
    _numbers,
    _print_json,
    _progress,
    _project,
    _tell,
    app,
    out,
)


@app.command()
def profile(
    model: ModelArgument = None,
    board: BoardOption = None,
    optimize: OptimizeOption = None,
    alternatives: Annotated[
        bool, typer.Option(help="Also run each step's second best kernel.")
    ] = True,
    calibration: CalibrationOption = None,
    kind: TypeOption = None,
    keep: KeepOption = None,
    unsafe: UnsafeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show instructions and estimated cycles by layer, the kernels, and what others would cost."""
    from . import profile as profiling
    from . import profile_report

    project = _project(model)
    target = _board(board or (project.board if project else None))
    level = _level(project, optimize)
    source = model or (project.model if project else None)
    assert source is not None  # _project() has refused that
    calibrated = calibration or (project.calibration if project else None)
    loaded = _load(source, calibrated, unsafe, _numbers(project, kind, keep))
    with _progress("steps") as progress:
        found = profiling.profile(
            loaded,
            target,
            optimize=level,
            alternatives=alternatives,
            tell=_tell,
            progress=progress,
        )
    if as_json:
        _print_json(found.to_json())
    else:
        out.print(profile_report.table(found, out.width))
