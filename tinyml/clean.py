"""Names from outside, made harmless for terminals, C comments, C identifiers and the wire."""

from __future__ import annotations

import re
from collections.abc import Iterable

_LIMIT = 80
_LONGEST_IDENTIFIER = 32
# ISO C11 6.4.1, the words C++ adds (the header is read by both), and the firmware's own names
_WORDS = """
    auto break case char const continue default do double else enum extern float for goto if
    inline int long register restrict return short signed sizeof static struct switch typedef union
    unsigned void volatile while asm bool catch class constexpr delete explicit export false friend
    mutable namespace new nullptr operator private protected public template this throw true try
    typeid typename typeof using virtual and and_eq bitand bitor compl not not_eq or or_eq xor
    xor_eq alignas alignof decltype noexcept static_assert thread_local concept requires co_await
    co_return co_yield char8_t char16_t char32_t wchar_t const_cast dynamic_cast reinterpret_cast
    static_cast consteval constinit fortran main errno linux unix tm tinyml
"""
_RESERVED = frozenset(_WORDS.split())


def printable(text: str, limit: int = _LIMIT) -> str:
    """One line without control or formatting characters, at most `limit` long."""
    line = "".join(c if c.isprintable() else "?" for c in text)
    return line if len(line) <= limit else line[: limit - 3] + "..."


def comment(text: str) -> str:
    """Text that can neither end nor open a C comment, nor continue a line."""
    line = printable(text).encode("ascii", "replace").decode()
    return re.sub(r"\?+", "?", line).replace("*", ".").replace("\\", "/")


def identifier(text: str) -> str:
    """Any text as a C name [a-z][a-z0-9_]* of at most 32 characters, always the same."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    name = name[:_LONGEST_IDENTIFIER].rstrip("_")
    if not name:
        return "model"
    if name[0].isdigit() or name in _RESERVED or name.startswith("tm_"):
        name = f"model_{name}"[:_LONGEST_IDENTIFIER].rstrip("_")
    return name


def token(text: str) -> str:
    """A name without spaces for the serial protocol and for array files, at most 40 long."""
    return re.sub(r"[^A-Za-z0-9_.:/-]", "_", text)[:40] or "unnamed"


def unique(names: Iterable[str]) -> list[str]:
    """The same names, later duplicates with a number behind them."""
    taken: set[str] = set()
    numbers: dict[str, int] = {}  # up to which all are taken
    result = []
    for name in names:
        candidate, number = name, numbers.get(name, 2)
        while candidate in taken:
            candidate, number = f"{name}_{number}", number + 1
        numbers[name] = number
        taken.add(candidate)
        result.append(candidate)
    return result
