"""Cycles on Cortex-M7, by what is public of that core: none of it was measured here.

Two instructions a cycle, in order; a multiplication, a store, a branch, or one that packs, extends
or saturates may be only one of them. A product is there two cycles later, but one as a sum; a value
that was loaded two cycles later as a factor or an address, else one; a shifted operand is wanted a
cycle earlier. That is LLVM's scheduling model (ARMScheduleM7.td). Where measurements of an
STM32H743 allow less (github.com/jnk0le/random, pipeline cycle test), so do we: LDRD and LDM go
alone, two registers a cycle; packing comes first of two; no store goes beside a multiplication, and
no two loads of one bank beside each other; a branch that goes another way than foreseen costs 6
cycles, or 8 right behind what it depends on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .counting import StepCounts
from .disassembly import CONDITION, Code, Instruction, registers_in

_C = CONDITION
_LOAD, _STORE = re.compile(rf"v?ldrs?[bh]?t?{_C}(\.\d+)?"), re.compile(rf"v?str[bh]?t?{_C}(\.\d+)?")
_MULTIPLE = re.compile(rf"v?ldm.*|v?stm.*|v?push{_C}|v?pop{_C}|(ldr|str)d{_C}")
_LONG = re.compile(rf"(u|s)mlal\w*|smlsld\w*|umaal{_C}|(u|s)mulls?{_C}")
_MULTIPLY = re.compile(rf"{_LONG.pattern}|sml[as]\w*|smm\w+|smu\w+|muls?{_C}|ml[as]s?{_C}")
_SATURATING = re.compile(r"[su]sat(16)?|u?q(d?add|d?sub|add|sub|asx|sax)(8|16)?")
_PACKING = re.compile(
    rf"({_SATURATING.pattern}|[su]xta?[bh](16)?|pkh(bt|tb)|bf[ic]|[su]bfx|rev(16|sh)?|rbit|clz"
    rf"|[su]h?(add|sub)(8|16)|[su]h?(asx|sax)|sel|usada?8){_C}"
)
_FLOAT_SLOW = re.compile(r"v(div|sqrt).*")
_DIVISION, _BARRIER = re.compile(rf"[su]div{_C}"), re.compile(r"mrs|msr|dsb|dmb|isb|vmrs|vmsr")
_BRANCH = re.compile(rf"(b|bl|bx|blx){_C}|cbn?z|tb[bh]")
_CONDITIONAL = re.compile(rf"b(?!l$|x$|lx$|ic){_C[:-1]}|cbn?z")
_SETS_FLAGS = re.compile(rf"(cmp|cmn|tst|teq){_C}|\w+s")
_READS_FLAGS = re.compile(rf"(adc|sbc|rrx)s?{_C}|(mov|mvn|add|sub|rsb|and|orr|eor|bic){_C[:-1]}")
_REPLACES = re.compile(r"(mov|mvn|neg|rsb|sxt|uxt|rev|rbit|clz|adr|vmov|vcvt|vneg|vabs).*")
_FLAGS = 16  # the number of none of registers_in()
_ALONE = "alone"
_ROOM = {"multiply": 1, "store": 1, "packing": 1, "branch": 1, "float": 1, "load": 2, "plain": 2}
_WANTED_EARLY = {"sum": -1, "stored": -1, "plain": 0, "factor": 0, "address": 0, "shifted": 1}
_LOADED_LATE = ("factor", "address")
_MISSED, _MISSED_LATE = 6, 8
_ROUNDS = 20  # of a loop, until it goes on as it does for ever
SOURCE = (
    "LLVM's scheduling model of Cortex-M7 and an STM32H743 measured by others; right to about 20 % "
    "where memory does not wait (docs/ESTIMATES.md)"
)


@dataclass(frozen=True)
class _Use:
    unit: str
    reads: Sequence[tuple[int, str]]  # register, and what as
    writes: Sequence[tuple[int, int]]  # register, and cycles until a plain instruction has it
    loads: Sequence[int] = ()  # those of them that come from memory
    cycles: int = 1
    place: tuple[int, int] | None = None  # of a load: base register and word behind it


def _memory(instruction: Instruction) -> _Use:
    name, operands = instruction.name, instruction.operands
    listed = not instruction.memory
    address = instruction.memory or operands.partition(",")[0]
    if name.startswith(("push", "pop", "vpush", "vpop")):
        address = "sp!"
    others = registers_in(operands.replace(address, "", 1))
    base = registers_in(address)
    back = [(base[0], 1)] if base and ("!" in operands or "]," in operands or listed) else []
    reads = [(r, "address") for r in base]
    if name.startswith(("st", "vst", "push", "vpush")):
        reads += [(r, "stored") for r in others]
        others = []
    if not _MULTIPLE.fullmatch(name):
        later = 2 if re.match(r"ldrs?[bh]", name) else 1
        unit = "store" if _STORE.fullmatch(name) else "load"
        offset = re.search(r"\[\w+(?:, #(-?\d+))?\]", address)
        place = (base[0], int(offset[1] or 0) // 4) if offset and unit == "load" else None
        return _Use(unit, reads, [*((r, later) for r in others), *back], others, place=place)
    cycles = max(-(-(len(registers_in(operands)) - (len(base) if address != "sp!" else 0)) // 2), 1)
    return _Use(_ALONE, reads, [*((r, cycles) for r in others), *back], others, cycles)


def _float(instruction: Instruction, registers: list[int]) -> _Use:
    """LLVM's latencies; a division holds up all that follows."""
    name, double = instruction.name, instruction.name.endswith(".f64")
    reads, writes = [(r, "plain") for r in registers[1:]], registers[:1]
    if _FLOAT_SLOW.fullmatch(name):
        cycles = 30 if double else 16
        return _Use(_ALONE, reads, [(r, cycles) for r in writes], cycles=cycles)
    if double and re.match(r"v(mul|f?n?ml)", name):
        return _Use(_ALONE, reads, [(r, 8) for r in writes], cycles=5)
    later = 6 if re.match(r"vf?n?m[ls][as]", name) else 3
    return _Use("float", reads, [(r, later) for r in writes])


def _multiplication(name: str, registers: list[int]) -> _Use:
    results = registers[: 2 if _LONG.fullmatch(name) else 1]
    factors = registers[len(results) : len(results) + 2] or registers
    sums = results if _LONG.fullmatch(name) and "mull" not in name else registers[3:]
    reads = [(r, "factor") for r in factors] + [(r, "sum") for r in sums]
    return _Use("multiply", reads, [(r, 2) for r in results])


def _use(instruction: Instruction) -> _Use:
    name, operands = instruction.name, instruction.operands
    if any(pattern.fullmatch(name) for pattern in (_LOAD, _STORE, _MULTIPLE)):
        return _memory(instruction)
    registers = registers_in(operands)
    if _MULTIPLY.fullmatch(name):
        return _multiplication(name, registers)
    if _BRANCH.fullmatch(name):
        return _Use("branch", [(r, "plain") for r in registers], [])
    if _BARRIER.fullmatch(name) or not operands:
        return _Use(_ALONE, [], [], cycles=1 if name.startswith("nop") else 3)
    if name.startswith("it"):
        return _Use("plain", [], [])
    if name.startswith("v"):
        return _float(instruction, registers)
    reads = [(r, "plain") for r in _sources(name, operands, registers)]
    writes = [(r, 2 if _SATURATING.match(name) else 1) for r in registers[:1]]
    if _DIVISION.fullmatch(name):
        return _Use(_ALONE, reads, writes, cycles=7)
    packing = _PACKING.fullmatch(name) is not None
    if reads and (packing or re.search(r", (lsl|lsr|asr|ror) ", operands)):
        reads[-1] = (reads[-1][0], "shifted")
    if _SETS_FLAGS.fullmatch(name):
        writes = [*([] if re.match(r"cm[pn]|t[se][tq]", name) else writes), (_FLAGS, 1)]
    if _READS_FLAGS.fullmatch(name):
        reads.append((_FLAGS, "plain"))
    return _Use("packing" if packing else "plain", reads, writes)


def _sources(name: str, operands: str, registers: list[int]) -> list[int]:
    """The registers that are read: the first is too, where it is one of two operands."""
    both = operands.count(",") == 1 and not _REPLACES.fullmatch(name)
    return registers if both or re.match(r"bfi|movt|cm[pn]|t[se][tq]", name) else registers[1:]


def _fits(use: _Use, beside: Sequence[_Use]) -> bool:
    """Whether it goes in the same cycle as those, as far as these leave room."""
    if not beside:
        return True
    units = [other.unit for other in beside]
    last = use.unit in (_ALONE, "packing") or len(beside) == 2
    bus = {use.unit, *units} >= {"store", "multiply"}
    bank = any(_one_bank(use.place, other.place) for other in beside)
    return not (last or bus or bank) and units.count(use.unit) < _ROOM[use.unit]


def _one_bank(a: tuple[int, int] | None, b: tuple[int, int] | None) -> bool:
    """Words behind one register, both even or both odd."""
    return a is not None and b is not None and a[0] == b[0] and (a[1] - b[1]) % 2 == 0


def issued(code: Iterable[Instruction]) -> Iterator[int]:
    """The cycle in which each instruction goes; last, the first cycle that is free behind them."""
    ready: dict[int, int] = {}
    loaded: set[int] = set()
    now, going = 0, list[_Use]()
    for use in map(_use, code):
        at = now
        for register, kind in use.reads:
            late = kind in _LOADED_LATE and register in loaded
            at = max(at, ready.get(register, -1) + _WANTED_EARLY[kind] + late)
        if at > now or not _fits(use, going):
            now, going = max(at, now + 1), []
        yield now
        going.append(use)
        for register, later in use.writes:
            ready[register] = now + later
            loaded.discard(register)
        loaded.update(use.loads)
        if use.unit == _ALONE:
            now, going = now + use.cycles, []
    yield now + bool(going)


def loop_cycles(code: Sequence[Instruction]) -> float:
    """Of one round of a loop that goes on, its branches foreseen."""
    start = list(issued([*code] * (_ROUNDS + 1)))
    return (start[_ROUNDS * len(code)] - start[len(code)]) / (_ROUNDS - 1)


def cycles(step: StepCounts, code: Code) -> int:
    """Estimated cycles of one step.

    Each block begins with all registers ready and a cycle of its own, but a loop of one block goes
    on from round to round. Of the two ways of a branch the rarer one is never foreseen.
    """
    total = 2.0 * step.unaligned
    left, passed, missed = Counter[int](), Counter[int](), dict[int, int]()
    for block in step.blocks:
        inside = list(code.run(block.start, block.instructions))
        *at, end = issued(inside)
        last, rounds = inside[-1], 0
        if _CONDITIONAL.fullmatch(last.name):
            left[last.address] += block.left
            passed[last.address] += block.count - block.left
            missed[last.address] = _missed(inside, at)
            rounds = block.left if last.target == block.start else 0
        total += (block.count - rounds) * end
        if rounds:
            total += rounds * loop_cycles(inside)
    return round(total + sum(min(left[a], passed[a]) * cost for a, cost in missed.items()))


def _missed(block: Sequence[Instruction], at: Sequence[int]) -> int:
    """What the branch at the end of a block costs where it goes another way."""
    sets = [a for i, a in zip(block, at, strict=True) if _SETS_FLAGS.fullmatch(i.name)]
    return _MISSED if sets and at[-1] - sets[-1] >= 3 else _MISSED_LATE
