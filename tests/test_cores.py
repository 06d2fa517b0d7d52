"""A fixed sample of every operator on emulated cores, where the variants for a core are used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import networks
from tests.executor import kernel_names
from tests.pick import Seeded
from tests.target import check_on_core
from tests.test_ops import INT4, case, cases, having
from tinyml import tflite
from tinyml.board import load_board
from tinyml.ops import OPS
from tinyml.paths import FIRMWARE

V6M = str(Path(__file__).parent / "boards" / "mps2_an385_v6m.toml")
CORES = (V6M, "mps2_an385", "mps2_an386", "mps3_an547")
VARIANT_CASES = 12
CASES = 2


def variants(op: str, board: str) -> set[str]:
    """The kernels of an operator that only cores with special instructions can run, for speed."""
    isa = load_board(board).isa
    kernels = [k for k in OPS[op].kernels if k.isa and k.isa <= isa]
    return {k.name for k in kernels if k.goal in ("", "speed")}


def sample(op: str, count: int) -> list[bytes]:
    """Cases with integer outputs, as far as there are any: floats are not compared to the bit."""
    found: list[bytes] = []
    floats: list[bytes] = []
    for seed in range(100, 160):
        blob = case(op, Seeded(seed))
        (floats if gives_floats(blob) else found).append(blob)
        if len(found) == count:
            break
    return (found + floats)[:count]


def seldom_drawn(op: str) -> list[bytes]:
    """Cases that a module has because a small sample would miss them."""
    return list(getattr(cases(op), "seldom_drawn", list)())


def few(op: str) -> list[bytes]:
    return sample(op, CASES) + seldom_drawn(op)


def gives_floats(blob: bytes) -> bool:
    graph = tflite.parse(blob)
    return any(graph.tensors[o].dtype.kind == "f" for o in graph.outputs)


@pytest.mark.qemu
@pytest.mark.parametrize("board", CORES, ids=lambda b: Path(b).stem)
def test_a_sample_of_every_operator_equals_tflm(board: str, tmp_path: Path) -> None:
    plain = [op for op in sorted(OPS) if not variants(op, board)]
    check_on_core(board, [blob for op in plain for blob in few(op)], tmp_path)


def test_a_sample_of_every_operator_is_clean_under_sanitizers(tmp_path: Path) -> None:
    """As printed C on this computer: ASan stops at the first byte out of place, UBSan too."""
    blobs = [blob for op in sorted(OPS) for blob in few(op)]
    check_on_core("host", blobs, tmp_path, optimize="-O1")


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("board", "op"),
    [(b, op) for b in CORES for op in sorted(OPS) if variants(op, b)],
    ids=lambda value: Path(value).stem,
)
def test_variants_for_a_core_equal_tflm(board: str, op: str, tmp_path: Path) -> None:
    """For speed, and where that leaves some variants unused, also without that goal."""
    blobs = sample(op, VARIANT_CASES) + seldom_drawn(op)
    if any("_s16" in name for name in variants(op, board)):
        blobs += [cases(op).int16_case(Seeded(seed)) for seed in range(100, 100 + VARIANT_CASES)]
    simpler = CORES[: CORES.index(board)]  # where better variants do not stand in front
    missing = variants(op, board) - set().union(*(variants(op, b) for b in simpler))
    for goal in ("speed", ""):
        if missing or goal == "speed":
            missing -= set().union(*check_on_core(board, blobs, tmp_path / goal, goal=goal))
    if hasattr(cases(op), "litert_case"):
        missing -= {"lookup_s8__mve"}  # TFLite-Micro has it in float32 only: tables run elsewhere
    assert not missing, f"no case uses {missing}"


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("board", "goal"),
    [(V6M, ""), (V6M, "unpack"), ("mps2_an386", "unpack"), ("mps3_an547", "unpack")],
    ids=lambda value: Path(value).stem,
)
def test_int4_weights_stay_so_in_flash_and_equal_tflm(
    board: str, goal: str, tmp_path: Path
) -> None:
    blobs = [cases(op).int4_case(Seeded(seed)) for op in INT4 for seed in range(6)]
    used = set().union(*check_on_core(board, blobs, tmp_path, goal=goal))
    packed = {name for name in used if name.endswith("_s4")}
    assert used == packed if goal == "" else used - packed


@pytest.mark.qemu
@pytest.mark.parametrize("board", CORES, ids=lambda b: Path(b).stem)
def test_programs_for_size_equal_tflm(board: str, tmp_path: Path) -> None:
    """Steps as rows of a table, shared kernels, dense layers as convolutions, small memcpy()."""
    layers = ("conv", "depthwise", "branch", "conv", "branch", "conv")
    blobs = [networks.network(Seeded(seed), layers) for seed in range(6)]
    used = check_on_core(board, blobs, tmp_path, optimize="-Os", goal="size")
    tables = [(tmp_path / f"m{i}" / "model.c").read_text() for i in range(len(blobs))]
    assert any("schedule[] = {" in text for text in tables)
    if board == "mps2_an386":
        assert any(names >= {"conv2d_s8__dsp"} and not dense(names) for names in used)


def dense(names: set[str]) -> bool:
    return any(name.startswith("fully_connected") for name in names)


@pytest.mark.qemu
@pytest.mark.parametrize("board", CORES, ids=lambda b: Path(b).stem)
def test_a_sample_of_int16_and_wider_integers_equals_tflm(board: str, tmp_path: Path) -> None:
    blobs = [
        getattr(cases(op), kind)(Seeded(100))
        for kind in ("int16_case", "integer_case", "int64_case")
        for op in having(kind)
        if op != "DEQUANTIZE"  # floats are not compared here
    ]
    check_on_core(board, blobs, tmp_path)


def test_every_variant_runs_on_one_of_the_cores() -> None:
    special = {name for name in kernel_names() if "__" in name}
    assert special == set().union(*(variants(op, b) for op in OPS for b in CORES))


def test_every_variant_carries_its_figure() -> None:
    """Above its struct: the core, instructions before and after, and bytes of text."""
    wanted = (
        r"Cortex-M\d+",
        "instructions",
        r"\d[\d.,]*( M)?\D+\d",
        r"[Tt]ext\b",
        r"\d+ (bytes|for)",
    )
    bare = []
    for name in kernel_names():
        header = (FIRMWARE / "kernels" / f"{name}.h").read_text()
        text = re.sub(r"\n \* ", " ", header.partition(f"struct {name} {{")[0])
        if "__" in name and not all(re.search(pattern, text) for pattern in wanted):
            bare.append(name)
    assert not bare
