"""The table of the serial protocol: every record and command, and their fields in order.

The types of fields are those of the wire: decimal numbers of 32 and 64 bits, eight hexadecimal
digits, a word of printable ASCII without spaces, base64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

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
class Reading:
    """Registers of the INA that the device reads itself, behind a window of `ticks`.

    `span` ticks lie between the start of the chip's conversions and the reading of ENERGY.
    """

    kind: ClassVar = "reading"
    only: ClassVar = "TM_INA"  # what the firmware is built with that says it
    seq: U32
    chip: U32
    ticks: U64
    span: U64
    config: Hex
    flags: Hex
    shunt: Hex
    bus: Hex
    energy: U64


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


@dataclass(frozen=True)
class Meter:
    """A window of `repeat` inferences, or of `wait_ms` without any, and what the INA says of it.

    Its averages take up to `period_us`.
    """

    kind: ClassVar = "meter"
    only: ClassVar = "TM_INA"  # what the firmware is built with that takes it
    seq: U32
    repeat: U32
    wait_ms: U32
    period_us: U32


Record = (
    Boot | Tensor | Ready | Infer | Layer | Output | Crc | Memory | Reading | Ack | Error | Fault
)  # device to host
Command = Hello | Data | RunModel | AskMemory | Reset | Meter  # host to device

ERRORS = {
    "checksum": "the line's CRC does not fit",
    "too_long": "the line does not fit the device's buffer",
    "command": "no such command, or its fields are not those of the table",
    "base64": "the payload is not base64",
    "tensor": "the model has no such input (detail: how many it has)",
    "range": "offset and length run over the end of the tensor (detail: its bytes)",
    "value": "a number outside of what the command takes",
    "meter": "the INA cannot be read (detail: which of its errors, its address, a word)",
}
"""Error codes of the device."""
RESEND = frozenset({"checksum", "too_long", "command", "base64"})
"""Codes that noise on the line explains: the same command is worth sending again."""
