"""How many cycles a core takes for what an emulator has counted, by the rules of its manual."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .board import FlashReads
from .build import ARM_PREFIX
from .counting import StepCounts
from .errors import RunError, ToolError

_TIMEOUT_SECONDS = 120
_FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
_LINE = re.compile(r"^\s*([0-9a-f]+):\t((?:[0-9a-f]{4} ?)+)\s*\t([a-z][a-z0-9.]*)(?:\s+(.*))?$")
_CONDITION = "(?:eq|ne|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)?"


@dataclass(frozen=True)
class Instruction:
    """One line of a disassembly; `name` without its width, `operands` as objdump has them."""

    address: int
    size: int
    name: str
    operands: str
    function: str

    @property
    def end(self) -> int:
        return self.address + self.size

    @property
    def destination(self) -> str:
        return self.operands.partition(",")[0].strip()

    @property
    def memory(self) -> str:
        """The operand in brackets, and what follows it."""
        return self.operands[self.operands.find("[") :] if "[" in self.operands else ""


@dataclass(frozen=True)
class Cost:
    """Cycles of an instruction: each time, more where it branches, less right behind the one
    in front of it."""

    each: int = 1
    branching: int = 0
    saved: int = 0


@dataclass(frozen=True)
class Code:
    """A disassembled program."""

    at: Mapping[int, Instruction]

    def __getitem__(self, address: int) -> Instruction:
        try:
            return self.at[address]
        except KeyError as error:
            raise RunError(f"the image has no instruction at {address:#x}") from error

    def before(self, instruction: Instruction) -> Instruction | None:
        for size in (2, 4):
            found = self.at.get(instruction.address - size)
            if found is not None and found.size == size:
                return found
        return None


Rule = Callable[[Instruction, Code], Cost]


@dataclass(frozen=True)
class Rules:
    """The timing of one core: the first pattern that matches a mnemonic as a whole has the rule."""

    source: str
    table: tuple[tuple[re.Pattern[str], Rule], ...]

    def cost(self, instruction: Instruction, code: Code) -> Cost:
        for pattern, rule in self.table:
            if pattern.fullmatch(instruction.name):
                return rule(instruction, code)
        return Cost()


def disassemble(elf: Path) -> Code:
    """Every instruction of an image; ToolError without binutils for Arm."""
    program = shutil.which(f"{ARM_PREFIX}objdump")
    if program is None:
        raise ToolError(
            f"{ARM_PREFIX}objdump is not installed", hint="sudo apt install binutils-arm-none-eabi"
        )
    done = subprocess.run(
        [program, "-d", str(elf)], capture_output=True, text=True, timeout=_TIMEOUT_SECONDS
    )
    if done.returncode:
        raise ToolError(f"{program} -d {elf}: {done.stderr.strip()}")
    return parse_disassembly(done.stdout)


def parse_disassembly(text: str) -> Code:
    found, function = {}, ""
    for line in text.splitlines():
        heading = _FUNCTION.match(line)
        if heading:
            function = heading[1]
            continue
        match = _LINE.match(line)
        if match:
            address, words, name, operands = match.groups()
            plain = re.split(r"[;@]|\s<", operands or "")[0].strip()
            name = re.sub(r"\.[wn]$", "", name)
            size = len(words.replace(" ", "").strip()) // 2
            found[int(address, 16)] = Instruction(int(address, 16), size, name, plain, function)
    return Code(found)


def cycles(step: StepCounts, code: Code, rules: Rules, flash: FlashReads | None) -> int:
    """Estimated cycles of one step. Without `flash`, memory without wait states."""
    counts: Counter[int] = Counter()
    left: Counter[int] = Counter()
    for block in step.blocks:
        address = last = block.start
        for _ in range(block.instructions):
            counts[address] += block.count
            address, last = code[address].end, address
        left[last] += block.left
    total = step.unaligned
    for address, count in counts.items():
        instruction = code[address]
        cost = rules.cost(instruction, code)
        total += cost.each * count + cost.branching * left[address]
        if cost.saved:
            front = code.before(instruction)
            straight = 0 if front is None else counts[front.address] - left[front.address]
            total -= cost.saved * min(count, max(straight, 0))
    if flash is not None:
        total += flash.wait_states * (step.code_misses + step.data_misses)
    return total


def _fixed(each: int, branching: int = 0) -> Rule:
    return lambda instruction, code: Cost(each, branching)


def _rules(source: str, table: Sequence[tuple[str, Rule]]) -> Rules:
    return Rules(source, tuple((re.compile(pattern), rule) for pattern, rule in table))


_LOAD = re.compile(rf"ldr(?:b|h|sb|sh)?t?{_CONDITION}")
_LOAD_SINGLE = re.compile(rf"vldr(?:{_CONDITION}(?:\.32)?)")
_REFILL = 2  # of the pipeline behind a branch; the manual says 1 to 3
_DIVISION = 7  # the manual says 2 to 12, by the size of the quotient
_ROOT = 14  # VDIV and VSQRT; integer instructions behind run meanwhile


def _registers(instruction: Instruction) -> int:
    """How many words a list such as {r4-r6, d8, pc} has."""
    inside = re.search(r"\{(.*)\}", instruction.operands)
    total = 0
    for part in (inside[1] if inside else "r0").split(","):
        kind, *ends = re.findall(r"[a-z]+|\d+", part.strip().replace("-", " "))
        numbers = [int(end) for end in ends if end.isdigit()]
        count = numbers[-1] - numbers[0] + 1 if len(numbers) == 2 else 1
        total += count * (2 if kind == "d" else 1)
    return total


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
        if re.fullmatch(rf"(?:b|bl|bx|blx){_CONDITION}|cbn?z", at.name):
            break
        at = code.at.get(at.end)
    return Cost(_ROOT - covered)


def _if_then(instruction: Instruction, code: Code) -> Cost:
    """Folded into a 16-bit instruction in front."""
    front = code.before(instruction)
    folded = front is not None and front.size == 2 and not re.match(r"b|cb|it", front.name)
    return Cost(0 if folded else 1)


_C = _CONDITION
_BRANCHES = rf"(?:b|bl|bx|blx){_C}|cbn?z"
_MULTIPLES = rf"(?:v?ldm|v?stm)(?:ia|db)?{_C}|(?:v?push|v?pop){_C}"
CORTEX_M4 = _rules(
    "Cortex-M4 TRM (DDI 0439), 3.3 and 7.2.3",
    (
        (rf"(?:ldrd|strd){_C}", _fixed(3)),
        (_LOAD.pattern, _load),
        (rf"str(?:b|h)?t?{_C}", _store),
        (_MULTIPLES, _multiple),
        (rf"(?:vldr|vstr){_C}(?:\.\d+)?", _float_memory),
        (rf"(?:vdiv|vsqrt){_C}(?:\.f32)?", _float_root),
        (rf"v(?:f?n?ml|fn?m)[as]{_C}(?:\.f32)?", _fixed(3)),
        (rf"vmov{_C}(?:\.\w+)?", _float_move),
        (rf"[su]div{_C}", _fixed(_DIVISION)),
        (r"tb[bh]", _fixed(3, _REFILL)),
        (_BRANCHES, _fixed(1, _REFILL)),
        (r"it[te]*", _if_then),
        (r".*", _fixed(1, _REFILL)),
    ),
)


def _m0(source: str, refill: int) -> Rules:
    """Two cycles for a load or store, one for the rest, with the fast multiplier."""

    def multiple(instruction: Instruction, code: Code) -> Cost:
        return Cost(1 + _registers(instruction), refill + 1)

    return _rules(
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
    "cortex-m4": CORTEX_M4,
    "cortex-m33": replace(CORTEX_M4, source=f"{CORTEX_M4.source}, also taken for Cortex-M33"),
}
"""Core -> timing rules. Cores that issue two instructions at once have none: only instructions."""
