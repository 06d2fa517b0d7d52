"""Large arrays of bytes as C string literals, which compilers read fast."""

from __future__ import annotations

import re

from .graph import Array

# For a megabyte of numbers GCC 12 takes 3.4 s and 110 MB, for one in a string 0.1 s and 15 MB.
# Smaller arrays stay lists, which people can read, and which end without a byte too many.
STRING_BYTES = 1 << 18
_PER_LINE = 64
_PLAIN = re.compile(r'[^\x00-\x1f"?\\\x7f-\xff]')
# Three digits end an octal escape, whatever follows; without "?" there are no trigraphs.
_CODES = tuple(c if _PLAIN.fullmatch(c) else f"\\{ord(c):03o}" for c in map(chr, range(256)))


def is_long(array: Array) -> bool:
    """Whether a string literal is worth it, and can hold the items."""
    return array.dtype.kind in "iu" and array.itemsize == 1 and array.nbytes >= STRING_BYTES


def c_string(array: Array) -> str:
    """The bytes of an array as lines of a string literal; C adds a zero at its end.

    ISO C99 promises no more than 4095 characters; GCC and Clang have no limit.
    """
    data = array.tobytes()
    lines = (data[i : i + _PER_LINE] for i in range(0, len(data), _PER_LINE))
    return "\n    ".join('"' + "".join(map(_CODES.__getitem__, line)) + '"' for line in lines)
