"""`tinyml mlperf`: accuracy, performance and energy of any device that speaks its protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .cli import (
    ArenaOption,
    BoardOption,
    CustomOption,
    EngineOption,
    JsonOption,
    ModelArgument,
    OptimizeOption,
    OutputOption,
    PortOption,
    ProbeOption,
    SerialOption,
    TflmOption,
    _build,
    _progress,
    _runtime,
    app,
    out,
)
from .errors import InputError, ProbeError, RunError

if TYPE_CHECKING:
    from .flow import Built
    from .link import Log
    from .meters import Meter
    from .mlperf import Client, Identity
    from .mlperf_data import Sample
    from .mlperf_report import Measured
    from .probes import Counting

MODES = ("accuracy", "performance", "energy")


@app.command()
def mlperf(
    model: ModelArgument = None,
    mode: Annotated[str, typer.Option("--mode", "-m", help=", ".join(MODES))] = "accuracy",
    board: BoardOption = None,
    dataset: Annotated[
        Path | None, typer.Option("--data", help="Folder of the benchmark's data sets, or of one.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only this many files.")] = None,
    count: Annotated[
        int | None, typer.Option("--count", "-n", min=1, help="Inferences in a window.")
    ] = None,
    warmups: Annotated[int, typer.Option(min=0, help="Inferences before a window.")] = 10,
    windows: Annotated[int, typer.Option(min=1, help="Windows to measure.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.001, help="Length of a window.")] = 10.0,
    meter: Annotated[str | None, typer.Option(help="Energy: ppk2, lpm01a, joulescope, ...")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE of the meter, docs/METERS.md.")
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder for results.")] = Path("results"),
    output: OutputOption = None,
    optimize: OptimizeOption = None,
    probe: ProbeOption = None,
    serial: SerialOption = None,
    port: PortOption = None,
    engine: EngineOption = None,
    tflm: TflmOption = None,
    arena: ArenaOption = "emulator",
    custom_op: CustomOption = None,
    baud: Annotated[int | None, typer.Option(min=50, help="Speed of --port.")] = None,
    interface: Annotated[
        bool, typer.Option("--interface", help="--port is the benchmark's interface board.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """MLPerf Tiny: accuracy, performance or energy of a device that speaks its protocol.

    Without MODEL, of whatever is at --port; with one, it is built for --board and run.
    """
    from . import mlperf_data, mlperf_report
    from .files import check_results, results_folder
    from .link import Log

    if mode not in MODES:
        raise InputError(f"--mode is {mode!r}", hint=f"one of {', '.join(MODES)}")
    if mode == "energy" and (meter is None or port is None):
        raise InputError("energy needs a board and a meter", hint="give --port PORT --meter NAME")
    if interface and (mode != "energy" or port is None):
        raise InputError(
            "--interface is for energy: the board hands commands on at 9600 baud",
            hint="--mode energy --port PORT --meter NAME",
        )
    if mode == "accuracy" and dataset is None:
        raise InputError("accuracy needs a data set", hint="give --data FOLDER: docs/MLPERF.md")
    if model is None and port is None:
        raise InputError("no model, no port", hint="give MODEL --board BOARD, or --port PORT")
    if dataset is not None:
        mlperf_data.check_folder(dataset)
    check_results(results)
    built = None
    if model is not None:
        runtime = _runtime(model, engine, tflm, arena, custom_op)
        app = "mlperf-energy" if mode == "energy" else "mlperf"
        built = _build(model, board, None, output, optimize, False, False, runtime, app=app)
    folder = results_folder(results, f"mlperf-{mode}")
    with ExitStack() as stack:
        power = None
        if mode == "energy":
            power = stack.enter_context(_meter(meter or "", setting, built))
        log = stack.enter_context(Log(folder / "log.txt"))
        connected = stack.enter_context(
            _device(built, probe, serial, port, baud, mode, interface, log)
        )
        found = _measure(connected, mode, power, dataset, limit, count, warmups, windows, seconds)
    emulated = connected.counting is not None and connected.counting.emulated
    mlperf_report.save(
        folder,
        connected.identity,
        found,
        mode,
        emulated,
        image_sha256=None if built is None else built.image.sha256,
        probe=connected.probe,
    )
    if as_json:
        print(mlperf_report.results_json(connected.identity, found, mode, emulated), end="")
    else:
        text = mlperf_report.results_text(connected.identity, found, emulated)
        out.print(text, end="", markup=False, soft_wrap=True)
        out.print(f"files: {folder}", markup=False)
    if mlperf_report.validity(found.reasons) == "invalid":
        raise typer.Exit(3)


@dataclass(frozen=True)
class _Connected:
    client: Client
    identity: Identity
    counting: Counting | None  # of a probe; None for a port, where a board is taken to be
    probe: str


@contextmanager
def _meter(name: str, settings: list[str] | None, built: Built | None) -> Iterator[Meter]:
    """The instrument, with the board's supply switched on."""
    from .cli_energy import _settings
    from .measure import check_supply
    from .meters import open_meter

    meter = open_meter(name, _settings(settings or []))
    if built is not None:
        check_supply(built.board, meter)
    with meter:
        yield meter


@contextmanager
def _device(
    built: Built | None,
    probe: str | None,
    serial: str | None,
    port: str | None,
    baud: int | None,
    mode: str,
    interface: bool,
    log: Log,
) -> Iterator[_Connected]:
    from . import mlperf_interface
    from .device import default_probe
    from .mlperf import ENERGY_BAUD, connect
    from .ports import open_port
    from .probes import open_probe

    name = probe or ("" if built is None else default_probe(built.board))
    emulated = name in ("qemu", "host")
    if built is None or (port is not None and (probe is None or emulated)):
        usual = ENERGY_BAUD if mode == "energy" else 115200
        if built is not None and built.board.console is not None:
            usual = built.board.console.baud
        if interface:
            usual = mlperf_interface.BAUD
        with open_port(port or "", baud or usual) as line:
            client, identity = (mlperf_interface.connect if interface else connect)(line, log)
            _expect(identity, built)
            yield _Connected(client, identity, None, "port")
        return
    # Counting instructions is slow, and the answers are the same without.
    options = {"icount": "off"} if name == "qemu" and mode == "accuracy" else {}
    options |= {k: v for k, v in (("serial", serial), ("port", port)) if v is not None}
    with open_probe(name, built.board, options) as opened:
        missing = opened.check()
        if missing:
            raise ProbeError(missing)
        opened.flash(built.image.elf)
        opened.reset()
        client, identity = connect(opened.console(), log, opened.diagnose)
        _expect(identity, built)
        hz = identity.more.get("clock_hz", "")
        counting = opened.counting(int(hz) if hz.isdecimal() and int(hz) else 1)
        yield _Connected(client, identity, counting, name)


def _expect(identity: Identity, built: Built | None) -> None:
    """RunError where the device says that it runs another model."""
    found = identity.more.get("hash")
    if built is not None and found is not None and found != built.model.hash:
        raise RunError(
            f"the firmware on the device runs a model with hash {found}, not {built.model.hash}",
            hint="flash the image again",
        )


def _measure(
    connected: _Connected,
    mode: str,
    meter: Meter | None,
    dataset: Path | None,
    limit: int | None,
    count: int | None,
    warmups: int,
    windows: int,
    seconds: float,
) -> Measured:
    from . import mlperf_data, mlperf_energy, mlperf_run

    client, identity = connected.client, connected.identity
    task = identity.task
    if mode == "accuracy":
        assert dataset is not None
        entries = mlperf_data.data_set(dataset, task)
        with _progress("files") as progress:
            return mlperf_run.measure_accuracy(
                client, task, entries, limit=limit, progress=progress
            )
    samples: Sequence[Sample] = mlperf_data.random_samples(task, windows)
    if dataset is not None:
        entries = mlperf_data.data_set(dataset, task)
        samples = [entry.read(task) for entry in entries[:windows]]
    timing = mlperf_run.Timing(windows, seconds, count, warmups)
    with _progress("windows") as progress:
        if meter is not None:
            return mlperf_energy.measure_energy(
                client, identity, meter, samples, timing, progress=progress
            )
        return mlperf_run.measure_performance(
            client, identity, samples, timing, counting=connected.counting, progress=progress
        )
