"""The generated C: compiles without warnings, equals TFLite-Micro, and cannot be injected into."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import networks
from tests.modelfile import ModelFile
from tests.native import SANITIZE, Native
from tests.oracle import Litert, Tflm, differences, random_inputs, reference
from tests.pick import Seeded
from tests.test_ops import case
from tinyml import clean, emit, export, flow, tflite
from tinyml.board import load_board
from tinyml.device import infer
from tinyml.engines import aot
from tinyml.graph import Graph
from tinyml.literals import STRING_BYTES, c_string, is_long
from tinyml.ops import OPS
from tinyml.plan import make_plan, with_weights_in_ram

INT8_MODELS = (
    "ad01_int8",
    "hello_world_int8",
    "ic01_resnet8_int8",
    "kws01_dscnn_int8",
    "micro_speech_int8",
    "mnist_lstm_int8",
    "sww01_dscnn1d_int8",
    "vww01_mobilenet_int8",
)
INPUTS = 100
NASTY = (
    "a*/ int x; /*",
    'quote " and \\ back',
    "line\nbreak\r\n#error no",
    "trigraph ??/",
    "\u202eright to left",
    "naïve Ümlaut 名前",
    "int",
    "return",
    "x" * 10_000,
    "same",
    "same",
    "",
    "%s%n{{ 7 * 7 }}{% raw %}",
    "[red]markup[/red]",
    "../../etc/passwd",
    "\x1b[31mescape",
)


def check_native(blob: bytes, graph: Graph, native: Native, runs: int) -> None:
    oracle = reference(blob, [n.op for n in graph.nodes])
    rng = np.random.default_rng(runs)
    inputs = [random_inputs(graph, rng) for _ in range(runs)]
    for number, (given_inputs, outputs) in enumerate(zip(inputs, native(inputs), strict=True)):
        for got, want in zip(outputs, oracle(given_inputs, len(graph.outputs)), strict=True):
            assert not differences(got, want), (number, differences(got, want))


@pytest.mark.parametrize("name", INT8_MODELS)
def test_sample_models_equal_tflm(name: str, models_folder: Path, tmp_path: Path) -> None:
    blob = (models_folder / f"{name}.tflite").read_bytes()
    graph = tflite.parse(blob)
    native = Native(aot.plan(graph), blob, tmp_path, ("-O2", *SANITIZE))
    check_native(blob, graph, native, INPUTS)


def test_a_float_model_equals_tflm(models_folder: Path, tmp_path: Path) -> None:
    """To the bit, where floats are meant. The other float sample is hybrid: refused by both."""
    blob = (models_folder / "ic01_resnet8_float.tflite").read_bytes()
    graph = tflite.parse(blob)
    native = Native(aot.plan(graph, floats=True), blob, tmp_path, ("-O2", *SANITIZE))
    check_native(blob, graph, native, 10)


@pytest.mark.parametrize("op", sorted(OPS))
def test_each_operator_as_printed_equals_tflm(op: str, tmp_path: Path) -> None:
    blob = case(op, Seeded(7))
    graph = tflite.parse(blob)
    check_native(blob, graph, Native(aot.plan(graph), blob, tmp_path), 3)


@pytest.mark.parametrize("seed", range(6))
def test_streams_as_printed_equal_tflm(seed: int, tmp_path: Path) -> None:
    blob = networks.chain(Seeded(seed))
    graph = tflite.parse(blob)
    steps = len(aot.plan(graph).steps)
    plan = make_plan(graph, streams=[(0, steps)])
    check_native(blob, graph, Native(plan, blob, tmp_path), 5)


def nasty_network() -> bytes:
    """A chain whose every name is one of the nasty ones."""
    m = ModelFile()
    last = m.input((1, 4), scale=0.1, zero_point=3, name=NASTY[0])
    for name in NASTY[1:]:
        following = m.tensor((1, 4), scale=0.1, zero_point=3, name=name)
        m.op("RELU", [last], [following])
        last = following
    m.graph.outputs = [last]
    return m.finish()


def test_names_from_the_model_cannot_break_or_inject_into_c(tmp_path: Path) -> None:
    blob = nasty_network()
    graph = tflite.parse(blob)
    native = Native(aot.plan(graph), blob, tmp_path)
    check_native(blob, graph, native, 2)
    text = (tmp_path / "model.c").read_text() + (tmp_path / "model.h").read_text()
    assert text.isascii()
    assert "#error" not in "".join(line for line in text.splitlines() if line.startswith("#"))
    assert max(map(len, text.splitlines())) < 400


@given(st.text(max_size=300))
def test_cleaned_names_are_harmless(text: str) -> None:
    comment = clean.comment(text)
    assert not any(mark in comment for mark in ("*/", "/*", "\\", "\n", "??"))
    assert comment.isascii()
    assert clean.identifier(text).isidentifier() and len(clean.identifier(text)) <= 41
    assert " " not in clean.token(text) and clean.token(text).isascii()
    assert clean.printable(text).isprintable()


@given(st.lists(st.text("ab_23", max_size=4), max_size=20))
def test_unique_names_are_unique_and_have_the_first_free_number(names: list[str]) -> None:
    found = clean.unique(names)
    assert len(set(found)) == len(names)
    for position, (name, new) in enumerate(zip(names, found, strict=True)):
        numbers = (name, *(f"{name}_{n}" for n in range(2, 22)))
        assert new == next(n for n in numbers if n not in found[:position])


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float_literals_read_back_exactly(value: float) -> None:
    assert float.fromhex(emit.c_number(value).removesuffix("f")) == value


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    blob = networks.network(Seeded(1))
    for folder in ("a", "b"):
        plan = aot.plan(tflite.parse(blob))
        emit.emit(emit.model_of(plan, "net", blob), tmp_path / folder)
    for file in sorted((tmp_path / "a").rglob("*.[ch]")):
        other = tmp_path / "b" / file.relative_to(tmp_path / "a")
        assert file.read_bytes() == other.read_bytes()


def test_two_models_live_in_one_program(tmp_path: Path) -> None:
    source = '#include "a/model.h"\n#include "b/model.h"\nint main(void)\n{\n'
    for prefix, seed in (("a", 1), ("b", 2)):
        blob = networks.network(Seeded(seed))
        plan = aot.plan(tflite.parse(blob))
        emit.emit(emit.model_of(plan, prefix, blob), tmp_path / prefix)
        source += f"    {prefix}_init();\n    {prefix}_run();\n"
    (tmp_path / "main.c").write_text(source + "    return 0;\n}\n")
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", *SANITIZE]
    for prefix in "ab":
        includes = ["-I", tmp_path / prefix, "-I", tmp_path / prefix / "include"]
        command = ["cc", *flags, *includes, "-c", tmp_path / prefix / "model.c"]
        subprocess.run([*command, "-o", tmp_path / f"{prefix}.o"], check=True)
    command = ["cc", *flags, "-I", tmp_path, "-I", tmp_path / "a" / "include", tmp_path / "main.c"]
    command += [tmp_path / "a.o", tmp_path / "b.o", "-o", tmp_path / "both"]
    subprocess.run(command, check=True)
    subprocess.run([tmp_path / "both"], check=True)


def repeated_layers() -> bytes:
    """One dense layer again and again: inside of both branches of an IF too, and behind it."""
    m = ModelFile()
    rng = np.random.default_rng(5)
    values = rng.integers(-127, 128, (40, 40)).astype(np.int8)
    kind = {"scale": 0.05, "zero_point": 3}

    def dense(x: int, y: int, weights: int) -> int:
        options = {"keepNumDims": True}
        return m.op("FULLY_CONNECTED", [x, weights, -1], [y], "FullyConnectedOptions", **options)

    options = {}
    flag = m.input([], dtype="bool")
    x = m.input([1, 40], **kind)
    for name in ("thenSubgraphIndex", "elseSubgraphIndex"):
        with m.subgraph() as options[name]:
            inner, y = m.input([1, 40], **kind), m.output([1, 40], **kind)
            dense(inner, y, m.constant(values, scale=0.01))
    chosen, last = m.tensor([1, 40], **kind), m.output([1, 40], **kind)
    m.op("IF", [flag, x], [chosen], "IfOptions", **options)
    dense(chosen, last, m.constant(values, scale=0.01))
    return m.finish()


@pytest.mark.parametrize("in_ram", [False, True])
def test_the_same_weights_are_printed_once(in_ram: bool, tmp_path: Path) -> None:
    blob = repeated_layers()
    graph = tflite.parse(blob)
    plan = aot.plan(graph, goal="speed")
    once = max(a.nbytes for s in plan.kernel_steps for a in s.call.constants.values())
    assert len(plan.kernel_steps) == 3 and once <= plan.weight_bytes < 2 * once
    if in_ram:
        plan = with_weights_in_ram(plan, plan.weight_bytes + 64)
        assert plan.in_ram == set(plan.originals.values())
    check_native(blob, graph, Native(plan, blob, tmp_path), 20)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_a_string_literal_has_the_bytes_of_a_list(dtype: str, tmp_path: Path) -> None:
    array = np.random.default_rng(1).integers(0, 256, STRING_BYTES).astype(np.uint8).view(dtype)
    array[:9] = np.frombuffer(b'??/\\001"?', dtype)
    assert is_long(array) and not is_long(array[1:]) and not is_long(array.astype(np.int16))
    forms = {"a": emit.c_values(array), "b": c_string(array)}
    lines = [f"static const {dtype}_t {n}[] = {{\n    {text}\n}};" for n, text in forms.items()]
    main = (
        "int main(void)\n{\n    return sizeof b != sizeof a + 1 || memcmp(a, b, sizeof a) != 0;\n}"
    )
    text = "\n".join(("#include <stdint.h>", "#include <string.h>", *lines, main, ""))
    (tmp_path / "main.c").write_text(text)
    command = ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "main.c", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "main"]).returncode == 0


def test_only_a_build_has_string_literals(tmp_path: Path) -> None:
    m = ModelFile()
    x = m.input((1, 600), scale=0.1)
    weights = np.random.default_rng(2).integers(-127, 128, (600, 600)).astype(np.int8)
    y = m.output((1, 600), scale=5.0)
    m.op("FULLY_CONNECTED", [x, m.constant(weights, scale=0.1)], [y], "FullyConnectedOptions")
    blob = m.finish()
    model = flow.Model("net", blob, tflite.parse(blob))
    exported = export.export(model, tmp_path / "e", "aot", prefix="net", tell=lambda text: None)
    assert '    "' not in (exported.folder / "model.c").read_text()
    built = flow.build(model, load_board("host"), tmp_path / "b", prefix="net")
    assert '    "' in (built.folder / "model.c").read_text()
    inputs = np.random.default_rng(3).integers(-128, 128, (2, 600)).astype(np.int8)
    (found,) = infer(built, {"t0": inputs}).values()
    for row, values in zip(inputs, found, strict=True):
        assert not differences(values[None], Tflm(blob)([row[None]], 1)[0])


def test_helpers_quantise_and_dequantise_as_documented(tmp_path: Path) -> None:
    """clip(round(x / scale) + zero_point): a value beyond the range saturates, never wraps."""
    m = ModelFile()
    x = m.input((1, 4), scale=0.05, zero_point=-10, name="x")
    y = m.output((1, 4), scale=0.1, zero_point=5, name="y")
    m.op("RELU", [x], [y])
    blob = m.finish()
    emit.emit(emit.model_of(aot.plan(tflite.parse(blob)), "net", blob), tmp_path)
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "model.h"\nint main(void)\n{\n'
        "    const float v[] = {0.0f, 0.05f, -0.024f, 1.0f, 100.0f, -100.0f, 1e30f};\n"
        "    for (int i = 0; i < 7; i++)\n"
        '        printf("%d ", net_quantize_x(v[i]));\n'
        '    printf("%.3f\\n", (double)net_dequantize_y(-128));\n    return 0;\n}\n'
    )
    command = ["cc", "-I", tmp_path, "-I", tmp_path / "include", tmp_path / "main.c"]
    subprocess.run([*command, tmp_path / "model.c", "-o", tmp_path / "main"], check=True)
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["-10", "-9", "-10", "10", "127", "-128", "127", "-13.300"]


def test_helpers_have_the_type_of_their_tensor(tmp_path: Path) -> None:
    m = ModelFile()
    x = m.input((1, 4), dtype="int16", scale=0.5, name="x")
    y = m.output((4, 1), dtype="int16", scale=0.5, name="y")
    m.op("TRANSPOSE", [x, m.constant(np.array([1, 0], np.int32))], [y], "TransposeOptions")
    blob = m.finish()
    emit.emit(emit.model_of(aot.plan(tflite.parse(blob)), "net", blob), tmp_path)
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "model.h"\nint main(void)\n{\n'
        '    printf("%d %d %d ", net_quantize_x(1000.0f), net_quantize_x(1e9f), '
        "net_quantize_x(-1e9f));\n"
        '    printf("%.2f\\n", (double)net_dequantize_y(-32768));\n    return 0;\n}\n'
    )
    command = ["cc", "-I", tmp_path, "-I", tmp_path / "include", tmp_path / "main.c"]
    subprocess.run([*command, tmp_path / "model.c", "-o", tmp_path / "main"], check=True)
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2000", "32767", "-32768", "-16384.00"]


def test_litert_agrees_on_a_sample(models_folder: Path) -> None:
    """The second opinion: LiteRT's reference kernels on a model they compute alike."""
    blob = (models_folder / "hello_world_int8.tflite").read_bytes()
    graph = tflite.parse(blob)
    litert, tflm = Litert(blob), Tflm(blob)
    inputs = random_inputs(graph, np.random.default_rng(0))
    assert not differences(litert(inputs)[0], tflm(inputs)[0])
