"""Records and commands as lines of text, and lines as records: whole and checked, or an error."""

from __future__ import annotations

import binascii
import dataclasses
import re
import typing
import zlib
from dataclasses import dataclass
from typing import Literal

from ._records import PREFIX, VERSION, Command, Data, Record


@dataclass(frozen=True)
class WireError:
    """A line that is no valid record: why, and the line."""

    reason: Literal["foreign", "version", "checksum", "kind", "fields"]
    line: bytes


_LETTERS = {"u32": "u", "u64": "l", "hex": "x", "word": "w", "payload": "p"}


@dataclass(frozen=True)
class Form:
    """One row of the table: a record or command class, with its fields in wire order."""

    make: type
    kind: str
    meaning: str
    fields: tuple[tuple[str, str], ...]  # name, wire type
    only: str = ""  # the macro without which the firmware has no such record or command

    @property
    def form(self) -> str:
        """The fields as tm_line_send() and tm_line_read() of the firmware want them."""
        return "".join(f" {name}={_LETTERS[wire_type]}" for name, wire_type in self.fields)

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(name for name, wire_type in self.fields if wire_type != "payload")


def _form(row: type) -> Form:
    hints = typing.get_type_hints(row, include_extras=True)
    names = [field.name for field in dataclasses.fields(row)]
    meaning = (row.__doc__ or "").splitlines()[0]
    fields = tuple((name, hints[name].__metadata__[0]) for name in names)
    return Form(row, row.__dict__["kind"], meaning, fields, row.__dict__.get("only", ""))


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


def _parse(line: bytes, forms: dict[str, Form]) -> object | WireError:
    text = line.rstrip(b"\r\n\0")  # a BREAK is read as 0
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


def _decode(body: bytes, forms: dict[str, Form], line: bytes) -> object | WireError:
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
