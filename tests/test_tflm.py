"""The TFLite-Micro engine: as far as it goes without a TFLite-Micro, and with one where it is."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from elftools.elf.elffile import ELFFile
from rich.console import Console

from tests import audio, networks
from tests.modelfile import ModelFile
from tests.oracle import Tflm
from tests.pick import Seeded
from tests.test_cli import refused, tinyml
from tests.test_flow import network_model
from tests.test_ops import case
from tinyml import arena as search
from tinyml import (
    compare,
    compare_report,
    doctor,
    example_run,
    export,
    flow,
    tflite,
    tflm_build,
    tflm_host,
    tflm_library,
)
from tinyml.board import Board, list_boards, load_board
from tinyml.build import ARM_PREFIX
from tinyml.engines import tflm
from tinyml.engines._tflm_ops import CUSTOM, INT8, VERSIONS, method
from tinyml.engines.tflm import Arena
from tinyml.errors import BuildError, InputError, ModelError, RunError, TinymlError
from tinyml.ops import OPS
from tinyml.paths import FIRMWARE
from tinyml.probes import Probe, open_probe
from tinyml.schema import BUILTINS

STUB = Path(__file__).parent / "firmware" / "tflm_stub.h"
CONSTRUCTOR = (
    "_ZN6tflite16MicroInterpreterC1EPKNS_5ModelERKNS_15MicroOpResolverEPNS_14MicroAllocatorE"
    "PNS_22MicroResourceVariablesEPNS_22MicroProfilerInterfaceE"
)
M4 = ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard", "-O2")


def planned(blob: bytes, custom: dict[str, str] | None = None) -> tflm.Plan:
    return tflm.plan(tflite.parse(blob), blob, custom)


# --- operators ------------------------------------------------------------------------------------

WHEEL_OPERATORS = """
import os, sys
from tests.modelfile import ModelFile
from tinyml.probes import Probe, open_probe
from tinyml.schema import BUILTINS
from tflite_micro.python.tflite_micro import runtime

for name in sys.argv[1:]:
    m = ModelFile()
    x, y = m.input((1, 4), scale=0.1), m.output((1, 4), scale=0.1)
    builtin = name in BUILTINS
    m.op(name if builtin else "CUSTOM", [x], [y], custom="" if builtin else name)
    blob = m.finish()
    read, write = os.pipe()
    if os.fork() == 0:
        os.dup2(write, 2)
        try:
            runtime.Interpreter.from_bytes(blob, arena_size=1 << 16)
        except Exception:
            pass
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        said = stream.read()
    os.wait()
    print(name, int(b"Didn't find op" not in said and b"Didn't find custom op" not in said))
"""


@pytest.mark.parametrize("kind", ["builtins", "custom operators"])
def test_the_resolver_knows_the_operators_that_the_package_knows(kind: str) -> None:
    """Each in a process of its own: TFLite-Micro crashes on operators without their options."""
    # Not in the package's schema, or no operators at all.
    strange = {"CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"}
    names = [b for b in BUILTINS if b not in strange] if kind == "builtins" else sorted(CUSTOM)
    done = subprocess.run(
        [sys.executable, "-c", WHEEL_OPERATORS, *names], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    known = dict(line.split() for line in done.stdout.splitlines())
    assert len(known) == len(names)
    if kind == "builtins":
        assert {n for n in names if known[n] == "1"} == {n for n in names if method(n)}
    else:  # the package has no Ethos-U, and names nothing that the table lacks
        assert {n for n in names if known[n] == "0"} <= {"ethos-u"}


def test_every_builtin_of_tflm_has_a_method_and_a_version() -> None:
    assert {b for b in BUILTINS if method(b)} == set(VERSIONS)
    assert len(VERSIONS) == 100
    for name, op in OPS.items():
        want = CUSTOM[name] if op.custom else method(name) if name in VERSIONS else ""
        assert op.resolver == want, name
    assert set(VERSIONS) >= INT8
    for name, want in {"CONV_2D": "AddConv2D", "PADV2": "AddPadV2", "IF": "AddIf"}.items():
        assert method(name) == want


def model_with(op: str = "RELU", custom: str = "", version: int = 1, **options: object) -> bytes:
    m = ModelFile()
    x = m.input((1, 4), scale=0.1)
    y = m.output((1, 4), name="net/a/B", scale=0.1)
    m.op(op, [x], [y], custom=custom, **options)
    m.model.operatorCodes[0].version = version
    return m.finish()


def test_a_model_uses_the_operators_it_uses_and_no_others() -> None:
    m = ModelFile()
    x = m.input((1, 4), scale=0.1)
    y = m.tensor((1, 4), scale=0.1)
    z = m.output((1, 4), scale=0.1)
    m.op("RELU", [x], [y])
    m.op("RELU", [y], [z])
    m.model.operatorCodes[1].version = 2
    unused = type(m.model.operatorCodes[0])()
    unused.builtinCode = BUILTINS.index("SOFTMAX")
    unused.deprecatedBuiltinCode, unused.version = unused.builtinCode, 1
    m.model.operatorCodes.append(unused)
    (operator,) = planned(m.finish()).operators
    assert (operator.name, operator.version, operator.call) == ("RELU", 2, "AddRelu()")


def test_int8_models_take_the_smaller_kernels_and_others_do_not() -> None:
    blob = networks.network(Seeded(8), ("conv", "pool"))
    calls = {o.name: o.call for o in planned(blob).operators}
    assert calls["CONV_2D"] == "AddConv2D(tflite::Register_CONV_2D_INT8())"
    m = ModelFile()
    x = m.input((1, 4), dtype="float32")
    y = m.output((1, 4), dtype="float32")
    m.op("SOFTMAX", [x], [y], "SoftmaxOptions", beta=1.0)
    assert planned(m.finish()).operators[0].call == "AddSoftmax()"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"op": "UNIQUE"}, r"no operator UNIQUE \(layer 'a'\)"),
        ({"op": "CUSTOM", "custom": "FlexErf"}, r"custom operator 'FlexErf' .*\(layer 'a'\)"),
        ({"version": 99}, r"RELU has version 99; TFLite-Micro knows it up to 3"),
    ],
)
def test_an_operator_tflm_lacks_is_refused_with_its_layer(
    arguments: dict[str, object], words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        planned(model_with(**arguments))


def test_signal_and_custom_operators_are_registered() -> None:
    (signal,) = planned(model_with("CUSTOM", "SignalFftAutoScale")).operators
    assert signal.call == "AddFftAutoScale()" and signal.custom
    own = planned(model_with("CUSTOM", 'My "op"'), {'My "op"': "my::deep::Register_OP"}).operators
    assert own[0].call == 'AddCustom("My \\"op\\"", my::deep::Register_OP())'
    assert own[0].declaration == (
        "namespace my { namespace deep { TFLMRegistration *Register_OP(); } }"
    )


@pytest.mark.parametrize(
    ("custom", "words"),
    [({"Mine": "system(0);"}, "no name of a C"), ({"Other": "Register_X"}, "no custom operator")],
)
def test_wrong_custom_operators_are_refused(custom: dict[str, str], words: str) -> None:
    given = custom if "Mine" in custom else {**custom, "Mine": "Register_MINE"}
    with pytest.raises(InputError, match=words):
        planned(model_with("CUSTOM", "Mine"), given)


def subgraph(m: ModelFile, dtypes: Sequence[str], build: Callable[..., None]) -> int:
    """Add a subgraph with inputs of these types, for `build(*inputs)`; its index."""
    main, m.graph = m.graph, schema.SubGraphT()
    m.graph.tensors, m.graph.operators, m.graph.inputs, m.graph.outputs = [], [], [], []
    scales = {"int8": 0.1}
    shapes = {"int8": (1, 4)}
    build(*(m.input(shapes.get(d, (1,)), dtype=d, scale=scales.get(d)) for d in dtypes))
    m.model.subgraphs.append(m.graph)
    m.graph = main
    return len(m.model.subgraphs) - 1


def model_with_if() -> bytes:
    """RELU where the first input is true, else the minimum with 0.3."""
    m = ModelFile()

    def minimum(x: int) -> None:
        three = m.constant(np.array([[3]], np.int8), scale=0.1)
        m.op("MINIMUM", [x, three], [m.output((1, 4), scale=0.1)])

    flag, x = m.input((1,), dtype="bool"), m.input((1, 4), scale=0.1)
    y = m.output((1, 4), scale=0.1)
    then = subgraph(m, ["int8"], lambda x: m.op("RELU", [x], [m.output((1, 4), scale=0.1)]))
    other = subgraph(m, ["int8"], minimum)
    m.op("IF", [flag, x], [y], "IfOptions", thenSubgraphIndex=then, elseSubgraphIndex=other)
    return m.finish()


def model_with_while() -> bytes:
    """Doubled three times."""
    m = ModelFile()

    def less(i: int, x: int) -> None:
        three = m.constant(np.array([3], np.int32))
        m.op("LESS", [i, three], [m.output((1,), dtype="bool")])

    def double(i: int, x: int) -> None:
        one = m.constant(np.array([1], np.int32))
        m.op("ADD", [i, one], [m.output((1,), dtype="int32")], "AddOptions")
        m.op("ADD", [x, x], [m.output((1, 4), scale=0.1)], "AddOptions")

    x, y = m.input((1, 4), scale=0.1), m.output((1, 4), scale=0.1)
    i, last = m.constant(np.array([0], np.int32)), m.tensor((1,), dtype="int32")
    condition, body = subgraph(m, ["int32", "int8"], less), subgraph(m, ["int32", "int8"], double)
    options = {"condSubgraphIndex": condition, "bodySubgraphIndex": body}
    m.op("WHILE", [i, x], [last, y], "WhileOptions", **options)
    return m.finish()


SPECIAL = {
    "if": (model_with_if, ("AddIf()", "AddMinimum()", "AddRelu()")),
    "while": (model_with_while, ("AddAdd()", "AddLess()", "AddWhile()")),
    "variables": (
        lambda: case("CALL_ONCE", Seeded(3)),
        ("AddAssignVariable()", "AddReadVariable()", "AddVarHandle()"),
    ),
    "signal": (audio.front_end, ("AddFramer()", "AddFftAutoScale()", "AddFilterBankLog()")),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_models_of_several_subgraphs_and_of_signal_operators_run(name: str) -> None:
    """The resolver has the operators of all subgraphs; the package runs the model."""
    build, calls = SPECIAL[name]
    blob = build()
    graph = tflite.parse(blob)
    plan = tflm.plan(graph, blob)
    assert set(calls) <= {o.call for o in plan.operators}
    found = tflm_host.run(plan, blob, compare.random_inputs(graph, 4))
    for key, tensor in zip(graph.output_names, graph.outputs, strict=True):
        assert found.outputs[key].shape == (4, *graph.tensors[tensor].sample_shape)


def test_inputs_are_found_by_their_place_in_the_file() -> None:
    """The graph has them in the signature's order, TFLite-Micro in the file's."""
    blob = network_model(8, ("conv", "pool")).bytes
    graph = tflite.parse(blob)
    both = replace(graph, outputs=graph.outputs[::-1], output_names=graph.output_names[::-1])
    assert tflm.plan(both, blob).outputs == tuple(range(len(graph.outputs)))[::-1]


# --- what is generated ----------------------------------------------------------------------------


def emitted(blob: bytes, folder: Path, size: int = 4096, **custom: str) -> tflm.Plan:
    plan = replace(planned(blob, custom), found=Arena(size, source="a test"))
    tflm.emit(plan, "net", blob, folder)
    return plan


@pytest.mark.parametrize("compiler", ["cc", f"{ARM_PREFIX}gcc"])
def test_the_model_is_a_constant_aligned_array_of_the_same_bytes(
    compiler: str, tmp_path: Path
) -> None:
    blob = network_model().bytes
    emitted(blob, tmp_path)
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-c", "model_data.c", "-o", "data.o"]
    subprocess.run([compiler, *flags], cwd=tmp_path, check=True)
    with (tmp_path / "data.o").open("rb") as stream:
        elf = ELFFile(stream)
        section = elf.get_section_by_name(".rodata.tm_weights")
        assert section["sh_addralign"] >= 16
        assert not section["sh_flags"] & 1  # not writable
        assert section.data()[: len(blob)] == blob


def stub_tree(folder: Path, methods: Sequence[str]) -> Path:
    """A folder with all headers that tm_tflm.h includes, each of them the stub."""
    text = (FIRMWARE / "tflm" / "tm_tflm.h").read_text()
    adds = " ".join(
        f"TfLiteStatus {m}(const TFLMRegistration & = *static_cast<TFLMRegistration *>(nullptr));"
        for m in methods
    )
    registrations = "\n".join(f"const TFLMRegistration &Register_{n}_INT8();" for n in sorted(INT8))
    stub = STUB.read_text().replace("STUB_ADD", adds)
    stub = stub.replace("struct TfLiteTensor {", f"struct TfLiteTensor {{ /* {methods} */")
    stub = stub.replace("}  // namespace tflite", f"{registrations}\n}}  // namespace tflite")
    for name in re.findall(r'#include "(tensorflow/[^"]+)"', text):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(stub)
    (folder / "cstddef").write_text("#include <stddef.h>\n")
    (folder / "cstdint").write_text("#include <stdint.h>\n")
    (folder / "new").write_text(
        "#include <stddef.h>\ninline void *operator new(size_t, void *p) noexcept { return p; }\n"
    )
    return folder


@pytest.mark.parametrize("extra", [(), ("-DTM_TFLM_SEARCH=1",), ("-DTF_LITE_STRIP_ERROR_STRINGS",)])
def test_the_generated_cxx_compiles_against_tflms_interface(
    extra: tuple[str, ...], tmp_path: Path
) -> None:
    m = ModelFile()
    a = m.input((1, 4), scale=0.1, name="first")
    b = m.input((1, 4), dtype="float32", name="second in*/put")
    y = m.output((1, 4), scale=0.1, name="sum")
    z = m.output((1, 4), dtype="float32", name="other")
    m.op("RELU", [a], [y])
    m.op("CUSTOM", [b], [z], custom="Mine")
    plan = emitted(m.finish(), tmp_path, Mine="my::Register_MINE")
    tree = stub_tree(tmp_path / "stub", [o.call.partition("(")[0] for o in plan.operators[:1]])
    command = [f"{ARM_PREFIX}g++", *M4, "-std=c++17", "-fsyntax-only", "-Wall", "-Wextra"]
    command += ["-Werror", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", *extra]
    command += ["-nostdinc++", "-Istub", "-I.", "-Iinclude", "tflm_model.cc"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert tree.is_dir()


def test_support_gives_what_tflm_and_the_compiler_expect(tmp_path: Path) -> None:
    """Compiled without warnings; no heap, no printf behind it."""
    target = tmp_path / "support.o"
    command = [f"{ARM_PREFIX}gcc", *M4, "-std=c11", "-Os", "-Wall", "-Wextra", "-Werror", "-c"]
    command += [FIRMWARE / "tflm" / "support.c", "-I", FIRMWARE / "include", "-o", target]
    subprocess.run(command, check=True)
    done = subprocess.run(
        [f"{ARM_PREFIX}nm", target], capture_output=True, text=True, check=True
    ).stdout
    symbols = {line.split()[-1]: line.split()[-2] for line in done.splitlines()}
    wanted = (
        "DebugLog DebugVsnprintf _sbrk _write _exit _kill _getpid abort __cxa_pure_virtual _ZdlPv"
    )
    assert {symbols[name] for name in wanted.split()} == {"T"}
    needs = {name for name, kind in symbols.items() if kind == "U"}
    assert needs <= {"__errno", "__ram_end", "end", "tm_console_write", "tm_exit"}


MESSAGES = """
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#define end test_end
#define __ram_end test_ram_end
#define abort test_abort
#define _exit test_exit
#define __cxa_atexit test_atexit
#define __dso_handle test_handle
#define __assert_func test_assert
#define _write test_write
#define _sbrk test_sbrk
#include "support.c"
char test_end[8], test_ram_end[1];
static char said[200];
void tm_console_write(const char *bytes, uint32_t count) { strncat(said, bytes, count); }
void tm_exit(int code) { (void)code; }
static int format(char *buffer, size_t room, const char *text, ...)
{
    va_list args;
    va_start(args, text);
    int count = DebugVsnprintf(buffer, room, text, args);
    va_end(args);
    return count;
}
int main(void)
{
    char small[8], large[200];
    printf("%d %s|", format(small, sizeof small, "%s", "0123456789"), small);
    format(large, sizeof large, "%d %u %x %c %s %% %5.2d %lu %lld %z", -12, 34u, 0xabcu, 'q',
           (char *)0, 7, 56ul, 78ll);
    printf("%s|", large);
    format(large, sizeof large, "%-4d%", -2147483647 - 1);
    printf("%s|", large);
    tm_tflm_report(1, 20, 4294967295u);
    printf("%s", said);
    return 0;
}
"""


def test_messages_are_formatted_without_printf(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(MESSAGES)
    command = ["cc", "-fsanitize=address,undefined", "-fno-builtin", "-w", "main.c", "-o", "main"]
    command += ["-I", FIRMWARE / "tflm", "-I", FIRMWARE / "include"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True)
    small, line, lowest, report = done.stdout.split("|")
    assert small == "10 0123456"
    assert line.startswith("-12 34 abc q (null) % 7 56 78 ")
    assert lowest == "-2147483648"
    assert report == "\ntflm arena=1 persistent=20 head=4294967295\n"


# --- the user's TFLite-Micro ----------------------------------------------------------------------

HEADERS = (
    "tensorflow/lite/micro/micro_interpreter.h",
    "tensorflow/lite/micro/arena_allocator/single_arena_buffer_allocator.h",
)
DOWNLOADS = "tensorflow/lite/micro/tools/make/downloads"
PARTS = {
    "flatbuffers": f"{DOWNLOADS}/flatbuffers/include/flatbuffers/flatbuffers.h",
    "gemmlowp": f"{DOWNLOADS}/gemmlowp/fixedpoint/fixedpoint.h",
    "ruy": f"{DOWNLOADS}/ruy/ruy/profiler/instrumentation.h",
}


def headers(folder: Path, without: str = "") -> Path:
    for name in (*HEADERS, *PARTS.values()):
        if name != without:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("")
    return folder


def archive(
    target: Path,
    flags: Sequence[str] = M4,
    text: str = "",
    gcc: str = f"{ARM_PREFIX}gcc",
    member: str = "a.o",
) -> Path:
    """An archive whose one object has the constructor that marks it as TFLM, and `text`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    source = target.parent / "a.c"
    source.write_text(
        f"void {CONSTRUCTOR}(void) {{}}\nvoid _Z11MicroPrintfPKcz(void) {{}}\n"
        f"float product(float a, float b) {{ return a * b; }}\nenum e {{ E }} value;\n{text}\n"
    )
    command = [gcc, *flags, "-ffunction-sections", "-c", source, "-o", target.parent / member]
    subprocess.run(command, check=True)
    ar = gcc.replace("gcc", "ar") if gcc != "cc" else "ar"
    subprocess.run([ar, "-rc", target, target.parent / member], check=True)
    (target.parent / member).unlink()
    source.unlink()
    return target


def reason(folder: Path, board: Board) -> str:
    with pytest.raises(TinymlError) as caught:
        tflm_library.find_library(folder, board)
    return f"{caught.value.message} HINT {caught.value.hint}"


@pytest.fixture
def m4() -> Board:
    return load_board("mps2_an386")


@pytest.mark.parametrize(
    ("headers_in", "archive_in", "named"),
    [
        (".", "gen/cortex_m_generic_cortex-m4+fp_default_gcc/lib", "."),
        (
            ".",
            "gen/cortex_m_generic_cortex-m4+fp_default_gcc/lib",
            "gen/cortex_m_generic_cortex-m4+fp_default_gcc",
        ),
        (".", "gen/x/lib", "gen/x/lib"),
        (".", "gen/x/lib", "gen/x/lib/libtensorflow-microlite.a"),
        ("include", "lib", "."),
        (".", ".", "."),
        (".", "m4/lib", "."),
    ],
)
def test_the_usual_layouts_are_found(
    headers_in: str, archive_in: str, named: str, tmp_path: Path, m4: Board
) -> None:
    headers(tmp_path / headers_in)
    path = archive(tmp_path / archive_in / tflm_library.ARCHIVE)
    found = tflm_library.find_library(tmp_path / named, m4)
    assert found.archive.path.resolve() == path
    assert {k: v.resolve() for k, v in found.includes.items()} == {
        "headers": tmp_path / headers_in,
        "flatbuffers": tmp_path / headers_in / DOWNLOADS / "flatbuffers" / "include",
        "gemmlowp": tmp_path / headers_in / DOWNLOADS / "gemmlowp",
        "ruy": tmp_path / headers_in / DOWNLOADS / "ruy",
    }


def test_other_places_of_third_party_headers_are_found(tmp_path: Path, m4: Board) -> None:
    headers(tmp_path)
    shutil.rmtree(tmp_path / DOWNLOADS)
    for name in (
        "flatbuffers/include/flatbuffers/flatbuffers.h",
        "gemmlowp/fixedpoint/fixedpoint.h",
    ):
        (tmp_path / "third_party" / name).parent.mkdir(parents=True)
        (tmp_path / "third_party" / name).write_text("")
    (tmp_path / "ruy" / "profiler").mkdir(parents=True)
    (tmp_path / "ruy" / "profiler" / "instrumentation.h").write_text("")
    archive(tmp_path / tflm_library.ARCHIVE)
    found = tflm_library.find_library(tmp_path, m4).includes
    assert found["gemmlowp"] == tmp_path / "third_party" / "gemmlowp"
    assert found["ruy"].resolve() == tmp_path


def test_the_archive_that_suits_the_board_is_taken(tmp_path: Path, m4: Board) -> None:
    headers(tmp_path)
    archive(
        tmp_path / "gen" / "a_m0" / "lib" / tflm_library.ARCHIVE, ("-mcpu=cortex-m0", "-mthumb")
    )
    archive(tmp_path / "gen" / "b_m4" / "lib" / tflm_library.ARCHIVE)
    fast = archive(
        tmp_path / "gen" / "c_m4" / "lib" / tflm_library.ARCHIVE,
        text="void arm_convolve_s8(void) {}",
    )
    found = tflm_library.find_library(tmp_path, m4)
    assert found.archive.path == fast and found.kernels == "cmsis_nn" and not found.warnings
    slow = tflm_library.find_library(tmp_path, load_board("microbit"))
    assert slow.archive.path.parent.parent.name == "a_m0" and slow.kernels == "reference"
    reference = tflm_library.find_library(tmp_path / "gen" / "b_m4", m4)
    assert "reference kernels" in reference.warnings[0] and len(reference.warnings) == 1


def test_an_archive_for_the_core_itself_comes_before_one_for_a_lesser_core(tmp_path: Path) -> None:
    headers(tmp_path)
    fast = "void arm_convolve_s8(void) {}"
    for name in ("m0", "m3"):
        flags = (f"-mcpu=cortex-{name}", "-mthumb", "-O2")
        archive(tmp_path / "gen" / name / "lib" / tflm_library.ARCHIVE, flags, fast)
    for board, name in (("microbit", "m0"), ("mps2_an385", "m3")):
        found = tflm_library.find_library(tmp_path, load_board(board))
        assert found.archive.path.parent.parent.name == name and not found.warnings


def test_kernels_that_check_every_access_are_told(tmp_path: Path, m4: Board) -> None:
    headers(tmp_path)
    path = archive(
        tmp_path / "gen" / "a" / "lib" / tflm_library.ARCHIVE,
        text='const char *said(void); const char *said(void) { return "HALTED"; }',
        member="conv.o",
    )
    found = tflm_library.find_library(tmp_path, m4)
    assert found.archive.checks and "BUILD_TYPE=release_with_logs" in found.warnings[1]
    plain = archive(tmp_path / "gen" / "b" / "lib" / tflm_library.ARCHIVE)
    assert tflm_library.find_library(tmp_path, m4).archive.path == plain != path


def test_code_that_is_not_optimised_is_told(tmp_path: Path, m4: Board) -> None:
    headers(tmp_path)
    slow = archive(tmp_path / "gen" / "a" / "lib" / tflm_library.ARCHIVE, (*M4, "-O0"))
    assert "-O0" in tflm_library.find_library(slow, m4).warnings[-1]
    fast = archive(tmp_path / "gen" / "b" / "lib" / tflm_library.ARCHIVE)
    assert tflm_library.find_library(tmp_path, m4).archive.path == fast


def test_no_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TINYML_TFLM", raising=False)
    with pytest.raises(InputError, match="no folder is named"):
        tflm_library.given_folder(None)
    monkeypatch.setenv("TINYML_TFLM", str(tmp_path))
    assert tflm_library.given_folder(None) == tmp_path
    assert tflm_library.given_folder(tmp_path / "a") == tmp_path / "a"


def test_every_wrong_folder_gets_its_own_message(tmp_path: Path, m4: Board) -> None:
    found = [reason(tmp_path / "none", m4)]
    assert "does not exist" in found[-1]
    (tmp_path / "empty").mkdir()
    found.append(reason(tmp_path / "empty", m4))
    assert "no TFLite-Micro headers" in found[-1]
    found.append(reason(headers(tmp_path / "bare"), m4))
    assert "no libtensorflow-microlite.a" in found[-1]
    assert "TARGET_ARCH=cortex-m4+fp OPTIMIZED_KERNEL_DIR=cmsis_nn microlite" in found[-1]
    found.append(reason(headers(tmp_path / "old", without=HEADERS[1]), m4))
    assert "too old" in found[-1]
    for name, header in PARTS.items():
        found.append(reason(headers(tmp_path / name, without=header), m4))
        assert f"not {name}'s" in found[-1] and "third_party_downloads" in found[-1]
    assert len({text.replace(str(tmp_path), "") for text in found}) == len(found)


BAD_ARCHIVES = {
    "not an archive": b"hello",
    "thin archive": b"!<thin>\n",
    "empty archive": b"!<arch>\n",
    "damaged archive": b"!<arch>\n"
    + b"a.o/            0           0     0     644     99999     `\n",
    "no index": b"!<arch>\n" + b"a.o/            0           0     0     644     4         `\nabcd",
}


@pytest.mark.parametrize("words", BAD_ARCHIVES)
def test_files_that_are_no_archives(words: str, tmp_path: Path, m4: Board) -> None:
    headers(tmp_path)
    (tmp_path / tflm_library.ARCHIVE).write_bytes(BAD_ARCHIVES[words])
    assert words in reason(tmp_path, m4)


@pytest.mark.parametrize("seed", range(20))
def test_no_damaged_archive_crashes(seed: int, tmp_path: Path, m4: Board) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(archive(headers(tmp_path) / tflm_library.ARCHIVE).read_bytes())
    for position in rng.integers(0, len(data), 12):
        data[position] = rng.integers(0, 256)
    (tmp_path / tflm_library.ARCHIVE).write_bytes(data[: rng.integers(len(data) // 2, len(data))])
    try:
        tflm_library.find_library(tmp_path, m4)
    except (InputError, BuildError) as error:
        assert error.message


SOFT_M4 = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft")
WRONG = {
    "cortex-m3 lacks": ("mps2_an385", M4, ""),
    "float ABI is soft, that of mps2_an386 is hard": ("mps2_an386", SOFT_M4, ""),
    "float ABI is hard, that of mps2_an385 is soft": (
        "mps2_an385",
        ("-mcpu=cortex-m3", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"),
        "",
    ),
    "uses an FPU": (
        "mps2_an385",
        ("-mcpu=cortex-m3", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=softfp"),
        "",
    ),
    "double-precision": (
        "mps2_an386",
        ("-mcpu=cortex-m7", "-mthumb", "-mfpu=fpv5-d16", "-mfloat-abi=hard"),
        "",
    ),
    "cortex-m4 lacks": (
        "mps2_an386",
        ("-mcpu=cortex-m33", "-mthumb", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"),
        "",
    ),
    "enums are 32 bits": ("mps2_an386", (*M4, "-fno-short-enums"), ""),
    "link-time optimisation": ("mps2_an386", (*M4, "-flto"), ""),
    "without TF_LITE_STATIC_MEMORY": ("mps2_an386", M4, "void TfLiteTensorRealloc(void) {}"),
}


@pytest.mark.parametrize("words", WRONG)
def test_archives_that_do_not_suit_the_board(words: str, tmp_path: Path) -> None:
    board, flags, text = WRONG[words]
    headers(tmp_path)
    path = archive(tmp_path / tflm_library.ARCHIVE, flags, text)
    if "-flto" in flags:
        subprocess.run([f"{ARM_PREFIX}gcc-ar", "-s", path], check=True)
    said = reason(tmp_path, load_board(board))
    assert words in said
    if board == "mps2_an386" and "lto" not in str(flags) and not text:
        assert "TARGET_ARCH=cortex-m4+fp" in said and "the archive is for Armv" in said


def test_an_archive_of_this_computer(tmp_path: Path, m4: Board) -> None:
    archive(headers(tmp_path) / tflm_library.ARCHIVE, (), gcc="cc")
    assert "not for Arm" in reason(tmp_path, m4)


def test_an_archive_of_another_version(tmp_path: Path, m4: Board) -> None:
    path = archive(headers(tmp_path) / tflm_library.ARCHIVE)
    path.write_bytes(path.read_bytes().replace(b"MicroInterpreterC1", b"MacroInterpreterC1"))
    assert "different versions" in reason(tmp_path, m4)


def test_a_mixed_archive(tmp_path: Path, m4: Board) -> None:
    path = archive(headers(tmp_path) / tflm_library.ARCHIVE)
    (tmp_path / "b.c").write_text("int b;")
    subprocess.run([f"{ARM_PREFIX}gcc", *SOFT_M4, "-c", "b.c"], cwd=tmp_path, check=True)
    subprocess.run([f"{ARM_PREFIX}ar", "-r", path, "b.o"], cwd=tmp_path, check=True)
    assert "float ABI is soft" in reason(tmp_path, m4)


def test_helium_and_dsp_code_needs_a_core_that_has_them(tmp_path: Path) -> None:
    flags = ("-mcpu=cortex-m55", "-mthumb", "-mfpu=auto", "-mfloat-abi=hard")
    headers(tmp_path)
    archive(tmp_path / tflm_library.ARCHIVE, flags)
    m55 = load_board("mps3_an547")
    assert tflm_library.find_library(tmp_path, m55).warnings[0].startswith("the archive has TFLM's")
    plain = replace(m55, isa=m55.isa - {"mve"})
    assert "MVE (Helium)" in reason(tmp_path, plain)
    m33 = load_board("mps2_an505")
    archive(tmp_path / "m4" / "lib" / tflm_library.ARCHIVE)
    assert "cortex-m33 lacks" in reason(tmp_path / tflm_library.ARCHIVE, m33)
    no_dsp = replace(m33, isa=frozenset())
    assert "DSP" in reason(tmp_path / "m4" / "lib" / tflm_library.ARCHIVE, no_dsp)
    lesser = tflm_library.find_library(tmp_path / "m4" / "lib", m33)
    assert "slower than one of its own" in lesser.warnings[0]


def test_a_release_archive_has_no_messages_and_no_steps(tmp_path: Path, m4: Board) -> None:
    path = archive(headers(tmp_path) / tflm_library.ARCHIVE)
    path.write_bytes(path.read_bytes().replace(b"MicroPrintf", b"MacroPrintf"))
    found = tflm_library.find_library(tmp_path, m4)
    assert "no figures by layer" in found.warnings[-1]
    sources = tflm_build.write(planned(model_with()), "net", model_with(), found, tmp_path / "out")
    assert sources.defines["TF_LITE_STRIP_ERROR_STRINGS"] == "1"
    assert all(not Path(f).is_absolute() for f in (*sources.files, *sources.includes))


@pytest.mark.parametrize(
    ("board", "words"),
    [
        ("microbit", "cortex-m0 "),
        ("mps2_an385", "cortex-m3 "),
        ("mps2_an386", "cortex-m4+fp "),
        ("mps2_an500", "cortex-m7+fp FPU=fpv5-sp-d16 "),
        ("mps2_an505", "cortex-m33 "),
        ("mps3_an547", "cortex-m55 "),
    ],
)
def test_the_right_target_has_the_name_tflms_documentation_gives_it(board: str, words: str) -> None:
    assert f"TARGET_ARCH={words}" in tflm_library.make_command(load_board(board))


def test_targets_of_cores_without_fpu() -> None:
    m4, m33 = load_board("mps2_an386"), load_board("mps2_an505")
    assert "cortex-m4 " in tflm_library.make_command(replace(m4, fpu=None))
    assert "cortex-m33+nodsp " in tflm_library.make_command(replace(m33, fpu=None))
    assert "KERNEL_DIR" not in tflm_library.make_command(m4, "reference")


@pytest.mark.parametrize(("says", "want"), [("/lib/libstdc++.a", "libstdc++"), ("libstdc++.a", "")])
def test_doctor_sees_a_compiler_without_its_cxx_library(
    says: str, want: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GCC repeats the name of a library that it does not have."""
    compiler = tmp_path / f"{ARM_PREFIX}g++"
    compiler.write_text(f"#!/bin/sh\necho {says}\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    rows = {f.name: f.found for f in doctor.findings()}
    assert rows["C++ for Arm"] == want


# --- the arena ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("least", "used"), [(3024, 2580), (16000, 16000), (512, 500), (99984, 80)])
def test_the_bisection_ends_at_the_smallest_size_that_works(least: int, used: int) -> None:
    whole = search.Boot(Arena(4 << 20, used, 0), 7, "", ())
    tried = []

    def attempt(size: int) -> search.Boot:
        tried.append(size)
        problem = "" if size >= least else "too small"
        return search.Boot(Arena(size, used, 0), 7, problem, ())

    best, count = search._bisect(attempt, whole, -(-used // 16) * 16)
    assert best.size == least and least - 16 in tried
    assert count == len(tried) + 1 <= 24


def test_a_size_that_gives_other_outputs_does_not_work() -> None:
    whole = search.Boot(Arena(1024), 7, "", ())

    def attempt(size: int) -> search.Boot:
        return search.Boot(Arena(size), 7 if size >= 640 else 8, "", ())

    assert search._bisect(attempt, whole, 512)[0].size == 640


def test_every_board_with_a_core_of_qemus_has_a_twin_with_memory() -> None:
    for board in list_boards():
        twin = None if board.host else search.emulated_twin(board)
        if twin is not None:
            assert twin.flags == board.flags and twin.emulator is not None
            assert search.most(twin) > 400 * 1024
    assert search.emulated_twin(load_board("microbit")) is not None


class FakePort:
    """A console that says a text, and then nothing."""

    port = "fake"

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.timeout = 0.0

    @property
    def in_waiting(self) -> int:
        return len(self.text)

    def read(self, count: int) -> bytes:
        said, self.text = self.text[:count], self.text[count:]
        return said


class FakeProbe:
    def __init__(self, text: bytes) -> None:
        self.text = text

    def console(self) -> FakePort:
        return FakePort(self.text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"tflm arena=64 persistent=32 head=16\ntm1 ready ~B0F6A7E1\n", None),
        (b"Failed to resize buffer\n\ntflm stopped: the arena is too small\n", "too small"),
    ],
)
def test_what_an_image_says_at_boot(text: bytes, problem: str | None) -> None:
    from tinyml import wire

    text = text.replace(b"tm1 ready ~B0F6A7E1\n", wire.encode(wire.Ready()))
    fault = wire.encode(wire.Fault(3, 0x100))
    boot = search._listen(FakeProbe(text), 64)
    if problem is None:
        assert boot.problem == "" and (boot.arena.persistent, boot.arena.head) == (32, 16)
    else:
        assert problem in boot.problem and boot.messages == ("Failed to resize buffer",)
    assert "fault 3" in search._listen(FakeProbe(fault), 64).problem


def test_the_word_with_the_size_is_found_in_the_image(tmp_path: Path) -> None:
    source = tmp_path / "a.c"
    source.write_text("const volatile unsigned tm_tflm_arena_limit = 12352; int main(void) {}")
    command = [f"{ARM_PREFIX}gcc", *M4, "--specs=nosys.specs", source, "-o", tmp_path / "a.elf"]
    subprocess.run(command, check=True, capture_output=True)
    offset, value = search._limit(tmp_path / "a.elf")
    assert value == 12352
    assert struct.unpack_from("<I", (tmp_path / "a.elf").read_bytes(), offset)[0] == 12352


@pytest.mark.parametrize("text", ["emulator", "board", "4096"])
def test_where_to_look_for_the_arena(text: str) -> None:
    assert tflm_build.read_arena(text) in ("emulator", "board", 4096)


@pytest.mark.parametrize("text", ["", "-1", "12", "9" * 12, "qemu"])
def test_arena_options_that_say_nothing(text: str) -> None:
    with pytest.raises(InputError, match="--arena"):
        tflm_build.read_arena(text)


MAP = " .rodata.tm_weights\n                0x{start:08x}     0x{size:x} obj/model_data.c.o\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (MAP.format(start=0x20000000, size=100), "not in flash"),
        (MAP.format(start=0x1008, size=100), "multiple of 16"),
        (MAP.format(start=0x1000, size=99), "does not show"),
        ("", "does not show"),
        (MAP.format(start=0x1000, size=100), ""),
    ],
)
def test_the_model_is_verified_in_the_map(text: str, words: str, tmp_path: Path, m4: Board) -> None:
    from tinyml.build import Image

    (tmp_path / "a.map").write_text(text)
    (tmp_path / "tflm-library").mkdir()
    image = Image(
        m4, tmp_path / "a.elf", None, None, tmp_path / "a.map", {}, {}, None, "gcc", (), ""
    )
    plan = replace(planned(model_with()), weight_bytes=100)
    if words:
        with pytest.raises(BuildError, match=words):
            tflm_build.finish(image, plan)
    else:
        tflm_build.finish(image, plan)
        assert not (tmp_path / "tflm-library").exists()


# --- this computer --------------------------------------------------------------------------------

MODELS = (
    "ad01_int8",
    "hello_world_int8",
    "ic01_resnet8_float",
    "ic01_resnet8_int8",
    "kws01_dscnn_int8",
    "micro_speech_int8",
    "mnist_lstm_int8",
    "sww01_dscnn1d_int8",
    "vww01_mobilenet_int8",
)


def test_the_package_runs_every_sample_model(models_folder: Path) -> None:
    names = {p.stem for p in models_folder.glob("*.tflite")}
    assert names == {*MODELS, "kws01_dscnn_float"}
    for name in MODELS:
        model = flow.load_model(models_folder / f"{name}.tflite")
        inputs = compare.random_inputs(model.graph, 2)
        plan = tflm.plan(model.graph, model.bytes)
        found = tflm_host.run(plan, model.bytes, inputs)
        interpreter = Tflm(model.bytes)
        for number in range(2):
            wants = interpreter([a[number : number + 1] for a in inputs.values()])
            (got,) = found.outputs.values()
            assert (got[number] == wants[0][0]).all(), name
        assert found.arena.size >= found.arena.persistent + found.arena.head > 0
        assert found.parts["NodeAndRegistration struct"] > 0
        assert plan.lower_bound <= found.arena.head


def test_an_lstm_that_forgets_differs_as_much_as_the_page_says(models_folder: Path) -> None:
    """CMSIS-NN's begins each inference with zeros: like an interpreter of its own for each."""
    model = flow.load_model(models_folder / "mnist_lstm_int8.tflite")
    found = []
    for count in (3, 30):
        (inputs,) = compare.random_inputs(model.graph, count).values()
        whole = Tflm(model.bytes)
        pairs = [(whole([x[None]])[0], Tflm(model.bytes)([x[None]])[0]) for x in inputs]
        keeps, forgets = (np.concatenate(side).astype(int) for side in zip(*pairs, strict=True))
        apart = np.abs(keeps - forgets)
        found += [(apart > 0).sum(), apart.size, count]
    page = " ".join((Path(__file__).parent.parent / "docs" / "TFLM.md").read_text().split())
    words = "{} of {} values in {} inferences and {} of {} in {}, by up to {}"
    assert words.format(*found, apart.max()) in page


def test_a_model_tflm_refuses_is_refused_in_its_words(
    models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hybrid model is told beforehand; TFLite-Micro itself says so when it allocates tensors."""
    model = flow.load_model(models_folder / "kws01_dscnn_float.tflite")
    inputs = compare.random_inputs(model.graph, 1)
    with pytest.raises(ModelError, match="hybrid model: layer 'conv2d'"):
        tflm.plan(model.graph, model.bytes)
    monkeypatch.setattr(tflm, "refuse_hybrid", lambda graph: None)
    with pytest.raises(ModelError, match="Hybrid models are not supported"):
        tflm_host.run(tflm.plan(model.graph, model.bytes), model.bytes, inputs)


def test_a_crash_of_the_package_is_a_message() -> None:
    """An ADD whose scales are 2**20 apart: TFLite-Micro aborts."""
    m = ModelFile()
    x = m.input((1, 4), scale=1000.0)
    y = m.input((1, 4), scale=1e-9)
    z = m.output((1, 4), scale=1e-9)
    m.op("ADD", [x, y], [z], "AddOptions")
    blob = m.finish()
    graph = tflite.parse(blob)
    with pytest.raises(ModelError, match=r"crashed|refuses"):
        tflm_host.run(tflm.plan(graph, blob), blob, compare.random_inputs(graph, 1))


def test_run_on_this_computer(tmp_path: Path) -> None:
    model = network_model(8, ("conv", "pool"))
    (tmp_path / "net.tflite").write_bytes(model.bytes)
    inputs = compare.random_inputs(model.graph, 3)
    np.savez(tmp_path / "x.npz", **inputs, labels=np.zeros(3, int))
    arguments = ("run", "--engine", "tflm", "-b", "host", "net.tflite", "--inputs", "x.npz")
    done = tinyml(*arguments, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["samples"] == 3 and said["operators"]["CONV_2D"] == 1
    assert said["arena_bytes"] >= said["arena_persistent_bytes"] + said["arena_head_bytes"]
    found = np.load(tmp_path / "outputs.npz")
    wants = Tflm(model.bytes)
    for i in range(3):
        want = wants([a[i : i + 1] for a in inputs.values()])[0]
        assert (found[model.graph.output_names[0]][i] == want[0]).all()
    shown = tinyml(*arguments, folder=tmp_path)
    assert "CONV_2D" in shown.stdout and "64-bit" in shown.stdout


def test_firmware_for_this_computer_is_the_packages_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TINYML_TFLM", raising=False)
    (tmp_path / "net.tflite").write_bytes(network_model().bytes)
    arguments = ("build", "--engine", "tflm", "--tflm", tmp_path, "-b", "host", "net.tflite")
    refused(*arguments, folder=tmp_path, words="tflite-micro package")
    arguments = ("build", "--engine", "tflm", "-b", "mps2_an386", "net.tflite")
    refused(*arguments, folder=tmp_path, words="no folder is named")
    arguments = ("build", "--engine", "onnx", "-b", "host", "net.tflite")
    refused(*arguments, folder=tmp_path, words="--engine")


# --- comparison and export ------------------------------------------------------------------------


def test_a_comparison_on_this_computer(tmp_path: Path) -> None:
    model = network_model(8, ("conv", "branch", "pool"))
    (tmp_path / "net.tflite").write_bytes(model.bytes)
    arguments = ("compare", "net.tflite", "-b", "host", "--engines", "aot,tflm")
    done = tinyml(*arguments, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["outputs_equal"] and said["samples"] == 3
    assert said["RAM"]["arena"]["tflm"] > said["RAM"]["arena"]["aot"] > 0
    refused("compare", "net.tflite", "-b", "host", "--engines", "aot", folder=tmp_path, words="two")
    refused(
        "compare", "net.tflite", "-b", "host", "--engines", "aot,tvm", folder=tmp_path, words="tvm"
    )


def test_a_run_begins_with_fresh_state(tmp_path: Path) -> None:
    """The inference that firmware makes at boot leaves nothing behind for the first sample."""
    blob = case("ASSIGN_VARIABLE", Seeded(3))
    model = flow.Model("net", blob, tflite.parse(blob))
    found = compare.compare(
        *(model, load_board("host"), ("aot", "tflm"), tmp_path),
        prefix="net",
        tell=lambda text: None,
    )
    assert found.equal, found.differences


@pytest.mark.parametrize("shape", [(3, 4), (6,), ()])
def test_models_without_a_batch_of_one_take_their_whole_shape(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    """Several samples at once, and the vectors of audio front ends, are one inference's input."""
    m = ModelFile()
    x, y = m.input(shape, scale=0.1), m.output(shape, scale=0.1)
    m.op("RELU", [x], [y])
    blob = m.finish()
    model = flow.Model("net", blob, tflite.parse(blob))
    found = compare.compare(
        *(model, load_board("host"), ("aot", "tflm"), tmp_path),
        prefix="net",
        inputs={"t0": np.arange(2 * max(1, int(np.prod(shape)))).reshape(2, *shape).astype("int8")},
        tell=lambda text: None,
    )
    assert found.equal and found.samples == 2


def test_differences_are_counted_and_shown() -> None:
    want = {"y": np.array([[1, 2], [3, -128]], np.int8), "z": np.array([np.nan, 1], np.float32)}
    got = {"y": np.array([[1, 2], [4, 127]], np.int8), "z": np.array([np.nan, 1], np.float32)}
    text = compare._differences(got, want)
    assert text == "y: 2 of 4 differ, by at most 255"
    assert compare._differences(want, want) == ""
    rows = (compare.Row("latency", "inference", (10.0, 25.0)), compare.Row("RAM", "x", (None, 3.0)))
    found = compare.Comparison("m", "b", 1, ("aot", "tflm"), (text,), "instructions", True, rows)
    assert not found.equal and found.to_json()["latency"]["inference"]["ratio"] == 2.5
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    console.print(compare_report.table(found))
    shown = console.export_text()
    assert "differ" in shown and "2.50" in shown and "emulated" in shown


def test_layers_that_one_engine_leaves_out_are_added_to_the_next() -> None:
    """The head has a RESHAPE, which our engine does not run."""
    model = next(
        m for m in (network_model(seed, ("conv",)) for seed in range(50))
        if any(n.op == "RESHAPE" for n in m.graph.nodes)
    )  # fmt: skip
    from tinyml.engines import aot
    from tinyml.results import Step

    ours, theirs = aot.plan(model.graph), tflm.plan(model.graph, model.bytes)
    assert len(theirs.schedule) > len(ours.schedule)

    class Ran:
        steps = tuple(Step(s.index, "", "", 0, 10.0**s.index) for s in theirs.schedule)

    sums = compare._grouped(ours, theirs, Ran())
    assert len(sums) == len(ours.schedule)
    assert sum(sums) == sum(s.count for s in Ran.steps)
    reshape = next(s.index for s in theirs.schedule if s.node.op == "RESHAPE")
    assert any(str(int(s)).count("1") == 2 for s in sums), (reshape, sums)


@pytest.mark.parametrize("engine", ["aot", "tflm"])
def test_exported_files_build_with_make_and_cmake(engine: str, tmp_path: Path) -> None:
    model = network_model(8, ("conv", "pool"))
    (tmp_path / "net.tflite").write_bytes(model.bytes)
    done = tinyml(
        "export", "--engine", engine, "net.tflite", "-o", "out", "--json", folder=tmp_path
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    sources = {"aot": ["model.c"], "tflm": ["tflm_model.cc", "model_data.c"]}[engine]
    assert {*sources, "model.h", "model.mk", "model.cmake", "plan.json", "model.tflite"} <= {
        *said["files"]
    }
    assert not any(Path(f).is_symlink() for f in (tmp_path / "out").rglob("*"))
    c = [s for s in sources if s.endswith(".c")]
    (tmp_path / "Makefile").write_text(
        "include out/model.mk\nCPPFLAGS += $(NET_CPPFLAGS)\n"
        "all: $(patsubst %.c,%.o,$(filter %.c,$(NET_SOURCES)))\n"
    )
    subprocess.run(["make", "-s", "CC=cc"], cwd=tmp_path, check=True)
    assert all((tmp_path / "out" / s).with_suffix(".o").is_file() for s in c)
    if engine == "tflm":
        text = (tmp_path / "out" / "tflm_model.cc").read_text()
        assert (
            "a guess" in text
            and "TF_LITE_STATIC_MEMORY" in (tmp_path / "out" / "model.cmake").read_text()
        )
    refused("export", "--engine", engine, "net.tflite", "-o", "out", folder=tmp_path, words="empty")


def test_an_exported_arena_is_the_one_that_was_given(tmp_path: Path) -> None:
    model = network_model()
    done = export.export(
        model, tmp_path / "out", "tflm", prefix="net", arena=4096, tell=lambda text: None
    )
    assert done.plan.arena == 4096
    assert "arena[4096]" in (tmp_path / "out" / "tflm_model.cc").read_text()


# --- with a TFLite-Micro of the user's ------------------------------------------------------------

TFLM = os.environ.get("TINYML_TFLM", "")
needs_tflm = pytest.mark.skipif(
    not TFLM, reason="TINYML_TFLM names no TFLite-Micro with an archive for Cortex-M4"
)
# Executed instructions of TFLM 2026-08 with GCC 12.2: the figures this engine has to reproduce.
INSTRUCTIONS = {
    "cmsis_nn": {
        "ad01_int8": 582_859,
        "ic01_resnet8_int8": 29_864_761,
        "kws01_dscnn_int8": 7_696_216,
        "sww01_dscnn1d_int8": 2_226_912,
        "vww01_mobilenet_int8": 24_101_479,
    },
    "reference": {
        "ad01_int8": 1_953_989,
        "ic01_resnet8_int8": 107_485_321,
        "kws01_dscnn_int8": 43_109_596,
        "vww01_mobilenet_int8": 100_483_906,
    },
}
TINY = tuple(INSTRUCTIONS["cmsis_nn"])


def archives(board: Board) -> dict[str, Path]:
    """The user's archives that suit the board, by their kernels."""
    found: dict[str, tuple[int, Path]] = {}
    for path in tflm_library.list_archives(Path(TFLM)):
        try:
            library = tflm_library.find_library(path, board)
        except TinymlError:
            continue
        doubts, best = len(library.warnings), found.get(library.kernels)
        if library.archive.error_strings and (best is None or doubts < best[0]):
            found[library.kernels] = doubts, path
    return {kernels: path for kernels, (_, path) in found.items()}


@needs_tflm
@pytest.mark.qemu
@pytest.mark.parametrize("kernels", ["cmsis_nn", "reference"])
@pytest.mark.parametrize("name", TINY)
def test_mlperf_tiny_models_run_as_tflm_runs_them(
    name: str, kernels: str, models_folder: Path, tmp_path: Path, m4: Board
) -> None:
    """Outputs equal the package's; instructions are those measured; by layer, all of them."""
    path = archives(m4).get(kernels)
    if path is None:
        pytest.skip(f"TINYML_TFLM has no archive for Cortex-M4 with {kernels} kernels")
    model = flow.load_model(models_folder / f"{name}.tflite")
    options = tflm_build.Options(path)
    built = flow.build(
        model, m4, tmp_path / "out", prefix="net", optimize="balanced", runtime=options
    )
    run = flow.bench(built, tmp_path / "results", count=3)
    inputs = compare.random_inputs(model.graph, 3)
    got = flow.infer(built, inputs)
    plan = built.plan
    assert isinstance(plan, tflm.Plan)
    want = tflm_host.run(plan, model.bytes, inputs).outputs
    for key in want:
        assert (got[key] == want[key]).all(), key
    figure = INSTRUCTIONS[kernels].get(name)
    assert run.median is not None
    assert figure is None or run.median == pytest.approx(figure, rel=0.03)
    assert [s.op for s in run.steps] == [n.op for n in model.graph.nodes]
    assert sum(s.count for s in run.steps) == pytest.approx(run.median, rel=0.01)
    assert run.engine == "tflm" and run.validity == "valid", run.reasons
    assert run.memory is not None and run.memory.guard == "ok"
    assert plan.arena % 16 == 0 and plan.arena >= plan.found.persistent + plan.found.head
    assert "QEMU" in plan.found.source and not (tmp_path / "out" / "tflm-library").exists()
    sizes = built.image.sizes
    assert sizes is not None and sizes.ram["arena"] == plan.arena
    assert len(model.bytes) <= sizes.flash["weights"] <= len(model.bytes) + 16
    strange = ("__cxa_guard", "__gxx_personality", "_Unwind", "_malloc_r", "_printf", "_ZGV")
    assert not [s for s in built.image.symbols if s.startswith(strange)]


@needs_tflm
@pytest.mark.qemu
def test_the_resolver_has_exactly_tflms_methods(m4: Board) -> None:
    folder = tflm_library.find_library(Path(TFLM), m4).includes["headers"]
    text = (folder / "tensorflow/lite/micro/micro_mutable_op_resolver.h").read_text()
    methods = set(re.findall(r"TfLiteStatus (Add\w+)\(", text)) - {"AddCustom", "AddBuiltin"}
    assert methods == {method(b) for b in VERSIONS} | set(CUSTOM.values())
    for name in INT8:
        headers_text = "".join(
            p.read_text() for p in (folder / "tensorflow/lite/micro/kernels").glob("*.h")
        )
        assert f"Register_{name}_INT8()" in headers_text


@needs_tflm
@pytest.mark.qemu
def test_an_arena_that_is_too_small_says_so(tmp_path: Path, m4: Board) -> None:
    model = network_model(8, ("conv", "pool"))
    options = tflm_build.Options(Path(TFLM), arena=512)
    built = flow.build(model, m4, tmp_path / "out", prefix="net", runtime=options)
    with pytest.raises(RunError, match=r"other firmware|silent"):
        flow.infer(built, compare.random_inputs(model.graph, 1))


@needs_tflm
@pytest.mark.qemu
def test_random_networks_equal_the_package_and_two_builds_each_other(
    tmp_path: Path, m4: Board
) -> None:
    model = network_model(8, ("conv", "branch", "depthwise", "pool"))
    options = tflm_build.Options(Path(TFLM))
    found = []
    for name in ("a", "deep/b"):
        built = flow.build(model, m4, tmp_path / name, prefix="net", runtime=options)
        found.append((built.folder / "firmware.bin").read_bytes())
    assert found[0] == found[1]
    inputs = compare.random_inputs(model.graph, 4)
    got = flow.infer(built, inputs)
    want = tflm_host.run(tflm.plan(model.graph, model.bytes), model.bytes, inputs).outputs
    assert all((got[k] == want[k]).all() for k in want)


@needs_tflm
@pytest.mark.qemu
def test_a_comparison_in_the_emulator(tmp_path: Path) -> None:
    model = network_model(8, ("conv", "branch", "pool"))
    (tmp_path / "net.tflite").write_bytes(model.bytes)
    done = tinyml(
        *("compare", "net.tflite", "-b", "mps2_an386", "--tflm", TFLM, "--json"), folder=tmp_path
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["outputs_equal"] and said["emulated"]
    assert said["latency"]["inference"]["ratio"] > 0
    layers = said["layers"].values()
    assert all(row["aot"] > 0 and row["tflm"] > 0 for row in layers)
    assert said["flash"]["total"]["tflm"] > said["flash"]["total"]["aot"]
    assert said["RAM"]["of it arena persistent"]["tflm"] > 0


@needs_tflm
@pytest.mark.qemu
def test_exported_files_compile_with_the_users_tflm(tmp_path: Path, m4: Board) -> None:
    model = network_model(8, ("conv", "pool"))
    runtime = tflm_build.Options(Path(TFLM))
    export.export(
        model, tmp_path / "out", "tflm", prefix="net", board=m4, runtime=runtime,
        tell=lambda text: None,
    )  # fmt: skip
    library = tflm_library.find_library(Path(TFLM), m4)
    paths = " ".join(str(p.resolve()) for p in library.includes.values())
    (tmp_path / "Makefile").write_text(
        f"TFLM_INCLUDES := {paths}\nTFLM_LIBRARY := {library.archive.path.resolve()}\n"
        f"include out/model.mk\nCC := {ARM_PREFIX}gcc\nCXX := {ARM_PREFIX}g++\n"
        f"CFLAGS := {' '.join(M4)}\nCXXFLAGS := {' '.join(M4)} $(NET_CXXFLAGS)\n"
        "CPPFLAGS += $(NET_CPPFLAGS)\n"
        "all: $(patsubst %.cc,%.o,$(patsubst %.c,%.o,$(NET_SOURCES)))\n"
    )
    subprocess.run(["make", "-s"], cwd=tmp_path, check=True)
    assert (tmp_path / "out" / "tflm_model.o").is_file()


@needs_tflm
@pytest.mark.qemu
@pytest.mark.parametrize("name", SPECIAL)
def test_subgraphs_and_signal_operators_run_on_the_emulated_m4(
    name: str, tmp_path: Path, m4: Board
) -> None:
    blob = SPECIAL[name][0]()
    model = flow.Model(name, blob, tflite.parse(blob))
    options = tflm_build.Options(Path(TFLM), arena=40960)
    built = flow.build(model, m4, tmp_path / "out", prefix="net", runtime=options)
    inputs = compare.random_inputs(model.graph, 6)
    got = flow.infer(built, inputs)
    assert isinstance(built.plan, tflm.Plan)
    want = tflm_host.run(built.plan, blob, inputs).outputs
    assert all((got[key] == want[key]).all() for key in want)
    run = flow.bench(built, tmp_path / "results", count=3)
    assert [s.op for s in run.steps] == [s.node.op for s in built.plan.schedule]


@needs_tflm
@pytest.mark.qemu
def test_the_arena_is_found_on_a_board_through_its_probe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same size as in the emulator; the board's flasher is QEMU in its place."""
    board, used = load_board("stm32f405"), []

    def stand_in(name: str, board: Board, options: object) -> Probe:
        used.append((name, board.name))
        return open_probe("qemu", board, {"icount": "off"})

    model = network_model(8, ("conv", "pool"))
    options = tflm_build.Options(Path(TFLM))
    plan = tflm.plan(model.graph, model.bytes)
    say = lambda text: None  # noqa: E731
    emulated = tflm_build.search(plan, "net", model.bytes, board, options, say)
    monkeypatch.setattr(search, "open_probe", stand_in)
    options = replace(options, arena="board")
    found = tflm_build.search(plan, "net", model.bytes, board, options, say)
    assert used == [("openocd", "stm32f405")]
    assert replace(found, source="") == replace(emulated, source="")
    assert found.source == "found by running on stm32f405" and "QEMU" in emulated.source
    assert 0 < found.persistent and 0 < found.head <= found.size - found.persistent


# Of kws01 with CMSIS-NN, as INSTRUCTIONS.
CORES = {
    "mps2_an385": 10_530_973,
    "mps2_an500": 7_641_961,
    "mps2_an505": 7_696_216,
    "mps3_an547": 1_811_922,
    "microbit": 28_991_744,
}


@needs_tflm
@pytest.mark.qemu
@pytest.mark.parametrize("board", CORES)
def test_keyword_spotting_runs_as_tflm_runs_it_on_other_cores(
    board: str, models_folder: Path, tmp_path: Path
) -> None:
    """Code for a Cortex-M0 on an emulated M3, since an emulated M0 has too little memory."""
    target = load_board(board)
    target = search.emulated_twin(target) if board == "microbit" else target
    path = archives(target).get("cmsis_nn")
    if path is None or tflm_library.find_library(path, target).warnings:
        pytest.skip(f"TINYML_TFLM has no archive with CMSIS-NN for {target.core.cpu}")
    model = flow.load_model(models_folder / "kws01_dscnn_int8.tflite")
    options = tflm_build.Options(path)
    built = flow.build(
        model, target, tmp_path / "out", prefix="net", optimize="balanced", runtime=options
    )
    inputs = compare.random_inputs(model.graph, 3)
    got = flow.infer(built, inputs)
    assert isinstance(built.plan, tflm.Plan)
    want = tflm_host.run(built.plan, model.bytes, inputs).outputs
    assert all((got[key] == want[key]).all() for key in want)
    run = flow.bench(built, tmp_path / "results", count=3)
    assert run.median == pytest.approx(CORES[board], rel=0.03)


@needs_tflm
@pytest.mark.qemu
def test_cmsis_nn_forgets_the_state_of_an_lstm(
    models_folder: Path, tmp_path: Path, m4: Board
) -> None:
    """Each inference begins with zeros; the reference kernels keep the state, as the package."""
    model = flow.load_model(models_folder / "mnist_lstm_int8.tflite")
    inputs = compare.random_inputs(model.graph, 8)
    (want,) = tflm_host.run(
        tflm.plan(model.graph, model.bytes), model.bytes, inputs
    ).outputs.values()
    for kernels, path in archives(m4).items():
        options = tflm_build.Options(path, arena=131072)
        built = flow.build(model, m4, tmp_path / kernels, prefix="net", runtime=options)
        (got,) = flow.infer(built, inputs).values()
        assert (got[0] == want[0]).all()
        assert (got == want).all() == (kernels == "reference")


@needs_tflm
@pytest.mark.qemu
def test_the_example_says_the_class_and_checks_itself(
    models_folder: Path, tmp_path: Path, m4: Board
) -> None:
    model = flow.load_model(models_folder / "kws01_dscnn_int8.tflite")
    golden = example_run.golden(model, compare.random_inputs(model.graph, 1), "tflm")
    built = flow.build(
        *(model, m4, tmp_path / "out"),
        prefix="net",
        app="example",
        runtime=tflm_build.Options(Path(TFLM), arena=24576),
        golden=golden,
    )
    lines: list[str] = []
    assert example_run.run(built, lines.append)
    (scores,) = golden.outputs.values()
    assert lines[1] == f"class {scores.argmax()}" and lines[-1] == "check ok"


@needs_tflm
@pytest.mark.qemu
@pytest.mark.parametrize("name", ["ad01", "ic01", "kws01", "vww01"])
def test_the_mlperf_application_answers_as_the_package(
    name: str, models_folder: Path, tmp_path: Path, m4: Board
) -> None:
    from tests.test_mlperf import MODELS, running, wanted
    from tinyml import mlperf_data, mlperf_run

    model = flow.load_model(models_folder / f"{MODELS[name]}.tflite")
    options = tflm_build.Options(archives(m4)["cmsis_nn"], arena=131072)
    built = flow.build(
        *(model, m4, tmp_path / "x"),
        prefix="net",
        app="mlperf",
        optimize="balanced",
        runtime=options,
    )
    with running(built) as (client, identity, counting):
        assert (identity.task.name, identity.more["hash"]) == (name, model.hash)
        (sample,) = mlperf_data.random_samples(identity.task, 1)
        client.load(sample.inputs[0])
        assert client.infer(1, 0).results == wanted(model, identity.task, sample.inputs[0])
        timing = mlperf_run.Timing(1, 0.02, count=1, warmups=0)
        found = mlperf_run.measure_performance(
            client, identity, [sample], timing, counting=counting
        )
    figure = INSTRUCTIONS["cmsis_nn"][MODELS[name]]
    assert found.unit == "instructions" and found.units == pytest.approx(figure, rel=0.03)


LINKED = """\
cmake_minimum_required(VERSION 3.16)
project(consumer C CXX)
set(TFLM_INCLUDES {includes})
set(TFLM_LIBRARY {archive})
include(out/model.cmake)
add_executable(example out/example.c)
target_link_libraries(example PRIVATE net_model)
set_target_properties(example PROPERTIES LINKER_LANGUAGE CXX)
"""
TOOLCHAIN = f"""\
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_C_COMPILER {ARM_PREFIX}gcc)
set(CMAKE_CXX_COMPILER {ARM_PREFIX}g++)
set(CMAKE_C_FLAGS_INIT "{" ".join(M4)}")
set(CMAKE_CXX_FLAGS_INIT "{" ".join(M4)}")
set(CMAKE_EXE_LINKER_FLAGS_INIT "--specs=nosys.specs -Wl,--gc-sections")
"""


@needs_tflm
@pytest.mark.skipif(shutil.which("cmake") is None, reason="CMake is not installed")
def test_an_exported_example_links_with_cmake_and_the_users_tflm(tmp_path: Path, m4: Board) -> None:
    model = network_model(8, ("conv", "pool"))
    export.export(model, tmp_path / "out", "tflm", prefix="net", arena=8192, tell=lambda text: None)
    library = tflm_library.find_library(Path(TFLM), m4)
    includes = " ".join(str(path.resolve()) for path in library.includes.values())
    text = LINKED.format(includes=includes, archive=library.archive.path.resolve())
    (tmp_path / "CMakeLists.txt").write_text(text)
    (tmp_path / "arm.cmake").write_text(TOOLCHAIN)
    configure = ["cmake", "-S", ".", "-B", "b", "-DCMAKE_TOOLCHAIN_FILE=arm.cmake"]
    for command in (configure, ["cmake", "--build", "b"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    with (tmp_path / "b" / "example").open("rb") as stream:
        names = {s.name for s in ELFFile(stream).get_section_by_name(".symtab").iter_symbols()}
    assert {"main", "net_model_data", CONSTRUCTOR} <= names


@needs_tflm
def test_each_real_archive_is_taken_for_its_core_or_refused_with_the_right_target() -> None:
    """By TFLM's makefile, gen/ has the core's name in it."""
    boards = [load_board(name) for name in (*CORES, "mps2_an386")]
    ranks = {"m0": 0, "m0plus": 0, "m3": 1, "m4+fp": 2, "m7+fp": 2, "m33": 3, "m55": 4}
    for path in tflm_library.list_archives(Path(TFLM)):
        named = re.search(r"cortex-(m\d+(?:plus|\+fp)?)", str(path))
        if named is None:
            pytest.skip("TINYML_TFLM is no checkout in which the makefile has been run")
        archive = tflm_library.read_archive(path)
        for board in boards:
            core = board.core.cpu.removeprefix("cortex-")
            problem = ""
            try:
                tflm_library.check_archive(archive, board)
            except BuildError as error:
                problem = f"{error.message} {error.hint}"
                assert str(path) in problem and f"TARGET_ARCH={board.core.cpu}" in problem
            # An M7 archive is for its double precision; that of single precision is another one.
            own = core == named[1].removesuffix("+fp") and "FPU=" not in problem
            more = ranks[named[1]] > ranks[core if core in ranks else f"{core}+fp"]
            assert not (own and problem) and not (more and not problem), (path, board.name, problem)
        assert "not ELF" not in str(archive.targets) and not archive.unoptimised


@needs_tflm
def test_real_archives_that_are_thin_soft_or_of_another_version(tmp_path: Path, m4: Board) -> None:
    library = tflm_library.find_library(Path(TFLM), m4)
    real = library.archive.path
    tree = library.includes["headers"]
    for name in ("tensorflow", "signal", "third_party"):
        if (tree / name).is_dir():
            (tmp_path / name).symlink_to(tree / name, target_is_directory=True)
    target = tmp_path / tflm_library.ARCHIVE
    objects = tmp_path / "objects"
    objects.mkdir()
    subprocess.run([f"{ARM_PREFIX}ar", "x", real], cwd=objects, check=True)
    members = sorted(objects.iterdir())
    subprocess.run([f"{ARM_PREFIX}ar", "-rcT", target, *members], check=True)
    assert "thin archive" in reason(tmp_path, m4)
    soft = replace(m4, fpu=None)
    shutil.copy(real, target)
    assert "float ABI is hard" in reason(tmp_path, soft)
    assert "TARGET_ARCH=cortex-m4 " in reason(tmp_path, soft)
    target.unlink()
    rest = [m for m in members if "micro_interpreter" not in m.name]
    subprocess.run([f"{ARM_PREFIX}ar", "-rc", target, *rest], check=True)
    assert "different versions" in reason(tmp_path, m4)
    target.unlink()
    subprocess.run([f"{ARM_PREFIX}ar", "-rcS", target, *members], check=True)
    assert "no index" in reason(tmp_path, m4)
