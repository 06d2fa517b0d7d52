"""The command line: reads arguments, calls flow, prints. Errors are caught here, once."""

from __future__ import annotations

import io
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from . import __version__
from .errors import InputError, TinymlError, describe

if TYPE_CHECKING:
    from .board import Board
    from .flow import Built, Model
    from .graph import Graph
    from .project import Project
    from .quantize import Precision
    from .session import Progress
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
    Path | None, typer.Argument(help="A .tflite, .keras, .h5, SavedModel, .onnx or .pt2 model.")
]
BoardOption = Annotated[str | None, typer.Option("--board", "-b", help="A board of `boards`.")]
CalibrationOption = Annotated[
    Path | None, typer.Option(help="A .npz of arrays by input name, to quantise a float model.")
]
TypeOption = Annotated[
    str | None, typer.Option("--type", help="Quantise to int8, int16x8 or int4 (its weights).")
]
KeepOption = Annotated[
    list[str] | None,
    typer.Option("--keep", help="LAYER=TYPE of a layer that is to have another; repeatable."),
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
OptimizeOption = Annotated[str | None, typer.Option(help="speed, balanced (without this) or size.")]
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
    bool, typer.Option("--argmax", help="Output the number of the class only; no softmax.")
]
SanitizeOption = Annotated[
    bool, typer.Option("--sanitize", help="Board host: stop at the first memory error.")
]
InputsOption = Annotated[
    Path | None, typer.Option(help=".npz by input name, or .npy of the only input.")
]


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
            hint="name the model file, or write a project for it with tinyml init MODEL",
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
    numbers: Precision | None = None,
    check: Callable[[Graph], object] = lambda graph: None,
) -> Built:
    """The build that command line and project file ask for together.

    `check` is what there is to refuse once the model is known, before it is built.
    """
    from dataclasses import replace

    from . import data, flow
    from .clean import identifier
    from .files import check_replaceable, check_writable

    project = _project(path)
    board = _board(board_name or (project.board if project else None))
    level = _level(project, optimize)
    if app not in flow.APPS:
        raise InputError(f"--app is {app!r}", hint=f"one of {', '.join(flow.APPS)}")
    if inputs is not None and app != "example":
        raise InputError("--inputs is for --app example", hint="others get theirs from the host")
    if project and project.stack_bytes:
        board = replace(board, stack_bytes=project.stack_bytes)
    source = path or (project.model if project else Path())
    name = project.name if project else identifier(source.stem)
    suffix = ("-tflm" if runtime else "") + ("" if app == "bench" else f"-{app}")
    folder = output or Path("build") / f"{identifier(name)}-{board.name}{suffix}"
    _tell_argmax(output, argmax)
    check_replaceable(folder, flow.MARK)
    check_writable(folder)
    if inputs is not None:
        data.load_arrays(inputs)  # one that is missing or damaged is told before the work begins
    calibrated = calibration or (project.calibration if project else None)
    model = _load(source, calibrated, unsafe, numbers or _numbers(project))
    if argmax:
        model = _only_class(model, "tflm" if runtime else "aot")
    check(model.graph)
    prefix = project.prefix if project else identifier(source.stem)
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


def _level(project: Project | None, optimize: str | None) -> str:
    from .flow import LEVELS

    level = optimize or (project.optimize if project else "balanced")
    if level not in LEVELS:
        raise InputError(f"--optimize is {level!r}", hint=f"one of {', '.join(LEVELS)}")
    return level


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


def _only_class(model: Model, engine: str) -> Model:
    from dataclasses import replace

    from .passes.only_class import only_class

    if engine == "tflm":
        raise InputError("--argmax is for the engine aot", hint="leave it out with --engine tflm")
    return replace(model, graph=only_class(model.graph))


def _tell_argmax(output: Path | None, argmax: bool) -> None:
    """Other tools have `--output argmax`, which names a folder here, as it may be meant to."""
    if output == Path("argmax") and not argmax:
        _warn(("--output argmax names the folder; the class only is --argmax",))


def _board(name: str | None) -> Board:
    from .board import load_board

    if name is None:
        raise InputError("no board is named", hint="give --board stm32; `tinyml boards` lists them")
    return load_board(name)


def _numbers(
    project: Project | None, kind: str | None = None, keep: list[str] | None = None
) -> Precision:
    """What a float model is quantised to, by command line and project file together."""
    from .quantize import precision

    kept = dict(project.keep) if project else {}
    for text in keep or ():
        layer, found, value = text.rpartition("=")
        if not found or not layer:
            raise InputError(f"--keep is {text!r}", hint="write --keep LAYER=int16x8")
        kept[layer] = value
    return precision(kind or (project.type if project else "int8"), kept)


def _load(
    path: Path, calibration: Path | None, unsafe: bool, numbers: Precision | None = None
) -> Model:
    from . import flow

    model = flow.load_model(
        path, calibration=calibration, numbers=numbers, unsafe=unsafe, tell=_tell
    )
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


from . import cli_build, cli_model  # noqa: E402, F401  # isort: skip
from . import cli_boards, cli_energy, cli_mlperf, cli_profile, cli_tflm  # noqa: E402, F401


def main() -> None:
    """Entry point of the `tinyml` command: what users can act on is one sentence and a hint."""
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # of a terminal that has fewer characters
            stream.reconfigure(errors="replace")
    try:
        app()
    except KeyboardInterrupt:  # outside of the command itself, which ends the same way
        sys.exit(130)
    except TinymlError as error:
        _fail(error.message, error.hint)
        sys.exit(error.exit_code)
    except OSError as error:
        _fail(*describe(error))
        sys.exit(1)
    finally:
        exec("")  # forgets a Ctrl-C inside of an exec() of text, which Python else ends itself by


def _end(number: int, frame: object) -> NoReturn:
    """Leave as after Ctrl-C: programs are ended, and unfinished files removed, on the way out."""
    sys.exit(128 + number)


def _fail(message: str, hint: str) -> None:
    err.print(f"error: {message}", markup=False, style="red", soft_wrap=True)
    if hint:
        err.print(f"hint: {hint}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
