"""The serial protocol, declared once: what the firmware says, what it is told, and the checks.

One ASCII line per record, in both directions:

    tm1 infer seq=7 index=0 ticks=183204 ~1C9D03F2

`tm1` is the protocol and its version, then the kind, then every field of the kind in the order of
the table in _records.py, then the CRC-32 (zlib's) of all that stands before " ~". Numbers are
decimal, payloads are base64, a word is printable ASCII without spaces. `header()` renders the same
table as tm_wire.h, so the two sides cannot drift.

A command carries a sequence number. The host waits for its `ack` before it sends the next, since a
device listens only while idle and may have no receive FIFO. A command that is sent again with the
number of the last one done is answered again, and not done twice. Numbers start at 1; records of
the inference made at boot carry 0.
"""

from __future__ import annotations

from ._header import header
from ._records import (
    DTYPES,
    ERRORS,
    LINE_BYTES,
    OUTPUT_CHUNK,
    PREFIX,
    RESEND,
    VERSION,
    Ack,
    AskMemory,
    Boot,
    Command,
    Crc,
    Data,
    Error,
    Fault,
    Hello,
    Infer,
    Layer,
    Memory,
    Meter,
    Output,
    Reading,
    Ready,
    Record,
    Reset,
    RunModel,
    Tensor,
)
from ._text import (
    COMMANDS,
    RECORDS,
    WireError,
    encode,
    parse,
    parse_command,
    payload_bytes,
    spoken_version,
)

__all__ = [
    "COMMANDS",
    "DTYPES",
    "ERRORS",
    "LINE_BYTES",
    "OUTPUT_CHUNK",
    "PREFIX",
    "RECORDS",
    "RESEND",
    "VERSION",
    "Ack",
    "AskMemory",
    "Boot",
    "Command",
    "Crc",
    "Data",
    "Error",
    "Fault",
    "Hello",
    "Infer",
    "Layer",
    "Memory",
    "Meter",
    "Output",
    "Reading",
    "Ready",
    "Record",
    "Reset",
    "RunModel",
    "Tensor",
    "WireError",
    "encode",
    "header",
    "parse",
    "parse_command",
    "payload_bytes",
    "spoken_version",
]
