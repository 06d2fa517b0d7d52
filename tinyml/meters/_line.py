"""The serial line to an instrument: every wait has an end, every failure says who failed."""

from __future__ import annotations

import time

from ..errors import InputError
from ..ports import Port, list_ports, open_port, read_some
from ._interface import MeterError

_WRITE_SECONDS = 2.0
_READ_SECONDS = 0.1
_QUIET_SECONDS = 0.2


class Line:
    """An open port of the instrument called `who`."""

    def __init__(self, who: str, name: str, baud: int) -> None:
        self._who = who
        self._name = name
        self._port: Port = open_port(name, baud)
        self._port.timeout = _READ_SECONDS
        self._port.write_timeout = _WRITE_SECONDS

    def read(self) -> bytes:
        """What has arrived; b"" after _READ_SECONDS without a byte."""
        import serial

        try:
            return read_some(self._port)
        except (serial.SerialException, OSError) as error:
            raise self._gone() from error

    def write(self, data: bytes) -> None:
        import serial

        try:
            self._port.write(data)
        except serial.SerialTimeoutException as error:
            raise MeterError(
                f"the {self._who} takes no commands", hint="unplug it and plug it in again"
            ) from error
        except (serial.SerialException, OSError) as error:
            raise self._gone() from error

    def discard(self) -> None:
        """Let go of what has arrived and was not read."""
        import serial

        try:
            self._port.reset_input_buffer()
        except (serial.SerialException, OSError) as error:
            raise self._gone() from error

    def drain(self, patience: float = 2.0) -> bytes:
        """All that comes until it is quiet; MeterError after `patience` seconds."""
        start = last = time.monotonic()
        received = b""
        while time.monotonic() - last < _QUIET_SECONDS:
            data = self.read()
            if data:
                last = time.monotonic()
                received = (received + data)[-65536:]
            if time.monotonic() - start > patience:
                raise MeterError(
                    f"the {self._who} keeps sending after it was told to stop",
                    hint=f"unplug it and plug it in again, or check that {self._name} is its port",
                )
        return received

    def close(self) -> None:
        self._port.close()

    def _gone(self) -> MeterError:
        return MeterError(
            f"the {self._who} was unplugged, or its port {self._name} failed",
            hint="check the USB cable and measure again",
        )


def find_port(who: str, usb: str, given: str = "") -> str:
    """The port `given`, or the only one with the USB id `usb`; InputError where that is unclear.

    An instrument with several ports of one serial number is taken at its first.
    """
    if given:
        return given
    found = [port for port in list_ports() if port.usb == usb]
    if not found:
        raise InputError(
            f"no {who} is plugged in (USB id {usb})",
            hint="check the cable, or name its port: --set port=/dev/ttyACM0",
        )
    if len({port.serial_number for port in found}) > 1:
        names = ", ".join(f"{port.device} (serial {port.serial_number})" for port in found)
        raise InputError(
            f"several {who} are plugged in: {names}", hint="choose one: --set port=DEVICE"
        )
    return found[0].device
