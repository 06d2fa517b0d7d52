"""Options of custom operators: any bytes give a mapping or ModelError; good ones what they hold."""

from __future__ import annotations

import time
from typing import Any

import pytest
from flatbuffers import flexbuffers
from hypothesis import given
from hypothesis import strategies as st

from tests.modelfile import ModelFile
from tinyml import tflite
from tinyml.engines import aot
from tinyml.errors import ModelError
from tinyml.flatbuffer import Reader
from tinyml.flexbuffer import scalars

KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
VALUES = st.one_of(
    st.integers(-(1 << 63), (1 << 63) - 1), st.booleans(), st.floats(allow_nan=False, width=32)
)


def read_or_refuse(data: bytes) -> None:
    try:
        scalars(data)
    except ModelError as error:
        assert error.message and "\n" not in error.message


@given(st.dictionaries(KEYS, VALUES, max_size=12))
def test_maps_are_read_as_written_and_in_the_order_of_their_keys(values: dict[str, Any]) -> None:
    found = scalars(flexbuffers.Dumps(values))
    assert found == values and list(found) == sorted(values)
    assert {k: type(v) for k, v in found.items()} == {k: type(v) for k, v in values.items()}


def test_what_is_no_scalar_keeps_its_place() -> None:
    values = {"a": 1, "b": "text", "c": [1, 2], "d": {"e": 3}, "f": None}
    found = scalars(flexbuffers.Dumps(values))
    assert found == {"a": 1, "b": None, "c": None, "d": None, "f": None}
    assert scalars(b"") == {}


@given(st.binary(max_size=120))
def test_random_bytes_are_read_or_refused(data: bytes) -> None:
    read_or_refuse(data)


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=6), st.data())
def test_damaged_maps_are_read_or_refused(values: dict[str, Any], data: st.DataObject) -> None:
    blob = bytearray(flexbuffers.Dumps(values))
    for _ in range(data.draw(st.integers(1, 4))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    read_or_refuse(bytes(blob))
    read_or_refuse(bytes(blob[: data.draw(st.integers(0, len(blob)))]))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x07\x04\x01", "no map"),
        (b"\x00\x24\x03", "3 bytes"),
        (b"\xff\x24\x01", "outside"),
        (bytes([1, 0, 1, 0, 0x24, 1]), "0 bytes"),
    ],
)
def test_broken_maps_say_what_is_wrong(data: bytes, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        scalars(data)


def test_a_number_that_tflite_micro_reads_as_negative_is_refused() -> None:
    blob = flexbuffers.Dumps({"x": 200})
    unsigned = blob.replace(bytes([1 << 2 | 1]), bytes([2 << 2 | 1]))
    assert scalars(blob) == scalars(unsigned) == {"x": 200}  # two bytes: both read alike
    narrow = bytearray(flexbuffers.Dumps({"x": 100}))
    narrow[narrow.index(100)], narrow[narrow.index(1 << 2)] = 200, 2 << 2
    with pytest.raises(ModelError, match="-56"):
        scalars(bytes(narrow))


def test_long_keys_cost_no_more_than_they_may() -> None:
    keys = b"".join(flexbuffers.Dumps({"k" * 200: 1}) for _ in range(1))
    assert scalars(keys)
    long = flexbuffers.Dumps({"k" * 5000: 1})
    start = time.perf_counter()
    with pytest.raises(ModelError, match="key"):
        scalars(long)
    assert time.perf_counter() - start < 1


def test_options_that_many_operators_share_are_paid_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file may name one large vector again and again."""
    spent: dict[str, int] = {}

    def spend(self: Reader, count: int, what: str) -> None:
        spent[what] = spent.get(what, 0) + count

    monkeypatch.setattr(Reader, "spend", spend)
    tflite.parse(_delay(delay_length=3))
    (paid,) = (count for what, count in spent.items() if what.endswith("custom_options"))
    assert paid == len(flexbuffers.Dumps({"delay_length": 3}))


def _delay(custom: str = "SignalDelay", **values: object) -> bytes:
    m = ModelFile()
    x, y = m.input([4], dtype="int16"), m.output([4], dtype="int16")
    m.op("CUSTOM", [x], [y], custom=custom, **values)
    return m.finish()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"delay": 3}, "its options are delay, not delay_length"),
        ({"a": 1, "delay_length": 3}, "its options are a, delay_length"),
        ({"delay_length": 1.5}, "its option delay_length is 1.5"),
        ({"delay_length": "x"}, "its option delay_length is None"),
        ({"delay_length": 1 << 31}, "its option delay_length is 2147483648"),
        ({}, "its options are none"),
    ],
)
def test_options_that_an_operator_cannot_read_name_its_layer(
    values: dict[str, object], words: str
) -> None:
    with pytest.raises(ModelError, match=f"SignalDelay 'signaldelay_0': {words}"):
        tflite.parse(_delay(**values))


@pytest.mark.parametrize(("delay", "words"), [(-1, "outside 0 to"), ((1 << 31) - 1, "it keeps")])
def test_options_out_of_range_are_refused(delay: int, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        aot.plan(tflite.parse(_delay(delay_length=delay)))


@pytest.mark.parametrize(("custom", "words"), [("TFLM_DECODE", "compressed"), ("ethos-u", "NPU")])
def test_custom_operators_that_are_refused_say_why(custom: str, words: str) -> None:
    with pytest.raises(ModelError, match=f"operator CUSTOM:{custom} .*: it .*{words}"):
        aot.plan(tflite.parse(_delay(custom=custom)))


def test_a_custom_operator_with_the_name_of_a_builtin_is_not_taken_for_it() -> None:
    with pytest.raises(ModelError, match="operator CUSTOM:ABS"):
        aot.plan(tflite.parse(_delay(custom="ABS")))


@given(st.binary(max_size=60))
def test_hostile_options_never_crash_the_importer(data: bytes) -> None:
    blob = _delay(delay_length=3)
    options = flexbuffers.Dumps({"delay_length": 3})
    at = blob.index(options)
    swapped = (
        blob[:at] + data[: len(options)].ljust(len(options), b"\0") + blob[at + len(options) :]
    )
    try:
        aot.plan(tflite.parse(swapped))
    except ModelError as error:
        assert "\n" not in error.message
