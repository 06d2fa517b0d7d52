"""Flashers, driven against fake programs that record what they are asked and answer as real ones.

Answers marked `seen` were printed by the real program, without hardware; all others follow its
documentation or source.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tinyml import ports
from tinyml.board import Probe as ProbeChoice
from tinyml.board import load_board
from tinyml.errors import BoardError, PortError, ProbeError, ToolError
from tinyml.probes import PROBES, _flasher, _usb, open_probe, uf2
from tinyml.probes._usb import Found, normal_serial, udev_hint

BOARD = dataclasses.replace(load_board("stm32f405"), usb=("0483:374b",))
FAKE = """\
import json, pathlib, sys
here = pathlib.Path(__file__).resolve().parent
name = pathlib.Path(sys.argv[0]).name
record = here / (name + ".asked")
line = " ".join(sys.argv[1:])
for a in sys.argv[1:]:
    if a.endswith(".jlink"):
        line += " <" + pathlib.Path(a).read_text().replace("\\n", "; ") + ">"
with record.open("a") as f:
    f.write(json.dumps([line, str(pathlib.Path.cwd())]) + "\\n")
for word, code, text in json.loads((here / (name + ".answers")).read_text()):
    if word in line:
        print(text)
        sys.exit(code)
sys.exit(99)
"""
OPTIONS = {
    "bossac": {"offset": "0x4000"},
    "jlink": {"device": "STM32F405RG"},
    "openocd": {"config": "board/stm32f4discovery.cfg"},
    "pyocd": {"target": "nrf52840"},
}
TOOLS = sorted(set(PROBES) - {"host", "qemu", "uf2"})


class Bench:
    """A folder of fake programs on the path, and an image."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder / "bin"
        self.folder.mkdir()
        self.image = folder / "build" / "firmware.elf"
        self.image.parent.mkdir()
        for suffix in (".elf", ".bin", ".hex"):
            self.image.with_suffix(suffix).write_bytes(b"image")
        monkeypatch.setenv("PATH", str(self.folder))
        monkeypatch.setattr(sys, "executable", str(folder / "python"))
        monkeypatch.setattr(_usb, "_SYSFS", folder / "no-usb")
        monkeypatch.setattr(ports, "list_ports", lambda: ())
        monkeypatch.setattr(_flasher.time, "sleep", lambda seconds: None)

    def tool(self, program: str, *answers: tuple[str, int, str]) -> None:
        (self.folder / f"{program}.answers").write_text(json.dumps(answers))
        file = self.folder / program
        file.write_text(f"#!{PYTHON} -SE\n{FAKE}")
        file.chmod(0o755)

    def asked(self, program: str) -> list[str]:
        record = self.folder / f"{program}.asked"
        lines = record.read_text().splitlines() if record.exists() else []
        return [json.loads(line)[0] for line in lines]

    def folders(self, program: str) -> list[str]:
        record = (self.folder / f"{program}.asked").read_text().splitlines()
        return [json.loads(line)[1] for line in record]

    def probe(self, name: str, board=BOARD, **options: str):
        bare = dataclasses.replace(board, probe=ProbeChoice(name))
        return open_probe(name, bare, {**OPTIONS.get(name, {}), **options})


PYTHON = sys.executable


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


OPENOCD = "-f board/stm32f4discovery.cfg"
PYOCD = "--no-config -W -t nrf52840 -O auto_unlock=false"
JLINK = "-NoGui 1 -ExitOnError 1"
LINES: dict[str, tuple[str, list[tuple[str, int, str]], list[str]]] = {
    # probe: (program, answers that succeed, what is asked)
    "openocd": (
        "openocd",
        [("program", 0, "** Programming Finished **\n** Verified OK **")],
        [f"{OPENOCD} -c program firmware.elf verify reset exit"],
    ),
    "pyocd": (
        "pyocd",
        [
            ("json", 0, '{"boards": [{"unique_id": "0240", "info": "DAPLink"}]}'),
            ("load", 0, "Erased 4096 bytes, programmed 4096 bytes"),
        ],
        ["json --probes", f"load {PYOCD} -u 0240 -e sector firmware.elf"],
    ),
    "stflash": (
        "st-flash",
        [("write", 0, "Flash written and verified! jolly good!")],
        ["--reset write firmware.bin 0x08000000"],
    ),
    "cubeprogrammer": (
        "STM32_Programmer_CLI",
        [
            ("-l", 0, "ST-LINK SN  : 066CFF\nST-LINK FW  : V2J37M26\n"),
            ("-w", 0, "ST-LINK FW  : V2J37M26\nDownload verified successfully"),
        ],
        ["-l st-link", "-c port=SWD sn=066CFF -w firmware.elf -v -rst"],
    ),
    "jlink": (
        "JLinkExe",
        [
            ("ShowEmuList", 0, "J-Link[0]: Connection: USB, Serial number: 683000001, "),
            ("loadfile", 0, "Firmware: J-Link OB-K22 compiled Jan 1 2024\nO.K."),
        ],
        [
            "-NoGui 1 -CommandFile F/list.jlink <ShowEmuList USB; Exit; >",
            f"{JLINK} -USB 683000001 -Device STM32F405RG -If SWD -Speed 4000 -CommandFile "
            "F/flash.jlink <connect; r; loadfile firmware.hex; r; g; Exit; >",
        ],
    ),
    "nrfjprog": (
        "nrfjprog",
        [("--ids", 0, "683000001\n"), ("--program", 0, "Verified OK.")],
        [
            "--ids",
            "--program firmware.hex --snr 683000001 --sectorerase --verify --reset",
        ],
    ),
    "nrfutil": (
        "nrfutil",
        [
            ("list", 0, '{"type":"info","data":{"devices":[{"serialNumber":"000683000001"}]}}'),
            ("program", 0, "1/1 finished"),
        ],
        [
            "--json device list --traits jlink",
            "device program --firmware firmware.hex --options chip_erase_mode="
            "ERASE_RANGES_TOUCHED_BY_FIRMWARE,verify=VERIFY_READ,reset=RESET_SYSTEM "
            "--serial-number 000683000001",
        ],
    ),
    "picotool": ("picotool", [("load", 0, "OK")], ["load -v -x firmware.elf"]),
    "teensy": (
        "teensy_loader_cli",
        [("--mcu", 0, "Programming....\nBooting")],
        ["--mcu=TEENSY41 -v firmware.hex"],
    ),
    "dfu_util": (
        "dfu-util",
        [
            (
                "-l",
                0,
                'Found DFU: [0483:df11] ver=2200, devnum=9, cfg=1, intf=0, path="1-1", alt=1, '
                'name="@Option Bytes", serial="357F"\n'
                'Found DFU: [0483:df11] ver=2200, devnum=9, cfg=1, intf=0, path="1-1", alt=0, '
                'name="@Internal Flash  /0x08000000/04*016Kg", serial="357F"',
            ),
            ("-D", 0, "File downloaded successfully"),
        ],
        ["-l", "-d 0483:df11 -a 0 -S 357F -s 0x08000000:leave -D firmware.bin"],
    ),
    "bossac": (
        "bossac",
        [("--port", 0, "Verify successful")],
        ["--port=ttyACM3 --offset=0x4000 -w -v -R firmware.bin"],
    ),
}


def test_every_flasher_has_its_lines() -> None:
    assert sorted(LINES) == TOOLS


def test_the_page_names_every_probe_and_its_options() -> None:
    text = (Path(__file__).parent.parent / "docs" / "PROBES.md").read_text()
    for name in [*TOOLS, "uf2"]:
        row = next(line for line in text.splitlines() if line.startswith(f"| {name} "))
        options = set(PROBES[name].known) - {"drive", "loader"}
        assert options <= set(row.replace(",", " ").replace(";", " ").split()), name


@pytest.mark.parametrize("name", TOOLS)
def test_what_a_flasher_is_asked(name: str, bench: Bench, monkeypatch) -> None:
    program, answers, lines = LINES[name]
    bench.tool(program, *answers)
    boot_loader = ports.PortInfo("/dev/ttyACM3", "Feather M4", "239a:0022", "AA")
    monkeypatch.setattr(ports, "list_ports", lambda: (boot_loader,))
    with bench.probe(name) as probe:
        assert probe.check() is None
        probe.flash(bench.image)
        scripts = probe._scripts.name if name == "jlink" else "F"
        assert [line.replace(scripts, "F") for line in bench.asked(program)] == lines
        assert bench.folders(program)[-1] == str(bench.image.parent)
        assert name in probe.summary()
    assert not Path(scripts).exists()


@pytest.mark.parametrize("name", TOOLS)
def test_a_missing_program_says_how_to_install_it(name: str, bench: Bench) -> None:
    probe = bench.probe(name, program="no-such-program")
    assert "no-such-program was not found: " in probe.check()
    assert probe.install
    with pytest.raises(ToolError, match="was not found"):
        probe.flash(bench.image)


MASS = ("mass", "erase_all", "chiperase", "eraseall", "recover", "-rdu", "unprotect", "nrf52_rec")


@pytest.mark.parametrize("name", TOOLS)
def test_no_flasher_erases_more_than_it_writes(name: str, bench: Bench, monkeypatch) -> None:
    """Also where every attempt fails."""
    program, answers, _ = LINES[name]
    listing = [a for a in answers if a[0] in ("json", "-l", "ShowEmuList", "--ids", "list")]
    bench.tool(program, *listing, ("", 3, "it did not work"))
    loader = ports.PortInfo("/dev/ttyACM3", "Feather M4", "239a:0022")
    monkeypatch.setattr(ports, "list_ports", lambda: (loader,))
    probe = bench.probe(name)
    with pytest.raises(ProbeError, match="it did not work") as caught:
        probe.flash(bench.image)
    assert "command: " in caught.value.hint
    asked = bench.asked(program)
    assert not [line for line in asked if any(word in line.lower() for word in MASS)]
    assert len(asked) == len(probe.rungs) + (len(LINES[name][2]) - 1)


@pytest.mark.parametrize(
    ("name", "program", "second", "third"),
    [
        (
            "openocd",
            "openocd",
            "-c reset_config srst_only srst_nogate connect_assert_srst -c program",
            "connect_assert_srst -c adapter speed 480 -c program",
        ),
        ("pyocd", "pyocd", "-M under-reset -e", "-M under-reset -f 500k"),
        ("stflash", "st-flash", "--connect-under-reset --reset", "--freq=480"),
        (
            "cubeprogrammer",
            "STM32_Programmer_CLI",
            "port=SWD mode=UR reset=HWrst -w",
            "mode=UR reset=HWrst freq=480",
        ),
        ("jlink", "JLinkExe", "<r0; Sleep 50; connect; r1; r; loadfile", "-Speed 400 "),
    ],
)
def test_the_ladder(name: str, program: str, second: str, third: str, bench: Bench) -> None:
    good = LINES[name][1][-1]
    bench.tool(program, (third, 0, good[2]), ("", 1, "Error: init mode failed (target is asleep)"))
    probe = bench.probe(name)
    probe.flash(bench.image)
    asked = [line for line in bench.asked(program) if "firmware." in line]
    assert len(asked) == 3
    assert second not in asked[0] and second in asked[1]
    assert third not in asked[1] and third in asked[2]
    assert "slow clock" in probe.summary()


@pytest.mark.parametrize(
    ("name", "slow"),
    [("nrfjprog", "--clockspeed 500"), ("nrfutil", "--swd-clock-frequency 500")],
)
def test_the_ladder_of_nordics_programs(name: str, slow: str, bench: Bench) -> None:
    """Their chips have no reset line to hold."""
    program, (listing, good), _ = LINES[name]
    bench.tool(program, listing, (slow, 0, good[2]), ("", 1, "Error: connection timed out"))
    probe = bench.probe(name)
    probe.flash(bench.image)
    asked = [line for line in bench.asked(program) if "firmware.hex" in line]
    assert len(asked) == 2 and slow not in asked[0] and slow in asked[1]
    assert "slow clock" in probe.summary()


def test_the_last_attempt_and_all_that_was_tried_are_shown(bench: Bench) -> None:
    bench.tool("openocd", ("", 1, "\n".join(f"line {i}\x1b[31m\x07" for i in range(30))))
    with pytest.raises(ProbeError) as caught:
        bench.probe("openocd").flash(bench.image)
    assert "line 29" in caught.value.message and "line 1\n" not in caught.value.message
    assert "\x07" not in caught.value.message and "\x1b" not in caught.value.message
    assert "tried: as configured; connecting under reset; under reset" in caught.value.hint
    assert "'program firmware.elf verify reset exit'" in caught.value.hint


def test_success_needs_the_words_for_it(bench: Bench) -> None:
    """Exit code 0 is not enough where programs are known to end so after a failure."""
    bench.tool("openocd", ("", 0, "** Programming Finished **"))
    bench.tool("JLinkExe", ("", 0, "****** Error: Verification failed @ address 0x08000000"))
    text = "Error: Failed to download data!\nDownload verified successfully"
    bench.tool("STM32_Programmer_CLI", ("", 0, text))
    bench.tool("st-flash", ("", 0, "nothing was said"))
    for name in ("openocd", "jlink", "cubeprogrammer", "stflash"):
        with pytest.raises(ProbeError, match="could not be flashed"):
            bench.probe(name).flash(bench.image)


# No probe, two probes, no permission, a locked chip.

ABSENT = [
    ("openocd", "openocd", 1, "Error: open failed\n** OpenOCD init failed **"),  # seen
    ("openocd", "openocd", 1, "Error: No J-Link device found"),  # seen
    ("pyocd", "pyocd", 1, "No connected debug probes"),  # seen
    ("stflash", "st-flash", 255, "WARN usb.c: Couldn't find any ST-Link devices"),  # seen
    ("cubeprogrammer", "STM32_Programmer_CLI", 1, "Error: No debug probe detected."),
    ("jlink", "JLinkExe", 1, "Connecting to J-Link via USB...FAILED: Cannot connect to J-Link."),
    ("nrfjprog", "nrfjprog", 41, "ERROR: There is no debugger connected to the PC."),
    ("nrfutil", "nrfutil", 1, "Error: No devices found"),
    (
        "picotool",
        "picotool",
        249,
        "No accessible RP-series devices in BOOTSEL mode were found.",
    ),  # seen
    ("teensy", "teensy_loader_cli", 1, "Unable to open device (hint: try -w option)"),  # seen
    ("dfu_util", "dfu-util", 74, "dfu-util: No DFU capable USB device available"),  # seen
    ("bossac", "bossac", 1, "No device found on ttyACM9"),  # seen
]


@pytest.mark.parametrize(("name", "program", "code", "text"), ABSENT)
def test_no_probe_ends_the_ladder_at_once(name, program, code, text, bench: Bench) -> None:
    bench.tool(program, ("", code, text))
    options = {"loader": "ttyACM9"} if name == "bossac" else {}
    with pytest.raises(ProbeError, match=r"^no .* answers") as caught:
        bench.probe(name, **options).flash(bench.image)
    assert caught.value.hint.startswith(PROBES[name].wake)
    loads = [line for line in bench.asked(program) if "firmware" in line]
    assert len(loads) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Error: No such option: --json",  # the program of that name on PyPI, which is older
        "Error: No such command 'device'.",
        "error: unrecognized subcommand 'device'",
    ],
)
def test_an_nrfutil_without_its_device_command_is_told(text: str, bench: Bench) -> None:
    bench.tool("nrfutil", ("", 2, text))
    with pytest.raises(ToolError, match="lacks its device command") as caught:
        bench.probe("nrfutil").flash(bench.image)
    assert "not the nrfutil of PyPI" in (caught.value.hint or "")


REAL = {row[0] for row in ABSENT}


@pytest.mark.parametrize("name", ["openocd", "stflash", "dfu_util", "teensy", "pyocd", "picotool"])
def test_the_installed_program_understands_the_command(name: str, tmp_path: Path) -> None:
    """Without hardware it gets as far as looking for its probe."""
    program = next((p for p in PROBES[name].programs if shutil.which(p)), None)
    if program is None:
        pytest.skip(f"no {PROBES[name].programs[0]}")
    image = tmp_path / "firmware.elf"
    image.write_bytes(b"\x7fELF")
    image.with_suffix(".bin").write_bytes(bytes(64))
    image.with_suffix(".hex").write_text(":00000001FF\n")
    board = dataclasses.replace(BOARD, probe=ProbeChoice(name))
    options = {**OPTIONS.get(name, {}), "serial": "066CFF0123"}
    probe = open_probe(name, board, options)
    if probe.listing():
        pytest.skip("there is one")
    with pytest.raises(ProbeError, match=r"^no .* answers"):
        probe.flash(image)


@pytest.mark.skipif(shutil.which("openocd") is None, reason="no openocd")
@pytest.mark.parametrize("rung", _flasher.LADDER)
def test_openocd_takes_every_rung(rung: _flasher.Rung) -> None:
    board = dataclasses.replace(BOARD, probe=ProbeChoice("openocd"))
    probe = open_probe("openocd", board, {**OPTIONS["openocd"], "serial": "066CFF", "speed": "900"})
    command = probe.load("firmware.elf", rung)[:-2]
    done = subprocess.run(
        [*command, "-c", "shutdown"], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 0, done.stderr


TWO = [
    ("pyocd", "pyocd", '{"boards": [{"unique_id": "A1"}, {"unique_id": "B2"}]}', "-u B2"),
    (
        "cubeprogrammer",
        "STM32_Programmer_CLI",
        "ST-LINK SN  : A1\nST-LINK FW  : V2\n-----\nST-LINK SN  : B2\nST-LINK FW  : V3\n",
        "sn=B2",
    ),
    (
        "jlink",
        "JLinkExe",
        "J-Link[0]: Connection: USB, Serial number: 101, ProductName: J-Link EDU\n"
        "J-Link[1]: Connection: USB, Serial number: 202, ProductName: J-Link OB",
        "-USB 202",
    ),
    ("nrfjprog", "nrfjprog", "683000101\n683000202\n", "--snr 683000202"),
    (
        "nrfutil",
        "nrfutil",
        '{"data":{"devices":[{"serialNumber":"000683000101"},{"serialNumber":"000683000202"}]}}',
        "--serial-number 000683000202",
    ),
    (  # as Zephyr's runner for nrfutil reads it
        "nrfutil",
        "nrfutil",
        '{"type":"task_begin","data":{"task":{}}}\n{"type":"task_end","data":{"data":{"devices":['
        '{"serialNumber":"000683000101","devkit":{"boardVersion":"PCA10056"}},'
        '{"serialNumber":"000683000202","devkit":{"boardVersion":"PCA10095"}}]}}}',
        "--serial-number 000683000202",
    ),
    (
        "dfu_util",
        "dfu-util",
        'Found DFU: [0483:df11] alt=0, serial="A1"\nFound DFU: [0483:df11] alt=0, serial="B2"',
        "-S B2",
    ),
]


@pytest.mark.parametrize(("name", "program", "listing", "chosen"), TWO)
def test_two_probes_are_not_guessed_between(name, program, listing, chosen, bench: Bench) -> None:
    good = LINES[name][1][-1]
    bench.tool(program, (good[0], good[1], good[2]), ("", 0, listing))
    with pytest.raises(
        ProbeError, match=r"2 of the kind .* are connected, and it is not said"
    ) as caught:
        bench.probe(name).flash(bench.image)
    assert "--serial NUMBER" in caught.value.hint
    assert not [line for line in bench.asked(program) if "firmware" in line]
    serial = chosen.replace("=", " ").split(" ")[1]
    bench.probe(name, serial=serial.lstrip("0").lower()).flash(bench.image)
    assert chosen in bench.asked(program)[-1]
    with pytest.raises(ProbeError, match="has serial number '77'"):
        bench.probe(name, serial="77").flash(bench.image)


def usb(folder: Path, place: str, usb_id: str, serial: str = "", **more: object) -> None:
    entry = folder / place
    entry.mkdir(parents=True)
    values = {"idVendor": usb_id[:4], "idProduct": usb_id[5:], "serial": serial, **more}
    for name, value in values.items():
        (entry / name).write_text(f"{value}\n")


@pytest.fixture
def bus(tmp_path: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_usb, "_SYSFS", tmp_path / "usb")
    (tmp_path / "usb").mkdir()
    return tmp_path / "usb"


def test_openocd_and_stflash_choose_by_the_usb_list(bench: Bench, bus: Path) -> None:
    usb(bus, "1-1", "0483:374b", "066CFF", product="STM32 STLink", busnum=1, devnum=4)
    usb(bus, "1-2", "046d:c31c", product="Keyboard")
    bench.tool("openocd", ("program", 0, "STLINK V2J37S26 (API v2)\n** Verified OK **"))
    bench.tool("st-flash", ("write", 0, "jolly good"))
    probe = bench.probe("openocd")
    probe.flash(bench.image)
    assert "-c adapter serial 066CFF -c" in bench.asked("openocd")[0]
    assert "probe firmware STLINK V2J37S26 (API v2)" in probe.summary()
    bench.probe("stflash").flash(bench.image)
    assert bench.asked("st-flash") == ["--serial 066CFF --reset write firmware.bin 0x08000000"]
    usb(bus, "1-3", "0483:374b", "0670FF")
    for name in ("openocd", "stflash"):
        with pytest.raises(
            ProbeError, match=r"2 of the kind 'debug probe' are connected"
        ) as caught:
            bench.probe(name).flash(bench.image)
        assert "066CFF (STM32 STLink 0483:374b)" in caught.value.hint
    bench.probe("openocd", serial="0670FF").flash(bench.image)
    assert "adapter serial 0670FF" in bench.asked("openocd")[-1]
    bare = dataclasses.replace(BOARD, probe=ProbeChoice("openocd"))
    open_probe("openocd:066CFF", bare, OPTIONS["openocd"]).flash(bench.image)
    assert "adapter serial 066CFF" in bench.asked("openocd")[-1]


def test_the_boards_own_probe_goes_before_others(bench: Bench, bus: Path) -> None:
    usb(bus, "1-1", "0483:374b", "066CFF")
    usb(bus, "1-2", "1366:0105", "000683")
    bench.tool("openocd", ("program", 0, "** Verified OK **"))
    bench.probe("openocd").flash(bench.image)
    assert "066CFF" in bench.asked("openocd")[0]


def test_st_info_lists_probes_where_it_is_there(bench: Bench) -> None:
    text = (
        "Found 2 stlink programmers\n  version:    V2J37S26\n  serial:     066CFF\n"
        "  flash:      1048576 (pagesize: 16384)\n  version:    V3J7M2\n  serial:     0035\n"
    )
    bench.tool("st-info", ("--probe", 0, text))
    bench.tool("st-flash", ("write", 0, "jolly good"))
    with pytest.raises(ProbeError, match=r"2 of the kind 'debug probe'"):
        bench.probe("stflash").flash(bench.image)
    bench.probe("stflash", serial="0035").flash(bench.image)


def test_old_st_links_have_binary_serial_numbers(bench: Bench, bus: Path) -> None:
    raw = "Hÿn\x06PuTW\x89\x19Q\x87"
    assert normal_serial(raw) == "48FF6E065075545789195187"
    assert normal_serial("066CFF") == "066CFF" and normal_serial("") == ""
    usb(bus, "1-1", "0483:3748", raw)
    bench.tool("openocd", ("program", 0, "** Verified OK **"))
    bench.probe("openocd").flash(bench.image)
    assert "adapter serial 48FF6E065075545789195187" in bench.asked("openocd")[0]


@pytest.mark.parametrize("serial", ["a]; exec rm [b", "x y", "$(id)", "{", "a" * 200, "\x1b[31m"])
def test_a_usb_serial_number_never_becomes_a_command(serial: str, bench: Bench, bus: Path) -> None:
    usb(bus, "1-1", "0483:374b", serial)
    bench.tool("openocd", ("program", 0, "** Verified OK **"))
    bench.probe("openocd").flash(bench.image)
    words = bench.asked("openocd")[0].split("adapter serial ")[1].split(" ")[0]
    assert words == normal_serial(serial) and words.isalnum()
    with pytest.raises(ProbeError, match="serial cannot be"):
        bench.probe("openocd", serial=serial)


def test_pico_boards_are_told_apart_by_where_they_are(bench: Bench, bus: Path) -> None:
    usb(bus, "1-1", "2e8a:0003", "E0C9125B0D9B", busnum=1, devnum=7)
    bench.tool("picotool", ("load", 0, "OK"))
    bench.probe("picotool").flash(bench.image)
    assert bench.asked("picotool") == ["load -v -x firmware.elf --bus 1 --address 7"]
    usb(bus, "1-2", "2e8a:0003", "E0C9125B0D9B", busnum=1, devnum=8)
    with pytest.raises(ProbeError, match=r"2 of the kind 'board in BOOTSEL mode'"):
        bench.probe("picotool").flash(bench.image)
    bench.probe("picotool", serial="1:8").flash(bench.image)
    assert bench.asked("picotool")[-1].endswith("--bus 1 --address 8")


def test_two_teensys_cannot_be_told_apart(bench: Bench, bus: Path) -> None:
    usb(bus, "1-1", "16c0:0478", "00A1")
    usb(bus, "1-2", "16c0:0478", "00B2")
    bench.tool("teensy_loader_cli", ("", 0, "ok"))
    with pytest.raises(ProbeError, match="cannot choose one"):
        bench.probe("teensy", serial="00A1").flash(bench.image)


def test_bossac_takes_the_only_boot_loader(bench: Bench, monkeypatch) -> None:
    one = ports.PortInfo("/dev/ttyACM1", "Nano", "2341:005a", "AA")
    two = ports.PortInfo("/dev/ttyACM2", "Nano", "2341:005a", "BB")
    bench.tool("bossac", ("", 0, "ok"))
    with pytest.raises(ProbeError, match="no board in its boot loader answers") as caught:
        bench.probe("bossac").flash(bench.image)
    assert "press reset twice" in caught.value.hint
    monkeypatch.setattr(ports, "list_ports", lambda: (one, two))
    with pytest.raises(ProbeError, match=r"2 of the kind 'board in its boot loader'"):
        bench.probe("bossac").flash(bench.image)
    bench.probe("bossac", serial="BB", erase="yes", offset="0x10000").flash(bench.image)
    assert bench.asked("bossac") == ["--port=ttyACM2 -U -e --offset=0x10000 -w -v -R firmware.bin"]


FORBIDDEN = [
    ("openocd", "openocd", "Error: libusb_open() failed with LIBUSB_ERROR_ACCESS", "0483"),
    ("stflash", "st-flash", "libusb: error [get_usbfs_fd] errno=13", "0483"),
    ("dfu_util", "dfu-util", "dfu-util: Cannot open DFU device 0483:df11: Access denied "
     "(insufficient permissions)", "0483"),
    ("picotool", "picotool", "RP2040 device at bus 1, address 7 appears to be in BOOTSEL mode, "
     "but picotool was unable to connect. Maybe try 'sudo' or check your permissions.", "2e8a"),
]  # fmt: skip


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="udev is Linux's")
@pytest.mark.parametrize(("name", "program", "text", "vendor"), FORBIDDEN)
def test_no_permission_has_its_exact_fix(name, program, text, vendor, bench: Bench) -> None:
    bench.tool(program, ("", 1, text))
    with pytest.raises(ProbeError, match="no permission to use the") as caught:
        bench.probe(name).flash(bench.image)
    rule = f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vendor}", MODE="0660"'
    assert rule in caught.value.hint
    assert f"/etc/udev/rules.d/60-tinyml-{vendor}.rules" in caught.value.hint
    assert "udevadm control --reload" in caught.value.hint


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="udev is Linux's")
def test_a_device_that_may_not_be_written_is_seen(bench: Bench, bus: Path, monkeypatch) -> None:
    """Where the program does not say why it could not open it."""
    usb(bus, "1-1", "16c0:0478", busnum=1, devnum=4)
    monkeypatch.setattr(Found, "forbidden", property(lambda self: True))
    bench.tool("teensy_loader_cli", ("", 1, "Unable to open device"))
    with pytest.raises(ProbeError, match="no permission") as caught:
        bench.probe("teensy").flash(bench.image)
    assert '"16c0"' in caught.value.hint


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="udev is Linux's")
@pytest.mark.parametrize("name", ["", "zzzz:0001", '";rm'])
def test_no_rule_for_a_strange_vendor(name: str) -> None:
    assert "udev" not in udev_hint(name)


LOCKED = [
    ("openocd", "openocd", 1, "nRF52 device has AP lock engaged (see UICR APPROTECT register)."),
    ("pyocd", "pyocd", 1, "nRF52840 APPROTECT enabled: not automatically unlocking"),
    ("jlink", "JLinkExe", 1, "****** Error: Device appears to be secured"),
    ("nrfjprog", "nrfjprog", 16, "ERROR: The operation attempted is unavailable."),
    ("nrfutil", "nrfutil", 1, "Error: operation unavailable due to readback protection"),
    ("cubeprogrammer", "STM32_Programmer_CLI", 1, "Error: Data read failed. read out protection"),
    ("dfu_util", "dfu-util", 74, "Device's firmware is corrupt (errVENDOR)"),
]
UNLOCK = {
    "openocd": "-f board/nordic_nrf52_dk.cfg -c init -c nrf52_recover -c shutdown",
    "pyocd": "erase --no-config -W -t nrf52840 -O auto_unlock=true --mass",
    "jlink": "connect; erase;",
    "nrfjprog": "--recover",
    "nrfutil": "device recover",
    "cubeprogrammer": "-c port=SWD mode=UR reset=HWrst -rdu",
    "dfu_util": "-d 0483:df11 -a 0 -s 0x08000000:unprotect:force",
}


@pytest.mark.parametrize(("name", "program", "code", "text"), LOCKED)
def test_a_locked_chip_is_erased_only_when_told_to(name, program, code, text, bench: Bench) -> None:
    options = {"config": "board/nordic_nrf52_dk.cfg"} if name == "openocd" else {}
    bench.tool(program, ("", code, text))
    with pytest.raises(ProbeError, match="is locked against debuggers") as caught:
        bench.probe(name, **options).flash(bench.image)
    assert "--yes unlocks it, which erases ALL of its flash" in caught.value.hint
    assert not [line for line in bench.asked(program) if UNLOCK[name] in line]
    bench.tool(program, (UNLOCK[name], 0, "ok"), ("", code, text))
    with pytest.raises(ProbeError, match="is locked"):
        bench.probe(name, unlock="yes", **options).flash(bench.image)
    assert sum(UNLOCK[name] in line for line in bench.asked(program)) == 1


def test_after_unlocking_it_is_flashed(bench: Bench) -> None:
    bench.tool("nrfjprog", ("--recover", 0, "ok"), ("--program", 0, "ok"), ("--ids", 0, ""))
    calls = []
    probe = bench.probe("nrfjprog", unlock="yes")
    climb = probe._climb

    def locked_at_first(file, folder):
        calls.append(file)
        if len(calls) == 1:
            raise _flasher.Locked("locked")
        climb(file, folder)

    probe._climb = locked_at_first
    probe.flash(bench.image)
    assert [line.split()[0] for line in bench.asked("nrfjprog")] == [
        "--ids",
        "--recover",
        "--program",
    ]


def test_a_board_file_chooses_neither_probe_nor_unlocking() -> None:
    for key in ("serial", "port", "unlock", "program"):
        choice = ProbeChoice("openocd", {"openocd": {key: "yes"}})
        with pytest.raises(BoardError, match="for the command line only"):
            open_probe("openocd", dataclasses.replace(BOARD, probe=choice))


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("openocd", {"speeed": "1"}, "no option 'speeed'"),
        ("openocd", {"speed": "fast"}, "speed cannot be 'fast'"),
        ("openocd", {"config": "a;b"}, "config cannot be"),
        ("pyocd", {"target": "-x"}, "target cannot be"),
        ("dfu_util", {"usb": "1:2"}, "usb cannot be"),
        ("uf2", {"family": "z80"}, "family cannot be"),
    ],
)
def test_options_are_checked(name: str, options: dict[str, str], text: str) -> None:
    with pytest.raises(ProbeError, match=text):
        open_probe(name, BOARD, options)


def test_chips_have_to_be_named(bench: Bench) -> None:
    board = dataclasses.replace(BOARD, probe=ProbeChoice("openocd"))
    for name, text in (("openocd", "config"), ("pyocd", "target"), ("jlink", "device")):
        program = PROBES[name].programs[0]
        bench.tool(program, ("", 0, "{}"))
        with pytest.raises(ProbeError) as caught:
            open_probe(name, board).flash(bench.image)
        assert f"[probe.{name}]" in caught.value.hint and text in caught.value.hint


def test_openocd_with_two_files_and_a_transport(bench: Bench) -> None:
    bench.tool("openocd", ("program", 0, "** Verified OK **"))
    options = {
        "interface": "interface/stlink.cfg",
        "target": "target/stm32u5x.cfg",
        "transport": "hla_swd",
    }
    bare = dataclasses.replace(BOARD, probe=ProbeChoice("openocd", {"openocd": options}))
    open_probe("openocd", bare).flash(bench.image)
    assert bench.asked("openocd")[0].startswith(
        "-f interface/stlink.cfg -c transport select hla_swd -f target/stm32u5x.cfg -c program"
    )


def test_a_program_that_hangs_is_ended(bench: Bench, monkeypatch) -> None:
    monkeypatch.setattr(_flasher, "_FLASH_SECONDS", 0.3)
    slow = bench.folder / "st-flash"
    slow.write_text("#!/bin/sh\necho waiting for ever\nexec /bin/sleep 20\n")
    slow.chmod(0o755)
    with pytest.raises(ProbeError, match=r"st-flash did not end within 0 s:\nwaiting for ever"):
        bench.probe("stflash").flash(bench.image)


def test_images_that_cannot_be_flashed(bench: Bench, tmp_path: Path) -> None:
    bench.tool("openocd", ("", 0, ""))
    bench.tool("st-flash", ("", 0, ""))
    with pytest.raises(ProbeError, match="no image"):
        bench.probe("openocd").flash(tmp_path / "none.elf")
    bench.image.with_suffix(".bin").unlink()
    with pytest.raises(ProbeError, match=r"no firmware\.bin beside"):
        bench.probe("stflash").flash(bench.image)
    odd = tmp_path / "a } shutdown {.elf"
    odd.write_bytes(b"x")
    with pytest.raises(ProbeError, match="only letters"):
        bench.probe("openocd").flash(odd)
    assert bench.asked("openocd") == []


def test_old_probe_firmware_is_mentioned(bench: Bench) -> None:
    bench.tool("openocd", ("", 1, "Error: old ST-LINK firmware version not supported"))
    with pytest.raises(ProbeError) as caught:
        bench.probe("openocd").flash(bench.image)
    assert "the probe's firmware is old" in caught.value.hint


# Reset and console.


@pytest.fixture
def terminal():
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    os.close(slave)
    yield name, master
    os.close(master)


def test_a_reset_with_the_console_open_and_empty(bench: Bench, terminal) -> None:
    name, far = terminal
    bench.tool("openocd", ("reset run", 0, ""), ("program", 0, "** Verified OK **"))
    with bench.probe("openocd", port=name) as probe:
        probe.flash(bench.image)
        console = probe.console()
        os.write(far, b"old text")
        probe.reset()
        assert bench.asked("openocd")[-1].endswith("-c init -c reset run -c shutdown")
        assert probe.console() is console and console.in_waiting == 0
        assert probe.counting(BOARD.clock_hz).unit == "cycles"
    assert not console.is_open


def test_a_reset_without_any_console(bench: Bench) -> None:
    bench.tool("st-flash", ("reset", 0, ""))
    probe = bench.probe("stflash")
    probe.reset()
    with pytest.raises(PortError, match="no serial port of STM32F405"):
        probe.console()


def test_a_failed_reset_is_shown(bench: Bench) -> None:
    bench.tool("st-flash", ("reset", 1, "target is gone"))
    with pytest.raises(ProbeError, match=r"could not be reset.*\n?target is gone"):
        bench.probe("stflash").reset()


def test_boot_loaders_cannot_reset(bench: Bench) -> None:
    bench.tool("picotool", ("load", 0, "OK"))
    probe = bench.probe("picotool")
    with pytest.raises(ProbeError, match="cannot reset"):
        probe.reset()
    probe.flash(bench.image)
    probe.reset()  # it has started by itself


PORTS = (
    ports.PortInfo("/dev/ttyACM0", "ST-LINK", "0483:374b", "066CFF"),
    ports.PortInfo("/dev/ttyACM1", "ST-LINK", "0483:374b", "0670FF"),
    ports.PortInfo("/dev/ttyUSB0", "CP2102", "10c4:ea60", "0001"),
)


def test_the_console_is_found_by_usb_id_and_probe(monkeypatch) -> None:
    monkeypatch.setattr(ports, "list_ports", lambda: PORTS)
    with pytest.raises(PortError, match="2 serial ports could be the console") as caught:
        ports.find_port(BOARD)
    assert "--port names one" in caught.value.hint and "/dev/ttyACM1" in caught.value.hint
    assert ports.find_port(BOARD, "0670ff") == "/dev/ttyACM1"
    monkeypatch.setattr(ports, "list_ports", lambda: PORTS[1:])
    assert ports.find_port(BOARD) == "/dev/ttyACM1"
    monkeypatch.setattr(ports, "list_ports", lambda: PORTS[2:])
    with pytest.raises(PortError, match=r"no serial port of .* was found \(USB id 0483:374b\)"):
        ports.find_port(BOARD)
    with pytest.raises(PortError, match="not on its own USB") as caught:
        ports.find_port(dataclasses.replace(BOARD, usb=()))
    assert "serial adapter" in caught.value.hint


def test_a_wrong_port_is_named_when_nothing_comes(monkeypatch) -> None:
    monkeypatch.setattr(ports, "list_ports", lambda: PORTS)

    class Port:
        port = "/dev/ttyUSB0"

    text = ports.diagnose(BOARD, Port())
    assert "CP2102" in text and "is not STM32F405" in text and "USART2" in text


# UF2.


def blocks(content: bytes) -> list[tuple[int, ...]]:
    assert len(content) % 512 == 0
    found = []
    for at in range(0, len(content), 512):
        block = content[at : at + 512]
        head = struct.unpack("<8I", block[:32])
        assert head[:3] == (0x0A324655, 0x9E5D5157, 0x2000) and head[4] == 256
        assert block[508:] == struct.pack("<I", 0x0AB16F30) and block[288:508] == bytes(220)
        found.append((head[3], head[5], head[6], head[7], block[32:288]))
    return found


def test_uf2_blocks() -> None:
    data = bytes(range(256)) * 2 + b"end"
    found = blocks(uf2.uf2([(0x1000_0000, data)], 0xE48BFF56))
    assert [b[:4] for b in found] == [(0x1000_0000 + 256 * i, i, 3, 0xE48BFF56) for i in range(3)]
    assert b"".join(b[4] for b in found) == data + bytes(253)


def test_uf2_fills_all_sectors_but_the_last() -> None:
    parts = [(0x1000_0100, b"a"), (0x1000_2080, b"b" * 300), (0x2000_0040, b"r")]
    found = blocks(uf2.uf2(parts, 1))
    addresses = [b[0] for b in found]
    assert addresses == sorted(addresses)
    assert [b[1] for b in found] == list(range(len(found)))
    assert {b[2] for b in found} == {len(found)}
    sectors = [a for a in addresses if a < 0x2000_0000]
    assert sectors == [*range(0x1000_0000, 0x1000_1000, 256), *range(0x1000_2000, 0x1000_3000, 256)]
    assert addresses[-1] == 0x2000_0000
    assert uf2.uf2([], 1) == b""


def test_uf2_splits_a_page_between_segments() -> None:
    found = blocks(uf2.uf2([(0x1000_0010, b"one"), (0x1000_0020, b"two")], 1))
    assert len(found) == 1 and found[0][4][0x10:0x13] == b"one" and found[0][4][0x20:0x23] == b"two"


@pytest.fixture
def elf(tmp_path: Path) -> Path:
    """The smallest ELF with one segment."""
    head = b"\x7fELF\x01\x01\x01" + bytes(9)
    head += struct.pack("<HHIIIIIHHHHHH", 2, 40, 1, 0, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    head += struct.pack("<8I", 1, 84, 0x1000_0000, 0x1000_0000, 5, 5, 5, 4)
    file = tmp_path / "firmware.elf"
    file.write_bytes(head + b"hello")
    return file


def drive(folder: Path, name: str, board_id: str = "RPI-RP2") -> Path:
    (folder / name).mkdir()
    text = f"UF2 Bootloader v3.0\nModel: Raspberry Pi RP2\nBoard-ID: {board_id}\n"
    (folder / name / "INFO_UF2.TXT").write_text(text)
    return folder / name


def pico(**options: str):
    return open_probe("uf2", BOARD, {"family": "rp2040", **options})


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch) -> Path:
    file = tmp_path / "mounts"
    file.write_text("proc /proc proc rw 0 0\n")
    monkeypatch.setattr(uf2, "_MOUNTS", file)
    return file


def mount(file: Path, *drives: Path) -> None:
    lines = [f"/dev/sdb1 {str(d).replace(' ', chr(92) + '040')} vfat rw 0 0\n" for d in drives]
    file.write_text("proc /proc proc rw 0 0\n" + "".join(lines))


def test_uf2_is_copied_to_the_boot_drive(elf, mounts, tmp_path, monkeypatch) -> None:
    here = drive(tmp_path, "RPI RP2")
    mount(mounts, drive(tmp_path, "RP2350", "RP2350"), here)
    monkeypatch.setattr(uf2, "_await_leaving", lambda where: None)
    probe = pico()
    assert probe.check() is None
    probe.flash(elf)
    (block,) = blocks((here / "firmware.uf2").read_bytes())
    assert block[0] == 0x1000_0000 and block[3] == 0xE48BFF56 and block[4].startswith(b"hello\0")
    probe.reset()
    assert "copied to" in probe.summary()


def test_uf2_drives_are_not_guessed_between(elf, mounts, tmp_path) -> None:
    with pytest.raises(ProbeError, match="no UF2 drive of a RPI-RP2 is mounted") as caught:
        pico().flash(elf)
    assert "hold BOOTSEL" in caught.value.hint
    mount(mounts, drive(tmp_path, "x", "RP2350"))
    with pytest.raises(ProbeError) as caught:
        pico().flash(elf)
    assert "is a RP2350" in caught.value.hint
    one, two = drive(tmp_path, "a"), drive(tmp_path, "b")
    mount(mounts, one, two)
    with pytest.raises(ProbeError, match="2 UF2 drives"):
        pico().flash(elf)
    with pytest.raises(ProbeError, match="is no UF2 drive"):
        pico(drive=str(tmp_path)).flash(elf)


def test_a_uf2_drive_that_stays_has_not_taken_it(elf, mounts, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(uf2, "_LEAVE_SECONDS", 0.2)
    mount(mounts, drive(tmp_path, "a"))
    with pytest.raises(ProbeError, match="did not start the image"):
        pico().flash(elf)


def test_a_uf2_drive_may_vanish_while_it_is_written(elf, mounts, tmp_path, monkeypatch) -> None:
    here = drive(tmp_path, "a")
    mount(mounts, here)

    def copy(content: bytes, target: Path) -> None:
        (here / "INFO_UF2.TXT").unlink()
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(uf2, "_copy", copy)
    pico().flash(elf)

    def full(content: bytes, target: Path) -> None:
        raise OSError(28, "No space left on device")

    (here / "INFO_UF2.TXT").write_text("Board-ID: RPI-RP2\n")
    monkeypatch.setattr(uf2, "_copy", full)
    with pytest.raises(ProbeError, match="No space left"):
        pico().flash(elf)


def test_uf2_needs_an_elf_and_a_family(tmp_path: Path) -> None:
    (tmp_path / "no.elf").write_bytes(b"nothing")
    with pytest.raises(ProbeError, match="not an ELF file"):
        pico().flash(tmp_path / "no.elf")
    with pytest.raises(ProbeError, match="which UF2 family"):
        open_probe("uf2", BOARD)
