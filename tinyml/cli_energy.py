"""The `energy` command: joules per inference with a meter, or an estimate that says it is one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .cli import (
    BoardOption,
    CalibrationOption,
    JsonOption,
    ModelArgument,
    OptimizeOption,
    OutputOption,
    PortOption,
    ProbeOption,
    UnsafeOption,
    _board,
    _build,
    _progress,
    _project,
    app,
    err,
    out,
)
from .errors import InputError

if TYPE_CHECKING:
    from .energy import EnergyResult
    from .flow import Built
    from .meters.estimate import EnergyEstimate
    from .results import Run

ESTIMATE = "estimate"


@app.command()
def energy(
    model: ModelArgument = None,
    board: BoardOption = None,
    meter: Annotated[
        str, typer.Option(help="ppk2, lpm01a, joulescope, otii, ina; or estimate, without one.")
    ] = "ppk2",
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            "--meter-option",
            help="KEY=VALUE of the meter, e.g. voltage=3.3 or port=/dev/...",
        ),
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Windows to measure.")] = 5,
    seconds: Annotated[
        float, typer.Option(min=0.01, max=3600, help="Length of a window, in seconds.")
    ] = 1.0,
    settle: Annotated[
        float, typer.Option(min=0, max=3600, help="Seconds before anything counts.")
    ] = 1.0,
    idle: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds of idle power.")] = 1.0,
    run_file: Annotated[
        Path | None, typer.Option("--run", help="Estimate: the run.json of a bench on the board.")
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder for results.")] = Path("results"),
    calibration: CalibrationOption = None,
    output: OutputOption = None,
    optimize: OptimizeOption = None,
    unsafe: UnsafeOption = False,
    probe: ProbeOption = None,
    port: PortOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the energy of an inference, in windows that the trigger pin marks."""
    from . import files, flow
    from .measure import check_supply, measure_energy, refuse_emulator
    from .meters import open_meter
    from .meters.estimate import check_current
    from .meters.ina import Ina
    from .own_meter import measure_own

    settings = _settings(setting or [])
    if meter == ESTIMATE:
        if settings:
            raise InputError("an estimate has no meter to --set anything of")
        if run_file is not None:
            _estimate_of_file(run_file, as_json)
            return
    elif run_file is not None:
        raise InputError("--run is for --meter estimate: a meter measures by itself")
    instrument = None if meter == ESTIMATE else open_meter(meter, settings)
    project = _project(model)
    target = _board(board or (project.board if project else None))
    if instrument is None:
        check_current(target)
    else:
        check_supply(target, instrument)
    refuse_emulator(target, probe, port)
    own = instrument if isinstance(instrument, Ina) and instrument.own else None
    app = "bench-ina" if own else "bench"
    files.check_results(results)
    built = _build(model, board, calibration, output, optimize, False, unsafe, app=app)
    folder = files.results_folder(results, built.folder.name)
    if instrument is None:
        with _progress("inferences") as progress:
            run = flow.bench(built, folder, probe=probe, port=port, progress=progress)
        _tell_estimate(_estimate(built, run), folder / "energy-estimated.json", as_json)
        return
    with _progress("windows") as progress:
        if own is not None:
            found = measure_own(
                built,
                folder,
                ohms=own.ohms,
                count=count,
                seconds=seconds,
                idle=idle,
                probe=probe,
                port=port,
                progress=progress,
            )
        else:
            found = measure_energy(
                built,
                folder,
                meter=instrument,
                count=count,
                seconds=seconds,
                settle=settle,
                idle=idle,
                probe=probe,
                port=port,
                progress=progress,
            )
    if as_json:
        print(found.to_json(), end="")
    else:
        _print_measured(found)
        out.print(f"files: {built.folder}, {folder}", markup=False)
    if found.validity == "invalid":
        raise typer.Exit(3)


def _settings(items: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not key or not equals:
            raise InputError(f"--set {item}: write KEY=VALUE")
        if key in found:
            raise InputError(f"--set {key} is given twice")
        found[key] = value
    return found


def _estimate_of_file(path: Path, as_json: bool) -> None:
    from .board import load_board
    from .meters.estimate import estimate_energy
    from .results import load_run

    run = load_run(path)
    found = estimate_energy(load_board(run.board), run)
    _tell_estimate(found, path.with_name("energy-estimated.json"), as_json)


def _estimate(built: Built, run: Run) -> EnergyEstimate:
    from .meters.estimate import estimate_energy

    return estimate_energy(built.board, run)


def _tell_estimate(found: EnergyEstimate, path: Path, as_json: bool) -> None:
    from . import report
    from .meters.estimate import NOTE

    found.save(path)
    if as_json:
        print(found.to_json(), end="")
        return
    rows = {
        "ESTIMATED energy per inference": _si(found.estimated_j, "J"),
        "supply": f"{found.supply_v:g} V",
        "current, from the source": f"{found.active_ma:g} mA",
        "source": found.source,
        "latency, measured": _si(found.latency_s, "s"),
    }
    out.print(report.key_values(f"{found.model} on {found.board}: ESTIMATED", rows))
    out.print(f"{NOTE}\nfile: {path}", markup=False)


def _print_measured(found: EnergyResult) -> None:
    from . import report
    from .energy import REASONS

    rows: dict[str, Any] = {
        "meter": found.meter.get("instrument", ""),
        "windows": f"{len(found.windows)} of {found.asked}, {found.repeat} inferences each",
    }
    if found.windows and found.per_inference_j is not None:
        half = f" +- {_si(found.ci95_j, 'J')} (95 %)" if found.ci95_j is not None else ""
        rows["energy per inference"] = _si(found.per_inference_j, "J") + half
        if found.net_j is not None and found.idle_w is not None:
            rows["  without idle"] = _si(found.net_j, "J")
            rows["idle power (waiting, awake)"] = _si(found.idle_w, "W")
        if found.unfiltered_j is not None:
            rows["  without the range-change filter"] = _si(found.unfiltered_j, "J")
        rows["time per inference"] = _si(found.seconds_per_inference, "s")
        rows["current, mean and peak"] = (
            f"{_si(sum(w.mean_a for w in found.windows) / len(found.windows), 'A')}, "
            f"{'unknown' if found.peak_a is None else _si(found.peak_a, 'A')}"
        )
    rows["supply"] = f"{found.meter.get('voltage_v')} V"
    rows["validity"] = found.validity
    out.print(report.key_values(f"{found.model} on {found.board}: measured energy", rows))
    for warning in found.warnings:
        err.print(f"warning: {warning}", markup=False, style="yellow")
    for code in found.reasons:
        err.print(f"{REASONS[code][0]}: {REASONS[code][1]}", markup=False, style="yellow")


def _si(value: float, unit: str) -> str:
    """Four digits with the prefix that suits: 0.00123 J is 1.230 mJ."""
    size = abs(value)
    for factor, prefix in ((1.0, ""), (1e-3, "m"), (1e-6, "µ")):
        if size >= factor:
            return f"{value / factor:.4g} {prefix}{unit}"
    return f"{value / 1e-9:.4g} n{unit}"
