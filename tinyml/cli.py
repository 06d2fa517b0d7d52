"""The command line: reads arguments, calls flow, prints. Errors are caught here, once."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from . import __version__
from .errors import InputError, TinymlError

if TYPE_CHECKING:
    from .board import Board
    from .flow import Built, Model
    from .project import Project
    from .run import Progress
    from .tflm_build import Options

app = typer.Typer(
    name="tinyml",
    help="From a Keras or .tflite model to measured int8 firmware for Cortex-M boards.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
# Where the output is no terminal, nobody's width is known: give the tables room.
out = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
err = Console(stderr=True, highlight=False)

ModelArgument = Annotated[
    Path | None, typer.Argument(help="A .keras, .h5, SavedModel or int8 .tflite model.")
]
BoardOption = Annotated[str | None, typer.Option("--board", "-b", help="A board of `boards`.")]
CalibrationOption = Annotated[
    Path | None, typer.Option(help="A .npz of arrays by input name, to quantise a Keras model.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
UnsafeOption = Annotated[
    bool, typer.Option("--unsafe", help="Load Keras models that contain Python code.")
]
ProbeOption = Annotated[
    str | None, typer.Option(help="How to reach the board: qemu, host, openocd, jlink, uf2, ...")
]
PortOption = Annotated[
    str | None,
    typer.Option(
        help="The board's console: /dev/ttyACM0, socket://HOST:PORT, rfc2217://HOST:PORT. Without "
        "--probe, the board runs the image already."
    ),
]
SerialOption = Annotated[
    str | None, typer.Option("--serial", help="Serial number of the probe, where there are two.")
]
OptimizeOption = Annotated[str | None, typer.Option(help="speed, balanced or size.")]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="Folder to build in; it is replaced.")
]
EngineOption = Annotated[str | None, typer.Option(help="aot, or tflm: your TFLite-Micro.")]
TflmOption = Annotated[
    Path | None,
    typer.Option("--tflm", envvar="TINYML_TFLM", help="Your TFLite-Micro, for engine tflm."),
]
ArenaOption = Annotated[
    str, typer.Option(help="Engine tflm: where to look for the arena's size, or bytes to take.")
]
CustomOption = Annotated[
    list[str] | None,
    typer.Option("--custom-op", help="Engine tflm: NAME=Register_NAME of an operator of yours."),
]
ArgmaxOption = Annotated[
    bool, typer.Option("--argmax", help="Give the number of the class only; no softmax.")
]
SanitizeOption = Annotated[
    bool, typer.Option("--sanitize", help="Board host: stop at the first memory error.")
]
FirmwareOption = Annotated[
    str, typer.Option("--app", help="bench, example, mlperf or mlperf-energy.")
]


InputsOption = Annotated[
    Path | None, typer.Option(help=".npz by input name, or .npy of the only input.")
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
    as_json: JsonOption = False,
) -> None:
    """Make firmware for a board: C, ELF, BIN, HEX, map and a size report."""
    from . import report

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
    )
    if as_json:
        _print_json(_built_json(built))
    else:
        out.print(report.sizes(built))
        out.print(f"files: {built.folder}", markup=False)


@app.command()
def run(
    model: ModelArgument = None,
    board: BoardOption = None,
    inputs: InputsOption = None,
    results: Annotated[Path, typer.Option(help="Where to write the outputs.")] = Path(
        "outputs.npz"
    ),
    calibration: CalibrationOption = None,
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
    from . import data, flow, report

    project = _project(model)
    if firmware == "example":
        from .cli_example import run_example

        chosen = _runtime(model, engine, tflm, arena, custom_op)
        arguments = (model, board, calibration, output, optimize, sanitize, unsafe, chosen)
        run_example(
            _build(*arguments, app=firmware, argmax=argmax, inputs=inputs), probe, port, as_json
        )
        return
    if firmware != "bench":
        raise InputError(f"--app is {firmware!r}", hint="bench or example")
    file = inputs or (project.test if project else None)
    if file is None:
        raise InputError("there are no inputs", hint="give --inputs data.npz")
    target = _board(board or (project.board if project else None))
    if _engine(project, engine) == "tflm" and target.host:
        from .cli_tflm import run_on_host

        source = model or (project.model if project else Path())
        calibrated = calibration or (project.calibration if project else None)
        run_on_host(_load(source, calibrated, unsafe), file, results, as_json)
        return
    chosen = _runtime(model, engine, tflm, arena, custom_op)
    built = _build(
        model, board, calibration, output, optimize, sanitize, unsafe, chosen, argmax=argmax
    )
    graph = built.model.graph
    arrays = data.input_arrays(file, graph.input_names)
    labels = data.labels_of(file, graph.input_names)
    with _progress("inferences") as progress:
        found = flow.infer(built, arrays, probe=probe, port=port, progress=progress)
    data.save_arrays(results, found)
    where = "port" if port else probe or flow.default_probe(built.board)
    summary: dict[str, Any] = {
        "board": built.board.name,
        "probe": where,
        "samples": len(next(iter(found.values()))),
        "outputs": str(results),
    }
    if labels is not None:
        summary["accuracy"] = flow.accuracy(graph, found, labels)
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
    from . import flow, report

    project = _project(model)
    chosen = _runtime(model, engine, tflm, arena, custom_op)
    built = _build(
        model, board, calibration, output, optimize, False, unsafe, chosen, argmax=argmax
    )
    labelled = test or (project.test if project else None)
    folder = flow.results_folder(results, built)
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


@app.command()
def quantize(
    model: Annotated[Path, typer.Argument(help="A .keras or .h5 file or a SavedModel folder.")],
    calibration: CalibrationOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The .tflite file to write.")
    ] = None,
    float_io: Annotated[
        bool, typer.Option(help="Keep float32 inputs and outputs; int8 inside.")
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
    """Convert a Keras model to a fully int8 .tflite file, and say what that costs by layer."""
    from . import data, quality, report
    from .quantize import quantize as convert

    target = output or model.with_suffix(".tflite")
    if min_accuracy is not None and test is None:
        raise InputError("--min-accuracy needs a labelled set", hint="give --test test.npz")
    done = convert(
        model,
        calibration=calibration,
        output=target,
        io_dtype="float32" if float_io else "int8",
        unsafe=unsafe,
        keep_float=True,
        progress=_tell,
    )
    _warn(done.warnings)
    assert calibration is not None  # there is no conversion without
    _tell("comparing int8 with float32")
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
    model: Annotated[Path, typer.Argument(help="A .tflite file.")],
    layers: Annotated[bool, typer.Option("--layers", help="List every layer.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show operators, MACs, weights, what each engine supports, RAM over time, boards that fit."""
    from . import report
    from .board import list_boards
    from .overview import overview

    found = overview(model, list_boards())
    if as_json:
        _print_json({**found.to_json(), "not_supported": list(found.engines[0].reasons)})
    else:
        out.print(report.overview(found, layers=layers))
    if found.engines[0].reasons:
        raise typer.Exit(1)


@app.command()
def boards(as_json: JsonOption = False) -> None:
    """List the boards."""
    from . import report
    from .board import list_boards

    rows = list_boards()
    if as_json:
        _print_json([report.board_json(b) for b in rows])
    else:
        out.print(report.boards(rows))


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Say which tools are here, which are missing, and how to get them."""
    from dataclasses import asdict

    from . import report
    from .doctor import findings

    rows = findings()
    if as_json:
        _print_json([asdict(f) for f in rows])
    else:
        out.print(report.doctor(rows))
    if any(f.missing for f in rows):
        raise typer.Exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"tinyml {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _project(model: Path | None) -> Project | None:
    """The project of the current folder where no model is named."""
    from .project import FILE_NAME, load_project

    if model is not None:
        return None
    if not Path(FILE_NAME).exists():
        raise InputError(
            f"no model is named, and there is no {FILE_NAME} here",
            hint="tinyml build --board stm32 MODEL, or write a project with tinyml init MODEL",
        )
    return load_project(Path(FILE_NAME))


def _build(
    path: Path | None,
    board_name: str | None,
    calibration: Path | None,
    output: Path | None,
    optimize: str | None,
    sanitize: bool,
    unsafe: bool,
    runtime: Options | None = None,
    *,
    app: str = "bench",
    argmax: bool = False,
    inputs: Path | None = None,
) -> Built:
    """The build that command line and project file ask for together."""
    from dataclasses import replace

    from . import flow
    from .clean import identifier
    from .passes.only_class import only_class

    project = _project(path)
    board = _board(board_name or (project.board if project else None))
    level = optimize or (project.optimize if project else "balanced")
    if level not in flow.LEVELS:
        raise InputError(f"--optimize is {level!r}", hint=f"one of {', '.join(flow.LEVELS)}")
    if app not in flow.APPS:
        raise InputError(f"--app is {app!r}", hint=f"one of {', '.join(flow.APPS)}")
    if inputs is not None and app != "example":
        raise InputError("--inputs is for --app example", hint="others get theirs from the host")
    if project and project.stack_bytes:
        board = replace(board, stack_bytes=project.stack_bytes)
    source = path or (project.model if project else Path())
    model = _load(source, calibration or (project.calibration if project else None), unsafe)
    if argmax and runtime:
        raise InputError("--argmax is for the engine aot", hint="leave it out with --engine tflm")
    if argmax:
        model = replace(model, graph=only_class(model.graph))
    name = project.name if project else identifier(source.stem)
    prefix = project.prefix if project else identifier(source.stem)
    suffix = ("-tflm" if runtime else "") + ("" if app == "bench" else f"-{app}")
    folder = output or Path("build") / f"{identifier(name)}-{board.name}{suffix}"
    golden = None
    if inputs is not None:
        from .cli_example import read_golden

        golden = read_golden(model, inputs, "tflm" if runtime else "aot")
    built = flow.build(
        model,
        board,
        folder,
        prefix=prefix,
        app=app,
        optimize=level,
        sanitize=sanitize,
        runtime=runtime,
        golden=golden,
        tell=_tell,
    )
    _warn(built.model.warnings[len(model.warnings) :])
    return built


def _engine(project: Project | None, engine: str | None) -> str:
    from .project import ENGINES, nearest

    name = engine or (project.engine if project else "aot")
    if name not in ENGINES:
        raise InputError(f"--engine is {name!r}", hint=nearest(name, ENGINES))
    return name


def _runtime(
    model: Path | None,
    engine: str | None,
    folder: Path | None,
    arena: str,
    custom_op: list[str] | None,
) -> Options | None:
    """The user's TFLite-Micro where the engine is tflm."""
    if _engine(_project(model), engine) == "aot":
        return None
    from .cli_tflm import read_options

    return read_options(folder, arena, custom_op)


def _board(name: str | None) -> Board:
    from .board import load_board

    if name is None:
        raise InputError("no board is named", hint="give --board stm32; `tinyml boards` lists them")
    return load_board(name)


def _load(path: Path, calibration: Path | None, unsafe: bool) -> Model:
    from . import flow

    model = flow.load_model(path, calibration=calibration, unsafe=unsafe, tell=_tell)
    _warn(model.warnings)
    return model


def _built_json(built: Built) -> dict[str, Any]:
    return {
        "folder": str(built.folder),
        "model_hash": built.model.hash,
        "arena_bytes": built.plan.arena,
        "arena_lower_bound_bytes": built.plan.lower_bound,
        "macs": built.plan.macs,
        **built.image.to_json(),
    }


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _tell(text: str) -> None:
    err.print(text, markup=False, style="dim")


def _warn(warnings: tuple[str, ...]) -> None:
    for warning in warnings:
        err.print(f"warning: {warning}", markup=False, style="yellow")


@contextmanager
def _progress(what: str) -> Iterator[Progress]:
    """A bar on standard error; nothing where that is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(what)
        yield lambda done, total: bar.update(task, completed=done, total=total)


from . import cli_boards, cli_energy, cli_mlperf, cli_profile, cli_tflm  # noqa: E402, F401


def main() -> None:
    """Entry point of the `tinyml` command: what users can act on is one sentence and a hint."""
    try:
        app()
    except TinymlError as error:
        err.print(f"error: {error.message}", markup=False, style="red", soft_wrap=True)
        if error.hint:
            err.print(f"hint: {error.hint}", markup=False, soft_wrap=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
