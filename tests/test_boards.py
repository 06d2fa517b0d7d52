"""board/: the board files that ship, and every way a board file can be wrong."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinyml.board import CORES, Board, Pin, list_boards, load_board, parse_board
from tinyml.boardpage import PAGE, page
from tinyml.build import board_header, linker_script
from tinyml.errors import BoardError
from tinyml.paths import BOARDS, FIRMWARE, ROOT

SHIPPED = sorted(file.stem for file in BOARDS.glob("*.toml"))
VALID: dict[str, Any] = tomllib.loads((BOARDS / "stm32f405.toml").read_text()) | {
    "power": {"supply_v": 3.3, "active_ma": 40, "source": "a bench"},
    "usb": {"ids": ["0483:374b"]},
}
DELETE = object()


def changed(path: str, value: Any) -> dict[str, Any]:
    """VALID with the value at `path` (dots; numbers index lists) replaced or deleted."""
    values = copy.deepcopy(VALID)
    *parents, last = [int(p) if p.isdigit() else p for p in path.split(".")]
    at: Any = values
    for parent in parents:
        at = at[parent]
    if value is DELETE:
        at.pop(*((last, None) if isinstance(at, dict) else (last,)))
    else:
        at[last] = value
    return values


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_boards_load(name: str) -> None:
    board = load_board(name)
    assert board.name == name and board.verified
    assert (FIRMWARE / "soc" / f"{board.soc}.c").is_file()
    assert load_board(name.replace("_", "-").upper()) == board
    assert load_board(BOARDS / f"{name}.toml") == board
    assert board in list_boards()


def test_alias_and_defaults() -> None:
    board = load_board("stm32")
    assert board.name == "stm32f405"
    assert (board.flash.start, board.ram.size) == (0x08000000, 128 * 1024)
    assert board.trigger is not None and (board.trigger.port, board.trigger.bit) == (3, 12)
    assert board.emulator is not None and board.emulator.counter_hz == 168_000_000
    assert board.core.counters == ("dwt", "systick")
    assert load_board("microbit").core.counters == ("systick",)
    assert load_board("host").host and load_board("host").flags == ()


@pytest.mark.parametrize(
    ("name", "style", "port", "bit"),
    [
        ("PK15", "stm32", 10, 15),
        ("P1.03", "nrf", 1, 3),
        ("P0.31", "nrf", 0, 31),
        ("GP25", "rp2", 0, 25),
        ("GPIO7.3", "imxrt", 7, 3),
    ],
)
def test_pins_are_written_as_vendors_do(name: str, style: str, port: int, bit: int) -> None:
    pin = Pin(name)
    assert (pin.style, pin.port, pin.bit) == (style, port, bit)


def test_unknown_board_suggests_the_nearest() -> None:
    with pytest.raises(BoardError, match=r"'stm32f450'; did you mean 'stm32f405'\?") as caught:
        load_board("stm32f450")
    assert caught.value.hint == "tinyml boards lists them"
    with pytest.raises(BoardError, match="unknown board"):
        load_board("..")


def test_loading_is_light() -> None:
    code = "import sys, tinyml.board; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not {"numpy", "jinja2", "elftools", "serial"} & set(done.stdout.split())


WRONG = [
    ("nmae", "x", r"nmae: unknown key; did you mean 'name'"),
    ("console.buad", 1, r"console\.buad: unknown key; did you mean 'baud'"),
    ("region.0.length", 1, r"region\[0\]\.length: unknown key"),
    ("name", DELETE, r"name: is missing"),
    ("core", DELETE, r"core: is missing"),
    ("core.cpu", DELETE, r"core\.cpu: is missing"),
    ("console", DELETE, r"console: is missing"),
    ("region", DELETE, r"region: no region of kind 'flash'"),
    ("region.1.kind", "flash", r"region: no region of kind 'ram'"),
    ("name", "STM32", r"name: 'STM32' does not match"),
    ("name", "other", r"name: is 'other', but the file must be called other\.toml"),
    ("name", 'x"\n#include', r"name: .* does not match"),
    ("title", "two\nlines", r"title: .* does not match"),
    ("aliases", ["stm32", "STM32"], r"aliases\[1\]: .* does not match"),
    ("aliases", ["a-b", "a_b"], r"aliases: 'a_b' is there twice"),
    ("aliases", ["stm32f405"], r"aliases: 'stm32f405' is there twice"),
    ("aliases", "stm32", r"aliases: must be a list of strings, is a string"),
    ("soc", "stm32f44", r"soc: no 'stm32f44'; did you mean 'stm32f4'"),
    ("soc", "../host", r"soc: no '\.\./host'"),
    ("clock_hz", 0, r"clock_hz: must be in 1\.\."),
    ("clock_hz", 168e6, r"clock_hz: must be an integer, is a float"),
    ("clock_hz", True, r"clock_hz: must be an integer, is a bool"),
    ("stack_bytes", 4095, r"stack_bytes: must be a multiple of 8"),
    ("core.cpu", "cortex-m99", r"core\.cpu: no 'cortex-m99'; did you mean 'cortex-m"),
    ("core.isa", ["mve"], r"core\.isa: cortex-m4 has no 'mve'"),
    ("core.isa", [], r"core\.isa: cortex-m4 always has 'dsp'"),
    ("core.fpu", "fpv5-d16", r"core\.fpu: cortex-m4 has no FPU 'fpv5-d16'"),
    ("region.0.size", 0, r"region\[0\]\.size: must be in 1\.\."),
    ("region.0.size", -16, r"region\[0\]\.size: must be in 1\.\."),
    ("region.0.start", 0xFFFF_FFF0, r"region\[0\]\.size: the region ends beyond"),
    ("region.0.start", 0x2000_0010, r"region\[1\]\.start: region ram overlaps region flash"),
    ("region.1.name", "flash", r"region\[1\]\.name: 'flash' is there twice"),
    ("region.0.name", "a) : x", r"region\[0\]\.name: .* does not match"),
    ("region.0.kind", "rom", r"region\[0\]\.kind: no 'rom'"),
    ("region", {}, r"region: must be \[\[region\]\] tables, is a table"),
    ("region.0", 1, r"region\[0\]: must be a table"),
    ("console.uart", "USART2; x", r"console\.uart: .* does not match"),
    ("console.base", -4, r"console\.base: must be in"),
    ("console.baud", "115200", r"console\.baud: must be an integer, is a string"),
    ("trigger.pin", "PD16", r"trigger\.pin: 'PD16' is no pin of a chip"),
    ("trigger.pin", "P0.32", r"trigger\.pin: 'P0\.32' is no pin of a chip"),
    ("trigger.led", "red", r"trigger\.led: no 'red' \(there is: high, low\)"),
    ("trigger.pin", "PA3", r"trigger\.pin: PA3 is console\.rx already"),
    ("trigger.pin", "P0.13", r"trigger\.pin: P0\.13 is not written like console\.tx, PA2"),
    ("i2c.sda", "PD12", r"i2c\.sda: PD12 is trigger\.pin already"),
    ("i2c.scl", "PB9", r"i2c\.scl: PB9 is i2c\.sda already"),
    ("i2c.scl", "GP5", r"i2c\.scl: GP5 is not written like console\.tx, PA2"),
    ("i2c.scl", DELETE, r"i2c\.scl: is missing"),
    ("i2c.source", DELETE, r"i2c\.source: is missing"),
    ("i2c.base", 0x4000, r"i2c\.sda: is given, and so is base"),
    ("i2c.clock", 1, r"i2c\.clock: unknown key"),
    ("console.tx", "PA3", r"console\.rx: PA3 is console\.tx already"),
    ("console.tx", DELETE, r"console\.tx: is missing: rx is given"),
    ("console.rx", DELETE, r"console\.rx: is missing: tx is given"),
    ("console.rx", 3, r"console\.rx: must be a string, is a int"),
    ("console.function", 32, r"console\.function: must be in 0\.\.31"),
    ("console.irq", 480, r"console\.irq: must be in 0\.\.479"),
    ("flash.wait_states", -1, r"flash\.wait_states: must be in"),
    ("flash.line_bytes", 24, r"flash\.line_bytes: must be a multiple of 16"),
    ("flash.line_bytes", 2048, r"flash\.line_bytes: must be in 16\.\.1024"),
    ("flash.source", DELETE, r"flash\.source: is missing"),
    ("flash.lines", 8, r"flash\.lines: unknown key"),
    ("oscillator.kind", "quartz", r"oscillator\.kind: no 'quartz'"),
    ("oscillator.hz", 1000, r"oscillator\.hz: must be in"),
    ("oscillator.hzz", 1000, r"oscillator\.hzz: unknown key; did you mean 'hz'"),
    ("region.0.note", "*/\n", r"region\[0\]\.note: .* does not match"),
    ("notes", "one", r"notes: must be a list of strings"),
    ("power.supply_v", 0, r"power\.supply_v: must be above 0"),
    ("power.supply_v", float("nan"), r"power\.supply_v: must be above 0"),
    ("power.active_ma", float("inf"), r"power\.active_ma: must be above 0"),
    ("power.source", DELETE, r"power\.source: is missing: say where"),
    ("probe.default", "opencd", r"probe\.default: no 'opencd'; did you mean 'openocd'"),
    ("probe.opencd", {}, r"probe\.opencd: there is no such probe; did you mean 'openocd'"),
    ("probe.openocd.config", "/etc/passwd", r"probe\.openocd\.config: .* does not match"),
    ("probe.openocd.config", "a/../../b", r"probe\.openocd\.config: .* does not match"),
    ("probe.openocd.config", "-c", r"probe\.openocd\.config: .* does not match"),
    ("probe.qemu", {"program": "x"}, r"probe\.qemu\.program: a board file may not choose"),
    ("emulator.machine", "virt,dumpdtb=x", r"emulator\.machine: .* does not match"),
    ("emulator.counter_hz", DELETE, r"emulator\.counter_hz: is missing"),
    ("usb.ids", ["483:374b"], r"usb\.ids\[0\]: .* does not match"),
    ("links", ["javascript:alert(1)"], r"links\[0\]: .* does not match"),
    ("verified", [1], r"verified\[0\]: must be a string, is a int"),
]


@pytest.mark.parametrize(("path", "value", "message"), WRONG)
def test_wrong_board_file_names_file_and_key(path: str, value: Any, message: str) -> None:
    with pytest.raises(BoardError, match=rf"stm32f405\.toml: {message}"):
        parse_board(changed(path, value), "stm32f405.toml")


@pytest.mark.parametrize(
    "text", [b"name = ", b"\xff\xfe", b"a = " + b"[" * 20_000, b"a = " + b"9" * 9000, b"#" * 70_000]
)
def test_unreadable_files(text: bytes, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_bytes(text)
    with pytest.raises(BoardError, match=r"bad\.toml: "):
        load_board(file)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "none.toml", "does not exist"), (tmp_path, "is a folder")):
        with pytest.raises(BoardError, match=words):
            load_board(path)


def test_two_boards_cannot_share_a_name(tmp_path: Path) -> None:
    text = (BOARDS / "mps2_an385.toml").read_text()
    (tmp_path / "a.toml").write_text(text.replace('"mps2_an385"', '"a"'))
    (tmp_path / "b.toml").write_text(
        text.replace('name = "mps2_an385"', 'name = "b"\naliases = ["a"]')
    )
    with pytest.raises(BoardError, match=r"b\.toml: aliases: 'a' is taken by a\.toml"):
        list_boards(tmp_path)


def test_missing_extensions_reach_the_compiler() -> None:
    assert "-mcpu=cortex-m33+nodsp" in CORES["cortex-m33"].flags(frozenset(), None)
    assert CORES["cortex-m55"].flags(frozenset({"dsp", "mve"}), None) == (
        "-mcpu=cortex-m55+nofp",
        "-mthumb",
        "-mfpu=auto",
        "-mfloat-abi=hard",
    )


SCALARS = st.one_of(
    st.none().map(lambda _: DELETE),
    st.booleans(),
    st.integers(),
    st.integers(0, 1 << 33),
    st.floats(),
    st.text(),
    st.text('"\\\n{}%;/*)abcPD0123-_.', max_size=12),
    st.dates(),
)
VALUES = st.recursive(
    SCALARS.filter(lambda value: value is not DELETE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
PATHS = (
    "name",
    "title",
    "aliases",
    "aliases.0",
    "soc",
    "clock_hz",
    "stack_bytes",
    "core",
    "core.cpu",
    "core.isa",
    "core.fpu",
    "region",
    "region.0",
    "region.0.name",
    "region.0.kind",
    "region.0.start",
    "region.0.size",
    "region.1.start",
    "console",
    "region.1.size",
    "console.uart",
    "console.base",
    "console.baud",
    "console.pins",
    "console.tx",
    "console.rx",
    "console.function",
    "console.irq",
    "region.0.note",
    "flash",
    "flash.wait_states",
    "flash.read_bytes",
    "flash.line_bytes",
    "flash.code_lines",
    "flash.data_lines",
    "flash.source",
    "oscillator",
    "oscillator.kind",
    "oscillator.hz",
    "notes",
    "trigger",
    "trigger.pin",
    "trigger.led",
    "power",
    "power.supply_v",
    "power.active_ma",
    "power.source",
    "probe",
    "probe.default",
    "probe.openocd",
    "probe.openocd.config",
    "emulator",
    "emulator.machine",
    "emulator.serial_index",
    "emulator.counter_hz",
    "usb",
    "usb.ids",
    "links",
    "verified",
    "extra",
)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(path=st.sampled_from(PATHS), value=SCALARS | VALUES)
def test_any_value_anywhere_is_taken_or_refused(path: str, value: Any) -> None:
    try:
        board = parse_board(changed(path, value), "stm32f405.toml")
    except BoardError as error:
        assert "stm32f405.toml: " in error.message
        return
    assert_generated_text_is_plain(board)


def assert_generated_text_is_plain(board: Board) -> None:
    """Whatever was accepted cannot end a string, a comment or a line of what is generated."""
    reference = load_board("stm32")
    for render in (board_header, linker_script):
        lines, usual = render(board).splitlines(), render(reference).splitlines()
        assert all(line.isascii() and line.count('"') in (0, 2) for line in lines)
        assert abs(len(lines) - len(usual)) <= 10


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_any_bytes_are_refused(text: bytes) -> None:
    try:
        values = tomllib.loads(text.decode())
    except ValueError:
        return
    with pytest.raises(BoardError):
        parse_board(values, "x.toml")


def test_page_of_boards_is_up_to_date() -> None:
    text = page(list_boards())
    assert PAGE.read_text(encoding="utf-8") == text, "python -m tinyml.boardpage writes it anew"
    assert all(f"\n## {name}\n" in text for name in SHIPPED if name != "host")


def test_page_explains_every_key_of_a_board_file() -> None:
    text = PAGE.read_text(encoding="utf-8")
    source = (ROOT / "tinyml" / "board" / "parse.py").read_text(encoding="utf-8")
    lists = re.findall(r"\.only\(\s*((?:\"[^\"]*\"\s*)+)\)", source)
    keys = {key for found in lists for key in found.replace('"', " ").split()}
    assert {"oscillator", "function", "note", "counter_hz"} <= keys
    for key in keys:
        assert re.search(rf"`\[*{key}\]*`", text), f"docs/BOARDS.md does not explain {key}"
