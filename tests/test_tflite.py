"""The importer: any bytes give a Graph or a ModelError, and each wrong model its own message."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import networks
from tests.modelfile import SAME, ModelFile
from tests.pick import Seeded
from tests.test_ops import cases
from tinyml import tflite
from tinyml.engines import aot
from tinyml.errors import InputError, ModelError
from tinyml.graph import Graph
from tinyml.schema import BUILTINS


def valid() -> bytes:
    return networks.network(Seeded(2), ("conv", "branch", "pool"))


def parse_or_refuse(blob: bytes) -> None:
    """Neither a crash nor another exception, whatever the bytes; good graphs are plannable."""
    try:
        graph = tflite.parse(blob)
        aot.plan(graph)
    except ModelError as error:
        assert error.message and "\n" not in error.message and len(error.message) < 2000


def test_builtin_codes_are_those_of_the_schema() -> None:
    codes = {v: k for k, v in vars(schema.BuiltinOperator).items() if k.isupper()}
    assert {i: n for i, n in enumerate(BUILTINS)} == codes


def test_a_valid_model_is_read_as_written() -> None:
    graph = tflite.parse(valid())
    assert isinstance(graph, Graph) and graph.nodes
    assert graph.inputs == ("t0",)


@given(st.binary(max_size=400))
def test_random_bytes_are_refused(blob: bytes) -> None:
    with pytest.raises(ModelError):
        tflite.parse(blob)


@given(st.binary(min_size=8, max_size=400))
def test_random_bytes_behind_the_identifier_are_refused(blob: bytes) -> None:
    parse_or_refuse(blob[:4] + b"TFL3" + blob[4:])


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_damaged_models_are_refused_or_read(data: st.DataObject) -> None:
    blob = bytearray(valid())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(blob) - 4))
        value = data.draw(st.sampled_from([b"\0", b"\xff", b"\x7f", b"\xff\xff\xff\x7f", b"\x80"]))
        blob[at : at + len(value)] = value
    parse_or_refuse(bytes(blob))


@pytest.mark.parametrize("op", ["SignalFilterBank", "SignalRfft", "SignalFramer", "CONV_2D"])
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_damaged_signals_and_int4_layers_are_refused_or_read(op: str, data: st.DataObject) -> None:
    make = cases(op).int4_case if op == "CONV_2D" else cases(op).case
    blob = bytearray(make(Seeded(data.draw(st.integers(0, 5)))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(blob) - 4))
        value = data.draw(st.sampled_from([b"\0", b"\1", b"\xff", b"\xff\xff\xff\x7f", b"\x80"]))
        blob[at : at + len(value)] = value
    parse_or_refuse(bytes(blob))


def test_int4_constants_are_unpacked_low_half_first() -> None:
    m = ModelFile()
    x, y = m.input([1, 5], scale=1.0), m.output([1, 1], scale=1.0)
    w = m.tensor([1, 5], "int4", scale=1.0, data=np.array([0x21, 0xF8, 0x07], np.uint8))
    m.op("FULLY_CONNECTED", [x, w], [y], "FullyConnectedOptions")
    graph = tflite.parse(m.finish())
    weights = graph.tensors["t2"]
    assert weights.data is not None and weights.data.tolist() == [[1, 2, -8, -1, 7]]
    assert weights.nbytes == 3 and weights.type_name == "int4"


@pytest.mark.parametrize(
    ("data", "words"), [(np.zeros(2, np.uint8), "2 bytes of data, its shape 3"), (None, "no const")]
)
def test_int4_tensors_of_another_size_or_computed_are_refused(
    data: np.ndarray | None, words: str
) -> None:
    m = ModelFile()
    x, y = m.input([1, 5], scale=1.0), m.output([1, 1], scale=1.0)
    w = m.tensor([1, 5], "int4", scale=1.0, data=data)
    m.op("FULLY_CONNECTED", [x, w], [y], "FullyConnectedOptions")
    with pytest.raises(ModelError, match=words):
        tflite.parse(m.finish())


def test_int4_tensors_that_share_a_buffer_are_not_unpacked_without_end() -> None:
    m = ModelFile()
    x, y = m.input([1, 1], scale=1.0), m.output([1, 1], scale=1.0)
    m.op("RELU", [x], [y])
    m.tensor([1, 40000], "int4", scale=1.0, data=np.zeros(20000, np.uint8))
    for _ in range(40):
        m.tensor([1, 40000], "int4", scale=1.0)
        m.graph.tensors[-1].buffer = m.graph.tensors[2].buffer
    with pytest.raises(ModelError, match="repeats more data than the file holds"):
        tflite.parse(m.finish())


@pytest.mark.parametrize("op", ["ADD", "RESHAPE"])
def test_int4_constants_are_for_weights_alone(op: str) -> None:
    m = ModelFile()
    x, y = m.input([4], scale=1.0), m.output([4], scale=1.0)
    values = m.tensor([4], "int4", scale=1.0, data=np.zeros(2, np.uint8))
    m.op(op, [x, values], [y], {"ADD": "AddOptions", "RESHAPE": "ReshapeOptions"}[op])
    with pytest.raises(ModelError, match="its input 't2' is int4"):
        aot.plan(tflite.parse(m.finish()))


def test_every_truncation_is_refused() -> None:
    blob = valid()
    for size in range(0, len(blob), 7):
        parse_or_refuse(blob[:size])
    for eighth in range(8):
        with pytest.raises(ModelError, match="not a valid model"):
            tflite.parse(blob[: len(blob) * eighth // 8])


def test_eight_bytes_with_the_identifier_are_not_a_model() -> None:
    with pytest.raises(ModelError, match="not a valid model"):
        tflite.parse(bytes.fromhex("180000005446 4C33".replace(" ", "")))


def test_every_byte_of_a_real_model_may_break(models_folder: Path) -> None:
    original = (models_folder / "hello_world_int8.tflite").read_bytes()
    for at in range(0, len(original), 3):
        blob = bytearray(original)
        blob[at] ^= 0xFF
        parse_or_refuse(bytes(blob))


def broken(change: str) -> bytes:
    """A model with one index far out of range."""
    m = ModelFile()
    x = m.input((1, 4), scale=0.1)
    y = m.output((1, 4), scale=0.1)
    m.op("RELU", [x], [y])
    if change == "buffer":
        m.graph.tensors[0].buffer = 9999
    elif change == "operator input":
        m.graph.operators[0].inputs = [9999]
    elif change == "opcode":
        m.graph.operators[0].opcodeIndex = 9999
    elif change == "graph output":
        m.graph.outputs = [9999]
    elif change == "shape":
        m.graph.tensors[0].shape = [1, 1 << 30, 1 << 30]
    elif change == "negative":
        m.graph.tensors[0].shape = [1, -4]
    elif change == "scale":
        m.graph.tensors[0].quantization.scale = np.array([np.nan], np.float32)
    elif change == "zero point":
        m.graph.tensors[0].quantization.zeroPoint = np.array([300], np.int64)
    elif change == "data size":
        m.constant(np.zeros(3, np.int8))
        m.graph.tensors[-1].shape = [4]
    elif change == "cycle":
        m.op("RELU", [y], [x])
    elif change == "never written":
        m.graph.inputs = [y]
    return m.finish()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("buffer", "tensor 't0' has buffer 9999"),
        ("operator input", "operator 0 has tensor index 9999"),
        ("opcode", "operator 0 has opcode index 9999"),
        ("graph output", "outputs has index 9999"),
        ("shape", "tensor 't0' has shape"),
        ("negative", "tensor 't0' has shape"),
        ("scale", "tensor 't0' has a scale"),
        ("zero point", "tensor 't0' has zero points"),
        ("data size", "tensor 't2' has 3 bytes of data"),
        ("cycle", "writes tensor 't0' a second time"),
        ("never written", "reads tensor 't0' before anything writes it"),
    ],
)
def test_a_broken_index_is_named(change: str, words: str) -> None:
    with pytest.raises(ModelError, match=re.escape(words)):
        tflite.parse(broken(change))


def test_a_small_file_cannot_ask_for_unbounded_work() -> None:
    """One long shape shared by many tensors: FlatBuffers allow it, the budget does not."""
    m = ModelFile()
    m.input((1, 4), scale=0.1)
    packed = m.finish()
    reader = tflite.Reader(packed, "m")
    with pytest.raises(ModelError, match="repeats more data"):
        for _ in range(100_000):
            reader.root()


def weighted(input_type: str, weight_type: str) -> bytes:
    m = ModelFile()
    x = m.input((1, 4, 4, 2), dtype=input_type, name="image")
    weights = np.ones((3, 1, 1, 2), weight_type)
    scale = 0.1 if weight_type == "int8" else None
    w = m.constant(weights, scale=scale, name="net/conv2d/Conv2D")
    y = m.output((1, 4, 4, 3), dtype=input_type, name="net/conv2d/BiasAdd")
    m.op("CONV_2D", [x, w], [y], "Conv2DOptions", padding=SAME, strideH=1, strideW=1)
    return m.finish()


def transposed(weight_type: str) -> bytes:
    """A float32 TRANSPOSE_CONV, whose first input is the shape of its output."""
    m = ModelFile()
    x = m.input((1, 4, 4, 2), dtype="float32", name="image")
    scale = 0.1 if weight_type == "int8" else None
    w = m.constant(np.ones((3, 1, 1, 2), weight_type), scale=scale, name="net/up/Conv2D")
    y = m.output((1, 4, 4, 3), dtype="float32", name="net/up/BiasAdd")
    shape = m.constant(np.array([1, 4, 4, 3], np.int32))
    m.op(
        "TRANSPOSE_CONV",
        [shape, w, x],
        [y],
        "TransposeConvOptions",
        padding=SAME,
        strideH=1,
        strideW=1,
    )
    return m.finish()


@pytest.mark.parametrize(
    ("blob", "words"),
    [
        (transposed("float32"), "not quantised: layer 'up'"),
        (transposed("int8"), "hybrid model: layer 'up' .* int8 weights but float32"),
        (weighted("float32", "float32"), "not quantised: layer 'conv2d'"),
        (weighted("float32", "int8"), "hybrid model: layer 'conv2d' .* int8 weights but float32"),
    ],
)
def test_float_and_hybrid_models_name_the_layer(blob: bytes, words: str) -> None:
    graph = tflite.parse(blob)
    with pytest.raises(ModelError, match=words) as caught:
        aot.plan(graph)
    assert "--calibration" in caught.value.hint and caught.value.exit_code == 2


@pytest.mark.parametrize("op", ["SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM"])
def test_float_layers_with_state_are_refused_as_not_quantised(op: str) -> None:
    graph = tflite.parse(cases(op).float_case(Seeded(0)))
    with pytest.raises(ModelError, match=rf"not quantised: layer '\w+' \({op}\)"):
        aot.plan(graph)


def test_an_unsupported_operator_and_its_layer_are_named() -> None:
    m = ModelFile()
    x = m.input((1, 4), scale=0.1)
    y = m.output((1, 4), scale=0.1, name="net/lookup/HashTable")
    m.op("HASHTABLE_LOOKUP", [x], [y])
    with pytest.raises(ModelError, match=r"HASHTABLE_LOOKUP \(layer 'lookup'\) is not supported"):
        aot.plan(tflite.parse(m.finish()))


def test_a_custom_operator_is_named_by_its_own_name() -> None:
    m = ModelFile()
    x = m.input((1, 4), scale=0.1)
    y = m.output((1, 4), scale=0.1)
    m.op("CUSTOM", [x], [y], custom="FlexErf")
    with pytest.raises(ModelError, match="CUSTOM:FlexErf"):
        aot.plan(tflite.parse(m.finish()))


def test_unknown_input_dimensions_are_refused_by_name() -> None:
    m = ModelFile()
    x = m.input((1, 1, 4), scale=0.1, name="sequence")
    m.graph.tensors[x].shapeSignature = [-1, -1, 4]
    y = m.output((1, 1, 4), scale=0.1)
    m.op("RELU", [x], [y])
    with pytest.raises(ModelError, match="'sequence' has the unknown dimensions"):
        tflite.parse(m.finish())


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.tflite does not exist"):
        tflite.load(tmp_path / "none.tflite")


def test_the_signature_binds_names_in_its_order() -> None:
    m = ModelFile()
    a = m.input((1, 2), scale=0.1, name="serving_default_a:0")
    b = m.input((1, 2), scale=0.1, name="serving_default_b:0")
    y = m.output((1, 2), scale=0.1)
    m.op("ADD", [a, b], [y], "AddOptions")
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    maps = []
    for name, index in (("right", b), ("left", a), ("sum", y)):
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name.encode(), index
        maps.append(entry)
    signature.inputs, signature.outputs = maps[:2], maps[2:]
    m.model.signatureDefs = [signature]
    graph = tflite.parse(m.finish())
    assert graph.input_names == ("right", "left")
    assert graph.inputs == ("serving_default_b:0", "serving_default_a:0")
    assert graph.output_names == ("sum",)
