"""Cycles of a loop on Cortex-M7, by what is public of that core: none of it was measured here.

Two instructions a cycle, in order; a multiplication, a store, or one that packs or extends may be
only one of them. A product is there two cycles later, but one as a sum; a value that was loaded
two cycles later as a factor or an address, else one; a shifted operand is wanted a cycle earlier.
That is LLVM's scheduling model (ARMScheduleM7.td). Where measurements of an STM32H743 allow less
(github.com/jnk0le/random, pipeline cycle test), so do we: LDRD and LDM go alone, two registers a
cycle; packing comes first of two; no store goes beside a multiplication.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinyml.timing import Instruction

_MULTIPLY = re.compile(r"smla(d|[bt][bt])|smm[lu][as]?r?|smlal")
_PACKING = re.compile(r"[su]xta?b(16)?|[su]sat(16)?|pkh(bt|tb)")
_LOAD, _STORE = re.compile(r"ldrs?[bh]?"), re.compile(r"str[bh]?")
_MULTIPLE = re.compile(r"ldm(ia)?|stm(ia)?|ldrd|strd")
_PLAIN = re.compile(r"(add|sub|and|orr|eor|mov|mvn|lsl|lsr|asr|cmp)[sw]?|b(ne|gt|eq)")
_NUMBERS = {"sl": 10, "fp": 11, "ip": 12, "sp": 13, "lr": 14, "pc": 15}
_ALONE = "alone"
_ROOM = {"multiply": 1, "store": 1, "packing": 1, "load": 2, "plain": 2}
_WANTED_EARLY = {"sum": -1, "stored": -1, "plain": 0, "factor": 0, "address": 0, "shifted": 1}
_LOADED_LATE = ("factor", "address")


@dataclass(frozen=True)
class _Use:
    unit: str
    reads: Sequence[tuple[int, str]]  # register, and what as
    writes: Sequence[tuple[int, int]]  # register, and cycles until a plain instruction has it
    loads: Sequence[int] = ()  # those of them that come from memory
    cycles: int = 1


def _registers(text: str) -> list[int]:
    found = []
    for name, last in re.findall(r"\b(r\d+|sl|fp|ip|sp|lr|pc)\b(?:-(r\d+|sl|fp|ip))?", text):
        first, end = (_NUMBERS.get(n) or int(n[1:]) for n in (name, last or name))
        found += range(first, end + 1)
    return found


def _memory(instruction: Instruction) -> _Use:
    name, operands = instruction.name, instruction.operands
    address = instruction.memory or operands.partition(",")[0]
    others = _registers(operands.replace(address, "", 1))
    base = _registers(address)
    back = [(base[0], 1)] if "!" in operands or "]," in operands else []
    reads = [(r, "address") for r in base]
    if name.startswith("st"):
        reads += [(r, "stored") for r in others]
        others = []
    if not _MULTIPLE.fullmatch(name):
        later = 1 if name in ("ldr", "str") else 2
        unit = "store" if name.startswith("st") else "load"
        return _Use(unit, reads, [*((r, later) for r in others), *back], others)
    cycles = -(-(len(_registers(operands)) - len(base)) // 2)
    return _Use(_ALONE, reads, [*((r, cycles) for r in others), *back], others, cycles)


def _use(instruction: Instruction) -> _Use:
    name, registers = instruction.name, _registers(instruction.operands)
    if any(pattern.fullmatch(name) for pattern in (_LOAD, _STORE, _MULTIPLE)):
        return _memory(instruction)
    if _MULTIPLY.fullmatch(name):
        results = registers[: 2 if name == "smlal" else 1]
        factors = registers[len(results) : len(results) + 2]
        sums = results if name == "smlal" else registers[3:]
        reads = [(r, "factor") for r in factors] + [(r, "sum") for r in sums]
        return _Use("multiply", reads, [(r, 2) for r in results])
    packing = _PACKING.fullmatch(name) is not None
    assert packing or _PLAIN.fullmatch(name), instruction
    silent = name == "cmp" or name.startswith("b")
    sources = registers if silent or len(registers) == 1 else registers[1:]
    reads = [(r, "plain") for r in sources]
    if packing or re.search(r", (lsl|lsr|asr) #", instruction.operands):
        reads[-1] = (sources[-1], "shifted")
    writes = [] if silent else [(registers[0], 1)]
    return _Use("packing" if packing else "plain", reads, writes)


def _fits(use: _Use, beside: Sequence[str]) -> bool:
    """Whether it goes in the same cycle as those of these units, as far as these leave room."""
    if not beside:
        return True
    last = use.unit in (_ALONE, "packing") or len(beside) == 2
    bus = {use.unit, *beside} >= {"store", "multiply"}
    return not last and not bus and beside.count(use.unit) < _ROOM[use.unit]


def issued(code: Sequence[Instruction]) -> Iterator[int]:
    """The cycle in which each instruction goes."""
    ready: dict[int, int] = {}
    loaded: set[int] = set()
    now, going = 0, list[str]()
    for use in map(_use, code):
        at = now
        for register, kind in use.reads:
            late = kind in _LOADED_LATE and register in loaded
            at = max(at, ready.get(register, 0) + _WANTED_EARLY[kind] + late)
        if at > now or not _fits(use, going):
            now, going = max(at, now + 1), []
        yield now
        going.append(use.unit)
        for register, later in use.writes:
            ready[register] = now + later
            loaded.discard(register)
        loaded.update(use.loads)
        if use.unit == _ALONE:
            now, going = now + use.cycles, []


def cycles(code: Sequence[Instruction]) -> float:
    """Of one round of a loop that goes on, its branches foreseen."""
    rounds = 20
    start = list(issued([*code] * (rounds + 1)))
    return (start[rounds * len(code)] - start[len(code)]) / (rounds - 1)
