"""Jetperch Joulescope JS110, JS220 and JS320 through their own driver, pyjoulescope_driver.

Topics and message fields: pyjoulescope_driver 2.2 (record.py, binding.pyx).
"""

from __future__ import annotations

import importlib
import importlib.util
import queue
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ._interface import Bools, MeterError, Options, Samples, Stop
from ._options import Choices

_SILENCE_SECONDS = 2.0
_LONGEST_GAP = 10_000_000  # samples; a longer one starts anew
_MOST_WAITING = 4096  # messages: a few seconds
_SIGNALS = ("s/i", "s/v")

Message = tuple[str, dict[str, Any]]


class Aligner:
    """Signals that arrive each in its own blocks, put side by side by sample number."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._starts: dict[str, int | None] = dict.fromkeys(names)
        self._data: dict[str, NDArray[np.float32]] = {n: np.empty(0, np.float32) for n in names}

    def add(self, name: str, first: int, data: NDArray[np.float32]) -> None:
        """A block of one signal: what overlaps is new, what is missing between is NaN."""
        start, held = self._starts[name], self._data[name]
        if start is None or not 0 <= first - start <= len(held) + _LONGEST_GAP:
            self._starts[name], self._data[name] = first, data
        else:
            gap = np.full(max(first - start - len(held), 0), np.nan, np.float32)
            self._data[name] = np.concatenate([held[: first - start], gap, data])

    def take(self) -> tuple[int, dict[str, NDArray[np.float32]]] | None:
        """First number and samples of what all signals have, taken away; None where that is none.

        Up to seven samples are kept back, because bits come packed in bytes.
        """
        starts = [s for s in self._starts.values() if s is not None]
        if len(starts) < len(self._starts):
            return None
        first = max(starts)
        end = min(s + len(self._data[n]) for n, s in self._starts.items() if s is not None) - 7
        if end <= first:
            return None
        taken = {}
        for name, start in self._starts.items():
            assert start is not None
            taken[name] = self._data[name][first - start : end - start]
            self._data[name] = self._data[name][end - start :]
            self._starts[name] = end
        return first, taken


class Joulescope:
    """Options: input (trigger: 0-3), device (its path), range = auto."""

    name = "joulescope"

    def __init__(self, options: Options) -> None:
        choices = Choices(self.name, options, "input device range")
        self._trigger = f"s/gpi/{choices.integer('input', 0, 3, 0)}"
        self._range = choices.one_of("range", ("auto",), "auto")
        self._wanted = choices.text("device")
        self._driver: Any = None
        self._device = ""
        self._messages: queue.Queue[Message] = queue.Queue(_MOST_WAITING)
        self._overrun = False
        self._about: dict[str, Any] = {}

    def check(self) -> str | None:
        if importlib.util.find_spec("pyjoulescope_driver") is None:
            return "pyjoulescope_driver is not installed: pip install pyjoulescope_driver"
        return None

    def __enter__(self) -> Self:
        module = importlib.import_module("pyjoulescope_driver")
        self._about = {"driver": str(getattr(module, "__version__", "unknown"))}
        try:
            self._driver = module.Driver()
            self._device = self._find()
            self._driver.open(self._device)
            mode = "s/i/range/select" if "js110" in self._device else "s/i/range/mode"
            self._publish(mode, self._range)
            self._about |= self._versions()
        except BaseException as error:
            self.close()
            if isinstance(error, RuntimeError | TimeoutError | OSError):
                raise self._failed(error) from error
            raise
        return self

    def _find(self) -> str:
        found = sorted(map(str, self._driver.device_paths()))
        wanted = [d for d in found if not self._wanted or d == self._wanted]
        if not wanted:
            raise MeterError(
                "no Joulescope is plugged in",
                hint=f"connected: {', '.join(found)}" if found else "on Linux it needs a udev rule",
            )
        if len(wanted) > 1:
            raise InputError(
                f"several Joulescopes are plugged in: {', '.join(wanted)}",
                hint="choose one: --set device=PATH",
            )
        return wanted[0]

    def _versions(self) -> dict[str, Any]:
        found = {}
        for key, topic in (("firmware", "c/fw/version"), ("hardware", "c/hw/version")):
            try:
                found[key] = str(self._driver.query(f"{self._device}/{topic}"))
            except (RuntimeError, TimeoutError):  # a model without the topic
                found[key] = "not told by the instrument"
        return found

    def record(self, stop: Stop) -> Iterator[Samples]:
        if self._driver is None:
            raise MeterError("the Joulescope is not open")
        self._messages = queue.Queue(_MOST_WAITING)
        self._overrun = False
        signals = (*_SIGNALS, self._trigger)
        try:
            for name in signals:
                self._driver.subscribe(f"{self._device}/{name}/!data", ["pub"], self._heard)
                self._publish(f"{name}/ctrl", 1)
            yield from self._blocks(signals, stop)
            for name in signals:
                self._publish(f"{name}/ctrl", 0)
                self._driver.unsubscribe(f"{self._device}/{name}/!data", self._heard)
        except (RuntimeError, TimeoutError, OSError) as error:
            raise self._failed(error) from error

    def _heard(self, topic: str, value: dict[str, Any]) -> None:
        """Called in the driver's thread."""
        try:
            self._messages.put_nowait((topic, value))
        except queue.Full:
            self._overrun = True

    def _blocks(self, signals: tuple[str, ...], stop: Stop) -> Iterator[Samples]:
        aligner = Aligner(signals)
        origin, expected, lost, rate = None, 0, 0, 0.0
        last = time.monotonic()
        while not stop():
            if time.monotonic() - last > _SILENCE_SECONDS:
                raise MeterError(
                    f"the Joulescope has sent no samples for {_SILENCE_SECONDS:g} s",
                    hint="was it unplugged? Is Vref wired (JS220, JS320)?",
                )
            try:
                topic, value = self._messages.get(timeout=0.1)
            except queue.Empty:
                continue
            name = topic.removeprefix(f"{self._device}/").removesuffix("/!data")
            if name not in signals:
                continue
            first, data, rate = unpack(value, bits=name == self._trigger)
            aligner.add(name, first, data)
            block = aligner.take()
            if block is None:
                continue
            last = time.monotonic()
            origin = block[0] if origin is None else origin
            whole: Bools = np.isfinite(np.stack(list(block[1].values()))).min(axis=0)
            lost += block[0] - origin - expected + int((~whole).sum())
            expected = block[0] - origin + len(whole)
            self._about |= {"rate_hz": rate, "lost_samples": lost, "overrun": self._overrun}
            yield from self._samples(expected - len(whole), rate, block[1], whole)

    def _samples(
        self, first: int, rate: float, block: dict[str, NDArray[np.float32]], whole: Bools
    ) -> Iterator[Samples]:
        """The block without the samples that are missing in a signal."""
        edges = np.flatnonzero(np.diff(whole, prepend=False, append=False))
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            yield Samples(
                first + int(start),
                rate,
                block["s/i"][start:end].astype(np.float64),
                block["s/v"][start:end].astype(np.float64),
                block[self._trigger][start:end] > 0.5,
            )

    def _publish(self, topic: str, value: object) -> None:
        self._driver.publish(f"{self._device}/{topic}", value)

    def _failed(self, error: BaseException) -> MeterError:
        return MeterError(
            f"the Joulescope's driver failed: {error}",
            hint="unplug it and plug it in again; on Linux it needs a udev rule",
        )

    def describe(self) -> dict[str, Any]:
        return {
            "instrument": "Joulescope",
            "device": self._device,
            "range": self._range,
            "voltage_v": "measured with each sample; the board has its own supply",
            "trigger": self._trigger,
            **self._about,
        }

    def own_charge(self) -> float | None:
        return None

    def close(self) -> None:
        driver, self._driver = self._driver, None
        if driver is None:
            return
        try:
            if self._device:
                driver.close(self._device)
        except (RuntimeError, TimeoutError, OSError):  # unplugged
            pass
        finally:
            driver.finalize()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def unpack(value: dict[str, Any], *, bits: bool) -> tuple[int, NDArray[np.float32], float]:
    """Number of the first sample, samples, samples a second of a stream message.

    Bits come eight to a byte, the first in the lowest bit.
    """
    try:
        factor = int(value["decimate_factor"])
        first = int(value["sample_id"]) // factor
        rate = float(value["sample_rate"]) / factor
        data = np.asarray(value["data"])
        if bits:
            data = np.unpackbits(data.astype(np.uint8, casting="safe"), bitorder="little")
        with np.errstate(over="ignore"):  # then infinite: a sample that is lost
            samples = data.astype(np.float32)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError) as error:
        raise MeterError("the Joulescope's driver sends messages of another form") from error
    if samples.ndim != 1 or first < 0 or not 1 <= rate <= 1e8:
        raise MeterError("the Joulescope's driver sends messages of another form")
    return first, samples, rate
