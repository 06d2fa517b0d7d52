"""The protocol table: encoding and parsing, damage, and the firmware checked against it."""

import contextlib
import dataclasses
import itertools
import re
import shutil
import subprocess
import zlib

import pytest
import serial
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tinyml import wire
from tinyml.board import load_board
from tinyml.paths import FIRMWARE
from tinyml.probes import open_probe

from . import toy

VALUES = {
    "u32": st.integers(0, 2**32 - 1),
    "u64": st.integers(0, 2**64 - 1),
    "hex": st.integers(0, 2**32 - 1),
    "word": st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
    "payload": st.binary(max_size=400),
}


def rows(forms):
    return st.one_of(
        [st.builds(f.make, **{n: VALUES[t] for n, t in f.fields}) for f in forms.values()]
    )


@given(rows(wire.RECORDS))
def test_a_record_survives_the_way(record):
    assert wire.parse(wire.encode(record)) == record
    assert wire.parse(b"\x00garbage tm1 " + wire.encode(record).replace(b"\n", b"\r\n")) == record


@given(rows(wire.COMMANDS))
def test_a_command_survives_the_way(command):
    assert wire.parse_command(wire.encode(command)) == command


@given(st.binary() | st.binary().map(lambda b: b"tm1 " + b))
def test_any_bytes_give_a_record_or_an_error_value(line):
    assert isinstance(wire.parse(line), wire.Record | wire.WireError)
    assert isinstance(wire.parse_command(line), wire.Command | wire.WireError)


@given(rows(wire.RECORDS), st.data())
def test_a_single_wrong_byte_is_noticed(record, data):
    line = bytearray(wire.encode(record)[:-1])
    at = data.draw(st.integers(0, len(line) - 1))
    line[at] ^= data.draw(st.integers(1, 255))
    assert isinstance(wire.parse(bytes(line)), wire.WireError)


def test_what_is_wrong_is_told_apart():
    good = wire.encode(wire.Ack(7))
    other = good.replace(b"tm1", b"tm9")
    assert wire.parse(b"Hello world\r\n").reason == "foreign"
    assert wire.parse(other).reason == "version"
    assert wire.spoken_version(other) == 9
    assert wire.parse(good.replace(b"7", b"8")).reason == "checksum"
    assert wire.parse(good[: len(good) // 2]).reason == "checksum"
    assert wire.parse(wire.encode(wire.Hello(1))).reason == "kind"


@pytest.mark.parametrize("number", ["", "-1", "+1", "01", "1_0", "4294967296", "٣", "1 "])
def test_numbers_are_plain_decimals_in_range(number):
    body = f"tm1 ack seq={number}".encode()
    line = b"%b ~%08X" % (body, zlib.crc32(body))
    assert wire.parse(line).reason == "fields"


def test_every_data_line_fits_the_device():
    most = wire.payload_bytes(wire.LINE_BYTES)
    top = 2**32 - 1
    assert most >= 320
    assert len(wire.encode(wire.Data(top, top, top, bytes(most)))) <= wire.LINE_BYTES
    assert wire.payload_bytes(10) == 0


# The table and the firmware, both ways.

BENCH = (FIRMWARE / "app" / "bench.c").read_text()


def test_every_record_command_and_error_of_the_table_is_used_by_the_firmware():
    sent = set(re.findall(r"\btm_send_(\w+)\(", BENCH))
    assert sent == set(wire.RECORDS)
    obeyed = set(re.findall(r"case TM_COMMAND_(\w+):", BENCH))
    assert obeyed == {kind.upper() for kind in wire.COMMANDS}
    header = wire.header()
    used = re.findall(r"TM_ERROR_(\w+)", BENCH + header.partition("tm_read_command")[2])
    assert set(used) == {code.upper() for code in wire.ERRORS}


def test_dtype_names_follow_the_enumeration():
    text = (FIRMWARE / "include" / "tm_model.h").read_text()
    names = re.search(r"enum tm_dtype \{([^}]*)\}", text)[1].replace("TM_", "").lower()
    assert [name.strip() for name in names.split(",")] == list(wire.DTYPES)


def test_the_first_field_of_every_command_is_its_number():
    assert {form.fields[0] for form in wire.COMMANDS.values()} == {("seq", "u32")}


def exchange(port, *lines, quiet=0.3):
    """Every line that arrives until nothing has for `quiet` seconds."""
    for line in lines:
        port.write(line)
    port.timeout = quiet
    said = []
    with contextlib.suppress(serial.SerialException):  # the firmware has ended
        while line := port.readline():
            said.append(line)
    return said


def test_what_the_firmware_says_is_in_the_table(tmp_path):
    image = toy.build(tmp_path, sanitize=True, TOY_FAULT="3")
    with open_probe("host", load_board("host")) as probe:
        probe.flash(image)
        port = probe.console()
        commands = [
            wire.Hello(1),
            wire.Data(2, 1, 0, b"\x01\x02"),
            wire.RunModel(3, 1, 1, 1, 1),
            wire.AskMemory(4),
            wire.Data(5, 2, 0, b""),
            wire.Reset(6),
            wire.RunModel(7, 4, 1, 0, 0),
        ]
        said = exchange(port) + [
            line for c in commands for line in exchange(port, wire.encode(c), quiet=0.2)
        ]
    records = [wire.parse(line) for line in said if line != b"\n"]
    assert [r for r in records if isinstance(r, wire.WireError)] == []
    assert {r.kind for r in records} == {k for k, f in wire.RECORDS.items() if not f.only}
    assert wire.Fault(3, 0x1234) in records


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    """A sanitized host device: any out-of-bounds write ends it, and the console with it."""
    image = toy.build(tmp_path_factory.mktemp("toy"), sanitize=True)
    with open_probe("host", load_board("host")) as probe:
        probe.flash(image)
        port = probe.console()
        exchange(port)
        yield port


MARKS = itertools.count(3_000_000_000)  # never twice: hypothesis tries numbers it has seen


def answers(port, sent: bytes):
    """The records that answer `sent`; the hello behind it marks the end."""
    mark = next(MARKS)
    port.timeout = 5
    port.write(sent + b"\n" + wire.encode(wire.Hello(mark)))
    records = []
    while not records or records[-1] != wire.Ack(mark):
        line = port.readline()
        assert line.endswith(b"\n"), "the device is gone"
        records.append(wire.parse(line))
    return records


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(noise=st.binary(max_size=1500))
def test_noise_never_hurts_the_device(device, noise):
    assert not any(isinstance(r, wire.WireError) for r in answers(device, noise))


def near(limit):
    return st.integers(0, 3) | st.integers(max(limit - 3, 0), limit + 3) | VALUES["u32"]


WILD = st.one_of(
    st.builds(
        wire.Data, seq=near(2), tensor=near(2), offset=near(490), data=st.binary(max_size=500)
    ),
    st.builds(
        wire.RunModel,
        seq=near(2),
        count=st.integers(0, 3),
        repeat=st.integers(0, 3),
        layers=near(1),
        outputs=near(1),
    ),
    rows({kind: form for kind, form in wire.COMMANDS.items() if kind != "run"}),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(command=WILD)
def test_any_well_formed_command_is_answered_and_stays_in_bounds(device, command):
    records = answers(device, wire.encode(command))
    assert not any(isinstance(r, wire.WireError) for r in records)
    done = wire.Ack(command.seq) in records[:-1]
    refused = [r for r in records if isinstance(r, wire.Error)]
    assert done != bool(refused)
    if isinstance(command, wire.Data) and done:
        assert command.tensor < 2
        assert command.offset + len(command.data) <= toy.COUNT


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=480))
def test_any_text_with_a_right_checksum_is_answered(device, text):
    body = f"tm1 {text}".encode()
    line = b"%b ~%08X\n" % (body, zlib.crc32(body))
    records = answers(device, line)
    parsed = wire.parse_command(line)
    if isinstance(parsed, wire.WireError):
        assert any(isinstance(r, wire.Error) for r in records)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(payload=st.text("AZaz09+/= ~", max_size=24))
@example(payload="0000=")
def test_both_sides_take_the_same_base64(device, payload):
    body = f"tm1 data seq=9 tensor=0 offset=0 data={payload}".encode()
    line = b"%b ~%08X\n" % (body, zlib.crc32(body))
    accepted = wire.Ack(9) in answers(device, line)[:-1]
    assert accepted == isinstance(wire.parse_command(line), wire.Data)


def test_a_line_that_is_too_long_is_refused_and_the_next_one_heard(device):
    records = answers(device, wire.encode(wire.Data(2, 0, 0, bytes(490))))
    assert records[0] == wire.Error("too_long", wire.LINE_BYTES, 0)
    exact = wire.encode(wire.Reset(3))
    assert answers(device, b"x" * (wire.LINE_BYTES - len(exact)) + exact)[0].code == "checksum"


def test_a_repeated_command_is_answered_and_not_done_twice(device):
    first = answers_to_run(device, 100)
    assert answers_to_run(device, 100) == first
    assert answers_to_run(device, 101)[-2] != first[-2]


def answers_to_run(port, seq):
    port.timeout = 5
    port.write(wire.encode(wire.RunModel(seq, 1, 1, 0, 1)))
    records = []
    while not records or not isinstance(records[-1], wire.Ack):
        records.append(wire.parse(port.readline()))
    return [dataclasses.replace(r, seq=0) for r in records]


def test_the_application_is_small(tmp_path):
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("no arm-none-eabi-gcc")
    toy.build(tmp_path, "stm32f405")
    size = ["arm-none-eabi-size", tmp_path / "obj" / "bench.c.o"]
    done = subprocess.run(size, capture_output=True, text=True, check=True, timeout=60)
    text, data, bss, *_ = map(int, done.stdout.splitlines()[1].split()[:3])
    assert text <= 4500
    assert data + bss <= 1024


def test_the_marks_are_two_functions(tmp_path):
    if shutil.which("arm-none-eabi-nm") is None:
        pytest.skip("no arm-none-eabi-nm")
    elf = toy.build(tmp_path, "stm32f405")
    done = subprocess.run(
        ["arm-none-eabi-nm", elf], capture_output=True, text=True, check=True, timeout=60
    )
    marks = re.findall(r"^(\w+) T tm_mark_(begin|end)$", done.stdout, re.MULTILINE)
    assert len({address for address, _ in marks}) == 2
