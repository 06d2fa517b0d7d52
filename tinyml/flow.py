"""The spine, read top to bottom: model file -> plan -> C -> image -> device -> run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from . import build as compiler
from . import data, emit, example, ina_reader, mlperf, tflite, tflm_build, wire
from .board import Board
from .build import Image, Sources
from .device import infer, infer_all, open_device
from .engines import aot, tflm
from .files import whole_folder, write_json
from .graph import Graph
from .paths import FIRMWARE
from .plan import Plan, Refused, lean, slow_in_flash, with_weights_in_ram, without_room
from .probes import Options
from .quantize import Precision, is_float, quantize
from .results import Run, write_manifest
from .samples import accuracy
from .session import Progress
from .summary import summarise

_FLASH_FOR_THE_REST = 32768
_RAM_FOR_THE_REST = 8192  # of the application and its library
LEVELS = {"speed": "-O3", "balanced": "-O2", "size": "-Os"}
MARK = "build.json"  # what every build folder has
APPS = ("bench", "mlperf", "mlperf-energy", "example", "bench-ina")
Tell = Callable[[str], None]


def _silent(text: str) -> None:
    return None


@dataclass(frozen=True)
class Model:
    """An int8 model: its name, its .tflite bytes, the graph, and warnings on the way there."""

    name: str
    bytes: bytes
    graph: Graph
    warnings: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        return emit.model_hash(self.bytes)


@dataclass(frozen=True)
class Built:
    """What a build leaves behind in `folder`."""

    folder: Path
    model: Model
    plan: Plan | tflm.Plan
    image: Image

    @property
    def board(self) -> Board:
        return self.image.board

    @property
    def steps(self) -> list[tuple[str, str, int]]:
        """Label, operator and MACs of each item of the schedule, as the firmware counts them."""
        items = [item.steps for item in self.plan.schedule]
        return [
            (" + ".join(s.node.label for s in i), i[-1].node.op, sum(s.macs for s in i))
            for i in items
        ]


def load_model(
    path: Path,
    *,
    calibration: Path | None = None,
    numbers: Precision | None = None,
    unsafe: bool = False,
    tell: Tell = _silent,
) -> Model:
    """A quantised .tflite as it is; any other model quantised with `calibration` to `numbers`.

    A float .tflite without calibration is taken as it is too.
    """
    if path.suffix == ".tflite":
        graph = tflite.load(path)
        if calibration is None or not is_float(graph):
            return Model(path.stem, path.read_bytes(), graph)
    with tempfile.TemporaryDirectory(prefix="tinyml-") as folder:
        target = Path(folder) / "model.tflite"
        quantized = quantize(
            path,
            calibration=calibration,
            output=target,
            numbers=numbers or Precision(),
            unsafe=unsafe,
            progress=tell,
        )
        content = target.read_bytes()
    return Model(path.stem, content, tflite.parse(content, path.name), quantized.warnings)


def compile_model(
    model: Model,
    board: Board,
    optimize: str = "balanced",
    *,
    rank: int = 0,
    weights_in_ram: bool = True,
) -> Plan:
    """The plan of a model for a board; ModelError or BoardError where it cannot be or not fit.

    For speed, flash is spent on larger transformed weights where there is enough, and weights go
    to RAM as far as it is free and `weights_in_ram` allows: flash of most chips has wait states.
    Where weights stay there, kernels that lose by what the board file says of it are not taken.
    Weights of int4 otherwise stay so in flash; each run unpacks those of many uses where there is
    RAM for it, but for size.
    Layers run row by row where that saves RAM and costs little time, when balanced: each costs time
    and code. Where there is not enough RAM without, they do at any level, also where it costs more.
    `rank` as in make_plan().
    """
    refused: Refused = {}
    in_ram = frozenset[tuple[int, str]]()
    while True:
        plan = _plan(model.graph, board, optimize, rank, refused)
        if optimize == "speed" and weights_in_ram and not board.host:
            free = board.ram.size - plan.arena - board.stack_bytes - _RAM_FOR_THE_REST
            plan = with_weights_in_ram(plan, free, in_ram)
        slow = slow_in_flash(plan, board.flash_reads)
        if not slow:
            return plan
        refused, in_ram = {**refused, **slow}, plan.in_ram


def _plan(graph: Graph, board: Board, optimize: str, rank: int, refused: Refused) -> Plan:
    """The best plan that fits the board, with all weights in flash."""
    goal = "" if optimize == "speed" else optimize
    plan = aot.plan(graph, board.isa, goal=goal, rank=rank, refused=refused)
    too_large = []
    for goal in () if board.host else _goals(graph, optimize):
        fast = aot.plan(graph, board.isa, goal=goal, rank=rank, refused=refused)
        if _fits(fast.weight_bytes + _FLASH_FOR_THE_REST, fast.arena + board.stack_bytes, board):
            plan = fast
            break
        too_large.append(fast)
    for fast in too_large:
        plan = without_room(plan, fast)
    whole = plan
    if optimize == "balanced":
        plan = lean(whole, free=True)
    if not board.host and plan.arena + board.stack_bytes > board.ram.size:
        plan = min(plan, lean(whole, free=False), key=lambda p: p.arena)
    compiler.check_fits(board, plan.weight_bytes, plan.arena + board.stack_bytes)
    return plan


def _goals(graph: Graph, optimize: str) -> list[str]:
    """What to try to plan for, the most wanted first."""
    int4 = any(t.packed for t in graph.tensors.values())
    return ["speed"] * (optimize == "speed") + ["unpack"] * (int4 and optimize != "size")


def build(
    model: Model,
    board: Board,
    output: Path,
    *,
    prefix: str,
    app: str = "bench",
    optimize: str = "balanced",
    sanitize: bool = False,
    runtime: tflm_build.Options | None = None,
    golden: example.Golden | None = None,
    tell: Tell = _silent,
) -> Built:
    """Plan, print and compile a model into the folder `output`, which is replaced as a whole.

    With `runtime`, a TFLite-Micro of the user's, that runs the model in place of our own code.
    `golden` is for the application example: what it checks itself by.
    """
    if app == "mlperf-energy":
        board = mlperf.energy_board(board)
    if app == "bench-ina":
        ina_reader.check_board(board, trigger=False)
    tell(f"planning {model.name} for {board.name}")
    with whole_folder(output, MARK) as work:
        plan: Plan | tflm.Plan
        if runtime is None:
            plan = compile_model(model, board, optimize)
            compact = optimize == "size"
            sources = write_sources(model, plan, prefix, work, compact=compact, strings=True)
        else:
            plan, sources, doubts = tflm_build.prepare(
                model.graph, model.bytes, board, prefix, work, runtime, tell
            )
            model = replace(model, warnings=model.warnings + doubts)
            write_facts(model, plan, work)
        tell(f"compiling {len(plan.schedule)} steps for {board.core.cpu}")
        if app == "example":
            files = example.write(plan.graph, prefix, model.bytes, work, golden=golden)
            sources = replace(sources, files=(*sources.files, files[0]))
        image = compile_sources(
            sources, model.graph, board, app=app, optimize=optimize, sanitize=sanitize
        )
        if isinstance(plan, tflm.Plan):
            tflm_build.finish(image, plan)
        write_json(work / MARK, {"app": app, **image.to_json()})
        shutil.rmtree(work / "obj", ignore_errors=True)
    return Built(output, model, plan, image.moved(output))


def compile_sources(
    sources: Sources,
    graph: Graph,
    board: Board,
    *,
    app: str = "bench",
    optimize: str = "balanced",
    sanitize: bool = False,
) -> Image:
    """An image of the application `app` round the sources of an engine."""
    sources = _add_app(sources, graph, app)
    if optimize != "speed":
        sources = replace(sources, defines={**sources.defines, "TM_COMPACT": "1"})
    return compiler.compile_image(sources, board, optimize=LEVELS[optimize], sanitize=sanitize)


def _add_app(sources: Sources, graph: Graph, app: str) -> Sources:
    if app == "example":
        return sources  # printed for the model, with the engine's sources
    if app == "bench":
        return compiler.add_app(sources, FIRMWARE / "app" / "bench.c")
    if app == "bench-ina":
        return ina_reader.add_own(compiler.add_app(sources, FIRMWARE / "app" / "bench.c"))
    sources = mlperf.add_settings(sources, graph, energy=app == "mlperf-energy")
    return compiler.add_app(sources, FIRMWARE / "app" / "mlperf.c")


def write_sources(
    model: Model,
    plan: Plan,
    prefix: str,
    folder: Path,
    *,
    compact: bool = False,
    strings: bool = False,
) -> Sources:
    """Everything a compiler needs of the model itself: for `build`, or for a user's own project.

    `compact` and `strings` as in model_of(): any compiler may be that of a user's own project.
    """
    printed = emit.model_of(plan, prefix, model.bytes, compact=compact, strings=strings)
    emit.emit(printed, folder)
    (folder / "tm_wire.h").write_text(wire.header(), encoding="utf-8", newline="\n")
    write_facts(model, plan, folder)
    return Sources(folder, ("model.c",), (".",), {"TM_MODEL": f"{prefix}_model"})


def write_facts(model: Model, plan: Plan | tflm.Plan, folder: Path) -> None:
    """The model itself, and its plan to read."""
    (folder / "model.tflite").write_bytes(model.bytes)
    write_json(folder / "plan.json", {"model_hash": model.hash, **plan.to_json()})


def bench(
    built: Built,
    results: Path,
    *,
    count: int = 5,
    warmup: int = 1,
    test: Path | None = None,
    probe: str | None = None,
    port: str | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Run:
    """Time a model on a board, layer by layer too, and count its right answers on `test`.

    `results` gets serial.log as received, outputs.npz of the test set, run.json, and last
    manifest.json, which says that the run came to its end.
    """
    labelled = None
    if test is not None:  # a file that cannot be used is found before the board is touched
        labelled = data.labelled_set(test, built.model.graph.input_names)
    results.mkdir(parents=True, exist_ok=True)
    outputs = None
    log = results / "serial.log"
    with open_device(built, log, probe=probe, port=port, options=options) as opened:
        session = opened.session
        measured = session.bench(count, per_layer=True, warmup=warmup, progress=progress)
        memory = session.memory()
        if labelled is not None and opened.probe != "qemu":
            outputs = infer_all(built, session, labelled[0], progress)
        run = summarise(
            session,
            measured,
            opened.counting,
            probe=opened.probe,
            probe_details=opened.details,
            toolchain=f"{built.image.compiler} {' '.join(built.image.flags)}",
            steps=built.steps,
            memory=memory,
            warnings=built.model.warnings,
        )
    if labelled is not None:
        if outputs is None:
            log = results / "accuracy.log"
            outputs = infer(built, labelled[0], log, probe=probe, port=port, progress=progress)
        data.save_arrays(results / "outputs.npz", outputs)
        right = accuracy(built.model.graph, outputs, labelled[1])
        run = replace(run, accuracy=right, samples=len(labelled[1]))
    run.save(results / "run.json")
    write_manifest(results, run, built.image.sha256, run.probe)
    return run


def _fits(flash: int, ram: int, board: Board) -> bool:
    return flash <= board.flash.size and ram <= board.ram.size
