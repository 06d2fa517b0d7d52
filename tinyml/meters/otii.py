"""Qoitech Otii Arc and Ace through the Otii application: JSON requests over TCP.

Protocol: Qoitech's otii-tcp-client-python. The application records; this reads the recording while
it grows.
"""

from __future__ import annotations

import json
import math
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from ..errors import InputError
from ._interface import Bools, Floats, MeterError, Options, Samples, Stop
from ._options import Choices

PORT = 1905
VERSION = (3, 1)
"""The first Otii application with statistics, log-in and licences in this protocol."""

_SECONDS = 5.0  # for an answer
_SILENCE_SECONDS = 3.0
_CHUNK = 20_000  # values a request
_LONGEST = 16 << 20
_POLL_SECONDS = 0.05
_MOST_EDGES = 100_000  # in one reading
_REST_SECONDS = 60.0  # to read what is left when the recording has stopped
_LICENSES = ("Automation", "Enterprise", "Admin", "All")


class Server:
    """The connection to the Otii application."""

    def __init__(self, host: str, port: int) -> None:
        self._received = b""
        self._number = 0
        try:
            self._socket = socket.create_connection((host, port), timeout=_SECONDS)
        except OSError as error:
            raise MeterError(
                f"no Otii application answers at {host}:{port}",
                hint="start Otii 3 (or otii_server) and switch its TCP server on",
            ) from error
        self._socket.settimeout(0.1)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.hello = self._receive("the greeting")

    def ask(
        self, command: str, data: Mapping[str, Any] | None = None, wait: float = _SECONDS
    ) -> Any:
        """The `data` of the answer; MeterError for an error, silence, nonsense, a closed line."""
        self._number += 1
        number = str(self._number)
        request = {"type": "request", "cmd": command, "data": dict(data or {}), "trans_id": number}
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\r\n")
        except OSError as error:
            raise _closed() from error
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            answer = self._receive(command, deadline)
            if answer.get("trans_id") != number:
                continue  # information, progress, or the answer to a request that timed out
            if answer.get("type") == "response":
                return answer.get("data")
            if answer.get("type") == "error":
                raise _refused(command, answer)
        raise MeterError(f"the Otii application does not answer {command}")

    def close(self) -> None:
        self._socket.close()

    def _receive(self, what: str, deadline: float | None = None) -> dict[str, Any]:
        deadline = time.monotonic() + _SECONDS if deadline is None else deadline
        while b"\r\n" not in self._received:
            if len(self._received) > _LONGEST:
                raise MeterError("the Otii application sends a line without end")
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise MeterError(f"the Otii application does not answer ({what})") from None
                continue
            except OSError as error:
                raise _closed() from error
            if not data:
                raise _closed()
            self._received += data
        line, _, self._received = self._received.partition(b"\r\n")
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise MeterError(f"what answers is no Otii application: {line[:40]!r}") from error
        if not isinstance(answer, dict):
            raise MeterError(f"what answers is no Otii application: {line[:40]!r}")
        return answer


def _closed() -> MeterError:
    return MeterError("the Otii application closed the connection", hint="is it still running?")


def _refused(command: str, answer: Mapping[str, Any]) -> MeterError:
    code = str(answer.get("errorcode", "an error"))
    data = answer.get("data")
    detail = data.get("message", "") if isinstance(data, dict) else ""
    if "not connected" in code.lower():
        return MeterError("the Otii was unplugged", hint="check its USB cable and measure again")
    hint = "log in and reserve an Automation licence in the application" if "icense" in code else ""
    return MeterError(f"the Otii application refused {command}: {code} {detail}".strip(), hint=hint)


def _field(data: Any, name: str, kind: type | tuple[type, ...]) -> Any:
    """data[name], of the type `kind`; MeterError where it is not there."""
    value = data.get(name) if isinstance(data, dict) else None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise MeterError(f"the Otii application's answer has no usable {name!r}")
    return value


def _number(data: Any, name: str) -> float:
    value = float(_field(data, name, (int, float)))
    if not math.isfinite(value):
        raise MeterError(f"the Otii application's answer has no usable {name!r}")
    return value


class Otii:
    """Options: voltage (V, needed; 0.5-5), range = low | high, limit (A), input = 1 | 2, device,
    host, port, credentials (a JSON file with username and password; else OTII_USERNAME and
    OTII_PASSWORD).
    """

    name = "otii"

    def __init__(self, options: Options) -> None:
        known = "voltage range limit input device host port credentials"
        choices = Choices(self.name, options, known)
        self._volts = choices.number("voltage", 0.5, 5.0)
        self._range = choices.one_of("range", ("low", "high"), "low")
        self._limit = choices.number("limit", 0.001, 5.0, 0.5)
        self._input = choices.integer("input", 1, 2, 1)
        self._wanted = choices.text("device")
        self._host = choices.text("host", "127.0.0.1")
        self._tcp = choices.integer("port", 1, 65535, PORT)
        self._credentials = choices.text("credentials")
        self._server: Server | None = None
        self._device = ""
        self._about: dict[str, Any] = {}
        self._charge: float | None = None

    def check(self) -> str | None:
        return None

    def __enter__(self) -> Self:
        self._server = Server(self._host, self._tcp)
        try:
            self._check_version(self._server)
            self._log_in(self._server)
            self._set_up(self._server)
        except BaseException:
            self.close()
            raise
        return self

    def _check_version(self, server: Server) -> None:
        about = server.hello.get("data")
        version = about.get("otii_version", "") if isinstance(about, dict) else ""
        found = re.match(r"(\d{1,4})\.(\d{1,4})", str(version))
        if not found:
            raise MeterError("what answers is no Otii application: it does not tell its version")
        if (int(found[1]), int(found[2])) < VERSION:
            raise MeterError(
                f"the Otii application is version {version}; 3.1 or later is needed",
                hint="update it from qoitech.com/download",
            )
        self._about["application"] = str(version)

    def _log_in(self, server: Server) -> None:
        """Log in where credentials are given, then reserve a licence if none is ours."""
        username, password = self._login()
        if username:
            server.ask("otii_login", {"username": username, "password": password}, 20.0)
        licenses = _field(server.ask("otii_get_licenses"), "licenses", list)
        usable = [
            x
            for x in licenses
            if isinstance(x, dict) and x.get("type") in _LICENSES and x.get("available")
        ]
        if any(x.get("reserved_to") for x in usable):
            return
        if not usable:
            raise MeterError(
                "there is no free Automation licence for the Otii application",
                hint="log in there, or give --set credentials=FILE",
            )
        server.ask("otii_reserve_license", {"license_id": usable[0].get("id")})

    def _login(self) -> tuple[str, str]:
        if not self._credentials:
            return os.environ.get("OTII_USERNAME", ""), os.environ.get("OTII_PASSWORD", "")
        try:
            values = json.loads(Path(self._credentials).read_text(encoding="utf-8"))
            return str(values["username"]), str(values["password"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{self._credentials}: no Otii credentials",
                hint='a JSON file with "username" and "password"',
            ) from error

    def _set_up(self, server: Server) -> None:
        self._device = self._find(server)
        about = self._ask("arc_get_version")
        self._about["firmware"] = str(_field(about, "fw_version", str))
        self._about["hardware"] = str(_field(about, "hw_version", str))
        self._ask("arc_add_to_project")
        self._ask("arc_set_range", range=self._range)
        self._ask("arc_set_main_voltage", value=self._volts)
        self._ask("arc_set_max_current", value=self._limit)
        self._ask("arc_set_exp_voltage", value=self._volts)  # the level of the trigger input
        self._ask("arc_enable_exp_port", enable=True)
        for channel in ("mc", f"i{self._input}"):
            self._ask("arc_enable_channel", channel=channel, enable=True)
        self._ask("arc_set_main", enable=True)
        told = _number(self._ask("arc_get_main_voltage"), "value")
        if abs(told - self._volts) > 0.05:
            raise MeterError(f"the Otii gives {told:g} V where {self._volts:g} V were asked for")

    def _find(self, server: Server) -> str:
        answer = server.ask("otii_get_devices", {"timeout": 10}, 15.0)
        devices = _field(answer, "devices", list) if answer else []
        known = {str(_field(d, "device_id", str)): str(d.get("name", "")) for d in devices}
        wanted = [i for i, n in known.items() if not self._wanted or self._wanted in (i, n)]
        if not wanted:
            raise MeterError(
                f"no Otii {self._wanted} is connected".replace("  ", " "),
                hint=f"connected: {', '.join(known) or 'none'}",
            )
        if len(wanted) > 1:
            raise InputError(
                f"several Otii are connected: {', '.join(wanted)}", hint="choose: --set device=ID"
            )
        self._about["serial_number"] = wanted[0]
        return wanted[0]

    def record(self, stop: Stop) -> Iterator[Samples]:
        server = self._opened()
        self._charge = None
        project = self._project(server)
        server.ask("project_start_recording", {"project_id": project})
        try:
            last = server.ask("project_get_last_recording", {"project_id": project})
            reading = _Reading(server, self._device, _field(last, "recording_id", int), self._input)
            silent_since = time.monotonic()
            while not stop():
                block = reading.next(self._volts)
                if block is not None:
                    silent_since = time.monotonic()
                    yield block
                    continue
                if time.monotonic() - silent_since > _SILENCE_SECONDS:
                    raise MeterError(f"the Otii has sent no samples for {_SILENCE_SECONDS:g} s")
                time.sleep(_POLL_SECONDS)
        finally:
            if self._server is not None:
                server.ask("project_stop_recording", {"project_id": project})
        deadline = time.monotonic() + _REST_SECONDS
        while (block := reading.next(self._volts)) is not None:
            yield block
            if time.monotonic() > deadline:
                raise MeterError("the Otii application does not end its recording")
        self._charge = reading.charge()
        self._about |= {"rate_hz": reading.rate, "lost_samples": reading.lost}

    def _project(self, server: Server) -> int:
        project = int(_field(server.ask("otii_get_active_project"), "project_id", int))
        if project == -1:
            project = int(_field(server.ask("otii_create_project"), "project_id", int))
        return project

    def describe(self) -> dict[str, Any]:
        return {
            "instrument": "Qoitech Otii",
            "voltage_v": self._volts,
            "range": self._range,
            "current_limit_a": self._limit,
            "trigger": f"GPI{self._input}",
            **self._about,
        }

    def own_charge(self) -> float | None:
        return self._charge

    def close(self) -> None:
        server = self._server
        if server is None:
            return
        try:
            if self._device:
                self._ask("arc_set_main", enable=False)
        except MeterError:  # it is gone: there is nothing left to switch off
            pass
        finally:
            self._server = None
            server.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _opened(self) -> Server:
        if self._server is None:
            raise MeterError("the Otii is not open")
        return self._server

    def _ask(self, command: str, **data: object) -> Any:
        return self._opened().ask(command, {"device_id": self._device, **data})


class _Reading:
    """A recording that grows: currents in order, and the trigger's level at each."""

    def __init__(self, server: Server, device: str, recording: int, number: int) -> None:
        self._server = server
        self._of = {"recording_id": recording, "device_id": device}
        self._input = f"i{number}"
        self._read = 0  # values read
        self._edges_read = 0
        self._edges: list[tuple[float, bool]] = []  # not yet passed
        self._level: bool | None = None
        self._start: float | None = None
        self._next = 0
        self.rate = 0.0
        self.lost = 0

    def next(self, volts: float) -> Samples | None:
        """The next block, or None where there is nothing new."""
        count = int(_number(self._ask("recording_get_channel_data_count", "mc"), "count"))
        if count <= self._read:
            return None
        self._read_edges()  # after the count: they cover what is read below
        answer = self._ask(
            "recording_get_channel_data",
            "mc",
            index=self._read,
            count=min(count - self._read, _CHUNK),
        )
        values = _field(answer, "values", list)
        start, interval = _number(answer, "timestamp"), _number(answer, "interval")
        current = _floats(values)
        if not len(current) or not 1e-7 < interval < 10:
            raise MeterError("the Otii application's answer has no usable samples")
        self._read += len(current)
        first = self._place(start, interval)
        times = start + interval * np.arange(len(current), dtype=np.float64)
        self._next = first + len(current)
        return Samples(first, self.rate, current, volts, self._trigger(times))

    def charge(self) -> float | None:
        """Average times duration, as the application computes it of the whole recording."""
        info = self._ask("recording_get_channel_info", "mc")
        begin, end = _number(info, "from"), _number(info, "to")
        answer = self._ask("recording_get_channel_statistics", "mc", **{"from": begin, "to": end})
        return _number(answer, "average") * (end - begin)

    def _place(self, start: float, interval: float) -> int:
        """The index of a block that begins at `start`: later than due means that some are lost."""
        if self._start is None:
            self._start, self.rate = start, 1 / interval
        missing = max(round((start - self._start) * self.rate) - self._next, 0)
        self.lost += missing
        return self._next + missing

    def _read_edges(self) -> None:
        count = int(_number(self._ask("recording_get_channel_data_count", self._input), "count"))
        while count > self._edges_read:
            answer = self._ask(
                "recording_get_channel_data",
                self._input,
                index=self._edges_read,
                count=min(count - self._edges_read, _CHUNK),
            )
            values = _field(answer, "values", list)
            if not values:
                return
            self._edges_read += len(values)
            if len(self._edges) > _MOST_EDGES:
                raise MeterError("the Otii's trigger input is noise", hint="is the pin wired?")
            self._edges += [(_number(v, "timestamp"), _field(v, "value", bool)) for v in values]

    def _trigger(self, times: Floats) -> Bools:
        """Levels at `times`, from the edges; before the first edge, the opposite of it."""
        if self._level is None:
            self._level = not self._edges[0][1] if self._edges else None
        levels = np.full(len(times), bool(self._level))
        while self._edges and self._edges[0][0] <= times[-1]:
            moment, level = self._edges.pop(0)
            levels[np.searchsorted(times, moment) :] = level
            self._level = level
        return levels

    def _ask(self, command: str, channel: str, **data: object) -> Any:
        return self._server.ask(command, {**self._of, "channel": channel, **data})


def _floats(values: list[Any]) -> Floats:
    """Numbers of a JSON list; MeterError where something else is among them."""
    try:
        found = np.array(values, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise MeterError("the Otii application's answer has no usable samples") from error
    if found.ndim != 1 or not np.isfinite(found).all():
        raise MeterError("the Otii application's answer has no usable samples")
    return found
