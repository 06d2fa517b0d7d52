"""The Otii application with one Arc, as a TCP server."""

from __future__ import annotations

import json
import socket
import threading

import numpy as np

from .waveform import Waveform


class OtiiEmulator:
    """The recording grows by `grow` samples at each look at its length; `done` when all is there.

    `answers` maps a command to what is answered in place of the usual (a dict: error; None: the
    connection is closed; bytes: sent as they are).
    """

    def __init__(self, wave: Waveform, *, version="3.5.5", answers=None, grow=3000, devices=1):
        self.wave, self.version, self.grow = wave, version, grow
        self.answers = answers or {}
        self.devices = [f"Arc{n}" for n in range(devices)]
        self.licenses = [{"id": 7, "type": "Automation", "available": True, "reserved_to": ""}]
        self.requests: list[tuple[str, dict]] = []
        self.state: dict[str, object] = {}
        self.gap: tuple[int, int] | None = None  # from which sample on how many are missing
        self.done = threading.Event()
        self._there = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        self._thread.join(5)

    def _serve(self) -> None:
        try:
            console, _ = self._server.accept()
        except OSError:
            return
        console.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with console, console.makefile("rb") as lines:
            hello = {"otii_version": self.version, "protocol_version": "0.2", "server": "otii"}
            self._send(console, {"type": "information", "info": "connected", "data": hello})
            try:
                for line in lines:
                    if not self._answer(console, json.loads(line)):
                        return
            except OSError:
                return

    def _send(self, console: socket.socket, value: dict) -> None:
        console.sendall(json.dumps(value).encode() + b"\r\n")

    def _answer(self, console: socket.socket, request: dict) -> bool:
        command, data, number = request["cmd"], request["data"], request["trans_id"]
        self.requests.append((command, data))
        if command in self.answers:
            answer = self.answers[command]
            if isinstance(answer, bytes):
                console.sendall(answer)
            elif answer is not None:
                self._send(console, {"type": "error", "cmd": command, "trans_id": number, **answer})
            return answer is not None
        self._send(console, {"type": "progress", "cmd": command, "trans_id": "x", "progress": 1})
        self._send(
            console,
            {
                "type": "response",
                "cmd": command,
                "trans_id": number,
                "data": self._do(command, data),
            },
        )
        return True

    def _do(self, command: str, data: dict):
        if command.startswith("arc_set") or command.startswith("arc_enable"):
            self.state[command + data.get("channel", "")] = data.get("value", data.get("enable"))
            return {}
        match command:
            case "otii_get_devices":
                return {
                    "devices": [{"device_id": d, "name": d, "type": "Arc"} for d in self.devices]
                }
            case "otii_get_licenses":
                return {"licenses": self.licenses}
            case "arc_get_version":
                return {"hw_version": "1.2.2", "fw_version": "3.5.5"}
            case "arc_get_main_voltage":
                return {"value": self.state["arc_set_main_voltage"]}
            case "otii_get_active_project":
                return {"project_id": -1}
            case "otii_create_project":
                return {"project_id": 1}
            case "project_get_last_recording":
                return {"recording_id": 2, "name": "r"}
        if command.startswith("recording_"):
            return self._recording(command, data)
        return {}

    def _recording(self, command: str, data: dict):
        wave = self.wave
        if command == "recording_get_channel_info":
            end = len(wave.current) / wave.rate
            return {"offset": 0.0, "from": 0.0, "to": end, "sample_rate": wave.rate}
        if command == "recording_get_channel_statistics":
            average = float(wave.current.mean())
            return {"min": 0, "max": 1, "average": average, "energy": average}
        if data["channel"] != "mc":
            edges = self._edges()
            if command.endswith("count"):
                return {"count": len(edges)}
            part = edges[data["index"] : data["index"] + data["count"]]
            return {"data_type": "digital", "values": part}
        values, times = self._kept()
        if command.endswith("count"):
            self._there = min(self._there + self.grow, len(values))
            if self._there == len(values):
                self.done.set()
            return {"count": self._there}
        part = slice(data["index"], data["index"] + data["count"])
        if self.gap is not None and data["index"] < self.gap[0]:
            part = slice(data["index"], min(part.stop, self.gap[0]))
        return {
            "data_type": "analog",
            "timestamp": float(times[part.start]),
            "interval": 1 / wave.rate,
            "values": values[part].tolist(),
        }

    def _kept(self):
        keep = np.ones(len(self.wave.current), bool)
        if self.gap is not None:
            keep[self.gap[0] : sum(self.gap)] = False
        return self.wave.current[keep], np.flatnonzero(keep) / self.wave.rate

    def _edges(self):
        wave = self.wave
        places = np.flatnonzero(np.diff(wave.trigger.astype(int), prepend=0))
        return [{"timestamp": float(p / wave.rate), "value": bool(wave.trigger[p])} for p in places]
