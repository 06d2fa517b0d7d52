"""The committed figures of the MLPerf Tiny models: instructions must not rise unseen."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from tests import networks
from tests.conftest import ROOT
from tests.pick import Seeded
from tinyml import build, flow, tflite
from tinyml.board import Board, load_board
from tinyml.profile import profile

FOLDER = ROOT / "benchmarks"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark", FOLDER / "run.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


benchmark = load()
UPDATE = "python benchmarks/run.py --update writes the file anew"


def compiler_of(toolchain: str) -> str:
    return toolchain.partition(" -")[0]


WATCHED = [
    (core, name)
    for core in benchmark.CORES
    for name in benchmark.MODELS
    if core in ("M4", "M55") or name in ("ad", "kws")  # on the others a dense and a mixed one
]


@pytest.mark.qemu
@pytest.mark.parametrize(("core", "name"), WATCHED)
def test_instructions_do_not_rise(core: str, name: str, models_folder: Path) -> None:
    key = f"{core} {name} speed"
    before = benchmark.committed()
    assert key in before, UPDATE
    if compiler_of(before[key]["toolchain"]) != build._arm_compiler().version:
        pytest.skip("the committed figures are of another compiler")
    model = flow.load_model(models_folder / f"{benchmark.MODELS[name]}.tflite")
    assert model.hash == before[key]["model_hash"]
    after = benchmark.measure(core, model, "speed")
    assert not benchmark.regressions(before, {key: after}), f"where that is meant, {UPDATE}"


LIMITS = {"balanced": 16_000, "size": 10_000}
"""Bytes of flash, the measuring application included, less weights and vectors."""


def code_bytes(model: flow.Model, board: Board, level: str, folder: Path) -> int:
    image = flow.build(model, board, folder / level, prefix="net", optimize=level).image
    assert image.sizes is not None
    flash = image.sizes.flash
    return image.sizes.flash_total - flash["weights"] - flash["vectors"]


@pytest.mark.parametrize(
    ("core", "name"), [*(("M4", name) for name in benchmark.MODELS), ("M0", "vww"), ("M3", "vww")]
)
def test_code_of_the_models_stays_small(
    core: str, name: str, models_folder: Path, tmp_path: Path
) -> None:
    """On the other cores of the one with most code."""
    model = flow.load_model(models_folder / f"{benchmark.MODELS[name]}.tflite")
    board = benchmark.board_of(core)
    sizes = {level: code_bytes(model, board, level, tmp_path) for level in LIMITS}
    assert all(sizes[level] <= LIMITS[level] for level in LIMITS), sizes


def test_code_of_a_network_stays_small(tmp_path: Path) -> None:
    blob = networks.network(Seeded(3), ("conv", "depthwise", "branch", "conv", "pool"))
    model = flow.Model("net", blob, tflite.parse(blob))
    sizes = {level: code_bytes(model, load_board("stm32"), level, tmp_path) for level in LIMITS}
    assert sizes["size"] < sizes["balanced"] <= LIMITS["balanced"], sizes
    assert sizes["size"] <= LIMITS["size"], sizes


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("core", "name"),
    [("M4", "kws"), ("M4", "vww"), ("M4", "sww"), ("M3", "vww"), ("M55", "vww"), ("M0", "sww")],
)
def test_no_step_takes_a_kernel_that_the_next_best_would_beat(
    core: str, name: str, models_folder: Path
) -> None:
    """By executed instructions: over 5 % of the step, and over a hundred of them."""
    model = flow.load_model(models_folder / f"{benchmark.MODELS[name]}.tflite")
    found = profile(model, benchmark.board_of(core), optimize="speed")
    compared = [(step, step.next_use.instructions) for step in found.steps if step.next_use]
    assert len(compared) >= len(found.steps) // 2
    beaten = [
        f"{step.index} {step.kernel} {step.use.instructions}, {step.next_kernel} {other}"
        for step, other in compared
        if step.use.instructions > max(other * 1.05, other + 100)
    ]
    assert not beaten
    key = f"{core} {name} speed"
    before = benchmark.committed()
    if compiler_of(before[key]["toolchain"]) == compiler_of(found.toolchain):
        after = {"instructions": found.total.instructions}
        assert not benchmark.regressions(before, {key: after}), f"where that is meant, {UPDATE}"


def test_committed_figures_are_complete() -> None:
    wanted = {
        f"{core} {model} {level}"
        for core in benchmark.CORES
        for model in benchmark.MODELS
        for level in benchmark.levels_of(core)
    }
    found = benchmark.committed()
    assert set(found) == wanted, UPDATE
    assert (FOLDER / "instructions.json").read_text(encoding="utf-8") == benchmark.text_of(found)


def test_a_rise_of_more_than_two_percent_is_found() -> None:
    before = {"M4 ad speed": {"instructions": 1000}, "M0 ad speed": {"instructions": 1}}
    assert benchmark.regressions(before, {"M4 ad speed": {"instructions": 1020}}) == []
    (text,) = benchmark.regressions(before, {"M4 ad speed": {"instructions": 1021}})
    assert "1 000 -> 1 021" in text
    assert benchmark.regressions(before, {"M7 ad speed": {"instructions": 9}}) == []


def test_tables_of_the_committed_figures() -> None:
    from rich.console import Console

    peers = json.loads((FOLDER / "peers.json").read_text(encoding="utf-8"))
    assert all(row["source"].startswith("https://") for row in peers["latency_l4r5"]["rows"])
    console = Console(record=True, width=160, quiet=False, stderr=True)
    with console.capture() as captured:
        for table in benchmark.tables(benchmark.committed(), peers):
            console.print(table)
    text = captured.get()
    assert "165.13" in text and "29 864 761" in text and "M0 (cortex-m0), emulated" in text


def test_the_readme_has_the_committed_figures() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    head, _, *rows = text[text.index("| Cortex-M4 | AD") :].partition("\n\n")[0].splitlines()
    names = [name.lower() for name in cells(head)[1:]]
    table = {label: values for label, *values in map(cells, rows)}
    found = benchmark.committed()
    peers = json.loads((FOLDER / "peers.json").read_text(encoding="utf-8"))
    theirs = peers["tflm_cmsis_nn"]["instructions"]

    def figures(level: str, *keys: str) -> list[int]:
        return [sum(found[f"M4 {name} {level}"][key] for key in keys) for name in names]

    def written(label: str) -> list[int]:
        (row,) = [row for key, row in table.items() if key.startswith(label)]
        return [int(value.replace(" ", "")) for value in row]

    assert written("instructions") == figures("speed", "instructions")
    assert written("bytes of code at `balanced`") == figures("balanced", "code_bytes")
    assert written("bytes of code at `size`") == figures("size", "code_bytes")
    assert written("bytes of RAM") == figures("balanced", "arena_bytes", "stack_bytes")
    times = figures("speed", "estimated_ms_l4r5")
    assert table["ms, estimated"] == [f"{ms:.1f}" if ms < 100 else f"{ms:.0f}" for ms in times]

    def ratios(core: str, models: Sequence[str]) -> list[float]:
        return [found[f"{core} {m} speed"]["instructions"] / theirs[core][m] for m in models]

    (row,) = [row for key, row in table.items() if key.startswith("of TFLite Micro")]
    assert row == [f"{ratio:.2f}" for ratio in ratios("M4", names)]
    for core in ("M7", "M3", "M0", "M55"):
        all_of_it = ratios(core, list(benchmark.MODELS))
        span = f"{min(all_of_it):.2f} to {max(all_of_it):.2f}"
        assert re.search(rf"\b{core}\b[^.;]*? {span}", " ".join(text.split())), (core, span)


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]
