"""Profiles: counts of the plugin, timing rules, attribution to steps, and what may go wrong."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests import networks
from tests.pick import Seeded
from tests.test_cli import refused, tinyml
from tinyml import counting, flow, profile_report, tflite, timing
from tinyml.board import load_board
from tinyml.counting import Block, StepCounts
from tinyml.device import open_device
from tinyml.disassembly import disassemble, parse_disassembly
from tinyml.errors import InputError, ProbeError, RunError, ToolError
from tinyml.graph import Array
from tinyml.profile import Profile, Step, Use, beside, emulated, profile

LAYERS = ("conv", "conv", "pool")


def model_of() -> flow.Model:
    blob = networks.network(Seeded(3), LAYERS)
    return flow.Model("net", blob, tflite.parse(blob))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> flow.Built:
    folder = tmp_path_factory.mktemp("profile") / "net"
    return flow.build(model_of(), load_board("mps2_an386"), folder, prefix="net")


@pytest.fixture(scope="module")
def counted(built: flow.Built) -> counting.Counts:
    seen: list[tuple[int, int]] = []
    flash = load_board("nucleo_l4r5zi").flash_reads
    counts = counting.count(
        built.image.elf,
        built.board,
        items(built),
        flash=flash,
        timed=True,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (len(items(built)),) * 2 and seen == sorted(seen)
    return counts


@pytest.fixture(scope="module")
def l4r5() -> Profile:
    return profile(model_of(), load_board("nucleo_l4r5zi"), optimize="speed")


def items(built: flow.Built) -> list[str]:
    return [f"item{i}" for i in range(len(built.plan.schedule))]


CODE = """
firmware.elf:     file format elf32-littlearm

00000100 <f>:
 100:\t6808      \tldr\tr0, [r1, #0]
 102:\t684a      \tldr\tr2, [r1, #4]
 104:\t6813      \tldr\tr3, [r2, #0]
 106:\tf8c1 0004 \tstr.w\tr0, [r1, #4]
 10a:\tf841 0022 \tstr.w\tr0, [r1, r2, lsl #2]
 10e:\t3b01      \tsubs\tr3, #1
 110:\tbfb8      \tit\tlt
 112:\t2000      \tmovlt\tr0, #0
 114:\td1f4      \tbne.n\t100 <f>
 116:\te8bd 8ff0 \tldmia.w\tsp!, {r4, r5, r6, r7, r8, r9, sl, fp, pc}
 11a:\t00000100 \t.word\t0x00000100
"""


def block(start: int, instructions: int, count: int, left: int, unaligned: int = 0) -> Block:
    return Block(start, instructions, count, left, unaligned)


def test_disassembly() -> None:
    code = parse_disassembly(CODE)
    assert len(code.at) == 10 and code[0x106].name == "str" and code[0x106].size == 4
    assert code[0x114].operands == "100" and code[0x116].function == "f"
    with pytest.raises(RunError, match="0x11a"):
        code[0x11A]


def test_rules_of_the_m4() -> None:
    code = parse_disassembly(CODE)
    step = StepCounts((block(0x100, 9, 10, 9, unaligned=5), block(0x116, 1, 1, 1)), 2, 3)
    # Loads 2, 1 behind another, 2 where the address comes from it; stores 1, indexed 2; IT folded.
    once = 2 + 1 + 2 + 1 + 2 + 1 + 0 + 1 + 1
    assert timing.cycles(step, code, timing.CORTEX_M4, None) == 10 * once + 9 * 2 + 5 + (10 + 2)
    flash = load_board("nucleo_l4r5zi").flash_reads
    assert flash is not None
    waits = timing.cycles(step, code, timing.CORTEX_M4, flash)
    assert waits == 10 * once + 18 + 5 + 12 + 5 * flash.wait_states


def test_a_load_that_is_jumped_to_is_not_behind_another() -> None:
    code = parse_disassembly(CODE)
    step = StepCounts((block(0x100, 1, 4, 0), block(0x102, 1, 10, 10)))
    assert timing.cycles(step, code, timing.CORTEX_M4, None) == 4 * 2 + 10 * 2 - 4 + 10 * 0


@pytest.mark.parametrize(
    ("core", "branch", "call", "pop"), [("cortex-m0", 3, 4, 6), ("cortex-m0plus", 2, 3, 5)]
)
def test_rules_of_the_m0(core: str, branch: int, call: int, pop: int) -> None:
    code = parse_disassembly(
        "00000000 <f>:\n   0:\te7fe      \tb.n\t0 <f>\n"
        "   2:\tf000 f800 \tbl\t6 <g>\n   6:\tbd10      \tpop\t{r4, pc}\n"
        "   8:\t6808      \tldr\tr0, [r1, #0]\n   a:\t4348      \tmuls\tr0, r1\n"
    )
    rules = timing.RULES[core]
    for address, cycles in ((0, branch), (2, call), (6, pop)):
        step = StepCounts((block(address, 1, 1, 1),))
        assert timing.cycles(step, code, rules, None) == cycles
    assert timing.cycles(StepCounts((block(8, 2, 1, 0),)), code, rules, None) == 3


def test_rules_of_the_m3() -> None:
    code = parse_disassembly(
        "00000000 <f>:\n   0:\tfbc2 0104 \tsmlal\tr0, r1, r2, r4\n"
        "   4:\tfb82 0104 \tsmull\tr0, r1, r2, r4\n   8:\tfb00 3001 \tmla\tr0, r0, r1, r3\n"
        "   c:\t4348      \tmuls\tr0, r1\n   e:\t6808      \tldr\tr0, [r1, #0]\n"
    )
    rules = timing.RULES["cortex-m3"]
    for address, cycles in ((0, 6), (4, 4), (8, 2), (0xC, 1), (0xE, 2)):
        assert timing.cycles(StepCounts((block(address, 1, 1, 0),)), code, rules, None) == cycles


def test_counts_of_a_plugin_are_read() -> None:
    text = "block 1 10 3 7 1 2\nblock 0 20 1 1 1 0\ncode 1 4\ndata 2 5\nstack 96\nend 2\n"
    counts = counting.parse(text, 2)
    assert counts.steps[0] == StepCounts((Block(0x10, 3, 7, 1, 2),), 4, 0)
    assert counts.steps[1] == StepCounts((), 0, 5)
    assert counts.outside.instructions == 1 and counts.stack == 96
    assert counts.steps[0].instructions == 21 and counts.steps[0].unaligned == 2


def test_steps_that_were_not_entered() -> None:
    with pytest.raises(RunError, match="entered 1 steps; the plan has 2"):
        counting.parse("end 1\n", 2)


@pytest.mark.qemu
def test_counts_equal_those_of_the_emulated_counter(
    built: flow.Built, counted: counting.Counts
) -> None:
    """SysTick at 25 MHz counts every 40th instruction of the same inference."""
    with open_device(built) as device:
        boot = device.session.boot_ticks
        peak = device.session.memory().stack_peak
        count = device.counting.count
        inputs = zeros(built.model)
        (layers,) = device.session.bench(1, inputs, per_layer=True).layers
    total = counted.outside.instructions + sum(step.instructions for step in counted.steps)
    assert boot is not None and abs(total - count(boot)) <= 80
    for step, ticks in zip(counted.steps, layers, strict=True):
        assert abs(step.instructions - count(ticks)) <= 120
    assert 0 < counted.stack <= peak


def zeros(model: flow.Model) -> dict[str, Array]:
    tensors = (model.graph.tensors[name] for name in model.graph.inputs)
    return {t.name: np.zeros(t.shape, t.dtype) for t in tensors}


@pytest.mark.qemu
def test_counts_are_the_same_on_every_run(built: flow.Built, counted: counting.Counts) -> None:
    flash = load_board("nucleo_l4r5zi").flash_reads
    again = counting.count(built.image.elf, built.board, items(built), flash=flash, timed=True)
    assert again == counted


@pytest.mark.qemu
def test_only_branches_leave_a_block(built: flow.Built, counted: counting.Counts) -> None:
    """QEMU 7.2 gives blocks in front of an instruction across two pages a wrong end."""
    code = disassemble(built.image.elf)
    for step in counted.steps:
        for each in step.blocks:
            last = code[each.start]
            for _ in range(each.instructions - 1):
                last = code[last.end]
            jumps = last.name.startswith(("b", "cb", "tb", "le", "wls")) or "pc" in last.operands
            assert jumps or each.left == 0, last


@pytest.mark.qemu
def test_a_board_without_an_emulator(l4r5: Profile) -> None:
    assert l4r5.machine == "QEMU mps2-an386" and l4r5.board == "nucleo_l4r5zi"
    assert "RM0432" in l4r5.flash and "DDI 0439" in l4r5.rules
    assert l4r5.total.cycles is not None and l4r5.milliseconds is not None
    assert l4r5.total.instructions < l4r5.total.cycles < 3 * l4r5.total.instructions
    assert abs(l4r5.milliseconds - l4r5.total.cycles / 120e3) < 1e-9
    assert l4r5.macs == sum(step.macs for step in l4r5.steps) > 0


@pytest.mark.qemu
def test_what_the_next_best_kernel_costs(l4r5: Profile) -> None:
    dense = next(step for step in l4r5.steps if step.op == "FULLY_CONNECTED")
    assert dense.kernel == "fully_connected_s8_rows__dsp" != dense.next_kernel
    assert dense.next_use is not None and dense.next_use.cycles is not None
    softmax = next(step for step in l4r5.steps if step.op == "SOFTMAX")
    assert softmax.next_use is None and softmax.next_kernel == ""


@pytest.mark.qemu
@pytest.mark.parametrize("board", ["microbit", "pico", "nucleo_h743zi", "mps3_an547"])
def test_other_cores(board: str) -> None:
    found = profile(model_of(), load_board(board), alternatives=False)
    timed = board != "mps3_an547"
    assert (found.total.cycles is not None) == timed == bool(found.rules)
    assert all(step.next_use is None for step in found.steps)
    assert all(step.use.instructions > 0 for step in found.steps)


def test_a_plan_of_other_kernels_may_have_other_items() -> None:
    """As where only one of the two makes a stream: such steps have no next kernel."""
    plan = flow.compile_model(model_of(), load_board("mps2_an386"), "speed")
    other = flow.compile_model(model_of(), load_board("mps2_an386"), "speed", rank=1)
    other = replace(other, schedule=other.schedule[1:])
    mine = [
        Step(i, "", "", 0, " + ".join(s.call.kernel for s in item.steps), "", Use(1, None))
        for i, item in enumerate(plan.schedule)
    ]
    uses = [Use(10 + i, None) for i in range(len(other.schedule))]
    found = beside(mine, plan, other, uses)
    assert found[0] == mine[0]
    named = [step for step in found if step.next_use is not None]
    assert named and all(
        step.next_use == Use(9 + step.index, None) and step.next_kernel != step.kernel
        for step in named
    )


def test_the_core_of_a_stand_in_is_the_boards() -> None:
    pico, machine = load_board("pico"), emulated(load_board("pico"))
    assert machine.core == pico.core and machine.isa == pico.isa and machine.fpu is None
    stm32 = load_board("stm32")
    assert emulated(stm32) is stm32
    with pytest.raises(InputError, match="no board to profile"):
        emulated(load_board("host"))


@pytest.mark.qemu
def test_the_table_says_what_the_figures_are(l4r5: Profile) -> None:
    from rich.console import Console

    console = Console(record=True, width=140, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    for found in (l4r5, replace(l4r5, rules="")):
        console.print(profile_report.table(found))
    text = console.export_text()
    assert "emulated (QEMU mps2-an386)" in text and "not measured" in text
    assert "estimated:" in text and "no estimate of cycles" in text
    assert "█" in text and "fully_connected_s8_rows__dsp" in text


@pytest.mark.qemu
def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(model_of().bytes)
    done = tinyml("profile", "-b", "stm32", "net.tflite", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["emulated_instructions"] == found["outside_of_steps"][
        "emulated_instructions"
    ] + sum(step["emulated_instructions"] for step in found["steps"])
    assert found["estimated_cycles"] > 0 and found["steps"][0]["next_best"]["kernel"]
    refused("profile", "-b", "host", "net.tflite", folder=tmp_path, words="no board to profile")
    refused("profile", "-b", "stm32", "none.tflite", folder=tmp_path, words="does not exist")
    refused("profile", "-b", "stm32", "--optimize", "x", "net.tflite", folder=tmp_path, words="x")


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ToolError, match="needs a C compiler"):
        counting.build_plugin("qemu-system-arm", Path())


@pytest.mark.qemu
def test_the_plugin_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = counting.build_plugin("qemu-system-arm", Path())
    assert made.parent == tmp_path / "tinyml" and made.is_file()
    stamp = made.stat().st_mtime_ns
    assert counting.build_plugin("qemu-system-arm", Path()) == made
    assert made.stat().st_mtime_ns == stamp and [*made.parent.iterdir()] == [made]


@pytest.mark.qemu
def test_where_nothing_can_be_cached_the_plugin_is_built_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    made = counting.build_plugin("qemu-system-arm", tmp_path)
    assert made.parent == tmp_path and made.is_file()


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        ("echo 'Plugin interface not enabled in this build' >&2; exit 1", ToolError, "plugins"),
        ("echo 'no machine' >&2; exit 1", ProbeError, "no machine"),
        ("printf 'fault 3\\n' >console.txt", RunError, "fault 3"),
    ],
)
def test_an_emulator_that_does_not_count(
    script: str,
    error: type[Exception],
    words: str,
    built: flow.Built,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = tmp_path / "qemu-system-arm"
    program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exit 0\n{script}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(error, match=words):
        counting.count(built.image.elf, built.board, items(built))


@pytest.mark.qemu
def test_an_emulator_that_hangs(
    built: flow.Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "qemu-system-arm"
    program.write_text('#!/bin/sh\n[ "$1" = --version ] && exit 0\nexec sleep 60\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(counting, "_SILENCE_SECONDS", 0.2)
    with pytest.raises(RunError, match="came to no end"):
        counting.count(built.image.elf, built.board, items(built))
