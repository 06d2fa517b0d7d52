"""MLPerf Tiny: the device's protocol to the letter, any bytes on either side, scores, results."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyml.paths import FIRMWARE

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


def compile_device(folder: Path, form: str, *, energy: bool = False, hz: int = 1_000_000, at=0):
    settings_ = FORMS[form]
    (folder / "board.h").write_text('#define TM_BOARD "bench"\n')
    defines = {
        "TM_MODEL": "device_model",
        "TM_MLPERF_MODEL": '"kws01"',
        "TM_MLPERF_BYTES": settings_["BYTES"],
        "TM_MLPERF_INPUT": f"TM_MLPERF_{settings_['INPUT']}",
        "TM_MLPERF_IN_SCALE": f"{float(IN_SCALE).hex()}f",
        "TM_MLPERF_IN_ZERO": IN_ZERO,
        "TM_MLPERF_OUT_SCALE": f"{float(OUT_SCALE).hex()}f",
        "TM_MLPERF_OUT_ZERO": f"({OUT_ZERO})",
        "TM_MLPERF_ENERGY": int(energy),
        "DEVICE_IN_BYTES": settings_["in"],
        "DEVICE_OUT_BYTES": settings_["out"],
        "DEVICE_OUT_TYPE": settings_["type"],
        "DEVICE_HZ": f"{hz}u",
        "DEVICE_TICKS": f"{at}ull",
        "DEVICE_STEP": hz // 1000,
    }
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


def test_a_load_in_pieces_is_printed_and_inferred(devices):
    load = [f"db load 16%db {HEX16[:14]}%db {HEX16[14:].upper()}%", "db print%infer 2 3%results%"]
    assert say(devices["int8"], "".join(load))[4:] == [
        *("m-[Expecting 16 bytes]", "m-ready", "m-ready", "m-load-done", "m-ready"),
        *("m-buffer-00-01-02-03-04-05-06-07", "m-buffer-08-09-0a-0b-0c-0d-0e-0f", "m-ready"),
        *("m-warmup-start-3", "m-warmup-done", "m-infer-start-2", "m-lap-us-1000"),
        *("m-lap-us-2000", "m-infer-done", "m-results-[2.520,2.880,3.240]", "m-ready"),
        *("m-results-[2.520,2.880,3.240]", "m-ready"),
    ]


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


@settings(max_examples=80, deadline=None)
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


@settings(max_examples=80, deadline=None)
@given(COMMANDS)
def test_any_commands_are_answered_to_the_letter(devices, commands):
    protocol = Protocol()
    wants = [line for command in commands for line in protocol.answer(command)]
    assert say(devices["int8"], "".join(f"{c}%" for c in commands))[4:] == wants
