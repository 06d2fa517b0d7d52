"""USB devices as Linux lists them: debug probes and boot loaders by id, serial number and place."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..clean import printable
from ..errors import ProbeError

_SYSFS = Path("/sys/bus/usb/devices")
_DEV = Path("/dev/bus/usb")
_PLAIN = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


@dataclass(frozen=True)
class Found:
    """A probe or boot loader that can be chosen: by `serial`, as its flasher writes it.

    `usb` is "vid:pid"; `node` the device file; `bus` and `address` are where it is now.
    """

    serial: str
    what: str = ""
    usb: str = ""
    node: str = ""
    bus: int = 0
    address: int = 0

    def __str__(self) -> str:
        what = " ".join(filter(None, (printable(self.what, 60), self.usb)))
        return f"{self.serial or 'without serial number'}{f' ({what})' if what else ''}"

    @property
    def forbidden(self) -> bool:
        """Whether this user may not write to the device."""
        return bool(self.node) and Path(self.node).exists() and not os.access(self.node, os.W_OK)


def usb_devices(ids: str) -> tuple[Found, ...] | None:
    """Devices whose "vid:pid" matches the pattern `ids`; None where nobody lists them."""
    if not _SYSFS.is_dir():
        return None
    found = [device for entry in sorted(_SYSFS.iterdir()) if (device := _read(entry)) is not None]
    return tuple(device for device in found if re.fullmatch(ids, device.usb))


def _read(entry: Path) -> Found | None:
    vendor, product = _text(entry / "idVendor"), _text(entry / "idProduct")
    if not re.fullmatch(r"[0-9a-f]{4}", vendor) or not re.fullmatch(r"[0-9a-f]{4}", product):
        return None
    bus, address = (_number(entry / name) for name in ("busnum", "devnum"))
    names = (_text(entry / "manufacturer"), _text(entry / "product"))
    return Found(
        serial=normal_serial(_text(entry / "serial")),
        what=" ".join(filter(None, names)),
        usb=f"{vendor}:{product}",
        node=str(_DEV / f"{bus:03d}" / f"{address:03d}") if bus and address else "",
        bus=bus,
        address=address,
    )


def normal_serial(text: str) -> str:
    """A serial number as flashers write it.

    Old ST-LINKs give twelve raw bytes as characters; OpenOCD and st-flash write those in hex.
    """
    if not text or _PLAIN.fullmatch(text):
        return text
    return "".join(f"{ord(c) & 0xFF:02X}" for c in text[:32])


def same_serial(one: str, other: str) -> bool:
    """J-Links have zeros in front on USB, and none in what their programs say."""
    return one.lower().lstrip("0") == other.lower().lstrip("0")


def _text(file: Path) -> str:
    try:
        return file.read_bytes()[:256].decode(errors="replace").rstrip("\n")
    except OSError:
        return ""


def _number(file: Path) -> int:
    text = _text(file)
    return int(text) if re.fullmatch(r"[0-9]{1,5}", text) else 0


def choose(found: Sequence[Found], wanted: str, what: str) -> Found | None:
    """The one that is there, or the one with serial number `wanted`; None where none is known.

    ProbeError rather than a guess between two.
    """
    listed = "; ".join(map(str, found))
    if wanted:
        matching = [f for f in found if same_serial(f.serial, wanted)]
        if len(matching) == 1:
            return matching[0]
        if not found:  # perhaps it cannot be listed here: the flasher will say
            return Found(wanted)
        if not matching:
            raise ProbeError(f"no {what} has serial number {wanted!r}", hint=f"there is: {listed}")
    if len(found) > 1:
        raise ProbeError(
            f"{len(found)} of the kind {what!r} are connected, and it is not said which to use",
            hint="--serial NUMBER (or --probe NAME:NUMBER) chooses one, or unplug the others; "
            f"there is: {listed}",
        )
    return found[0] if found else None


def udev_hint(usb: str) -> str:
    """How to get access to a USB device, exactly; `usb` is "vid:pid"."""
    vendor = usb.partition(":")[0]
    if not sys.platform.startswith("linux") or not re.fullmatch(r"[0-9a-f]{4}", vendor):
        return "check the permissions of the USB device"
    rule = (
        f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vendor}", MODE="0660", GROUP="plugdev", '
        'TAG+="uaccess"'
    )
    return (
        f"echo '{rule}' | sudo tee /etc/udev/rules.d/60-tinyml-{vendor}.rules && "
        "sudo udevadm control --reload && sudo udevadm trigger; then plug the board in again"
    )
