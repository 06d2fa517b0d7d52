"""The table as tm_wire.h, so that firmware and host cannot drift apart."""

from __future__ import annotations

from functools import cache

from ._records import DTYPES, ERRORS, LINE_BYTES, OUTPUT_CHUNK, VERSION
from ._text import COMMANDS, RECORDS, Form


@cache
def header() -> str:
    """tm_wire.h: the table for the firmware, to be written into the build folder."""
    from ..templates import new_environment

    return (
        new_environment()
        .get_template("tm_wire.h.j2")
        .render(
            version=VERSION,
            line_bytes=LINE_BYTES,
            output_chunk=OUTPUT_CHUNK,
            dtypes=list(DTYPES),
            errors=ERRORS,
            records=[(form, _parameters(form), _arguments(form)) for form in RECORDS.values()],
            commands=list(COMMANDS.values()),
        )
    )


_C_TYPES = {"u32": "uint32_t ", "u64": "uint64_t ", "hex": "uint32_t ", "word": "const char *"}


def _parameters(form: Form) -> str:
    """The C parameters of a record's send function."""
    parts = []
    for name, wire_type in form.fields:
        if wire_type == "payload":
            parts.append(f"const uint8_t *{name}, uint32_t {name}_bytes")
        else:
            parts.append(f"{_C_TYPES[wire_type]}{name}")
    return ", ".join(parts) or "void"


def _arguments(form: Form) -> str:
    """The same as arguments, each with a comma in front."""
    names = [(n, f"{n}_bytes") if kind == "payload" else (n,) for n, kind in form.fields]
    return "".join(f", {name}" for pair in names for name in pair)
