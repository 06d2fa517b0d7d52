"""Where a model's time goes on a board: emulated instructions and estimated cycles by step."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import disassembly, emit, flow, timing
from .board import Board, load_board
from .build import Image
from .counting import Counts, Progress, StepCounts, count
from .errors import InputError
from .flow import Model
from .plan import Item, Plan

FORMAT = 1
_STAND_INS = {
    "cortex-m0": "mps2_an385",  # Cortex-M3, which runs the same instructions
    "cortex-m0plus": "mps2_an385",
    "cortex-m3": "mps2_an385",
    "cortex-m4": "mps2_an386",
    "cortex-m7": "mps2_an500",
    "cortex-m33": "mps2_an505",
    "cortex-m55": "mps3_an547",
}
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Use:
    """Executed instructions, and estimated cycles where the core has timing rules."""

    instructions: int
    cycles: int | None

    def __add__(self, other: Use) -> Use:
        both = None
        if self.cycles is not None and other.cycles is not None:
            both = self.cycles + other.cycles
        return Use(self.instructions + other.instructions, both)


@dataclass(frozen=True)
class Step:
    """One item of the schedule. `next_kernel` is the second best, "" where there is no other."""

    index: int
    label: str
    op: str
    macs: int
    kernel: str
    reason: str
    use: Use
    next_kernel: str = ""
    next_use: Use | None = None


@dataclass(frozen=True)
class Profile:
    """One inference on an input of zeros, on an emulated core: nothing here was measured.

    `machine` is what ran the code; where the board has no emulator it is another one with the
    same core. Bytes: `code` is flash but for weights and vectors, `stack` that of the inference.
    """

    model: str
    model_hash: str
    board: str
    cpu: str
    clock_hz: int
    optimize: str
    toolchain: str
    machine: str
    rules: str
    flash: str
    code: int
    weights: int
    weights_in_ram: int
    arena: int
    stack: int
    outside: Use
    steps: tuple[Step, ...]

    @property
    def macs(self) -> int:
        return sum(step.macs for step in self.steps)

    @property
    def total(self) -> Use:
        return sum((step.use for step in self.steps), self.outside)

    @property
    def milliseconds(self) -> float | None:
        """Estimated, at the board's clock."""
        cycles = self.total.cycles
        return None if cycles is None else cycles / self.clock_hz * 1e3

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "model": self.model,
            "model_hash": self.model_hash,
            "board": self.board,
            "cpu": self.cpu,
            "clock_hz": self.clock_hz,
            "optimize": self.optimize,
            "toolchain": self.toolchain,
            "emulated_on": self.machine,
            "timing_rules": self.rules,
            "flash_reads": self.flash,
            "code_bytes": self.code,
            "weight_bytes": self.weights,
            "weight_bytes_in_ram": self.weights_in_ram,
            "arena_bytes": self.arena,
            "stack_bytes": self.stack,
            "macs": self.macs,
            **_use_json(self.total, self.macs),
            "estimated_milliseconds": self.milliseconds,
            "outside_of_steps": _use_json(self.outside, 0),
            "steps": [_step_json(step) for step in self.steps],
        }


def _use_json(use: Use, macs: int) -> dict[str, Any]:
    return {
        "emulated_instructions": use.instructions,
        "instructions_per_mac": use.instructions / macs if macs else None,
        "estimated_cycles": use.cycles,
    }


def _step_json(step: Step) -> dict[str, Any]:
    other = step.next_use
    return {
        "index": step.index,
        "label": step.label,
        "op": step.op,
        "macs": step.macs,
        "kernel": step.kernel,
        "reason": step.reason,
        **_use_json(step.use, step.macs),
        "next_best": other and {"kernel": step.next_kernel, **_use_json(other, step.macs)},
    }


def emulated(board: Board) -> Board:
    """The board itself where it has an emulator, else an emulated one with the same core."""
    if board.emulator is not None:
        return board
    if board.host:
        raise InputError("this computer is no board to profile", hint="take --board stm32")
    machine = load_board(_STAND_INS[board.core.cpu])
    return replace(
        machine, core=board.core, isa=board.isa, fpu=board.fpu, stack_bytes=board.stack_bytes
    )


def profile(
    model: Model,
    board: Board,
    *,
    optimize: str = "balanced",
    alternatives: bool = True,
    tell: Tell = lambda text: None,
    progress: Progress | None = None,
) -> Profile:
    """Build for the board as flow.build() does, count one inference, and estimate its cycles.

    With `alternatives`, the model is built and run a second time, each step with its second best
    kernel: what a step costs hardly depends on the others. `progress` goes on over both runs.
    """
    machine = emulated(board)
    plans = [flow.compile_model(model, board, optimize)]
    if alternatives:
        plans.append(flow.compile_model(model, board, optimize, rank=1))
        if _kernels(plans[0].schedule) == _kernels(plans[1].schedule):
            plans.pop()
    runs = []
    for number, plan in enumerate(plans):
        what = "the second best kernels" if number else "the model"
        tell(f"compiling {what} for {machine.core.cpu}")
        runs.append(
            _run(model, plan, board, machine, optimize, _part(progress, number, len(plans)))
        )
    image, counts, uses = runs[0]
    steps = _steps(plans[0], uses[1:])
    if len(plans) > 1:
        steps = beside(steps, plans[0], plans[1], runs[1][2][1:])
    return _profile(model, plans[0], board, machine, optimize, image, counts, uses[0], steps)


def _profile(
    model: Model,
    plan: Plan,
    board: Board,
    machine: Board,
    optimize: str,
    image: Image,
    counts: Counts,
    outside: Use,
    steps: Sequence[Step],
) -> Profile:
    rules = timing.RULES.get(board.core.cpu)
    sizes = image.sizes
    assert sizes is not None and machine.emulator is not None
    return Profile(
        model=model.name,
        model_hash=model.hash,
        board=board.name,
        cpu=board.core.cpu,
        clock_hz=board.clock_hz,
        optimize=optimize,
        toolchain=f"{image.compiler} {' '.join(image.flags)}",
        machine=f"QEMU {machine.emulator.machine}",
        rules=rules.source if rules else "",
        flash=board.flash_reads.source if board.flash_reads else "",
        code=sizes.flash_total - sizes.flash["weights"] - sizes.flash["vectors"],
        weights=plan.weight_bytes,
        weights_in_ram=sizes.ram["weights"],
        arena=plan.arena,
        stack=counts.stack,
        outside=outside,
        steps=tuple(steps),
    )


def _run(
    model: Model,
    plan: Plan,
    board: Board,
    machine: Board,
    optimize: str,
    progress: Progress | None,
) -> tuple[Image, Counts, list[Use]]:
    """Build a plan and count: the use outside of steps, then of each step."""
    rules = timing.RULES.get(board.core.cpu)
    with tempfile.TemporaryDirectory(prefix="tinyml-") as folder:
        compact = optimize == "size"
        sources = flow.write_sources(
            model, plan, "model", Path(folder), compact=compact, strings=True
        )
        image = flow.compile_sources(sources, model.graph, machine, optimize=optimize)
        counts = count(
            image.elf,
            machine,
            emit.functions_of(plan, compact=compact),
            flash=board.flash_reads if rules else None,
            timed=rules is not None,
            progress=progress,
        )
        code = disassembly.disassemble(image.elf) if rules else None

    def use(step: StepCounts) -> Use:
        if rules is None or code is None:
            return Use(step.instructions, None)
        return Use(step.instructions, timing.cycles(step, code, rules, board.flash_reads))

    return image, counts, [use(counts.outside), *map(use, counts.steps)]


def _part(progress: Progress | None, number: int, parts: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, total: progress(number * total + done, parts * total)


def _steps(plan: Plan, uses: Sequence[Use]) -> list[Step]:
    steps = []
    for index, (item, kernel, use) in enumerate(
        zip(plan.schedule, _kernels(plan.schedule), uses, strict=True)
    ):
        reasons = dict.fromkeys(step.reason for step in item.steps)
        steps.append(
            Step(
                index=index,
                label=" + ".join(step.node.label for step in item.steps),
                op=item.steps[-1].node.op,
                macs=sum(step.macs for step in item.steps),
                kernel=kernel,
                reason="; ".join(reasons),
                use=use,
            )
        )
    return steps


def beside(steps: Sequence[Step], plan: Plan, other: Plan, uses: Sequence[Use]) -> list[Step]:
    """The steps of a plan with what those of another use, one for each item of its schedule.

    Other kernels may make other streams: a step without the like there has no next kernel.
    """
    found = dict(
        zip(
            map(_outputs, other.schedule),
            zip(_kernels(other.schedule), uses, strict=True),
            strict=True,
        )
    )

    def told(step: Step, item: Item) -> Step:
        kernel, use = found.get(_outputs(item), (step.kernel, None))
        return step if step.kernel == kernel else replace(step, next_kernel=kernel, next_use=use)

    return list(map(told, steps, plan.schedule))


def _outputs(item: Item) -> tuple[tuple[str, ...], ...]:
    return tuple(step.node.outputs for step in item.steps)


def _kernels(schedule: Sequence[Item]) -> list[str]:
    return [" + ".join(step.call.kernel for step in item.steps) for item in schedule]
