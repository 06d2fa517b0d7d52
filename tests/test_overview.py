"""What `tinyml inspect` knows of models, also of those that cannot be built."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests import networks
from tests.modelfile import ModelFile
from tests.pick import Seeded
from tests.test_cli import refused, tinyml
from tests.test_ops import case
from tests.test_tflite import weighted
from tinyml import tflite
from tinyml.board import list_boards
from tinyml.engines import aot
from tinyml.overview import Overview, overview

SCREEN = 50


def custom() -> bytes:
    """A dense layer, and an operator nobody has."""
    m = ModelFile()
    x = m.input((1, 4), scale=0.1)
    w = m.constant(np.ones((6, 4), np.int8), scale=0.1)
    h = m.tensor((1, 6), scale=0.1)
    m.op("FULLY_CONNECTED", [x, w], [h], "FullyConnectedOptions")
    y = m.output((1, 6), scale=0.1, name="net/erf/Erf")
    m.op("CUSTOM", [h], [y], custom="FlexErf")
    return m.finish()


def seen(blob: bytes, folder: Path) -> Overview:
    path = folder / "net.tflite"
    path.write_bytes(blob)
    return overview(path, list_boards())


def test_kinds_add_up_to_the_layers(tmp_path: Path) -> None:
    blob = networks.network(Seeded(3), ("conv", "depthwise", "conv", "pad", "branch"))
    found, graph = seen(blob, tmp_path), tflite.parse(blob)
    assert sum(k.count for k in found.kinds) == len(found.layers) == len(graph.nodes)
    assert sum(k.macs for k in found.kinds) == found.macs > 0
    constants = sum(t.nbytes for t in graph.tensors.values() if t.data is not None)
    assert sum(k.weights for k in found.kinds) == constants
    assert list(found.kinds) == sorted(found.kinds, key=lambda k: (-k.macs, -k.weights, k.op))
    assert all(k.types[0].startswith("int8") for k in found.kinds)


def test_ram_over_time_is_the_plans(tmp_path: Path) -> None:
    blob = networks.network(Seeded(3), ("conv", "pool"))
    found, plan = seen(blob, tmp_path), aot.plan(tflite.parse(blob))
    assert found.arena == plan.arena and found.peak == plan.lower_bound
    assert max(m.bytes for m in found.ram) == max(plan.live_bytes())
    assert found.steps == len(plan.steps)


def test_a_long_model_is_drawn_in_few_rows_that_keep_the_peak(tmp_path: Path) -> None:
    blob = networks.network(Seeded(5), ("conv",) * 40)
    found, plan = seen(blob, tmp_path), aot.plan(tflite.parse(blob))
    assert len(found.ram) <= 14 and len(found.layers) >= 40
    assert max(m.bytes for m in found.ram) == max(plan.live_bytes())


def test_a_refused_model_shows_the_same_with_the_reasons_of_each_engine(tmp_path: Path) -> None:
    found = seen(custom(), tmp_path)
    ours, tflm = found.engines
    assert "FlexErf" in ours.reasons[0] and "'erf'" in ours.reasons[0] and ours.hint
    assert "FlexErf" in tflm.reasons[0] and tflm.hint
    assert (found.arena, found.steps) == (None, None)
    assert found.macs == 24 and found.weight_bytes == 24
    assert found.peak == 12 and found.ram[0].bytes == 4
    assert found.fits["microbit"]


@pytest.mark.parametrize(("weights", "words"), [("float32", "not quantised"), ("int8", "hybrid")])
def test_float_and_hybrid_models_are_told_as_a_whole(
    weights: str, words: str, tmp_path: Path
) -> None:
    found = seen(weighted("float32", weights), tmp_path)
    (reason,) = found.engines[0].reasons
    assert words in reason and "calibration" in found.engines[0].hint
    assert found.layers and found.peak > 0
    # TFLite-Micro runs float32 layers, and refuses hybrid ones when it allocates their tensors.
    assert [words in r for r in found.engines[1].reasons] == [True] * (words == "hybrid")


def test_every_sample_model_fits_one_screen(models_folder: Path, tmp_path: Path) -> None:
    for path in sorted(models_folder.glob("*.tflite")):
        done = tinyml("inspect", path, folder=tmp_path)
        assert done.returncode == (1 if "float" in path.name else 0), done.stderr
        assert len(done.stdout.splitlines()) <= SCREEN, path.name
        for words in ("operator", "MACs", "engine aot", "engine tflm", "RAM: ", "fits ("):
            assert words in done.stdout, (path.name, words)


def test_layers_and_json_have_every_layer(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(custom())
    done = tinyml("inspect", "net.tflite", "--layers", folder=tmp_path)
    assert done.returncode == 1 and "erf" in done.stdout and "Traceback" not in done.stderr
    found = json.loads(tinyml("inspect", "net.tflite", "--json", folder=tmp_path).stdout)
    assert [x["op"] for x in found["layers"]] == ["FULLY_CONNECTED", "CUSTOM:FlexErf"]
    assert found["not_supported"] == found["engines"][0]["reasons"]


@pytest.mark.parametrize("name", ["net.keras", "net.h5", "net.onnx", "net.pt2"])
def test_another_kind_of_model_is_sent_to_quantize(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"")
    text = refused("inspect", name, folder=tmp_path, words="not a .tflite file")
    assert f"tinyml quantize {name}" in text


def test_layers_of_subgraphs_follow_what_runs_them(tmp_path: Path) -> None:
    """Those of a loop's condition and body, whose MACs are in the loop's already."""
    path = tmp_path / "loop.tflite"
    path.write_bytes(case("WHILE", Seeded(4)))
    found = overview(path, [])
    assert [x.inside for x in found.layers] == [False] + [True] * (len(found.layers) - 1)
    assert {x.op for x in found.layers} >= {"WHILE", "LESS", "ADD"}
    done = tinyml("inspect", path.name, "--layers", folder=tmp_path)
    assert "LESS" in done.stdout
