"""The bench firmware with the hand-written toy model, built for any board, and its reference."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from tinyml import wire
from tinyml.board import load_board
from tinyml.build import Sources, compile_image
from tinyml.paths import FIRMWARE

COUNT = 490
HASH = "0123456789abcdef"


def build(folder: Path, board: str = "host", *, sanitize: bool = False, **defines: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(FIRMWARE / "app" / "bench.c", folder)
    shutil.copy(Path(__file__).parent / "firmware" / "toy_model.c", folder)
    (folder / "tm_wire.h").write_text(wire.header())
    sources = Sources(folder, ("bench.c", "toy_model.c"), (), {"TM_MODEL": "toy_model", **defines})
    return compile_image(sources, load_board(board), sanitize=sanitize).elf


def reference(a: np.ndarray, b: np.ndarray, state: int = 0) -> np.ndarray:
    doubled = np.clip(2 * b.astype(int), -128, 127)
    return np.clip(a.astype(int) + doubled + state, -128, 127).astype(np.int8)


def inputs(seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {n: generator.integers(-128, 128, COUNT).astype(np.int8) for n in "ab"}
