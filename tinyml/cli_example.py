"""The example application on the command line: its check, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .cli import _print_json, _tell

if TYPE_CHECKING:
    from .example import Golden
    from .flow import Built, Model


def read_golden(model: Model, inputs: Path, engine: str) -> Golden:
    """The first sample of a file, and what the model gives for it on this computer."""
    from . import data, example_run

    arrays = data.input_arrays(inputs, model.graph.input_names)
    _tell("working out on this computer what the example has to give")
    return example_run.golden(model, arrays, engine)


def run_example(built: Built, probe: str | None, port: str | None, as_json: bool) -> None:
    """Print what the example says, as it says it; exit code 3 where its check fails."""
    from . import example_run

    lines: list[str] = []
    right = example_run.run(built, lines.append if as_json else print, probe=probe, port=port)
    if as_json:
        _print_json({"board": built.board.name, "lines": lines, "check_failed": not right})
    if not right:
        raise typer.Exit(3)
