"""Sessions with a device: this computer, QEMU, and devices that misbehave."""

from __future__ import annotations

import dataclasses
import json
import shutil
import socket
import threading
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyml import results, run, wire
from tinyml.board import load_board
from tinyml.errors import InputError, RunError
from tinyml.link import Log, read_log
from tinyml.ports import open_port
from tinyml.probes import Counting, open_probe
from tinyml.session import _pieces
from tinyml.summary import summarise

from . import toy

QEMU_BOARDS = ["stm32f405", "mps2_an386", "microbit", "mps3_an547"]


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return toy.build(tmp_path_factory.mktemp("toy"), sanitize=True)


@pytest.fixture
def session(image, tmp_path):
    with open_probe("host", load_board("host")) as probe, Log(tmp_path / "console.raw") as log:
        probe.flash(image)
        yield run.connect(probe.console(), log, board="host", model_hash=toy.HASH)


def check_inferences(session, count):
    for seed in range(count):
        given_ = toy.inputs(seed)
        got = session.infer(given_)
        # The inference at boot was number 0.
        want = toy.reference(given_["a"], given_["b"], state=seed + 1)
        np.testing.assert_array_equal(got.outputs["y"], want)
        assert got.crc == zlib.crc32(want.tobytes())


def test_outputs_are_those_of_the_model(session):
    assert [t.name for t in session.inputs] == ["a", "b"]
    assert session.boot_ticks is not None
    check_inferences(session, 20)
    assert session.link.resent == 0


def test_the_log_holds_what_was_received(session, tmp_path):
    session.infer(toy.inputs())
    raw = (tmp_path / "console.raw").read_bytes()
    assert raw == b"".join(line.data for line in session.link.log.lines)
    records = read_log(tmp_path / "console.raw")
    assert records[0] == session.boot
    times = (tmp_path / "console.raw.times").read_text().splitlines()
    assert int(times[-1].split()[0]) == len(raw)


def test_a_bench_is_repeatable_and_knows_its_steps(session):
    seen = []
    bench = session.bench(3, per_layer=True, progress=lambda done, of: seen.append((done, of)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert bench.complete and len(bench.ticks) == 3 and len(set(bench.crcs)) == 1
    assert [len(layer) for layer in bench.layers] == [2, 2, 2]
    counting = Counting("nanoseconds (this computer)", 1.0, emulated=True)
    found = summarise(
        session,
        bench,
        counting,
        probe="host",
        toolchain="cc",
        steps=[("double", "MUL", 490), ("add", "ADD", 490)],
        memory=session.memory(),
    )
    assert [s.label for s in found.steps] == ["double", "add"]
    assert found.milliseconds is None and found.memory.guard == "none"
    assert set(found.reasons) <= {"spread"}


@pytest.mark.parametrize("emulated", [True, False])
def test_a_busy_computer_does_not_make_an_emulators_figures_doubtful(session, emulated):
    """It answers late and is asked again; on a serial line that would be noise."""
    bench = session.bench(3)
    session.link.resent = 1
    counting = Counting("ticks", 1.0, emulated=emulated)
    found = summarise(session, bench, counting, probe="host", toolchain="cc")
    session.link.resent = 0
    assert ("resent" in found.reasons) is not emulated and found.line.resent == 1


def test_windows_and_reset(session):
    assert len(session.windows(4, repeat=3)) == 4
    session.reset_model()
    zeros = {name: np.zeros(toy.COUNT, np.int8) for name in "ab"}
    assert set(session.infer(zeros).outputs["y"]) == {0}


@pytest.mark.parametrize(
    "inputs",
    [
        {"a": np.zeros(490, np.int8)},
        {"a": np.zeros(490, np.int8), "b": np.zeros(489, np.int8)},
        {"a": np.zeros(490, np.int8), "b": np.zeros(490, np.uint8)},
        {"a": np.zeros(490, np.int8), "c": np.zeros(490, np.int8)},
    ],
)
def test_wrong_inputs_are_named(session, inputs):
    with pytest.raises(InputError, match="input"):
        session.infer(inputs)


def test_wrong_board_and_wrong_model(image):
    for expected, text in (({"board": "x"}, "board host, not x"), ({"model_hash": "0"}, "not 0")):
        with open_probe("host", load_board("host")) as probe:
            probe.flash(image)
            with pytest.raises(RunError, match=text):
                run.connect(probe.console(), Log(), **expected)


def test_a_fault_is_told_with_its_address(tmp_path):
    elf = toy.build(tmp_path, TOY_FAULT="1")
    with open_probe("host", load_board("host")) as probe:
        probe.flash(elf)
        session = run.connect(probe.console(), Log())
        with pytest.raises(RunError, match="HardFault at address 0x00001234"):
            session.infer(toy.inputs())


def test_a_device_that_ends_is_told_with_its_state(image):
    with open_probe("host", load_board("host")) as probe:
        probe.flash(image)
        session = run.connect(probe.console(), Log(), diagnose=probe.diagnose)
        probe._running._process.kill()
        probe._running._process.wait(60)
        with pytest.raises(RunError, match="closed") as caught:
            session.infer(toy.inputs())
        assert "signal 9" in caught.value.hint


@pytest.mark.qemu
@pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None or shutil.which("arm-none-eabi-gcc") is None,
    reason="no qemu-system-arm or no arm-none-eabi-gcc",
)
@pytest.mark.parametrize("name", QEMU_BOARDS)
def test_an_emulated_board_infers_and_counts_the_same_each_time(name, tmp_path):
    board = load_board(name)
    elf = toy.build(tmp_path, name)
    runs = []
    for _ in range(2):
        with open_probe("qemu", board) as probe:
            probe.flash(elf)
            session = run.connect(
                probe.console(), Log(), board=name, model_hash=toy.HASH, diagnose=probe.diagnose
            )
            check_inferences(session, 2)
            counting = probe.counting(session.boot.counter_hz)
            bench = session.bench(3, per_layer=True)
            memory = session.memory()
            runs.append(
                summarise(session, bench, counting, probe="qemu", toolchain="gcc", memory=memory)
            )
    first, second = runs
    assert first.unit == "instructions" and first.emulated and first.milliseconds is None
    assert first.memory.guard == "ok" and 0 < first.memory.stack_peak < first.memory.stack_size
    assert first.validity == "valid"
    assert first.spread <= 2 * first.resolution / first.median
    assert abs(first.median - second.median) <= first.resolution
    whole = sum(step.count for step in first.steps)
    assert abs(whole - first.median) < 0.05 * first.median + 3 * first.resolution


# Devices that misbehave: a script that answers as it likes.

BOOT = wire.Boot(1, "host", "hand", "toy", toy.HASH, 1, "ok", "clock_ns", 1, 0, 8, 1, 1, 1, 512)
TENSORS = (wire.Tensor("in", 0, "x", "s8", 4), wire.Tensor("out", 0, "y", "s8", 4))


class Device:
    """A TCP console that answers lines with `answer(self, line, command)` -> bytes."""

    def __init__(self, answer, greeting=b""):
        self.answer, self.greeting = answer, greeting
        self.state = {}
        self.server = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        console, _ = self.server.accept()
        with console, console.makefile("rb") as lines:
            console.sendall(self.greeting)
            for line in lines:
                if line != b"\n":
                    console.sendall(self.answer(self, line, wire.parse_command(line)) or b"")

    def connect(self, **more):
        port = open_port(f"socket://127.0.0.1:{self.server.getsockname()[1]}")
        return run.connect(port, Log(), **more)


def lines(*records):
    return b"".join(map(wire.encode, records))


def good(device, line, command):
    """What a device with the identity as its model says."""
    match command:
        case wire.Hello():
            return lines(BOOT, *TENSORS, wire.Ack(command.seq))
        case wire.Data():
            device.state["x"] = command.data
            return lines(wire.Ack(command.seq))
        case wire.RunModel():
            data = device.state["x"]
            return lines(
                wire.Infer(command.seq, 0, 7),
                wire.Crc(command.seq, zlib.crc32(data)),
                wire.Output(command.seq, 0, 0, data),
                wire.Ack(command.seq),
            )
        case wire.WireError():
            return lines(wire.Error("checksum", 0, 0))
    return lines(wire.Ack(command.seq))


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr("tinyml.link._COMMAND_SECONDS", 0.1)
    monkeypatch.setattr("tinyml.link._RETRY_SECONDS", 0.1)


X = {"x": np.array([1, -2, 3, 127], np.int8)}


def test_a_scripted_device_is_as_good_as_any():
    got = Device(good).connect().infer(X)
    np.testing.assert_array_equal(got.outputs["y"], X["x"])
    assert got.ticks == 7


@pytest.mark.parametrize(
    ("greeting", "text"),
    [
        (b"", "silent"),
        (bytes(range(128, 256)) * 4, "garbage"),
        (b"Zephyr OS booting\r\n*** v3 ***\r\n", "other firmware is on the device; it says 'Zep"),
        (b"tm2 boot protocol=2 ~00000000\n", "speaks protocol 2, this program 1"),
        (b"tm1 boot protocol=1 ~00000000\n", "too noisy"),
    ],
)
def test_whoever_is_there_is_told_apart(greeting, text, impatient):
    with pytest.raises(RunError, match=text):
        Device(lambda *_: b"", greeting).connect(attempts=1)


def test_a_chatterbox_does_not_hold_us(impatient):
    device = Device(lambda *_: b"", b"hello\n" * 100_000)
    with pytest.raises(RunError, match="other firmware"):
        device.connect(attempts=1)


def test_another_protocol_version_in_boot():
    def answer(device, line, command):
        return lines(dataclasses.replace(BOOT, protocol=3), wire.Ack(command.seq))

    with pytest.raises(RunError, match="protocol 3"):
        Device(answer).connect()


def lossy(every, damage):
    """good(), with the answer to every n-th line damaged, hello left alone."""

    def answer(device, line, command):
        said = good(device, line, command)
        device.state["n"] = device.state.get("n", 0) + 1
        hello = isinstance(command, wire.Hello)
        return damage(said) if device.state["n"] % every == 0 and not hello else said

    return answer


@pytest.mark.parametrize(
    "damage",
    [
        lambda said: said[:-5],
        lambda said: said.replace(b"ack", b"akk"),
        lambda said: said.replace(b"output", b"outputt"),
        lambda said: said.replace(b"infer", b"\xff\xfe\xfd", 1),
        lambda said: b"~" + said[len(said) // 2 :],
    ],
)
def test_damaged_answers_are_asked_for_again(damage, impatient):
    session = Device(lossy(3, damage)).connect(patience=0.1)
    for _ in range(4):
        np.testing.assert_array_equal(session.infer(X).outputs["y"], X["x"])
    assert session.link.resent > 0


def test_an_output_that_is_always_damaged_is_an_error(impatient):
    def answer(device, line, command):
        return good(device, line, command).replace(b"output ", b"OUTPUT ")

    with pytest.raises(RunError, match="arrived damaged 5 times"):
        Device(answer).connect(patience=0.1).infer(X)


def test_answers_to_older_commands_are_ignored():
    def answer(device, line, command):
        said = good(device, line, command)
        stale, device.state["old"] = device.state.get("old", b""), said
        if isinstance(command, wire.Hello):
            device.state["old"] = b""
        return stale + said

    session = Device(answer).connect()
    for value in range(5):
        x = {"x": np.full(4, value, np.int8)}
        np.testing.assert_array_equal(session.infer(x).outputs["y"], x["x"])


def test_a_restart_in_the_middle_is_noticed():
    def answer(device, line, command):
        if isinstance(command, wire.RunModel):
            return b"\n" + lines(BOOT, *TENSORS, wire.Ready())
        return good(device, line, command)

    session = Device(answer).connect()
    with pytest.raises(RunError, match="restarted in the middle"):
        session.infer(X)


def test_a_refusal_is_told_and_not_repeated():
    asked = []

    def answer(device, line, command):
        if isinstance(command, wire.Data):
            asked.append(command)
            return lines(wire.Error("range", 4, command.seq))
        return good(device, line, command)

    with pytest.raises(RunError, match=r"refused 'data'.*end of the tensor.*detail 4"):
        Device(answer).connect().infer(X)
    assert len(asked) == 1


def test_a_device_that_stops_answering(impatient):
    def answer(device, line, command):
        return good(device, line, command) if isinstance(command, wire.Hello) else b""

    session = Device(answer).connect(diagnose=lambda: "look at the plug")
    with pytest.raises(RunError, match="no longer answers") as caught:
        session.reset_model()
    assert caught.value.hint == "look at the plug"
    with pytest.raises(RunError, match="no longer answers") as caught:
        session.link.run(count=1)
    assert caught.value.hint == (
        "look at the plug; or an inference does not end, as of a WHILE whose condition stays true"
    )


def test_a_first_inference_without_end_is_told(impatient):
    greeting = b"\n" + lines(BOOT)
    with pytest.raises(RunError, match=r"first inference did not end within 0\.1 s") as caught:
        Device(lambda *_: b"", greeting).connect(attempts=1, patience=0.1)
    assert "WHILE" in caught.value.hint


@given(st.integers(0, 5000), st.integers(3, 400).map(lambda n: n // 3 * 3))
def test_pieces_cover_the_data_and_fit(size, most):
    data = bytes(i % 251 for i in range(size))
    pieces = list(_pieces(data, most))
    assert all(len(piece) <= most for _, piece in pieces)
    assert b"".join(piece for _, piece in pieces) == data
    assert all(offset == sum(len(p) for _, p in pieces[:i]) for i, (offset, _) in enumerate(pieces))


@given(st.lists(st.binary(max_size=300)))
def test_a_log_keeps_every_byte_in_any_portions(portions):
    log = Log()
    for portion in portions:
        log.add(portion)
    everything = b"".join(portions)
    taken = b"".join(iter(lambda: (line := log.take()) and line.data, None))
    assert everything.startswith(taken) and b"\n" not in everything[len(taken) :]
    assert log.received == len(everything)


# Results.

WORDS = st.text(max_size=8)
NUMBERS = st.floats(0, 1e12)
RUNS = st.builds(
    results.Run,
    board=WORDS,
    engine=WORDS,
    model=WORDS,
    model_hash=WORDS,
    toolchain=WORDS,
    probe=WORDS,
    unit=st.sampled_from(["cycles", "instructions"]),
    emulated=st.booleans(),
    resolution=NUMBERS,
    clock_hz=st.integers(0, 10**9),
    clock_status=WORDS,
    counter=WORDS,
    counts=st.lists(NUMBERS, max_size=4).map(tuple),
    steps=st.lists(
        st.builds(results.Step, st.integers(0), WORDS, WORDS, st.integers(0), NUMBERS), max_size=3
    ).map(tuple),
    memory=st.none() | st.builds(results.MemoryUse, st.integers(0), WORDS, st.just(1), st.just(2)),
    accuracy=st.none() | st.floats(0, 1),
    warnings=st.lists(WORDS, max_size=2).map(tuple),
    reasons=st.lists(st.sampled_from(sorted(results.REASONS)), unique=True).map(tuple),
)


@settings(deadline=None)
@given(RUNS)
def test_a_run_survives_its_json(value):
    assert results.parse_run(json.loads(value.to_json())) == value


def one(**more):
    base = results.Run("b", "e", "m", "h", "gcc", "openocd", "cycles", False, 1.0, 10**8, "ok", "d")
    return dataclasses.replace(base, **more)


def test_time_is_told_only_of_real_cycles():
    assert one(counts=(2e5, 1e5, 3e5)).milliseconds == 2.0
    assert one(counts=(1e5,), emulated=True).milliseconds is None
    assert one(counts=(1e5,), unit="instructions").milliseconds is None
    assert one().milliseconds is None


def test_validity_is_the_worst_reason():
    assert one().validity == "valid"
    assert one().because("few", "few").reasons == ("few",)
    assert one().because("few").validity == "degraded"
    assert one().because("few", "no_counter").validity == "invalid"
    with pytest.raises(ValueError, match="unknown reason"):
        one().because("mood")


def test_saving_is_atomic_and_reading_is_strict(tmp_path):
    file = tmp_path / "folder" / "run.json"
    one(counts=(1.0,)).save(file)
    assert results.load_run(file) == one(counts=(1.0,))
    assert [f.name for f in file.parent.iterdir()] == ["run.json"]
    for text in ("", "[]", "{}", '{"format": 1}', '{"format": 1, "counts": 3, "steps": []}'):
        file.write_text(text)
        with pytest.raises(InputError, match=r"run\.json"):
            results.load_run(file)
    with pytest.raises(InputError, match=r"none\.json does not exist"):
        results.load_run(tmp_path / "none.json")


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda c: (
            st.lists(c)
            | st.dictionaries(st.sampled_from([f.name for f in dataclasses.fields(results.Run)]), c)
        ),
    )
)
def test_any_json_is_a_run_or_an_input_error(value):
    if isinstance(value, dict):
        value["format"] = results.FORMAT
    with pytest.raises(InputError):
        results.parse_run(value)


@pytest.mark.parametrize("ticks", [[0], [0, 7], [7, 7]])
def test_a_counter_that_shows_zero_makes_the_run_invalid(ticks):
    """Not ported, or locked: 0 ticks are no latency."""
    script = iter(ticks * 10)

    def stopped(device, line, command):
        if isinstance(command, wire.RunModel):
            return lines(
                wire.Infer(command.seq, 0, next(script)),
                wire.Crc(command.seq, 1),
                wire.Ack(command.seq),
            )
        return good(device, line, command)

    session = Device(stopped).connect()
    found = summarise(session, session.bench(4), Counting("cycles"), probe="port", toolchain="gcc")
    assert ("no_counter" in found.reasons) == (0 in ticks)
    assert found.validity == ("invalid" if 0 in ticks else "valid")
