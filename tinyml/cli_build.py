"""The commands `init`, `build`, `run` and `bench`: a model on a board."""

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
    EngineOption,
    InputsOption,
    JsonOption,
    KeepOption,
    ModelArgument,
    OptimizeOption,
    OutputOption,
    PortOption,
    ProbeOption,
    SanitizeOption,
    SerialOption,
    TflmOption,
    TypeOption,
    UnsafeOption,
    _board,
    _build,
    _built_json,
    _engine,
    _load,
    _numbers,
    _print_json,
    _progress,
    _project,
    _runtime,
    _tell,
    _warn,
    app,
    err,
    out,
)
from .errors import InputError

if TYPE_CHECKING:
    from .graph import Array, Graph

FirmwareOption = Annotated[
    str, typer.Option("--app", help="bench, example, mlperf, mlperf-energy or ina-reader.")
]


@app.command()
def init(
    model: Annotated[Path, typer.Argument(help="The model the project builds.")],
    board: BoardOption = None,
    force: Annotated[bool, typer.Option(help="Replace an existing tinyml.toml.")] = False,
) -> None:
    """Write a tinyml.toml for a model."""
    from .project import write_project

    err.print(f"wrote {write_project(model, board=board, force=force)}", markup=False)


@app.command()
def build(
    model: ModelArgument = None,
    board: BoardOption = None,
    calibration: CalibrationOption = None,
    kind: TypeOption = None,
    keep: KeepOption = None,
    output: OutputOption = None,
    optimize: OptimizeOption = None,
    sanitize: SanitizeOption = False,
    argmax: ArgmaxOption = False,
    unsafe: UnsafeOption = False,
    engine: EngineOption = None,
    tflm: TflmOption = None,
    arena: ArenaOption = "emulator",
    custom_op: CustomOption = None,
    firmware: FirmwareOption = "bench",
    inputs: Annotated[
        Path | None, typer.Option(help="For --app example: its first sample is built in.")
    ] = None,
    rate: Annotated[
        int | None, typer.Option(help="For --app ina-reader: readings a second (200).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make firmware for a board: C, ELF, BIN, HEX, map and a size report."""
    from . import report

    if firmware == "ina-reader":
        if model is not None:
            raise InputError("--app ina-reader has no model", hint="leave MODEL out")
        _build_reader(board, output, rate, as_json)
        return
    if rate is not None:
        raise InputError("--rate is for --app ina-reader")
    chosen = _runtime(model, engine, tflm, arena, custom_op)
    built = _build(
        model,
        board,
        calibration,
        output,
        optimize,
        sanitize,
        unsafe,
        chosen,
        app=firmware,
        argmax=argmax,
        inputs=inputs,
        numbers=_numbers(_project(model), kind, keep),
    )
    if as_json:
        _print_json(_built_json(built))
    else:
        out.print(report.sizes(built))
        out.print(f"files: {built.folder}", markup=False)


def _build_reader(board: str | None, output: Path | None, rate: int | None, as_json: bool) -> None:
    from . import ina_reader, report

    target = _board(board)
    folder = output or Path("build") / f"{ina_reader.APP}-{target.name}"
    image = ina_reader.build(target, folder, rate=rate or ina_reader.RATE, tell=_tell)
    if target.trigger_led and target.trigger:
        _warn(
            (
                f"{target.trigger.name} of {target.name}, its trigger input, has an LED on it, "
                "which the measured board then drives and pays for",
            )
        )
    if as_json:
        _print_json({"folder": str(folder), **image.to_json()})
        return
    pins = {"trigger": target.trigger.name if target.trigger else "none"}
    if target.i2c and target.i2c.sda and target.i2c.scl:
        pins |= {"SDA": target.i2c.sda.name, "SCL": target.i2c.scl.name}
    size = {"flash": f"{image.sizes.flash_total} bytes"} if image.sizes else {}
    out.print(report.key_values(f"INA reader on {target.title}", {**pins, **size}))
    out.print(f"files: {folder}", markup=False)


@app.command()
def run(
    model: ModelArgument = None,
    board: BoardOption = None,
    inputs: InputsOption = None,
    results: Annotated[Path, typer.Option(help="Where to write the outputs.")] = Path(
        "outputs.npz"
    ),
    calibration: CalibrationOption = None,
    kind: TypeOption = None,
    keep: KeepOption = None,
    output: OutputOption = None,
    optimize: OptimizeOption = None,
    sanitize: SanitizeOption = False,
    argmax: ArgmaxOption = False,
    unsafe: UnsafeOption = False,
    probe: ProbeOption = None,
    port: PortOption = None,
    engine: EngineOption = None,
    tflm: TflmOption = None,
    arena: ArenaOption = "emulator",
    custom_op: CustomOption = None,
    firmware: Annotated[
        str, typer.Option("--app", help="bench; example: print what it says, check INPUTS' first.")
    ] = "bench",
    as_json: JsonOption = False,
) -> None:
    """Send inputs to a board and get the outputs back."""
    from . import data, report
    from .device import default_probe, infer
    from .files import check_file
    from .samples import accuracy, device_inputs

    project = _project(model)
    numbers = _numbers(project, kind, keep)
    if firmware == "example":
        from .cli_example import run_example

        chosen = _runtime(model, engine, tflm, arena, custom_op)
        arguments = (model, board, calibration, output, optimize, sanitize, unsafe, chosen)
        example = _build(*arguments, app=firmware, argmax=argmax, inputs=inputs, numbers=numbers)
        run_example(example, probe, port, as_json)
        return
    if firmware != "bench":
        raise InputError(f"--app is {firmware!r}", hint="bench or example")
    file = inputs or (project.test if project else None)
    if file is None:
        raise InputError("there are no inputs", hint="give --inputs data.npz")
    data.load_arrays(file)  # one that is missing or damaged is told before the work begins
    check_file(results)
    target = _board(board or (project.board if project else None))
    if _engine(project, engine) == "tflm" and target.host:
        from .cli_tflm import run_on_host

        source = model or (project.model if project else Path())
        calibrated = calibration or (project.calibration if project else None)
        run_on_host(_load(source, calibrated, unsafe, numbers), file, results, as_json)
        return
    chosen = _runtime(model, engine, tflm, arena, custom_op)
    arguments = (model, board, calibration, output, optimize, sanitize, unsafe, chosen)

    arrays: dict[str, Array] = {}
    labels: Array | None = None

    def check(graph: Graph) -> None:
        nonlocal labels
        arrays.update(data.input_arrays(file, graph.input_names))
        device_inputs(graph, arrays)
        labels = data.labels_of(file, graph.input_names)

    built = _build(*arguments, argmax=argmax, numbers=numbers, check=check)
    graph = built.model.graph
    with _progress("inferences") as progress:
        found = infer(built, arrays, probe=probe, port=port, progress=progress)
    data.save_arrays(results, found)
    where = "port" if port else probe or default_probe(built.board)
    summary: dict[str, Any] = {
        "board": built.board.name,
        "probe": where,
        "samples": len(next(iter(found.values()))),
        "outputs": str(results),
    }
    if labels is not None:
        summary["accuracy"] = accuracy(graph, found, labels)
        right = round(summary["accuracy"] * len(labels))
        summary["right"] = f"{right} of {len(labels)}"
    if as_json:
        _print_json(summary)
    else:
        out.print(report.key_values(f"{built.model.name} on {built.board.title}", summary))


@app.command()
def bench(
    model: ModelArgument = None,
    board: BoardOption = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Inferences to time.")] = 5,
    test: Annotated[
        Path | None, typer.Option(help="Labelled .npz: inputs by name and `labels`.")
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder for results.")] = Path("results"),
    calibration: CalibrationOption = None,
    kind: TypeOption = None,
    keep: KeepOption = None,
    output: OutputOption = None,
    optimize: OptimizeOption = None,
    argmax: ArgmaxOption = False,
    unsafe: UnsafeOption = False,
    probe: ProbeOption = None,
    port: PortOption = None,
    serial: SerialOption = None,
    warmup: Annotated[int, typer.Option(min=0, help="Inferences before the timed ones.")] = 1,
    engine: EngineOption = None,
    tflm: TflmOption = None,
    arena: ArenaOption = "emulator",
    custom_op: CustomOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build, flash, run and measure: latency by layer, memory, accuracy."""
    from . import data, files, flow, report
    from .samples import device_inputs

    project = _project(model)
    chosen = _runtime(model, engine, tflm, arena, custom_op)
    numbers = _numbers(project, kind, keep)
    arguments = (model, board, calibration, output, optimize, False, unsafe, chosen)
    labelled = test or (project.test if project else None)
    if labelled is not None:
        data.load_arrays(labelled)
    files.check_results(results)

    def check(graph: Graph) -> None:
        if labelled is not None:
            device_inputs(graph, data.labelled_set(labelled, graph.input_names)[0])

    built = _build(*arguments, argmax=argmax, numbers=numbers, check=check)
    folder = files.results_folder(results, built.folder.name)
    with _progress("inferences") as progress:
        measured = flow.bench(
            built,
            folder,
            count=count,
            warmup=warmup,
            test=labelled,
            probe=probe,
            port=port,
            options=None if serial is None else {"serial": serial},
            progress=progress,
        )
    if as_json:
        print(measured.to_json(), end="")
    else:
        out.print(report.run_table(measured))
        out.print(f"files: {built.folder}, {folder}", markup=False)
    if measured.validity == "invalid":
        raise typer.Exit(3)
