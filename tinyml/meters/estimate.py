"""Energy where there is no meter: the board file's current times the measured latency. A guess."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ..board import Board, Power
from ..errors import BoardError, InputError
from ..files import write_atomically
from ..results import Run

NOTE = (
    "estimated, not measured: a typical current from the source below times the measured latency; "
    "memory, peripherals, board and sample make it wrong by a factor of two and more"
)


@dataclass(frozen=True)
class EnergyEstimate:
    """What an inference may cost. No field is called like one of a measured result."""

    board: str
    model: str
    model_hash: str
    supply_v: float
    active_ma: float
    source: str
    latency_s: float
    latency_validity: str

    @property
    def estimated_j(self) -> float:
        """Joules per inference: supply * current * latency."""
        return self.supply_v * self.active_ma * 1e-3 * self.latency_s

    def to_json(self) -> str:
        values = asdict(self)
        values["kind"] = "estimated"
        values["note"] = NOTE
        values["estimated_energy_per_inference_j"] = self.estimated_j
        return json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    def save(self, path: Path) -> None:
        """`path` must say so in its name, too."""
        if "estimated" not in path.name:
            raise ValueError(f"{path.name} does not say that it is an estimate")
        write_atomically(path, self.to_json())


def check_current(board: Board) -> tuple[Power, float]:
    """What the board file says of its power, with the current in mA; BoardError without one."""
    if board.power is None or board.power.active_ma is None:
        raise BoardError(
            f"board {board.name} has no [power] active_ma with a source",
            hint="without one there is nothing to estimate from: measure, see docs/METERS.md",
        )
    return board.power, board.power.active_ma


def estimate_energy(board: Board, run: Run) -> EnergyEstimate:
    """From the board's sourced current and a latency measured on that board.

    BoardError where the board file has no current; InputError where the run has no latency, as on
    an emulator, or is of another board.
    """
    if run.board != board.name:
        raise InputError(f"the run is of board {run.board}, not {board.name}")
    power, active_ma = check_current(board)
    if run.milliseconds is None or run.validity == "invalid":
        raise InputError(
            f"the run on {run.board} has no valid latency of a board (probe {run.probe})",
            hint="an emulator's instruction counts say nothing about time or energy",
        )
    return EnergyEstimate(
        board=board.name,
        model=run.model,
        model_hash=run.model_hash,
        supply_v=power.supply_v,
        active_ma=active_ma,
        source=power.source,
        latency_s=run.milliseconds / 1e3,
        latency_validity=run.validity,
    )
