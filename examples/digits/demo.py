"""Build, run and measure the digits model of train.py on an emulated STM32, and tell the result.

python examples/digits/demo.py build/digits
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from rich.console import Console

from tinyml import data, flow, reference, report
from tinyml.board import load_board
from tinyml.device import infer
from tinyml.errors import TinymlError
from tinyml.files import results_folder
from tinyml.project import load_project
from tinyml.samples import accuracy, device_inputs


def tell(text: str) -> None:
    print(text, file=sys.stderr)


def main(folder: Path, board_name: str) -> None:
    project = load_project(folder)
    assert project.test is not None
    model = flow.load_model(project.model, calibration=project.calibration, tell=tell)
    names = model.graph.input_names
    inputs, labels = data.labelled_set(project.test, names)
    int8 = device_inputs(model.graph, inputs)

    board, host = load_board(board_name), load_board("host")
    home = folder / "build"
    built = flow.build(
        model,
        board,
        home / f"{project.name}-{board.name}",
        prefix=project.prefix,
        optimize=project.optimize,
        tell=tell,
    )
    on_host = flow.build(
        model,
        host,
        home / f"{project.name}-{host.name}",
        prefix=project.prefix,
        sanitize=True,
        tell=tell,
    )
    results = results_folder(folder / "results", built.folder.name)
    tell(f"running {len(labels)} test images on this computer and on emulated {board.name}")
    litert = reference.litert(model.bytes, model.graph, int8)
    here = infer(on_host, int8)
    run = flow.bench(built, results, test=project.test)
    there = np.load(results / "outputs.npz")

    keras = json.loads((folder / "metrics.json").read_text())["float_accuracy"]
    same = all(np.array_equal(here[n], there[n]) for n in here)
    rows = {
        "Keras, float32, this computer": f"{keras:.2%}",
        "LiteRT, int8, this computer": f"{accuracy(model.graph, litert, labels):.2%}",
        "tinyml, int8, this computer": f"{accuracy(model.graph, here, labels):.2%}",
        f"tinyml, int8, {board.name} (emulated)": f"{run.accuracy:.2%}",
        "outputs of the last two": "equal, bit for bit" if same else "DIFFERENT",
    }
    console = Console(width=110, highlight=False)
    console.print(report.sizes(built))
    console.print(report.run_table(run))
    console.print(report.key_values(f"accuracy on {len(labels)} test images", rows))
    console.print(f"files: {built.folder}\n       {results}", markup=False)
    if not same:
        sys.exit(3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--board", default="stm32")
    arguments = parser.parse_args()
    try:
        main(arguments.folder, arguments.board)
    except TinymlError as error:
        sys.exit(f"error: {error.message}\nhint: {error.hint}" if error.hint else error.message)
