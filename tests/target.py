"""Many small models in one program, run in QEMU on one core or here under ASan and UBSan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tests.oracle import random_inputs, reference
from tinyml import build, emit, tflite
from tinyml.board import load_board
from tinyml.build import Sources
from tinyml.engines import aot
from tinyml.plan import Plan
from tinyml.probes import open_probe

APP = Path(__file__).parent / "firmware" / "conformance.c"
RUNS = 3
ULPS = 4


def _bytes(name: str, arrays: Sequence[np.ndarray]) -> str:
    data = b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)
    return f"static const uint8_t {name}[] = {{{', '.join(map(str, data))}}};\n"


def check_on_core(
    board_name: str,
    blobs: Sequence[bytes],
    folder: Path,
    optimize: str = "-O2",
    goal: str = "speed",
    changed: Callable[[Plan], Plan] = lambda plan: plan,
) -> list[set[str]]:
    """Outputs of all models on the board's core equal the reference's; the kernels of each."""
    board = load_board(board_name)
    header, rows, kernels = "", "", []
    for number, blob in enumerate(blobs):
        graph = tflite.parse(blob)
        plan = changed(aot.plan(graph, board.isa, goal=goal))
        printed = emit.model_of(plan, f"m{number}", blob, compact=goal == "size")
        emit.emit(printed, folder / f"m{number}")
        kernels.append({s.call.kernel for s in plan.steps})
        rng = np.random.default_rng(number)
        oracle = reference(blob, [n.op for n in graph.nodes])
        inputs, wants = [], []
        for _ in range(RUNS):
            values = random_inputs(plan.graph, rng)
            inputs += values
            wants += oracle(values, len(plan.graph.outputs))
        header += _bytes(f"in{number}", inputs) + _bytes(f"want{number}", wants)
        header += f"extern const struct tm_model m{number}_model;\n"
        rows += f"    {{&m{number}_model, in{number}, want{number}}},\n"
    header += "static const struct {\n    const struct tm_model *model;\n"
    header += "    const uint8_t *inputs, *wants;\n} cases[] = {\n" + rows + "};\n"
    text = f'#include "tm_model.h"\n#define RUNS {RUNS}\n#define ULPS {ULPS}\n{header}'
    (folder / "cases.h").write_text(text)
    names = tuple(f"m{i}/model.c" for i in range(len(blobs)))
    sources = Sources(folder, names, tuple(f"m{i}" for i in range(len(blobs))))
    image = build.compile_image(
        build.add_app(sources, APP), board, optimize=optimize, sanitize=board.host
    )
    name, options = ("host", {}) if board.host else ("qemu", {"icount": "off"})
    with open_probe(name, board, options) as probe:
        probe.flash(image.elf)
        probe.reset()
        console = probe.console()
        console.timeout = 60
        lines: list[str] = []
        while not lines or lines[-1] != "done":
            line = console.readline().decode().strip()
            assert line and not line.startswith("fault"), (line, lines[-3:])
            lines.append(line)
    results = [line for line in lines if line.startswith("case ")]
    assert len(results) == len(blobs)
    wrong = [(r, kernels[i]) for i, r in enumerate(results) if r != f"case {i} 0 intact"]
    assert not wrong, wrong[:5]
    return kernels
