"""MLPerf Tiny: the device's protocol to the letter, any bytes on either side, scores, results."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import serial
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.oracle import Tflm
from tinyml import (
    cli,
    cli_mlperf,
    flow,
    mlperf,
    mlperf_data,
    mlperf_energy,
    mlperf_report,
    mlperf_run,
)
from tinyml.board import list_boards, load_board
from tinyml.build import Sources, compile_image
from tinyml.device import open_device
from tinyml.energy import Samples
from tinyml.errors import BoardError, InputError, RunError, TinymlError
from tinyml.link import Log
from tinyml.paths import FIRMWARE
from tinyml.probes import Counting, open_probe
from tinyml.results import check_manifest

DEVICE = Path(__file__).parent / "firmware" / "mlperf_device.c"
MODELS = {
    "kws01": "kws01_dscnn_int8",
    "vww01": "vww01_mobilenet_int8",
    "ic01": "ic01_resnet8_int8",
    "ad01": "ad01_int8",
}
BOOT = ["m-timestamp-mode-performance", "m-lap-us-0", "m-init-done", "m-ready"]
PROFILE = "ULPMark for tinyML Firmware V0.0.1"

# The device side, by itself: a small model on this computer, with sanitizers.

FORMS = {
    "int8": {"BYTES": 16, "INPUT": "INT8", "in": 16, "out": 3, "type": "TM_S8"},
    "uint8": {"BYTES": 20, "INPUT": "UINT8", "in": 20, "out": 2, "type": "TM_S8"},
    "float": {"BYTES": 32, "INPUT": "FLOAT", "in": 8, "out": 8, "type": "TM_S8"},
    "floats_out": {"BYTES": 64, "INPUT": "INT8", "in": 64, "out": 64, "type": "TM_F32"},
}
IN_SCALE, IN_ZERO, OUT_SCALE, OUT_ZERO = np.float32(0.39), 89, np.float32(0.36), -7


def defines_of(form: str, energy: bool = False) -> dict[str, str]:
    kind = FORMS[form]
    values = {
        "TM_MODEL": "device_model",
        "TM_MLPERF_MODEL": '"kws01"',
        "TM_MLPERF_BYTES": kind["BYTES"],
        "TM_MLPERF_INPUT": f"TM_MLPERF_{kind['INPUT']}",
        "TM_MLPERF_IN_SCALE": f"{float(IN_SCALE).hex()}f",
        "TM_MLPERF_IN_ZERO": IN_ZERO,
        "TM_MLPERF_OUT_SCALE": f"{float(OUT_SCALE).hex()}f",
        "TM_MLPERF_OUT_ZERO": f"({OUT_ZERO})",
        "TM_MLPERF_ENERGY": int(energy),
        "DEVICE_IN_BYTES": kind["in"],
        "DEVICE_OUT_BYTES": kind["out"],
        "DEVICE_OUT_TYPE": kind["type"],
    }
    return {name: str(value) for name, value in values.items()}


def compile_device(folder: Path, form: str, *, energy: bool = False, hz: int = 1_000_000, at=0):
    (folder / "board.h").write_text('#define TM_BOARD "bench"\n')
    clock = {"DEVICE_HZ": f"{hz}u", "DEVICE_TICKS": f"{at}ull", "DEVICE_STEP": hz // 1000}
    defines = {**defines_of(form, energy), **clock, "DEVICE_PORT": 1}
    program = folder / f"{form}{int(energy)}"
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-fsanitize=address,undefined"]
    command = ["cc", *flags, "-fno-sanitize-recover=all", f"-I{folder}"]
    command += [f"-I{FIRMWARE / 'include'}", *(f"-D{n}={v}" for n, v in defines.items())]
    command += [FIRMWARE / "app" / "mlperf.c", DEVICE, "-o", program]
    subprocess.run(command, check=True)
    return program


def say(program: Path, sent: bytes | str) -> list[str]:
    """Every line of the device's, boot included."""
    data = sent.encode() if isinstance(sent, str) else sent
    done = subprocess.run([program], input=data, capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr.decode()
    text = done.stdout.decode("ascii")
    assert text.endswith("m-ready\r\n") and text.count("\n") == text.count("\r\n")
    return text.split("\r\n")[:-1]


@pytest.fixture(scope="module")
def devices(tmp_path_factory):
    folder = tmp_path_factory.mktemp("devices")
    return {form: compile_device(folder, form) for form in FORMS}


HEX16 = bytes(range(16)).hex()
CONVERSATIONS = {
    # command: the answer without m-ready
    "name": ["m-name-dut-[tinyml-bench]"],
    "profile": [f"m-profile-[{PROFILE}]", "m-model-[kws01]"],
    "timestamp": ["m-lap-us-1000"],
    "": [],
    "  ": [],
    "\r\nname\r\n": ["m-name-dut-[tinyml-bench]"],
    "  name  extra words ": ["m-name-dut-[tinyml-bench]"],
    "NAME": ["e-[Unknown command: NAME]"],
    "nam": ["e-[Unknown command: nam]"],
    "m-ready": ["e-[Unknown command: m-ready]"],
    "bo\x01\x7fgus one": ["e-[Unknown command: bo??gus]"],
    "start": ["e-[Unknown command: start]"],
    "db": ["e-[Command 'db' requires a subcommand]"],
    "db load": ["e-[Command 'db load' requires the # of bytes]"],
    "db load 0": ["e-[Command 'db load' must be >0 bytes]"],
    "db load -1": ["e-[Command 'db load' must be >0 bytes]"],
    "db load x": ["e-[Command 'db load' must be >0 bytes]"],
    "db load 4294967296": ["e-[Command 'db load' must be >0 bytes]"],
    "db load 99999999999999999999999999": ["e-[Command 'db load' must be >0 bytes]"],
    "db load 17": ["e-[Supplied buffer size 17 exceeds maximum of 16]"],
    "db load 4294967295": ["e-[Supplied buffer size 4294967295 exceeds maximum of 16]"],
    "db load 16": ["m-[Expecting 16 bytes]"],
    "db 00": ["e-[Command 'db' requires 'db load' first]"],
    "db 0": ["e-[Insufficient number of hex digits]"],
    "db 0g": ["e-[Invalid hex digit '0g']"],
    "db 00\x8011": ["e-[Invalid hex digit '?1']"],
    "db 123x": ["e-[Invalid hex digit '3x']"],
    "db x": ["e-[Invalid hex digit 'x']"],
    "db print": [],
    "infer": ["e-[Input db has 0 bytes, expected 16]"],
    "infer 0": ["e-[Inference iterations must be >0]"],
    "infer -1": ["e-[Inference iterations must be >0]"],
    "infer x": ["e-[Inference iterations must be >0]"],
    "infer 1 -1": ["e-[Inference warmup must be >=0]"],
    "infer 1 x": ["e-[Inference warmup must be >=0]"],
    "results": ["m-results-[2.520,2.520,2.520]"],
    "x" * 80: [f"e-[Unknown command: {'x' * 80}]"],
    "x" * 81: ["e-[Command is longer than 80 characters]"],
    "name" + " " * 77: ["e-[Command is longer than 80 characters]"],
    "x" * 100_000: ["e-[Command is longer than 80 characters]"],
}


@pytest.mark.parametrize("command", CONVERSATIONS, ids=lambda c: repr(c[:30]))
def test_every_command_and_every_error(devices, command):
    answer = [*CONVERSATIONS[command], "m-ready"]
    name = ["m-name-dut-[tinyml-bench]", "m-ready"]
    sent = command.encode("latin-1") + b"%name%"
    assert say(devices["int8"], sent) == [*BOOT, *answer, *name]


LOAD = f"db load 16%db {HEX16[:14]}%db {HEX16[14:].upper()}%db print%infer 2 3%results%"
LOADED = [
    *("m-[Expecting 16 bytes]", "m-ready", "m-ready", "m-load-done", "m-ready"),
    *("m-buffer-00-01-02-03-04-05-06-07", "m-buffer-08-09-0a-0b-0c-0d-0e-0f", "m-ready"),
    *("m-warmup-start-3", "m-warmup-done", "m-infer-start-2", "m-lap-us-1000"),
    *("m-lap-us-2000", "m-infer-done", "m-results-[2.520,2.880,3.240]", "m-ready"),
    *("m-results-[2.520,2.880,3.240]", "m-ready"),
]


@pytest.mark.qemu
def test_the_emulated_m4_answers_every_command_and_every_error(tmp_path):
    """The same conversations with a Cortex-M4 image; only the time is its own."""
    for source in (DEVICE, FIRMWARE / "app" / "mlperf.c"):
        shutil.copy(source, tmp_path)
    board = load_board("mps2_an386")
    sources = Sources(tmp_path, ("mlperf.c", DEVICE.name), (), defines_of("int8"))
    told = [(c[:5000], a) for c, a in CONVERSATIONS.items() if c != "db load 16"]
    with open_probe("qemu", board, {"icount": "off"}) as probe:
        probe.flash(compile_image(sources, board).elf)
        console = probe.console()
        console.timeout = 10

        def heard(count):
            return [console.readline().decode("ascii").removesuffix("\r\n") for _ in range(count)]

        def same(said, wanted_):
            """But for the time and the board's name."""
            here = [x.replace("tinyml-bench", "tinyml-mps2_an386") for x in wanted_]
            return [re.sub(r"us-\d+$", "us-", x) for x in said] == [
                re.sub(r"us-\d+$", "us-", x) for x in here
            ]

        assert same(heard(4), BOOT)
        for command, answer in told:
            console.write(command.encode("latin-1") + b"%")
            said = heard(len(answer) + 1)
            assert same(said, [*answer, "m-ready"]), (command, said)
        for command in LOAD.split("%")[:-1]:
            console.write(command.encode() + b"%")
        assert same(heard(len(LOADED)), LOADED)


def test_a_load_in_pieces_is_printed_and_inferred(devices):
    assert say(devices["int8"], LOAD)[4:] == LOADED


def test_ten_warmups_where_none_are_named(devices):
    for command, count in (("infer", 1), ("infer 7", 7)):
        said = say(devices["int8"], f"db load 16%db {HEX16}%{command}%")
        assert "m-warmup-start-10" in said and f"m-infer-start-{count}" in said


def test_more_digits_than_bytes_are_ignored(devices):
    said = say(devices["int8"], "db load 3%db 0102030405%db print%db 06%db load 2%db print%db ff%")
    assert said[4:] == [
        *("m-[Expecting 3 bytes]", "m-ready", "m-load-done", "m-ready"),
        *("m-buffer-01-02-03", "m-ready"),
        *("e-[Command 'db' requires 'db load' first]", "m-ready"),
        *("m-[Expecting 2 bytes]", "m-ready", "m-ready", "m-ready"),
    ]


def test_a_half_or_short_load_is_no_input(devices):
    said = say(devices["int8"], f"db load 16%db {HEX16[:-2]}%infer%db load 8%db {HEX16}%infer%")
    refused = [line for line in said if line.startswith("e-")]
    assert refused == [f"e-[Input db has {n} bytes, expected 16]" for n in (15, 8)]


def test_a_wrong_digit_stores_nothing_of_its_command(devices):
    said = say(devices["int8"], f"db load 16%db 0011x2%db print%db {HEX16}%")
    assert said[6:] == ["e-[Invalid hex digit 'x2']", *["m-ready"] * 2, "m-load-done", "m-ready"]


def test_unsigned_bytes_are_printed_as_sent_and_run_less_128(devices):
    sent = bytes([0, 127, 128, 255] * 5)
    said = say(devices["uint8"], f"db load 20%db {sent.hex()}%db print%infer 3 1%")
    assert "m-buffer-00-7f-80-ff-00-7f-80-ff" in said
    want = [(v - 128 - OUT_ZERO) * OUT_SCALE for v in sent[:2]]
    assert f"m-results-[{','.join(f'{v:.3f}' for v in want)}]" in said


def reference_error(values: np.ndarray) -> tuple[np.float32, np.ndarray]:
    """Mean squared error in float32, one after the other, of a model that changes nothing."""
    with np.errstate(all="ignore"):
        steps = (values / IN_SCALE).astype(np.float64)
        steps = np.where(np.isnan(steps), 1024, np.clip(steps, -1024, 1024))
        whole = np.trunc(steps) + np.sign(steps) * (abs(steps - np.trunc(steps)) >= 0.5)
        quantized = np.clip(whole + IN_ZERO, -128, 127)
        got = (quantized - OUT_ZERO).astype(np.float32) * OUT_SCALE
        total = np.float32(0)
        for difference in got - values:
            total += difference * difference
        return total / np.float32(len(values)), quantized


def printed(value: np.float32) -> str:
    text = f"{float(value):.3f}"
    return text.replace("-nan", "nan") if np.isnan(value) else text


FLOATS = st.floats(width=32)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(FLOATS | st.floats(-60, 60, width=32), min_size=8, max_size=8)))
def test_the_error_is_that_of_float32(devices, rows):
    arrays = [np.array(row, "<f4") for row in rows]
    sent = "".join(f"db load 32%db {a.tobytes().hex()}%infer 1 0%" for a in arrays)
    said = [line[11:-1] for line in say(devices["float"], sent) if line.startswith("m-res")]
    wants = [printed(reference_error(a)[0]) for a in arrays]
    assert [s.lstrip("-") if "nan" in s else s for s in said] == wants


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1) | FLOATS.map(lambda f: int(np.float32(f).view("u4")))))
def test_any_float_is_printed_as_printf_does(devices, patterns):
    patterns = [*patterns, *[0] * (-len(patterns) % 16)]
    said = []
    for i in range(0, len(patterns), 16):
        data = np.array(patterns[i : i + 16], "<u4").tobytes().hex()
        sent = f"db load 64%db {data[:64]}%db {data[64:]}%infer 1 0%"
        line = next(x for x in say(devices["floats_out"], sent) if x.startswith("m-res"))
        said += line[11:-1].split(",")
    floats = np.array(patterns, "<u4").view("<f4")
    for text, value in zip(said, floats, strict=True):
        assert text == f"{float(value):.3f}" or (np.isnan(value) and text in ("nan", "-nan"))


def test_halves_go_to_even_and_the_largest_float_is_whole(devices):
    values = [0.0625, 0.1875, -0.0625, 3.4028235e38, 1e-45, -0.0, 2**24, 2**53, 0.9995, 8388607.5]
    test = test_any_float_is_printed_as_printf_does.hypothesis.inner_test
    test(devices, [int(np.float32(v).view("u4")) for v in values])


def test_time_does_not_wrap(tmp_path):
    for hz, at in ((168_000_000, 2**32 * 5000), (1_000_000_000, 2**63)):
        program = compile_device(tmp_path, "int8", hz=hz, at=at)
        laps = [int(x[9:]) for x in say(program, "timestamp%") if x.startswith("m-lap-us-")]
        assert laps == [at * 1_000_000 // hz, (at + hz // 1000) * 1_000_000 // hz]


def test_in_energy_mode_a_timestamp_is_a_pulse(tmp_path):
    program = compile_device(tmp_path, "int8", energy=True)
    said = say(program, f"timestamp%db load 16%db {HEX16}%infer 4 2%")
    assert said[:3] == ["{1}m-timestamp-mode-energy", "{0}{1}m-init-done", "m-ready"]
    assert said[3:] == [
        *("{0}{1}m-ready", "m-[Expecting 16 bytes]", "m-ready", "m-load-done", "m-ready"),
        *("m-warmup-start-2", "m-warmup-done", "m-infer-start-4"),
        *("{0}{1}{0}{1}m-infer-done", "m-results-[2.520,2.880,3.240]", "m-ready"),
    ]


# Any bytes, and any commands against a model of the protocol.

WORDS = st.sampled_from(
    [b"name", b"profile", b"db", b"load", b"print", b"infer", b"results", b"help", b"timestamp"]
)
NUMBERS = st.integers(-1, 40).map(lambda n: str(n).encode())
HEX = st.binary(max_size=39).map(lambda b: b.hex().encode())
PIECES = st.lists(WORDS | NUMBERS | HEX | st.binary(max_size=8) | st.sampled_from([b" ", b"%"]))


@settings(max_examples=40, deadline=None)
@given(PIECES | st.binary(max_size=2000).map(lambda b: [b]))
def test_any_bytes_are_answered(devices, pieces):
    sent = b" ".join(pieces)
    for program in devices.values():
        said = say(program, sent)
        assert said.count("m-ready") == 1 + sent.count(b"%")
        assert all(re.fullmatch(r"[me]-.*|[A-Za-z].*", line) for line in said)


class Protocol:
    """What the device with 16 bytes is to answer, written down once more."""

    def __init__(self):
        self.size, self.data, self.time, self.out = 0, b"", 1, [0, 0, 0]

    def answer(self, command: str) -> list[str]:
        word, *rest = command.split()
        return [*getattr(self, word)(*rest), "m-ready"]

    def lap(self):
        self.time += 1
        return f"m-lap-us-{(self.time - 1) * 1000}"

    def timestamp(self):
        return [self.lap()]

    def results(self):
        return [f"m-results-[{','.join(f'{(v - OUT_ZERO) * OUT_SCALE:.3f}' for v in self.out)}]"]

    def load(self, size):
        if not 0 < int(size) <= 16:
            kind = f"Supplied buffer size {size} exceeds maximum of 16"
            return [
                f"e-[{kind if int(size) else 'Command ' + repr('db load') + ' must be >0 bytes'}]"
            ]
        self.size, self.data = int(size), b""
        return [f"m-[Expecting {size} bytes]"]

    def db(self, digits, *rest):
        if digits == "load":
            return self.load(*rest)
        if digits == "print":
            rows = [self.data[i : i + 8] for i in range(0, len(self.data), 8)]
            return ["m-buffer-" + row.hex("-") for row in rows]
        if len(digits) % 2:
            return ["e-[Insufficient number of hex digits]"]
        if len(self.data) == self.size:
            return ["e-[Command 'db' requires 'db load' first]"]
        self.data = (self.data + bytes.fromhex(digits))[: self.size]
        return ["m-load-done"] if len(self.data) == self.size else []

    def infer(self, count, warmups):
        if int(count) == 0:
            return ["e-[Inference iterations must be >0]"]
        if len(self.data) != 16:
            return [f"e-[Input db has {len(self.data)} bytes, expected 16]"]
        self.out = np.frombuffer(self.data[:3], np.int8).astype(int)
        start = [f"m-warmup-start-{warmups}", "m-warmup-done", f"m-infer-start-{count}"]
        return [*start, self.lap(), self.lap(), "m-infer-done", *self.results()]


COMMANDS = st.lists(
    st.sampled_from(["timestamp", "results", "db print", "db load 16"])
    | st.integers(0, 20).map("db load {}".format)
    | st.text("0123456789abcdefABCDEF", min_size=1, max_size=40).map("db {}".format)
    | st.tuples(st.integers(0, 5), st.integers(0, 5)).map(lambda t: "infer {} {}".format(*t)),
    max_size=30,
)


@settings(max_examples=50, deadline=None)
@given(COMMANDS)
def test_any_commands_are_answered_to_the_letter(devices, commands):
    protocol = Protocol()
    wants = [line for command in commands for line in protocol.answer(command)]
    assert say(devices["int8"], "".join(f"{c}%" for c in commands))[4:] == wants


# The client side, against devices that say anything.


class Scripted:
    """A port whose device answers each command with answer(command) -> bytes, all at once."""

    port, baudrate, timeout = "scripted", 115200, 0.0

    def __init__(self, answer, greeting=b""):
        self.answer, self.waiting, self.command, self.sent = answer, greeting, b"", []

    @property
    def in_waiting(self):
        return len(self.waiting)

    def read(self, count):
        data, self.waiting = self.waiting[:count], self.waiting[count:]
        return data

    def write(self, data):
        *commands, self.command = (self.command + data).split(b"%")
        for command in commands:
            self.sent.append(command.decode())
            self.waiting += self.answer(command.decode())


def lines(*texts):
    return "".join(f"{text}\r\n" for text in (*texts, "m-ready")).encode()


def good(command):
    """A device with a kws01 model, 1 ms an inference."""
    word, *rest = command.split() or [""]
    match word:
        case "name":
            return lines("m-name-dut-[somebody]")
        case "profile":
            return lines(f"m-profile-[{PROFILE}]", "m-model-[kws01]")
        case "db":
            full = {"load": "m-[Expecting 490 bytes]"}
            return lines(full.get(rest[0], "m-load-done"))
        case "infer":
            zeros = ",".join(["0.000"] * 11)
            lap = f"m-lap-us-{1000 + 1000 * int(rest[0])}"
            return lines("m-lap-us-1000", lap, "m-infer-done", f"m-results-[{zeros},1.000]")
    return lines(f"e-[Unknown command: {word}]")


def connect(answer, greeting=b"", seconds=0.05):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlperf, "ANSWER_SECONDS", seconds)
        patch.setattr(mlperf, "_BOOT_SECONDS", 0.02)
        return mlperf.connect(Scripted(answer, greeting), Log())


def test_a_device_without_our_help_is_as_good_as_any():
    client, identity = connect(good)
    assert (identity.name, identity.task.name, identity.more) == ("somebody", "kws01", {})
    client.load(bytes(490))
    assert client.infer(7, 2).elapsed_us == 7000
    assert client.infer(1, 0).results[-1] == 1.0
    sent = client._port.sent
    assert sent[3] == "db load 490" and sent[4] == "db " + "00" * 31 and "infer 7 2" in sent
    assert len([c for c in sent if c.startswith("db 0")]) == 16


def test_noise_before_the_first_command_is_forgiven():
    answers = iter([lines("e-[Unknown command: ??name]")])
    _, identity = connect(lambda c: next(answers, None) or good(c), b"\xff\x00half a li")
    assert identity.name == "somebody"


@pytest.mark.parametrize(
    ("answer", "greeting", "text"),
    [
        (lambda _: b"", b"", "silent"),
        (lambda _: b"", bytes(range(128, 256)) * 3, "garbage"),
        (lambda _: b"", b"tm1 boot protocol=1 ~00000000\n", "bench firmware"),
        (lambda _: b"", b"hello\n", "other firmware is on the device; it says 'hello'"),
        (lambda _: b"m-na\r\n", b"", "does not finish its answer to 'name'"),
        (lambda _: b"m-name-dut-[x]\r\n" * 20_000, b"", "does not finish"),
        (lambda _: lines("m-nam-dut-[x]"), b"", "answers 'name' with 'm-nam-dut-"),
        (lambda c: good(c).replace(b"kws01", b"sww01"), b"", "runs the model 'sww01'"),
    ],
)
def test_whoever_is_there_is_told_apart(answer, greeting, text):
    with pytest.raises(RunError, match=text):
        connect(answer, greeting)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (lines("m-lap-us-5", "m-results-[1]"), r"timestamps .* \[5\], not two"),
        (lines("m-lap-us-5", "m-lap-us-4", "m-results-[1]"), "not two"),
        (lines("m-lap-us-5", "m-lap-us-6", "m-results-[1,x]"), "results of .* are '1,x'"),
        (lines("m-lap-us-5", "m-lap-us-6", "m-results-[nan]"), "not finite"),
        (lines("m-lap-us-5", "m-lap-us-6"), "answers 'infer 1 0' with"),
        (lines("e-[no]"), r"refuses 'infer 1 0': e-\[no\]"),
        (b"m-lap-us-5\r\n", "does not finish"),
    ],
)
def test_wrong_answers_to_infer_are_named(said, text):
    client, _ = connect(lambda c: said if c.startswith("infer") else good(c))
    with pytest.raises(RunError, match=text):
        client.infer(1, 0, 0.05)


def test_a_line_that_breaks_is_an_error():
    client, _ = connect(good)

    def gone(*_):
        raise serial.SerialException("device disconnected")

    for name in ("read", "write"):
        setattr(client._port, name, gone)
        with pytest.raises(RunError, match="closed: device disconnected"):
            client.ask("name")


def test_a_load_that_does_not_end_is_an_error():
    client, _ = connect(lambda c: good(c).replace(b"m-load-done\r\n", b""))
    with pytest.raises(RunError, match="all 490 bytes"):
        client.load(bytes(490))


ANSWERS = st.lists(
    st.binary(max_size=30)
    | st.sampled_from(
        [*(f"{x}\r\n".encode() for x in BOOT), b"m-name-dut-[x]\r\n", b"m-model-[kws01]\r\n"]
    )
    | st.sampled_from([b"m-load-done\r\n", b"m-results-[0.5,", b"1]\r\n", b"\n", b"m-lap-us-9\n"])
    | st.sampled_from([lines(), lines("e-[x]"), good("name"), good("profile"), good("infer 3")])
)


@settings(max_examples=30, deadline=None)
@given(ANSWERS, ANSWERS.map(b"".join), st.booleans())
def test_any_bytes_of_a_device_give_an_answer_or_an_error(answers, greeting, honest):
    """Never a hang, never another exception."""
    script = iter(answers)

    def answer(command):
        said = good(command) if honest else b""
        return next(script, said) + (said if honest else b"")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlperf, "ANSWER_SECONDS", 0.01)
        try:
            client, identity = connect(answer, greeting, 0.01)
            client.load(bytes(identity.task.size))
            client.infer(2, 1, 0.01)
            client.results()
        except TinymlError as error:
            assert error.message


# Data sets and scores.


def test_a_data_set_survives_its_files(tmp_path):
    task = mlperf.TASKS["ad01"]
    rng = np.random.default_rng(1)
    files = [rng.bytes(n) for n in (2560, 2560 + 511, 2560 + 512 * 3)]
    mlperf_data.write_data_set(tmp_path / "ad01", task, files, [0, 1, 1])
    entries = mlperf_data.data_set(tmp_path, task)
    assert entries == mlperf_data.data_set(tmp_path / "ad01", task)
    samples = [entry.read(task) for entry in entries]
    assert [len(s.inputs) for s in samples] == [1, 1, 4] and [s.label for s in samples] == [0, 1, 1]
    for sample, content in zip(samples, files, strict=True):
        assert list(sample.inputs) == [
            content[at : at + 2560] for at in range(0, len(content) - 2559, 512)
        ]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("", "lists no files"),
        ("a.bin,12,12", "12 classes"),
        ("a.bin,10,3", "12 classes"),
        ("a.bin,12", "12 classes"),
        ("a.bin,12,-1", "12 classes"),
        ("../a.bin,12,3", "no name of a file"),
        ("/etc/passwd,12,3", "no name of a file"),
        ("a.bin,12,3,2560,512", "takes 490"),
        ("b.bin,12,3", "b.bin does not exist"),
        ("a.bin,12,3", "has 489 bytes"),
        ("\x00,12,3", "no name"),
    ],
)
def test_wrong_data_sets_are_named(tmp_path, row, text):
    (tmp_path / "y_labels.csv").write_text(row)
    (tmp_path / "a.bin").write_bytes(bytes(489))
    task = mlperf.TASKS["kws01"]
    with pytest.raises(InputError, match=text):
        [entry.read(task) for entry in mlperf_data.data_set(tmp_path, task)]


def test_no_data_set_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no y_labels\.csv"):
        mlperf_data.data_set(tmp_path, mlperf.TASKS["kws01"])
    (tmp_path / "y_labels.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        mlperf_data.data_set(tmp_path, mlperf.TASKS["kws01"])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.sampled_from([1, 2, 3, 12]))
def test_scores_are_those_of_scikit_learn(seed, count, columns):
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % max(columns, 2)
    rng.shuffle(labels)
    scores = rng.integers(1, 8, (count, columns)) / 8  # with many equals
    if columns > 1:
        scores = np.array([mlperf_data.scaled(row) for row in scores])
        assert mlperf_data.top1(labels, scores) == pytest.approx(
            100 * metrics.accuracy_score(labels, scores.argmax(axis=1))
        )
    area = mlperf_data.auc(labels, scores)
    if len(set(labels)) < max(columns, 2):
        assert area is None
        return
    wanted = metrics.roc_auc_score(
        labels, scores if columns > 2 else scores[:, -1], multi_class="ovr"
    )
    assert area == pytest.approx(wanted)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 50)), min_size=1, max_size=30))
def test_one_score_is_judged_by_the_best_threshold(rows):
    labels, scores = np.array([r[0] for r in rows]).astype(int), np.array([[r[1]] for r in rows])
    best = 0.0
    for step in np.arange(0.0, 1.0, 0.01):
        called = scores[:, 0] > scores.min() + step * (scores.max() - scores.min())
        hits = sum(called & (labels == 1))
        best = max(best, 50 * (hits / (sum(called) + 1e-8) + hits / (sum(labels) + 1e-8)))
    assert mlperf_data.top1(labels, scores) == pytest.approx(best)


def test_results_of_zero_are_not_divided():
    assert mlperf_data.scaled([0.0, 0.0]) == (0.0, 0.0)
    assert mlperf_data.scaled([3.0]) == (3.0,)


# Performance and energy of scripted devices.


def identity_of(task="kws01", **more):
    return mlperf.Identity("somebody", PROFILE, mlperf.TASKS[task], more)


def test_windows_are_as_long_as_asked_and_their_median_is_printed():
    client, identity = connect(good)
    samples = mlperf_data.random_samples(identity.task, 5)
    found = mlperf_run.measure_performance(client, identity, samples, mlperf_run.Timing())
    assert len(found.windows) == 5 and found.reasons == ()
    assert {w.count for w in found.windows} == {10300}
    assert found.throughputs == pytest.approx((1000.0,) * 5)
    text = mlperf_report.results_text(identity, found, False)
    # What the benchmark's submission checker looks for.
    median = [
        re.match(r".* Median throughput is\s+([\d\.]+) inf\./sec\..*", x) for x in text.split("\n")
    ]
    assert [float(m[1]) for m in median if m] == [1000.0]


@pytest.mark.parametrize(
    ("timing", "more", "reasons"),
    [
        (mlperf_run.Timing(5, 1.0), {}, ("short",)),
        (mlperf_run.Timing(4, 10.0), {}, ("windows",)),
        (mlperf_run.Timing(5, 10.0, count=3), {}, ("short",)),
        (mlperf_run.Timing(), {"clock": "hse_timeout"}, ("clock",)),
    ],
)
def test_what_speaks_against_a_performance_is_told(timing, more, reasons):
    client, identity = connect(good)
    samples = mlperf_data.random_samples(identity.task, 1)
    found = mlperf_run.measure_performance(client, identity_of(**more), samples, timing)
    assert found.reasons == reasons
    assert mlperf_report.validity(found.reasons) == "degraded"


def test_an_emulator_has_no_throughput():
    client, identity = connect(good)
    found = mlperf_run.measure_performance(
        client,
        identity_of(clock_hz="25000000"),
        mlperf_data.random_samples(identity.task, 1),
        mlperf_run.Timing(2, 0.1),
        counting=Counting("instructions", 40.0, emulated=True),
    )
    text = mlperf_report.results_text(identity, found, True)
    assert "(emulated)" in text and "EMULATED" in text and "throughput is" not in text
    assert "1000000 instructions per inference" in text and found.reasons == ("emulated",)
    values = json.loads(mlperf_report.results_json(identity, found, "performance", True))
    assert values["emulated"] and values["per_inference"] == 1e6 and "throughput" not in values


def test_a_clock_that_stands_still_is_an_error(monkeypatch):
    monkeypatch.setattr(mlperf_run, "_MOST_COUNT", 64)
    still = lambda c: good("infer 0") if c.startswith("infer") else good(c)  # noqa: E731
    client, identity = connect(still)
    samples = mlperf_data.random_samples(identity.task, 1)
    with pytest.raises(RunError, match="clock does not count"):
        mlperf_run.measure_performance(client, identity, samples, mlperf_run.Timing())


class FakeMeter:
    """Samples at 1 kHz and 2 V of what the device below did: high at 10 mA, pulses at 20 mA."""

    name = "fake"

    def __init__(self):
        self.done = [(True, 2000, 0.001)]  # level, samples, amperes
        self.lock = threading.Lock()

    def pulse(self):
        with self.lock:
            self.done += [(False, 2, 0.020)]

    def infer(self, count):
        self.pulse()
        with self.lock:
            self.done += [(True, count, 0.010)]
        self.pulse()
        with self.lock:
            self.done += [(True, 50, 0.001)]

    def record(self, stop):
        first = 0
        while True:
            ended = stop()
            with self.lock:
                parts, self.done = self.done, []
            for level, count, amperes in parts:
                values = np.full(count, amperes)
                yield Samples(first, 1000.0, values, 2.0, np.full(count, level))
                first += count
            if ended:
                return

    def describe(self):
        return {"trigger": "D0"}

    def own_charge(self):
        return None


def energy_device(meter):
    """1 ms an inference on the meter's clock; ours sees less."""

    def answer(command):
        if command.startswith("infer"):
            meter.infer(int(command.split()[1]))
        return b"".join(x + b"\n" for x in good(command).split(b"\n")[:-1] if b"lap" not in x)

    return answer


def measured_energy(meter, timing, answer=None):
    client, identity = connect(answer or energy_device(meter))
    samples = mlperf_data.random_samples(identity.task, 2)
    return mlperf_energy.measure_energy(
        client, identity, meter, samples, timing, settle=0.0
    ), identity


def test_energy_is_what_lies_between_two_pulses():
    meter = FakeMeter()
    found, identity = measured_energy(meter, mlperf_run.Timing(5, count=12_000))
    # Per window: a pulse of 2 samples at 40 mW and 12000 at 20 mW, 1 ms each.
    assert [w.joules for w in found.windows] == pytest.approx([0.24008] * 5)
    assert [w.seconds for w in found.windows] == pytest.approx([12.002] * 5)
    assert found.median == pytest.approx(20.00667, rel=1e-5)
    assert "length" in found.reasons  # this device's 12 s pass in no time
    text = mlperf_report.results_text(identity, found, False)
    assert re.search(r"Median energy cost is ([\d\.]+) uJ/inf", text)[1] == "20.0067"
    assert json.loads(mlperf_report.results_json(identity, found, "energy", False))["windows"]


def test_pulses_that_are_missing_or_too_many_are_told():
    meter = FakeMeter()
    device = energy_device(meter)

    def more(command):
        if command == "infer 12000 10":
            meter.pulse()
            meter.done.append((True, 5, 0.001))
        return device(command)

    found, _ = measured_energy(meter, mlperf_run.Timing(2, count=12_000), more)
    assert "pulses" in found.reasons and mlperf_report.validity(found.reasons) == "invalid"


def test_a_meter_that_sees_no_pulse_is_an_error():
    meter = FakeMeter()
    silent = energy_device(FakeMeter())
    with pytest.raises(TinymlError, match=r"no pulse on its trigger input \(D0\)"):
        measured_energy(meter, mlperf_run.Timing(1, count=5), silent)


def test_the_wrong_firmware_for_a_mode_is_told():
    meter = FakeMeter()
    with pytest.raises(RunError, match="performance mode"):
        measured_energy(meter, mlperf_run.Timing(), good)
    client, identity = connect(energy_device(meter))
    samples = mlperf_data.random_samples(identity.task, 1)
    with pytest.raises(RunError, match="energy mode"):
        mlperf_run.measure_performance(client, identity, samples, mlperf_run.Timing())


# The benchmark's models.


@contextmanager
def running(built, **options):
    probe = "host" if built.board.host else "qemu"
    with open_probe(probe, built.board, options) as opened:
        opened.flash(built.image.elf)
        client, identity = mlperf.connect(opened.console(), Log(), opened.diagnose)
        yield client, identity, opened.counting(int(identity.more["clock_hz"]))


def wanted(model, task, data):
    """Results of one input by TFLite-Micro and the benchmark's arithmetic, as printed."""
    graph = model.graph
    given_, got = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    if task.form == "float":
        real = np.frombuffer(data, "<f4")
        steps = (real / np.float32(given_.scale)).astype(np.float64)
        whole = np.sign(steps) * np.floor(abs(steps) + 0.5) + given_.zero_point
        values = np.clip(whole, -128, 127).astype(np.int8)
    else:
        values = np.frombuffer(data, np.uint8) ^ (128 if task.form == "uint8" else 0)
        values = values.view(np.int8)
    out = Tflm(model.bytes)([values.reshape(given_.shape)])[0].reshape(-1).astype(np.float32)
    out = (out - np.float32(got.zero_point)) * np.float32(got.scale)
    if task.form == "float":
        total = np.float32(0)
        for difference in out - real:
            total += difference * difference
        out = [total / np.float32(len(real))]
    return tuple(float(f"{float(value):.3f}") for value in out)


@pytest.mark.qemu
@pytest.mark.parametrize("name", MODELS)
def test_each_model_on_the_emulated_m4_gives_what_tflm_gives(name, models_folder, tmp_path):
    model = flow.load_model(models_folder / f"{MODELS[name]}.tflite")
    board = load_board("mps2_an386")
    built = flow.build(model, board, tmp_path / "x", prefix="net", app="mlperf")
    with running(built, icount="off") as (client, identity, _):
        assert (identity.task.name, identity.more["hash"]) == (name, model.hash)
        for sample in mlperf_data.random_samples(identity.task, 1 if name == "vww01" else 3):
            client.load(sample.inputs[0])
            found = client.infer(2, 1)
            assert found.results == wanted(model, identity.task, sample.inputs[0])
            assert client.results() == found.results


@pytest.mark.parametrize("name", ["kws01", "ad01"])
def test_models_link_for_energy_at_9600_baud(name, models_folder, tmp_path):
    model = flow.load_model(models_folder / f"{MODELS[name]}.tflite")
    board = load_board("nucleo_l4r5zi")
    app = "mlperf-energy"
    built = flow.build(model, board, tmp_path / "x", prefix="net", app=app, optimize="size")
    assert built.board.console.baud == 9600
    assert "#define TM_CONSOLE_BAUD 9600" in (built.folder / "board.h").read_text()
    assert "m-timestamp-mode-energy" in built.image.elf.read_bytes().decode("latin-1")


@pytest.mark.qemu
def test_energy_firmware_on_the_emulated_f405_answers_without_timestamps(models_folder, tmp_path):
    model = flow.load_model(models_folder / f"{MODELS['kws01']}.tflite")
    board = load_board("stm32f405")
    built = flow.build(model, board, tmp_path / "x", prefix="net", app="mlperf-energy")
    with running(built, icount="off") as (client, identity, _):
        (sample,) = mlperf_data.random_samples(identity.task, 1)
        client.load(sample.inputs[0])
        found = client.infer(1, 1)
        assert found.results == wanted(model, identity.task, sample.inputs[0])
        assert found.start_us is None and client.ask("timestamp") == ()


@pytest.fixture(scope="module")
def keywords(data_folder, tmp_path_factory):
    """1000 recorded inputs as the benchmark keeps them."""
    features = np.load(data_folder / "kws01" / "kws01_features.npz")
    folder = tmp_path_factory.mktemp("datasets")
    data = [x.tobytes() for x in features["x"]]
    labels = features["y"].tolist()
    mlperf_data.write_data_set(folder / "kws01", mlperf.TASKS["kws01"], data, labels)
    return folder


def test_901_of_1000_keywords_are_right_and_their_auc_is_scikit_learns(
    keywords, models_folder, tmp_path
):
    metrics = pytest.importorskip("sklearn.metrics")
    model = flow.load_model(models_folder / f"{MODELS['kws01']}.tflite")
    built = flow.build(model, load_board("host"), tmp_path / "x", prefix="kws", app="mlperf")
    task = mlperf.TASKS["kws01"]
    with running(built) as (client, _, _):
        found = mlperf_run.measure_accuracy(client, task, mlperf_data.data_set(keywords, task))
    assert found.top1 == pytest.approx(90.1) and found.reasons == ()
    wanted_ = metrics.roc_auc_score(found.labels, np.array(found.scores), multi_class="ovr")
    assert found.auc == pytest.approx(wanted_) and found.inferences == 1000


@pytest.mark.qemu
def test_performance_on_the_emulated_m4_is_labelled_and_is_that_of_the_bench(
    models_folder, tmp_path
):
    model = flow.load_model(models_folder / f"{MODELS['kws01']}.tflite")
    board = load_board("mps2_an386")
    built = flow.build(model, board, tmp_path / "x", prefix="net", app="mlperf")
    with running(built) as (client, identity, counting):
        samples = mlperf_data.random_samples(identity.task, 1)
        timing = mlperf_run.Timing(3, 0.02, warmups=1)
        found = mlperf_run.measure_performance(client, identity, samples, timing, counting=counting)
    assert found.unit == "instructions" and found.reasons == ("emulated",)
    bench = flow.build(model, board, tmp_path / "y", prefix="net")
    with open_device(bench) as opened:
        (ticks,) = opened.session.bench(1).ticks
    assert found.units == pytest.approx(opened.counting.count(ticks), rel=0.01)


# The command.


def command(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.mark.qemu
def test_the_command_builds_runs_and_leaves_a_results_folder(
    keywords, models_folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = models_folder / f"{MODELS['kws01']}.tflite"
    done = command("mlperf", path, "-b", "mps2_an386", "--data", keywords, "--limit", 12)
    assert done.exit_code == 0, done.output
    assert "model kws01 on tinyml-mps2_an386 (emulated)" in done.stdout
    assert "DEGRADED (partial)" in done.stdout
    (folder,) = (tmp_path / "results").iterdir()
    names = {"log.txt", "log.txt.times", "results.txt", "results.json"}
    assert {p.name for p in folder.iterdir()} == names | {"manifest.json"}
    assert check_manifest(folder) == []  # all were whole before it was written
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["files"]) == names and manifest["validity"] == "degraded"
    assert manifest["model_hash"] == flow.load_model(path).hash and manifest["probe"] == "qemu"
    pattern = r".* Top[- ]1%?\s?[:=] ([\d\.]+).*"  # of the benchmark's submission checker
    text = (folder / "results.txt").read_text()
    right = [float(m[1]) for line in text.splitlines() if (m := re.match(pattern, line))]
    values = json.loads((folder / "results.json").read_text())
    assert right == [round(values["top1"], 1)] and len(values["files"]) == 12 and values["emulated"]


def test_the_command_measures_whatever_is_at_a_port(models_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = flow.load_model(models_folder / f"{MODELS['ad01']}.tflite")
    built = flow.build(model, load_board("host"), tmp_path / "x", prefix="ad", app="mlperf")
    with subprocess.Popen([built.image.elf], stdout=subprocess.PIPE, text=True) as device:
        port = device.stdout.readline().rsplit(":", 1)[1].strip()
        place = ("--port", f"socket://127.0.0.1:{port}", "--seconds", 0.01, "--json")
        done = command("mlperf", "--mode", "performance", *place)
    assert done.exit_code == 0, done.output
    values = json.loads(done.stdout)
    assert values["model"] == "ad01" and values["median_throughput"] > 0
    assert values["validity"] == "degraded" and list(values["reasons"]) == ["short"]
    (folder,) = (tmp_path / "results").iterdir()
    assert check_manifest(folder) == []
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["board"] == "host" and manifest["image_sha256"] is None
    assert manifest["model_hash"] == model.hash and manifest["validity"] == "degraded"


def test_another_model_on_the_device_is_told(models_folder, tmp_path):
    model = flow.load_model(models_folder / f"{MODELS['ad01']}.tflite")
    built = flow.Built(tmp_path, model, None, None)
    cli_mlperf._expect(identity_of(hash=model.hash), built)
    cli_mlperf._expect(identity_of(), built)
    with pytest.raises(RunError, match=f"hash 0123, not {model.hash}"):
        cli_mlperf._expect(identity_of(hash="0123"), built)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mlperf",), "a data set"),
        (("mlperf", "-m", "speed"), "--mode is 'speed'"),
        (("mlperf", "-m", "energy"), "a board and a meter"),
        (("mlperf", "-m", "performance"), "no model, no port"),
        (("mlperf", "-m", "performance", "--port", "socket://127.0.0.1:1"), "cannot connect"),
        (("build", "x.tflite", "-b", "host", "--app", "games"), "--app is 'games'"),
    ],
)
def test_wrong_requests_are_one_sentence(arguments, words):
    error = command(*arguments).exception
    assert isinstance(error, InputError) and words in error.message


def test_other_models_and_boards_without_a_pin_are_refused(models_folder, tmp_path):
    hello = flow.load_model(models_folder / "hello_world_int8.tflite")
    with pytest.raises(InputError, match=r"no model of MLPerf Tiny: it has \[1\] values in"):
        flow.build(hello, load_board("host"), tmp_path / "x", prefix="x", app="mlperf")
    floats = flow.load_model(models_folder / "kws01_dscnn_float.tflite")
    with pytest.raises(InputError, match="takes float32"):
        mlperf.task_of(floats.graph)
    with pytest.raises(BoardError, match="no trigger pin"):
        mlperf.energy_board(load_board("mps2_an386"))
    for board in list_boards():
        if board.trigger is not None:
            assert mlperf.energy_board(board).console.baud == 9600
