"""Inner loops in the order for Cortex-M7: exact there, and faster by what is public of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.ops.depthwise_conv_2d import layer
from tests.target import check_on_core
from tests.test_cores import sample
from tests.test_kronecker import extreme, signs
from tinyml import build, dual_issue, timing
from tinyml.board import load_board
from tinyml.counting import Block, StepCounts
from tinyml.disassembly import Code, Instruction, parse_disassembly
from tinyml.paths import FIRMWARE

BOARD = "mps2_an500"
LOOPS = {  # steps of a round, and cycles of each in the order for Cortex-M4 and for M7
    "tm_kronecker_3x4": (12, 6.1, 4.2),
    "tm_dot_4x2": (8, 12.1, 8.2),
    "tm_winograd_4x2": (2, 13.0, 9.5),
    "tm_depthwise_2x2": (1, 46.0, 40.0),
    "tm_depthwise_1x2": (1, 29.0, 24.0),
    "tm_depthwise_3x3_rectified": (1, 25.0, 22.0),
}


def functions(folder: Path, *flags: str) -> dict[str, list[Instruction]]:
    """The instructions of every function of LOOPS as they are built for Cortex-M7."""
    folder.mkdir()
    names = ", ".join(f"(void *){name}" for name in LOOPS)
    text = f'#include "tm_kronecker.h"\n#include "tm_depthwise.h"\nvoid *used[] = {{{names}}};\n'
    (folder / "loops.c").write_text(text)
    command = [f"{build.ARM_PREFIX}gcc", "-O2", "-mcpu=cortex-m7", "-mthumb", "-c", "loops.c"]
    subprocess.run([*command, f"-I{FIRMWARE / 'include'}", *flags], cwd=folder, check=True)
    objdump = [f"{build.ARM_PREFIX}objdump", "-d", "loops.o"]
    listing = subprocess.run(objdump, cwd=folder, check=True, capture_output=True, text=True).stdout
    found: dict[str, list[Instruction]] = {name: [] for name in LOOPS}
    for part in listing.split("\n\n"):  # addresses begin anew in each section
        for instruction in parse_disassembly(part).at.values():
            if instruction.function in found:
                found[instruction.function].append(instruction)
    return found


def innermost(code: list[Instruction]) -> list[Instruction]:
    """From where the first branch back goes, to it."""
    for branch in code:
        if branch.name == "bne" and int(branch.operands, 16) < branch.address:
            return [i for i in code if int(branch.operands, 16) <= i.address <= branch.address]
    raise AssertionError("no loop")


def test_loops_take_the_cycles_that_are_told_of_them(tmp_path: Path) -> None:
    defines = [f"-D{name}" for name in load_board(BOARD).core.defines]
    shared, own = functions(tmp_path / "m4"), functions(tmp_path / "m7", *defines)
    for name, (steps, before, after) in LOOPS.items():
        cycles = [dual_issue.loop_cycles(innermost(code[name])) / steps for code in (shared, own)]
        assert cycles == pytest.approx([before, after], abs=0.051), name
    text = (FIRMWARE.parent / "docs" / "ESTIMATES.md").read_text()
    for name, (_, before, after) in LOOPS.items():
        assert f"| `{name}` | {before:.1f} | {after:.1f} |" in text


def listed(text: str) -> Code:
    return parse_disassembly("00000000 <f>:\n" + text)


@pytest.mark.parametrize(
    ("text", "cycles"),
    [
        ("0:\t6803\tldr\tr3, [r0, #0]\n2:\t6844\tldr\tr4, [r0, #4]\n", [0, 0, 1]),
        ("0:\t6803\tldr\tr3, [r0, #0]\n2:\t6844\tldr\tr4, [r0, #8]\n", [0, 1, 2]),  # one bank
        ("0:\t6803\tldr\tr3, [r0, #0]\n2:\t681c\tldr\tr4, [r3, #0]\n", [0, 2, 3]),
        ("0:\t7803\tldrb\tr3, [r0, #0]\n2:\t3301\tadds\tr3, #1\n", [0, 2, 3]),
        ("0:\t4408\tadd\tr0, r1\n2:\t4410\tadd\tr0, r2\n", [0, 1, 2]),
        ("0:\t4408\tadd\tr0, r1\n2:\t440a\tadd\tr2, r1\n", [0, 0, 1]),
        ("0:\t2b00\tcmp\tr3, #0\n2:\tbfc8\tit\tgt\n4:\t2301\tmovgt\tr3, #1\n", [0, 0, 1, 2]),
        ("0:\te8bd 8ff0\tldmia.w\tsp!, {r4, r5, r6, r7, r8, r9, pc}\n", [0, 4]),
        ("0:\tfb91 f0f2\tsdiv\tr0, r1, r2\n4:\t3001\tadds\tr0, #1\n", [0, 7, 8]),
        ("0:\tf300 0007\tssat\tr0, #8, r0\n4:\t3001\tadds\tr0, #1\n", [0, 2, 3]),
        ("0:\tee30 0a20\tvadd.f32\ts0, s0, s1\n4:\tee30 0a21\tvadd.f32\ts0, s0, s2\n", [0, 3, 4]),
        ("0:\tee81 0b02\tvdiv.f64\td0, d1, d2\n4:\tee31 3a00\tvadd.f32\ts6, s2, s0\n", [0, 30, 31]),
    ],
)
def test_when_instructions_go(text: str, cycles: list[int]) -> None:
    code = listed(text)
    assert list(dual_issue.issued(code.at.values())) == cycles


def test_cycles_of_a_step() -> None:
    """A loop goes on from round to round; whichever way a branch goes less often costs more."""
    code = listed(
        "0:\tf850 3b04\tldr.w\tr3, [r0], #4\n4:\tfb23 1102\tsmlad\tr1, r3, r2, r1\n"
        "8:\t3d01\tsubs\tr5, #1\na:\td1f9\tbne.n\t0 <f>\nc:\t4770\tbx\tlr\n"
    )
    assert list(dual_issue.issued(code.run(0, 4))) == [0, 2, 2, 3, 4]
    assert dual_issue.loop_cycles(list(code.run(0, 4))) == 3
    rounds, leaving = Block(0, 4, 10, 9, 3), Block(0xC, 1, 1, 1, 0)
    step = StepCounts((rounds, leaving))
    assert dual_issue.cycles(step, code) == 9 * 3 + 4 + 8 + 1 + 2 * 3
    assert timing.cycles(step, code, timing.RULES["cortex-m7"], None) == 46


@pytest.mark.qemu
def test_layers_on_cortex_m7_equal_tflm(tmp_path: Path) -> None:
    """With rounds that are entered at many steps, and groups of pixels and channels left over."""
    taps = (3, 7, 8, 12, 14, 25, 32)
    blobs = [extreme(signs(4, count), size=(3, 3)) for count in taps]
    blobs += [layer(5, 4), layer(9, 8, stride=2), layer(3, 5), layer(3, 7, stride=2)]
    blobs += [b for op in ("CONV_2D", "DEPTHWISE_CONV_2D") for b in sample(op, 6)]
    used = check_on_core(BOARD, blobs, tmp_path)
    assert all("conv2d_s8_kronecker__dsp" in kernels for kernels in used[: len(taps)])
    assert set[str]().union(*used) >= {
        "conv2d_s8_kronecker__dsp",
        "conv2d_s8_winograd__dsp",
        "conv2d_s8__dsp",
        "depthwise_conv2d_s8_3x3_blocks__dsp",
        "depthwise_conv2d_s8_3x3__dsp",
    }
