"""Names from outside, made harmless for terminals, C comments, C identifiers and the wire."""

from __future__ import annotations

import re
from collections.abc import Iterable

_LIMIT = 80
_KEYWORDS = frozenset(
    """
    auto break case char const continue default do double else enum extern float for goto if
    inline int long register restrict return short signed sizeof static struct switch typedef
    union unsigned void volatile while asm bool true false nullptr main
    class new delete this template typename namespace public private protected operator
    try catch throw using virtual friend and or not xor
    """.split()
)


def printable(text: str, limit: int = _LIMIT) -> str:
    """One line without control or formatting characters, at most `limit` long."""
    line = "".join(c if c.isprintable() else "?" for c in text)
    return line if len(line) <= limit else line[: limit - 3] + "..."


def comment(text: str) -> str:
    """Text that can neither end nor open a C comment, nor continue a line."""
    ascii_text = printable(text).encode("ascii", "replace").decode()
    return ascii_text.replace("*/", "* /").replace("/*", "/ *").replace("\\", "/").replace("??", "?")


def identifier(text: str) -> str:
    """A C identifier [a-z][a-z0-9_]* of at most 40 characters that is no keyword."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:40].rstrip("_")
    if not name or not name[0].isalpha():
        name = f"m_{name}".rstrip("_")
    return f"{name}_" if name in _KEYWORDS else name


def token(text: str) -> str:
    """A name without spaces for the serial protocol and for array files, at most 40 long."""
    return re.sub(r"[^A-Za-z0-9_.:/-]", "_", text)[:40] or "unnamed"


def unique(names: Iterable[str]) -> list[str]:
    """The same names, later duplicates with a number behind them."""
    taken: set[str] = set()
    result = []
    for name in names:
        candidate, number = name, 2
        while candidate in taken:
            candidate, number = f"{name}_{number}", number + 1
        taken.add(candidate)
        result.append(candidate)
    return result
