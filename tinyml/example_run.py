"""Running the example application: what it has to say, worked out here, and what a board says."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from . import flow, tflm_host
from .board import load_board
from .clean import printable
from .device import default_probe, infer
from .engines import tflm
from .errors import ProbeError, RunError
from .example import Golden
from .flow import Built, Model
from .graph import Array
from .link import Log
from .ports import Port, open_port, read_some
from .probes import Options, open_probe
from .samples import device_inputs

_PATIENCE_S = 120.0
_LINE = 200


def golden(model: Model, inputs: Mapping[str, Array], engine: str) -> Golden:
    """The first sample of `inputs`, and the model's outputs on this computer.

    With the engine aot those are our own C's, with tflm the tflite-micro package's.
    """
    given = {n: a[:1] for n, a in device_inputs(model.graph, inputs).items()}
    if engine == "tflm":
        planned = tflm.plan(model.graph, model.bytes)
        outputs = dict(tflm_host.run(planned, model.bytes, given).outputs)
    else:
        with tempfile.TemporaryDirectory(prefix="tinyml-") as name:
            folder = Path(name) / "host"
            built = flow.build(model, load_board("host"), folder, prefix="net")
            outputs = infer(built, given)
    return Golden(
        {n: a.reshape(-1) for n, a in given.items()}, {n: a.reshape(-1) for n, a in outputs.items()}
    )


def run(
    built: Built,
    say: Callable[[str], None],
    *,
    probe: str | None = None,
    port: str | None = None,
    options: Options | None = None,
) -> bool:
    """Flash and start the example, pass on its lines; False where its own check failed.

    RunError where it stops before its end.
    """
    board = built.board
    name = probe or default_probe(board)
    if port is not None and (probe is None or name in ("qemu", "host")):
        with open_port(port, board.console.baud if board.console else 115200) as line:
            return _listen(line, say)
    with open_probe(name, board, options or {}) as opened:
        if missing := opened.check():
            raise ProbeError(missing)
        opened.flash(built.image.elf)
        opened.reset()
        return _listen(opened.console(), say)


def _listen(port: Port, say: Callable[[str], None]) -> bool:
    """Lines up to the one that says done."""
    right = True
    deadline = time.monotonic() + _PATIENCE_S
    with Log() as log:
        while time.monotonic() < deadline:
            log.add(_read(port))
            while (line := log.take()) is not None:
                text = printable(line.data.decode("latin-1").strip(), _LINE)
                if text == "done":
                    return right
                if text:
                    say(text)
                right &= text != "check failed"
                if text.startswith(("fault ", "tflm stopped")):
                    raise RunError(f"the example stopped: {text}")
    raise RunError(
        f"the example did not end within {_PATIENCE_S:.0f} s",
        hint="is the firmware on the board that of --app example?",
    )


def _read(port: Port) -> bytes:
    import serial

    try:
        return read_some(port)
    except (serial.SerialException, OSError) as error:
        raise RunError(f"the console was closed before the example's end: {error}") from error
