"""The whole path: models to firmware, run in QEMU on every core, equal to TFLite-Micro."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests import audio, networks
from tests.oracle import Tflm, differences, random_inputs
from tests.pick import Seeded
from tests.test_emit import INT8_MODELS
from tinyml import data, flow, tflite
from tinyml.board import load_board
from tinyml.device import infer, open_device
from tinyml.errors import BoardError, InputError, RunError
from tinyml.results import load_run
from tinyml.samples import device_inputs

CORES = ("microbit", "mps2_an385", "mps2_an386", "mps2_an500", "mps2_an505", "mps3_an547")


def model_of(path: Path) -> flow.Model:
    return flow.load_model(path)


def network_model(seed: int = 4, layers: tuple[str, ...] = ()) -> flow.Model:
    blob = networks.network(Seeded(seed), layers)
    return flow.Model("net", blob, tflite.parse(blob))


def check_on_board(model: flow.Model, board: str, folder: Path, samples: int) -> None:
    """Outputs on the board equal TFLite-Micro's; all of them, every byte."""
    built = flow.build(model, load_board(board), folder / board, prefix="net")
    rng = np.random.default_rng(0)
    rows = [random_inputs(model.graph, rng) for _ in range(samples)]
    inputs = {
        name: np.concatenate([row[i] for row in rows])
        for i, name in enumerate(model.graph.input_names)
    }
    found = infer(built, inputs)
    tflm = Tflm(model.bytes)
    for number, row in enumerate(rows):
        wants = tflm(row, len(model.graph.outputs))
        for name, want in zip(model.graph.output_names, wants, strict=True):
            got = found[name][number : number + 1].reshape(want.shape)
            assert not differences(got, want), (board, number, differences(got, want))


@pytest.mark.qemu
@pytest.mark.parametrize("name", INT8_MODELS)
def test_sample_models_on_the_emulated_m4_equal_tflm(
    name: str, models_folder: Path, tmp_path: Path
) -> None:
    model = model_of(models_folder / f"{name}.tflite")
    check_on_board(model, "mps2_an386", tmp_path, 3)


@pytest.mark.qemu
@pytest.mark.parametrize("board", (*CORES, "stm32", "host"))
def test_one_network_agrees_on_every_core(board: str, tmp_path: Path) -> None:
    check_on_board(network_model(8, ("conv", "branch", "depthwise", "pool")), board, tmp_path, 3)


@pytest.mark.qemu
def test_keyword_spotting_on_the_emulated_m4_gets_901_of_1000_right(
    data_folder: Path, tmp_path: Path
) -> None:
    """All output vectors equal TFLite-Micro's on 1000 real inputs."""
    model = model_of(data_folder / "models" / "kws01_dscnn_int8.tflite")
    features = np.load(data_folder / "kws01" / "kws01_features.npz")
    built = flow.build(model, load_board("mps2_an386"), tmp_path / "kws", prefix="kws")
    (name,), (out,) = model.graph.input_names, model.graph.output_names
    found = infer(built, {name: features["x"]})[out]
    tflm = Tflm(model.bytes)
    wants = np.concatenate([tflm([x[np.newaxis]])[0] for x in features["x"]])
    assert not differences(found, wants)
    assert int((found.argmax(axis=1) == features["y"]).sum()) == 901


@pytest.mark.qemu
def test_a_bench_measures_layers_memory_and_accuracy(tmp_path: Path) -> None:
    model = network_model(8, ("conv", "branch", "pool"))
    built = flow.build(model, load_board("stm32"), tmp_path / "net-stm32", prefix="net")
    rng = np.random.default_rng(3)
    shape = model.graph.tensors[model.graph.inputs[0]].shape[1:]
    inputs = rng.integers(-128, 128, (4, *shape)).astype(np.int8)
    test = tmp_path / "test.npz"
    np.savez(test, **{model.graph.input_names[0]: inputs}, labels=np.zeros(4, np.int64))
    run = flow.bench(built, tmp_path / "results", count=3, test=test)
    assert load_run(tmp_path / "results" / "run.json") == run
    assert run.validity == "valid" and run.emulated and run.unit == "instructions"
    assert run.probe_details == "qemu, machine netduinoplus2"
    assert run.milliseconds is None
    assert len(run.steps) == len(built.plan.schedule) and run.samples == 4
    assert sum(s.count for s in run.steps) == pytest.approx(run.median, rel=0.1)
    assert run.memory is not None and run.memory.guard == "ok"
    assert run.memory.arena == built.plan.arena
    assert 0 < run.memory.stack_peak < run.memory.stack_size
    assert b"tm1 boot" in (tmp_path / "results" / "serial.log").read_bytes()[:20]


@pytest.mark.usefixtures("compiled_anew")
def test_a_build_leaves_a_complete_folder_and_the_same_bytes_twice(tmp_path: Path) -> None:
    model = network_model()
    first = flow.build(model, load_board("stm32"), tmp_path / "a", prefix="net")
    again = flow.build(model, load_board("stm32"), tmp_path / "deep" / "b", prefix="net")
    names = sorted(p.relative_to(first.folder) for p in first.folder.rglob("*") if p.is_file())
    wanted = {"model.tflite", "plan.json", "model.c", "model.h", "link.ld", "build.json"}
    wanted |= {f"firmware.{suffix}" for suffix in ("elf", "bin", "hex", "map")}
    assert wanted <= {str(n) for n in names}
    for name in names:
        assert (first.folder / name).read_bytes() == (again.folder / name).read_bytes(), name
    assert first.image.sizes is not None
    # The compiler may fold small arrays into the code.
    assert 0 < first.image.sizes.flash["weights"] <= first.plan.weight_bytes + 64
    assert first.image.sizes.ram["arena"] == first.plan.arena
    plan = json.loads((first.folder / "plan.json").read_text())
    assert plan["arena_bytes"] >= plan["arena_lower_bound_bytes"] > 0
    left = [p.name for p in tmp_path.iterdir()]
    assert sorted(left) == ["a", "deep"]


def test_a_failed_build_leaves_the_old_folder_alone(tmp_path: Path) -> None:
    good = flow.build(network_model(), load_board("microbit"), tmp_path / "out", prefix="net")
    before = (good.folder / "firmware.bin").read_bytes()
    with pytest.raises(BoardError):
        flow.build(huge_model(), load_board("microbit"), tmp_path / "out", prefix="net")
    assert (good.folder / "firmware.bin").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    good.image.elf.write_bytes(b"what another process has built there")
    with pytest.raises(RunError, match="another tinyml builds in"), open_device(good):
        raise AssertionError("not reached")


def huge_model() -> flow.Model:
    from tests.modelfile import ModelFile

    m = ModelFile()
    x = m.input((1, 100, 100, 3), scale=0.1)
    y = m.output((1, 100, 100, 3), scale=0.2)
    m.op("RELU", [x], [y])
    blob = m.finish()
    return flow.Model("huge", blob, tflite.parse(blob))


def test_a_model_too_big_for_a_board_is_refused_before_compiling(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=r"ram.*\d+ bytes") as caught:
        flow.build(huge_model(), load_board("microbit"), tmp_path / "out", prefix="net")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("units", "kept"), [(20, False), (1000, True)])
def test_int4_weights_are_expanded_for_speed_where_flash_allows(units: int, kept: bool) -> None:
    """The microbit has 256 kB of flash, and 512 kB of weights are too many for it."""
    from tests.modelfile import ModelFile

    m = ModelFile()
    x, y = m.input((1, 400), scale=0.1), m.output((1, units), scale=0.2)
    data = np.arange(200 * units, dtype=np.uint32).astype(np.uint8)
    w = m.tensor((units, 400), "int4", scale=0.1, data=data)
    m.op("FULLY_CONNECTED", [x, w], [y], "FullyConnectedOptions")
    blob = m.finish()
    model = flow.Model("dense", blob, tflite.parse(blob))
    (step,) = flow.compile_model(model, load_board("microbit"), "speed").steps
    assert (step.call.kernel == "fully_connected_s4") == kept
    assert ("not enough flash" if kept else "expanded to int8") in step.reason


@pytest.mark.parametrize(
    ("optimize", "kernel"),
    [("size", "conv2d_s4"), ("balanced", "conv2d_s8__thumb"), ("speed", "conv2d_s8__thumb")],
)
def test_int4_weights_of_many_uses_are_unpacked_in_each_run(optimize: str, kernel: str) -> None:
    """But for size, and for speed they lie in flash as int8."""
    blob = int4_convolution()
    model = flow.Model("conv", blob, tflite.parse(blob))
    plan = flow.compile_model(model, load_board("microbit"), optimize)
    (step,) = plan.steps
    assert step.call.kernel == kernel
    assert (step.call.unpacked is not None) == (optimize == "balanced")
    weights = step.call.constants["weights"].nbytes
    assert weights == (8 * 9 * 8 if optimize == "speed" else 4 * 9 * 8)
    if optimize == "balanced":
        assert "slower than int4 weights unpacked to RAM" in step.reason
        assert plan.slots["weights of step 0"].size == 8 * 9 * 8


def int4_convolution() -> bytes:
    from tests.modelfile import SAME, ModelFile

    m = ModelFile()
    x, y = m.input((1, 6, 6, 8), scale=0.1), m.output((1, 6, 6, 8), scale=0.2)
    w = m.tensor((8, 3, 3, 8), "int4", scale=0.1, data=np.arange(288, dtype=np.uint8))
    options = {"padding": SAME, "strideH": 1, "strideW": 1}
    m.op("CONV_2D", [x, w], [y], "Conv2DOptions", **options)
    return m.finish()


def test_samples_of_a_model_without_a_batch_are_whole_tensors() -> None:
    blob = audio.front_end()
    graph = tflite.parse(blob)
    values = np.zeros((5, audio.STEP), np.int16)
    assert device_inputs(graph, {"samples": values})["samples"].shape == values.shape
    assert device_inputs(graph, {"samples": values[0]})["samples"].shape == (1, audio.STEP)
    with pytest.raises(InputError, match=r"\(N, 320\) is expected"):
        device_inputs(graph, {"samples": values[:, :10]})


def test_floats_for_the_device_are_quantised_and_saturate() -> None:
    model = network_model()
    tensor = model.graph.tensors[model.graph.inputs[0]]
    name = model.graph.input_names[0]
    values = np.full((2, *tensor.shape[1:]), 1e9, np.float32)
    assert (device_inputs(model.graph, {name: values})[name] == 127).all()
    assert data.to_int8(-1e9, tensor.scale, tensor.zero_point) == -128
