"""How many cycles a core takes for what an emulator has counted, by the rules of its manual."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from . import dual_issue
from .board import FlashReads
from .counting import StepCounts
from .disassembly import CONDITION, Code, Instruction, registers_in


@dataclass(frozen=True)
class Cost:
    """Cycles of an instruction: each time, more where it branches, less right behind the one
    in front of it."""

    each: int = 1
    branching: int = 0
    saved: int = 0


Rule = Callable[[Instruction, Code], Cost]


class Rules(Protocol):
    """The timing of one core, and where it is from."""

    @property
    def source(self) -> str: ...

    def cycles(self, step: StepCounts, code: Code) -> int:
        """Estimated cycles of one step, with memory that does not wait."""


@dataclass(frozen=True)
class Table:
    """One instruction at a time: the first pattern that matches a mnemonic as a whole has its
    rule."""

    source: str
    rows: tuple[tuple[re.Pattern[str], Rule], ...]

    def cost(self, instruction: Instruction, code: Code) -> Cost:
        for pattern, rule in self.rows:
            if pattern.fullmatch(instruction.name):
                return rule(instruction, code)
        return Cost()

    def cycles(self, step: StepCounts, code: Code) -> int:
        counts: Counter[int] = Counter()
        left: Counter[int] = Counter()
        for block in step.blocks:
            inside = list(code.run(block.start, block.instructions))
            for instruction in inside:
                counts[instruction.address] += block.count
            left[inside[-1].address] += block.left
        total = step.unaligned
        for address, count in counts.items():
            instruction = code[address]
            cost = self.cost(instruction, code)
            total += cost.each * count + cost.branching * left[address]
            if cost.saved:
                front = code.before(instruction)
                straight = 0 if front is None else counts[front.address] - left[front.address]
                total -= cost.saved * min(count, max(straight, 0))
        return total


@dataclass(frozen=True)
class DualIssue:
    """Two instructions at a time, as Cortex-M7: see dual_issue."""

    source: str = dual_issue.SOURCE

    def cycles(self, step: StepCounts, code: Code) -> int:
        return dual_issue.cycles(step, code)


def cycles(step: StepCounts, code: Code, rules: Rules, flash: FlashReads | None) -> int:
    """Estimated cycles of one step. Without `flash`, memory without wait states."""
    total = rules.cycles(step, code)
    if flash is not None:
        total += flash.wait_states * (step.code_misses + step.data_misses)
    return total


def _fixed(each: int, branching: int = 0) -> Rule:
    return lambda instruction, code: Cost(each, branching)


def _table(source: str, rows: Sequence[tuple[str, Rule]]) -> Table:
    return Table(source, tuple((re.compile(pattern), rule) for pattern, rule in rows))


_LOAD = re.compile(rf"ldr(?:b|h|sb|sh)?t?{CONDITION}")
_LOAD_SINGLE = re.compile(rf"vldr(?:{CONDITION}(?:\.32)?)")
_REFILL = 2  # of the pipeline behind a branch; the manual says 1 to 3
_DIVISION = 7  # the manual says 2 to 12, by the size of the quotient
_ROOT = 14  # VDIV and VSQRT; integer instructions behind run meanwhile


def _registers(instruction: Instruction) -> int:
    """How many words a list such as {r4-r6, d8, pc} has."""
    inside = re.search(r"\{(.*)\}", instruction.operands)
    return len(registers_in(inside[1])) if inside else 1


def _loaded_in_front(instruction: Instruction, code: Code) -> Instruction | None:
    """The single load in front whose address phase this instruction's overlaps, if it is one."""
    front = code.before(instruction)
    if front is None or not _LOAD.fullmatch(front.name) or front.destination == "pc":
        return None
    return front


def _load(instruction: Instruction, code: Code) -> Cost:
    if instruction.destination == "pc":
        return Cost(2, _REFILL)
    front = _loaded_in_front(instruction, code)
    waits = front and re.search(rf"\b{re.escape(front.destination)}\b", instruction.memory)
    return Cost(2, saved=0 if front is None or waits else 1)


def _store(instruction: Instruction, code: Code) -> Cost:
    """A store buffer takes it, unless two registers make the address."""
    indexed = re.search(r"\[\w+, *[a-z]", instruction.memory)
    if not indexed:
        return Cost()
    return Cost(2, saved=0 if _loaded_in_front(instruction, code) is None else 1)


def _multiple(instruction: Instruction, code: Code) -> Cost:
    return Cost(1 + _registers(instruction), _REFILL)


def _float_memory(instruction: Instruction, code: Code) -> Cost:
    if instruction.destination.startswith("d"):
        return Cost(3)
    front = code.before(instruction)
    if front is None or not _LOAD_SINGLE.fullmatch(instruction.name):
        return Cost(2)
    pipelined = _LOAD_SINGLE.fullmatch(front.name) or _LOAD.fullmatch(front.name)
    return Cost(2, saved=1 if pipelined else 0)


def _float_move(instruction: Instruction, code: Code) -> Cost:
    return Cost(2 if re.search(r"\bd\d+", instruction.operands) else 1)


def _float_root(instruction: Instruction, code: Code) -> Cost:
    """What follows runs meanwhile, up to the next floating-point instruction or branch."""
    covered, at = 0, code.at.get(instruction.end)
    while at is not None and covered < _ROOT - 1 and not at.name.startswith("v"):
        covered += 1
        if re.fullmatch(rf"(?:b|bl|bx|blx){CONDITION}|cbn?z", at.name):
            break
        at = code.at.get(at.end)
    return Cost(_ROOT - covered)


def _if_then(instruction: Instruction, code: Code) -> Cost:
    """Folded into a 16-bit instruction in front."""
    front = code.before(instruction)
    folded = front is not None and front.size == 2 and not re.match(r"b|cb|it", front.name)
    return Cost(0 if folded else 1)


_C = CONDITION
_BRANCHES = rf"(?:b|bl|bx|blx){_C}|cbn?z"
_MULTIPLES = rf"(?:v?ldm|v?stm)(?:ia|db)?{_C}|(?:v?push|v?pop){_C}"
_INTEGER = (
    (rf"(?:ldrd|strd){_C}", _fixed(3)),
    (_LOAD.pattern, _load),
    (rf"str(?:b|h)?t?{_C}", _store),
    (_MULTIPLES, _multiple),
    (rf"[su]div{_C}", _fixed(_DIVISION)),
    (r"tb[bh]", _fixed(3, _REFILL)),
    (_BRANCHES, _fixed(1, _REFILL)),
    (r"it[te]*", _if_then),
)
_OTHER = (r".*", _fixed(1, _REFILL))
CORTEX_M3 = _table(
    "Cortex-M3 TRM (DDI 0337), 3.3, products of 64 bits 4 and 6 cycles",
    (
        (rf"ml[as]{_C}", _fixed(2)),
        (rf"[us]mull{_C}", _fixed(4)),
        (rf"[us]mlal{_C}", _fixed(6)),
        *_INTEGER,
        _OTHER,
    ),
)
CORTEX_M4 = _table(
    "Cortex-M4 TRM (DDI 0439), 3.3 and 7.2.3",
    (
        *_INTEGER,
        (rf"(?:vldr|vstr){_C}(?:\.\d+)?", _float_memory),
        (rf"(?:vdiv|vsqrt){_C}(?:\.f32)?", _float_root),
        (rf"v(?:f?n?ml|fn?m)[as]{_C}(?:\.f32)?", _fixed(3)),
        (rf"vmov{_C}(?:\.\w+)?", _float_move),
        _OTHER,
    ),
)


def _m0(source: str, refill: int) -> Table:
    """Two cycles for a load or store, one for the rest, with the fast multiplier."""

    def multiple(instruction: Instruction, code: Code) -> Cost:
        return Cost(1 + _registers(instruction), refill + 1)

    return _table(
        source,
        (
            (r"ldr.*|str.*", _fixed(2)),
            (_MULTIPLES, multiple),
            (rf"bl{_C}", _fixed(2, refill)),
            (r"mrs|msr|dsb|dmb|isb", _fixed(4 if refill == 2 else 3)),
            (r".*", _fixed(1, refill)),
        ),
    )


RULES: Mapping[str, Rules] = {
    "cortex-m0": _m0("Cortex-M0 TRM (DDI 0432), 3.3, multiplier of one cycle", 2),
    "cortex-m0plus": _m0("Cortex-M0+ TRM (DDI 0484), 3.3, multiplier of one cycle", 1),
    "cortex-m3": CORTEX_M3,
    "cortex-m4": CORTEX_M4,
    "cortex-m7": DualIssue(),
    "cortex-m33": replace(CORTEX_M4, source=f"{CORTEX_M4.source}, also taken for Cortex-M33"),
}
"""Core -> timing rules. Cortex-M55 has none: only instructions."""
