"""The serial protocol, declared once: what the firmware says, what it is told, and the checks.

One ASCII line per record, in both directions:

    tm1 infer seq=7 index=0 ticks=183204 ~1C9D03F2

`tm1` is the protocol and its version, then the kind, then every field of the kind in the order of
the table below, then the CRC-32 (zlib's) of all that stands before " ~". Numbers are decimal,
payloads are base64, a word is printable ASCII without spaces. `header()` renders the same table as
tm_wire.h, so the two sides cannot drift.

A command carries a sequence number. The host waits for its `ack` before it sends the next, since a
device listens only while idle and may have no receive FIFO. A command that is sent again with the
number of the last one done is answered again, and not done twice. Numbers start at 1; records of
the inference made at boot carry 0.
"""

from __future__ import annotations

import binascii
import dataclasses
import re
import typing
import zlib
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from .paths import TEMPLATES

VERSION = 1
PREFIX = f"tm{VERSION} "
LINE_BYTES = 512
"""Longest line a device takes, with its newline; told in `boot`, so a build may change it."""
OUTPUT_CHUNK = 384
"""Payload bytes of one `output` record: a multiple of 3, so that base64 needs no padding."""

U32 = Annotated[int, "u32"]
U64 = Annotated[int, "u64"]
Hex = Annotated[int, "hex"]
Word = Annotated[str, "word"]
Payload = Annotated[bytes, "payload"]

DTYPES = {
    "s8": "int8",
    "u8": "uint8",
    "s16": "int16",
    "s32": "int32",
    "s64": "int64",
    "f32": "float32",
    "bool": "bool",
    "u32": "uint32",
    "u64": "uint64",
}
"""Names of enum tm_dtype (tm_model.h), in its order, and the numpy type of each."""


@dataclass(frozen=True)
class Boot:
    """Who is there: the first record after reset, and the answer to `hello`."""

    kind: ClassVar = "boot"
    protocol: U32
    board: Word
    engine: Word
    model: Word
    hash: Word
    clock_hz: U32
    clock: Word
    counter: Word
    counter_hz: U32
    overhead: U32
    arena: U32
    steps: U32
    inputs: U32
    outputs: U32
    line: U32


@dataclass(frozen=True)
class Tensor:
    """One model input or output, after each `boot`."""

    kind: ClassVar = "tensor"
    direction: Word
    index: U32
    name: Word
    dtype: Word
    bytes: U32


@dataclass(frozen=True)
class Ready:
    """The device has booted and listens."""

    kind: ClassVar = "ready"


@dataclass(frozen=True)
class Infer:
    """Ticks of one measured window of `repeat` inferences, counter overhead taken off."""

    kind: ClassVar = "infer"
    seq: U32
    index: U32
    ticks: U64


@dataclass(frozen=True)
class Layer:
    """Ticks of one step of the schedule, when `run` asked for layers."""

    kind: ClassVar = "layer"
    seq: U32
    step: U32
    ticks: U64


@dataclass(frozen=True)
class Output:
    """A piece of an output tensor after the last inference of a `run`."""

    kind: ClassVar = "output"
    seq: U32
    tensor: U32
    offset: U32
    data: Payload


@dataclass(frozen=True)
class Crc:
    """CRC-32 of all output tensors, one after the other."""

    kind: ClassVar = "crc"
    seq: U32
    outputs: Hex


@dataclass(frozen=True)
class Memory:
    """Bytes of arena and stack; `guard` is ok, broken or none. A stack of 0: not measured."""

    kind: ClassVar = "memory"
    seq: U32
    arena: U32
    guard: Word
    stack_size: U32
    stack_peak: U32


@dataclass(frozen=True)
class Ack:
    """The command with this number is done."""

    kind: ClassVar = "ack"
    seq: U32


@dataclass(frozen=True)
class Error:
    """A command that was not done; `seq` is 0 where the line could not be read."""

    kind: ClassVar = "error"
    code: Word
    detail: U32
    seq: U32


@dataclass(frozen=True)
class Fault:
    """The processor took a fault exception, and the firmware has stopped."""

    kind: ClassVar = "fault"
    number: U32
    pc: Hex


@dataclass(frozen=True)
class Hello:
    """Send `boot` and the tensors again; always done, also for a repeated number."""

    kind: ClassVar = "hello"
    seq: U32


@dataclass(frozen=True)
class Data:
    """Bytes for an input tensor."""

    kind: ClassVar = "data"
    seq: U32
    tensor: U32
    offset: U32
    data: Payload


@dataclass(frozen=True)
class RunModel:
    """`count` windows of `repeat` inferences; layers and outputs are 0 or 1.

    A model may overwrite its inputs, so only the first inference is sure to see what was sent.
    """

    kind: ClassVar = "run"
    seq: U32
    count: U32
    repeat: U32
    layers: U32
    outputs: U32


@dataclass(frozen=True)
class AskMemory:
    """Ask for `memory`."""

    kind: ClassVar = "memory"
    seq: U32


@dataclass(frozen=True)
class Reset:
    """Forget the state a model keeps between inferences."""

    kind: ClassVar = "reset"
    seq: U32


Record = (
    Boot | Tensor | Ready | Infer | Layer | Output | Crc | Memory | Ack | Error | Fault
)  # device to host
Command = Hello | Data | RunModel | AskMemory | Reset  # host to device

ERRORS = {
    "checksum": "the line's CRC does not fit",
    "too_long": "the line does not fit the device's buffer",
    "command": "no such command, or its fields are not those of the table",
    "base64": "the payload is not base64",
    "tensor": "the model has no such input (detail: how many it has)",
    "range": "offset and length run over the end of the tensor (detail: its bytes)",
    "value": "a number outside of what the command takes",
}
"""Error codes of the device."""
RESEND = frozenset({"checksum", "too_long", "command", "base64"})
"""Codes that noise on the line explains: the same command is worth sending again."""


@dataclass(frozen=True)
class WireError:
    """A line that is no valid record: why, and the line."""

    reason: Literal["foreign", "version", "checksum", "kind", "fields"]
    line: bytes


@dataclass(frozen=True)
class _Form:
    """One row of the table: a record or command class, with its fields in wire order."""

    make: type
    kind: str
    meaning: str
    fields: tuple[tuple[str, str], ...]  # name, wire type

    @property
    def form(self) -> str:
        """The fields as tm_line_send() and tm_line_read() of the firmware want them."""
        return "".join(f" {name}={_LETTERS[wire_type]}" for name, wire_type in self.fields)

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(name for name, wire_type in self.fields if wire_type != "payload")


def _form(row: type) -> _Form:
    hints = typing.get_type_hints(row, include_extras=True)
    names = [field.name for field in dataclasses.fields(row)]
    meaning = (row.__doc__ or "").splitlines()[0]
    fields = tuple((name, hints[name].__metadata__[0]) for name in names)
    return _Form(row, row.__dict__["kind"], meaning, fields)


RECORDS = {form.kind: form for form in map(_form, typing.get_args(Record))}
COMMANDS = {form.kind: form for form in map(_form, typing.get_args(Command))}

_START = re.compile(rb"tm([1-9][0-9]{0,4}) ")
_HEX = re.compile(rb"[0-9A-F]{8}")
_BASE64 = re.compile(r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,19}")
_LIMIT = {"u32": 1 << 32, "u64": 1 << 64}


def parse(line: bytes) -> Record | WireError:
    """The record on a line, as a device sends it; anything may stand before the record."""
    return _parse(line, RECORDS)  # type: ignore[return-value]


def spoken_version(line: bytes) -> int | None:
    """The protocol version that a line claims to speak."""
    start = _START.search(line)
    return int(start[1]) if start else None


def parse_command(line: bytes) -> Command | WireError:
    """The command on a line, as a host sends it."""
    return _parse(line, COMMANDS)  # type: ignore[return-value]


def _parse(line: bytes, forms: dict[str, _Form]) -> object | WireError:
    text = line.rstrip(b"\r\n")
    reason: Literal["foreign", "version", "checksum"] = "foreign"
    for start in _START.finditer(text):
        if int(start[1]) != VERSION:
            reason = "version" if reason == "foreign" else reason
            continue
        reason = "checksum"
        body = _checked(text[start.start() :])
        if body is not None:
            return _decode(body[len(PREFIX) :], forms, line)
    return WireError(reason, line)


def _checked(text: bytes) -> bytes | None:
    """`text` without its checksum, or None where the checksum is missing or wrong."""
    body, mark, digits = text[:-10], text[-10:-8], text[-8:]
    if mark != b" ~" or not _HEX.fullmatch(digits) or int(digits, 16) != zlib.crc32(body):
        return None
    return body


def _decode(body: bytes, forms: dict[str, _Form], line: bytes) -> object | WireError:
    if not body.isascii():
        return WireError("fields", line)
    kind, *items = body.decode("ascii").split(" ")
    form = forms.get(kind)
    if form is None:
        return WireError("kind", line)
    if len(items) != len(form.fields):
        return WireError("fields", line)
    values = []
    for item, (name, wire_type) in zip(items, form.fields, strict=True):
        found, equals, text = item.partition("=")
        value = _value(text, wire_type) if found == name and equals else None
        if value is None:
            return WireError("fields", line)
        values.append(value)
    return typing.cast(object, form.make(*values))


def _value(text: str, wire_type: str) -> int | str | bytes | None:
    if wire_type == "word":
        return text if text and all("!" <= c <= "\x7e" for c in text) else None
    if wire_type == "payload":
        return binascii.a2b_base64(text) if _BASE64.fullmatch(text) else None
    if wire_type == "hex":
        return int(text, 16) if _HEX.fullmatch(text.encode()) else None
    if not _DECIMAL.fullmatch(text):
        return None
    number = int(text)
    return number if number < _LIMIT[wire_type] else None


def encode(row: Record | Command) -> bytes:
    """The line, with its newline, that says `row`."""
    form = (COMMANDS if isinstance(row, Command) else RECORDS)[row.kind]
    parts = [f"{PREFIX}{form.kind}"]
    for name, wire_type in form.fields:
        parts.append(f"{name}={_text(getattr(row, name), wire_type)}")
    body = " ".join(parts).encode("ascii")
    return b"%b ~%08X\n" % (body, zlib.crc32(body))


def _text(value: int | str | bytes, wire_type: str) -> str:
    if isinstance(value, bytes):
        return binascii.b2a_base64(value, newline=False).decode("ascii")
    return f"{value:08X}" if wire_type == "hex" else str(value)


def payload_bytes(line_bytes: int) -> int:
    """Payload of one `data` command whose line fits a device's buffer, whatever its numbers."""
    top = _LIMIT["u32"] - 1
    room = line_bytes - len(encode(Data(seq=top, tensor=top, offset=top, data=b"")))
    return max(room // 4 * 3, 0)


def header() -> str:
    """tm_wire.h: the table for the firmware, to be written into the build folder."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("tm_wire.h.j2").render(
        version=VERSION,
        line_bytes=LINE_BYTES,
        output_chunk=OUTPUT_CHUNK,
        dtypes=list(DTYPES),
        errors=ERRORS,
        records=[(form, _parameters(form), _arguments(form)) for form in RECORDS.values()],
        commands=list(COMMANDS.values()),
    )


_LETTERS = {"u32": "u", "u64": "l", "hex": "x", "word": "w", "payload": "p"}
_C_TYPES = {"u32": "uint32_t ", "u64": "uint64_t ", "hex": "uint32_t ", "word": "const char *"}


def _parameters(form: _Form) -> str:
    """The C parameters of a record's send function."""
    parts = []
    for name, wire_type in form.fields:
        if wire_type == "payload":
            parts.append(f"const uint8_t *{name}, uint32_t {name}_bytes")
        else:
            parts.append(f"{_C_TYPES[wire_type]}{name}")
    return ", ".join(parts) or "void"


def _arguments(form: _Form) -> str:
    """The same as arguments, each with a comma in front."""
    names = [(n, f"{n}_bytes") if kind == "payload" else (n,) for n, kind in form.fields]
    return "".join(f", {name}" for pair in names for name in pair)
