"""A board or an emulator with an image on it, opened to be talked to, and inferences on it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .board import Board
from .errors import ProbeError, RunError
from .graph import Array
from .link import Log
from .plan import Plan
from .ports import open_port
from .probes import Counting, Options, open_probe
from .run import connect
from .samples import device_inputs
from .session import Progress, Session

if TYPE_CHECKING:
    from .flow import Built


@dataclass(frozen=True)
class Device:
    """An open session and the unit its counts are in; `details` is what is known of the probe."""

    session: Session
    counting: Counting
    probe: str
    details: str


@contextmanager
def open_device(
    built: Built,
    log: Path | None = None,
    *,
    probe: str | None = None,
    port: str | None = None,
    options: Options | None = None,
) -> Iterator[Device]:
    """Flash an image and talk to it: through a probe, or through `port` to a board that runs it.

    With both, the probe flashes a board whose console is at `port`.
    """
    board = built.board
    name = probe or default_probe(board)
    emulated = name in ("qemu", "host")
    with Log(log) as raw:
        if port is not None and (probe is None or emulated):
            baud = board.console.baud if board.console else 115200
            with open_port(port, baud) as line:
                session = connect(line, raw, board=board.name, model_hash=built.model.hash)
                yield Device(session, Counting("cycles"), "port", "")
            return
        more = {} if port is None else {"port": port}
        with open_probe(name, board, {**(options or {}), **more}) as opened:
            missing = opened.check()
            if missing:
                raise ProbeError(missing)
            _check_unchanged(built)
            opened.flash(built.image.elf)
            opened.reset()
            session = connect(
                opened.console(),
                raw,
                board=board.name,
                model_hash=built.model.hash,
                diagnose=opened.diagnose,
                flashed=not emulated,
            )
            counting = opened.counting(session.boot.counter_hz)
            yield Device(session, counting, name, opened.summary())


def _check_unchanged(built: Built) -> None:
    """RunError where another process has built in the same folder meanwhile."""
    elf = built.image.elf
    if hashlib.sha256(elf.read_bytes()).hexdigest() != built.image.sha256:
        raise RunError(
            f"{elf} is another image than was built: another tinyml builds in {built.folder}",
            hint="give each a folder of its own with --output",
        )


def default_probe(board: Board) -> str:
    """The emulator where a board has one, since it is always there; else the board's probe."""
    return "qemu" if board.emulator is not None else board.probe.default


def infer(
    built: Built,
    inputs: Mapping[str, Array],
    log: Path | None = None,
    *,
    probe: str | None = None,
    port: str | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
) -> dict[str, Array]:
    """Outputs by name, shape (N, *output shape), for inputs of shape (N, *input shape)."""
    # An emulator that does not count is several times faster, and the outputs are the same.
    if (probe or default_probe(built.board)) == "qemu":
        options = {"icount": "off", **(options or {})}
    with open_device(built, log, probe=probe, port=port, options=options) as opened:
        return infer_all(built, opened.session, inputs, progress)


def infer_all(
    built: Built, session: Session, inputs: Mapping[str, Array], progress: Progress | None
) -> dict[str, Array]:
    """One sample after the other; over restarts where no state is lost by them.

    The first finds fresh state: firmware makes an inference of its own at boot.
    """
    session.reset_model()
    graph = built.model.graph
    raw = device_inputs(graph, inputs)
    samples = len(next(iter(raw.values())))
    columns: dict[str, list[Array]] = {name: [] for name in graph.output_names}
    resume = isinstance(built.plan, Plan) and not built.plan.states
    for i in range(samples):
        found = session.infer({n: a[i] for n, a in raw.items()}, resume=resume)
        for name in columns:
            columns[name].append(found.outputs[name])
        if progress:
            progress(i + 1, samples)
    tensors = dict(zip(graph.output_names, graph.outputs, strict=True))
    shapes = {n: graph.tensors[t].sample_shape for n, t in tensors.items()}
    return {n: np.stack(c).reshape(samples, *shapes[n]) for n, c in columns.items()}
