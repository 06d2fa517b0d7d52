"""OpenOCD: most debug probes and chips. Option config, or interface and target, names its files."""

from __future__ import annotations

import re
from typing import ClassVar

from ..errors import ProbeError
from ._flasher import Flasher, Rung
from ._tool import Said

_SCRIPT = r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,99}"


class OpenocdProbe(Flasher):
    """Options: config = board/x.cfg; or interface, target and transport."""

    name = "openocd"
    programs = ("openocd",)
    install = "sudo apt install openocd, brew install openocd, or pip install openocd-esp32"
    known: ClassVar = {
        "config": _SCRIPT,
        "interface": _SCRIPT,
        "target": _SCRIPT,
        "transport": r"[a-z_]+",
    }
    # ST-LINK V2, V2-1 and V3; J-Link; CMSIS-DAP of Arm, Raspberry Pi, Atmel and NXP.
    usb = (
        r"0483:(3748|374[b-f]|375[0-9])|1366:[0-9a-f]{4}|0d28:0204|2e8a:000c|03eb:21(11|41)"
        r"|1fc9:(0090|0143)"
    )
    firmware = re.compile(r"(STLINK V\S+ \(API v\d+\)|CMSIS-DAP: FW Version = \S+|J-Link [^\n]+)")
    locked = re.compile(r"AP lock engaged|device is read protected|read protection|RDP level [12]")
    absent = re.compile(
        r"Error: (open failed|No J-Link device found|unable to find a matching CMSIS-DAP device"
        r"|unable to open CMSIS-DAP)",
        re.IGNORECASE,
    )

    def load(self, file: str, rung: Rung) -> list[str]:
        return [*self._start(rung), "-c", f"program {file} verify reset exit"]

    def restart(self) -> list[str]:
        return [*self._start(Rung("")), "-c", "init", "-c", "reset run", "-c", "shutdown"]

    def recover(self) -> list[str] | None:
        files = " ".join(self._files())
        if "nrf5" not in files or self.board.soc.startswith("nrf51"):
            return None
        chip = "nrf53_cpuapp" if "nrf53" in files else "nrf52"
        return [*self._start(Rung("")), "-c", "init", "-c", f"{chip}_recover", "-c", "shutdown"]

    def succeeded(self, said: Said) -> bool:
        wrote = any("program " in part for part in said.command)
        return said.code == 0 and (not wrote or "** Verified OK **" in said.text)

    def _files(self) -> list[str]:
        if "config" in self.options:
            return [self.options["config"]]
        if "interface" in self.options and "target" in self.options:
            return [self.options["interface"], self.options["target"]]
        raise ProbeError(
            f"OpenOCD needs to know which files describe {self.board.name}",
            hint="[probe.openocd] in the board file: config, or interface and target",
        )

    def _start(self, rung: Rung) -> list[str]:
        command = [self.tool]
        for index, file in enumerate(self._files()):
            command += ["-f", file]
            if index == 0 and "transport" in self.options:
                command += ["-c", f"transport select {self.options['transport']}"]
        if self.serial:
            command += ["-c", f"adapter serial {self.serial}"]
        if rung.under_reset:
            command += ["-c", "reset_config srst_only srst_nogate connect_assert_srst"]
        speed = self.speed(rung, slow=480)
        return command if speed is None else [*command, "-c", f"adapter speed {speed}"]
