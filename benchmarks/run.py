"""Every MLPerf Tiny model on every core, beside the figures that others have published.

python benchmarks/run.py [--models DIR] [--cores M4,M55] [--only kws] [--check | --update]

Instructions are executed ones, counted in QEMU: exact, and the same on every run. Milliseconds are
estimated (docs/ESTIMATES.md). --check compares with benchmarks/instructions.json and ends with code
3 where instructions have risen by more than 2 %; --update writes that file anew.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tinyml import flow
from tinyml.board import CORES as CPUS
from tinyml.board import Board, load_board
from tinyml.errors import TinymlError
from tinyml.files import write_atomically
from tinyml.ops import OPS
from tinyml.profile import Profile, profile
from tinyml.report import number

HERE = Path(__file__).resolve().parent
MODELS_FOLDER = HERE.parent.parent / "shared" / "data" / "models"
COMMITTED = HERE / "instructions.json"
PEERS = HERE / "peers.json"
OUTPUT = HERE.parent / "build" / "benchmark.json"
FORMAT = 1
MODELS = {
    "ad": "ad01_int8",
    "ic": "ic01_resnet8_int8",
    "kws": "kws01_dscnn_int8",
    "vww": "vww01_mobilenet_int8",
    "sww": "sww01_dscnn1d_int8",
}
CORES = ("M0", "M3", "M4", "M33", "M7", "M55")
# No board with a Cortex-M0 has room for all models: its code runs on a Cortex-M3 with more memory.
_BOARDS = {
    "M0": "mps2_an385",
    "M3": "mps2_an385",
    "M4": "nucleo_l4r5zi",
    "M33": "mps2_an505",
    "M7": "mps2_an500",
    "M55": "mps3_an547",
}
_RISE = 1.02
Results = dict[str, dict[str, Any]]
"""Key "M4 kws speed" -> figures of that run."""


def board_of(core: str) -> Board:
    board = load_board(_BOARDS[core])
    if core == "M0":
        cpu = CPUS["cortex-m0"]
        return replace(board, core=cpu, isa=cpu.base | cpu.isa, fpu=None)
    return board


def levels_of(core: str) -> tuple[str, ...]:
    """Where code size counts too, all of --optimize."""
    return ("speed", "balanced", "size") if core == "M4" else ("speed",)


def measure(core: str, model: flow.Model, level: str) -> dict[str, Any]:
    """The figures of one model on one core. MACs are those of the model as it came."""
    found = profile(model, board_of(core), optimize=level, alternatives=False)
    macs = sum(OPS[node.op].macs(node, model.graph) for node in model.graph.nodes)
    instructions = found.total.instructions
    return {
        "instructions": instructions,
        "instructions_per_mac": round(instructions / macs, 4),
        "estimated_ms_l4r5": _milliseconds(found) if core == "M4" else None,
        "code_bytes": found.code,
        "weight_bytes": found.weights,
        "weight_bytes_in_ram": found.weights_in_ram,
        "arena_bytes": found.arena,
        "stack_bytes": found.stack,
        "model_hash": found.model_hash,
        "toolchain": found.toolchain,
    }


def _milliseconds(found: Profile) -> float | None:
    return None if found.milliseconds is None else round(found.milliseconds, 3)


def regressions(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What executes over 2 % more instructions than before, as sentences; runs of both count."""
    risen = []
    for key in after:
        if key not in before:
            continue
        old, new = before[key]["instructions"], after[key]["instructions"]
        if new > old * _RISE:
            risen.append(f"{key}: {number(old)} -> {number(new)} instructions ({new / old:.3f} x)")
    return risen


def committed() -> Results:
    if not COMMITTED.is_file():
        return {}
    return dict(json.loads(COMMITTED.read_text(encoding="utf-8"))["runs"])


def text_of(results: Results) -> str:
    value = {
        "format": FORMAT,
        "about": "python benchmarks/run.py --update writes this file",
        "runs": dict(sorted(results.items())),
    }
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def tables(results: Results, peers: Mapping[str, Any]) -> Iterator[Table]:
    for core in CORES:
        rows = {m: results.get(f"{core} {m} speed") for m in MODELS}
        if any(rows.values()):
            yield _core_table(core, rows, peers["tflm_cmsis_nn"]["instructions"].get(core, {}))
    if any(key.startswith("M4 ") for key in results):
        yield _latency_table(results, peers)
        yield _memory_table(results, peers["tflm_cmsis_nn"])


def _core_table(
    core: str, rows: Mapping[str, Mapping[str, Any] | None], tflm: Mapping[str, int]
) -> Table:
    board = board_of(core)
    table = _table(f"{core} ({board.core.cpu}), emulated, --optimize speed", "model")
    for name in ("instructions", "/ MAC", "TFLM+CMSIS-NN", "ratio", "code", "arena + stack"):
        table.add_column(name, justify="right")
    for model, row in rows.items():
        if row is None:
            continue
        peer = tflm.get(model)
        table.add_row(
            model,
            number(row["instructions"]),
            f"{row['instructions_per_mac']:.2f}",
            "" if peer is None else number(peer),
            "" if peer is None else f"{row['instructions'] / peer:.3f}",
            number(row["code_bytes"]),
            number(row["arena_bytes"] + row["stack_bytes"]),
        )
    return table


def _latency_table(results: Results, peers: Mapping[str, Any]) -> Table:
    title = "milliseconds on NUCLEO-L4R5ZI at 120 MHz: ours estimated, theirs published"
    published = peers["latency_l4r5"]["rows"]
    estimated = peers["tflm_cmsis_nn"]["milliseconds_l4r5"]
    table = _table(title, "model")
    names = ["tinyml speed", "balanced", "size", "TFLM+CMSIS-NN (est.)"]
    for name in (*names, *(row["who"] for row in published)):
        table.add_column(name, justify="right")
    for model in MODELS:
        ours = [results.get(f"M4 {model} {level}") for level in levels_of("M4")]
        if any(ours):
            cells = [None if row is None else row["estimated_ms_l4r5"] for row in ours]
            cells += [estimated.get(model), *(row.get(model) for row in published)]
            table.add_row(model, *("" if c is None else f"{c:.2f}" for c in cells))
    return table


def _memory_table(results: Results, tflm: Mapping[str, Any]) -> Table:
    table = _table("bytes on Cortex-M4: code (flash less weights and vectors), RAM", "model")
    for name in ("code speed", "balanced", "size", "TFLM+CMSIS-NN"):
        table.add_column(name, justify="right")
    for name in ("arena", "stack", "RAM", "TFLM+CMSIS-NN", "weights in RAM (speed)"):
        table.add_column(name, justify="right")
    for model in MODELS:
        rows = [results.get(f"M4 {model} {level}") for level in levels_of("M4")]
        if not all(rows):
            continue
        speed, balanced = rows[0] or {}, rows[1] or {}
        cells = [row["code_bytes"] for row in rows if row] + [tflm["code_bytes"].get(model)]
        cells += [balanced["arena_bytes"], balanced["stack_bytes"]]
        cells += [balanced["arena_bytes"] + balanced["stack_bytes"], tflm["ram_bytes"].get(model)]
        cells += [speed["weight_bytes_in_ram"]]
        table.add_row(model, *("" if c is None else number(c) for c in cells))
    return table


def _table(title: str, first: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.add_column(first)
    return table


def _chosen(text: str | None, names: Sequence[str]) -> list[str]:
    wanted = list(names) if text is None else text.split(",")
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise SystemExit(f"no {', '.join(unknown)}; there is: {', '.join(names)}")
    return wanted


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=MODELS_FOLDER, help="folder of .tflite")
    parser.add_argument("--cores", help=f"of {','.join(CORES)}")
    parser.add_argument("--only", help=f"models of {','.join(MODELS)}")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="JSON file to write")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--check", action="store_true", help="fail where instructions have risen")
    kind.add_argument("--update", action="store_true", help=f"write {COMMITTED.name} anew")
    arguments = parser.parse_args()
    out, err = Console(width=None if sys.stdout.isatty() else 140), Console(stderr=True)
    cores = _chosen(arguments.cores, CORES)
    models = _chosen(arguments.only, tuple(MODELS))
    jobs = [(c, m, level) for c in cores for m in models for level in levels_of(c)]
    results: Results = {}
    try:
        loaded = {m: flow.load_model(arguments.models / f"{MODELS[m]}.tflite") for m in models}
        for core, model, level in track(jobs, "benchmark", console=err, transient=True):
            results[f"{core} {model} {level}"] = measure(core, loaded[model], level)
    except TinymlError as error:
        err.print(f"error: {error.message}\nhint: {error.hint}", markup=False)
        return error.exit_code
    out.print(*tables(results, json.loads(PEERS.read_text(encoding="utf-8"))), sep="\n")
    write_atomically(arguments.output, text_of(results))
    if arguments.update:
        write_atomically(COMMITTED, text_of({**committed(), **results}))
        return 0
    risen = regressions(committed(), results)
    for text in risen:
        err.print(f"risen: {text}", markup=False)
    return 3 if risen and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
