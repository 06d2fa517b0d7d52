"""The shape of tinyml/: imports go one way, heavy packages stay in their place, modules short."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

import pytest

from tinyml.paths import ROOT

PACKAGE = ROOT / "tinyml"
SPINE = tuple("graph quant ops passes plan emit engines build probes run report".split())
MODULES = {
    ".".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted(PACKAGE.rglob("*.py"))
    if file != PACKAGE / "__init__.py"
}
HEAVY = {"tensorflow", "serial", "joulescope", "ai_edge_litert", "tflite_micro", "torch", "onnx"}
# Over 400 lines for now, and why. A module leaves this list when it is split; none is added.
LONG = {
    "meters.lpm01a": "one file per instrument",
    "meters.otii": "one file per instrument",
}


@cache
def imports(module: str) -> tuple[tuple[str, bool], ...]:
    """What `module` imports, ours as "tinyml.x", and whether it does so when it is loaded."""
    file = MODULES[module]
    package = ("tinyml", *file.relative_to(PACKAGE).parts[:-1])
    return tuple(_imports(ast.parse(file.read_text(encoding="utf-8")), package, at_load=True))


def _imports(
    node: ast.AST, package: tuple[str, ...], *, at_load: bool
) -> Iterator[tuple[str, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, at_load) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            base = package[: len(package) + 1 - child.level] if child.level else ()
            source = ".".join((*base, *([child.module] if child.module else [])))
            for alias in child.names:
                inside = f"{source}.{alias.name}".removeprefix("tinyml.") in MODULES
                yield (f"{source}.{alias.name}" if inside else source), at_load
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from _imports(child, package, at_load=False)
        else:
            inner = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(child, package, at_load=at_load and not inner)


def ours(module: str) -> set[str]:
    """The modules of tinyml that `module` needs to be loaded."""
    found = {name for name, at_load in imports(module) if at_load}
    return {m for m in MODULES if f"tinyml.{m}" in found}


def reached(module: str) -> set[str]:
    """`ours` of `module`, of what they import, and so on."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        new = ours(waiting.pop()) - seen
        seen |= new
        waiting += new
    return seen


def stage(module: str) -> str:
    return module.partition(".")[0]


def test_the_reader_sees_every_kind_of_import() -> None:
    assert {"graph", "ops", "plan.memory"} <= reached("plan")
    assert {"probes.qemu", "board"} <= ours("probes")
    assert "flow" not in ours("report") and ("tinyml.flow", False) in imports("report")
    assert {"board.values", "errors"} <= reached("build")


@pytest.mark.parametrize("left", SPINE)
def test_no_stage_needs_one_to_its_right(left: str) -> None:
    """Not by way of others either: so a module outside of the spine is held to it too."""
    right = SPINE[SPINE.index(left) + 1 :]
    modules = [module for module in MODULES if stage(module) == left]
    assert modules
    wrong = {m: sorted(n for n in reached(m) if stage(n) in right) for m in modules}
    assert not {m: names for m, names in wrong.items() if names}


def test_only_commands_need_commands() -> None:
    for module in MODULES:
        if stage(module) != "__main__" and not stage(module).startswith("cli"):
            assert not {n for n in ours(module) if stage(n).startswith("cli")}, module


def test_tensorflow_is_imported_by_one_module() -> None:
    users = {m for m in MODULES for name, _ in imports(m) if name.partition(".")[0] == "tensorflow"}
    assert users == {"keras"}
    assert not [m for m in MODULES if "tinyml.keras" in dict(imports(m))]


def test_commands_load_nothing_heavy() -> None:
    code = "import sys, tinyml.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "tinyml.cli" in loaded and not loaded & HEAVY
    assert not {name for name in loaded if name.startswith("tinyml.meters")}


def test_modules_are_short() -> None:
    lines = {m: len(f.read_text(encoding="utf-8").splitlines()) for m, f in MODULES.items()}
    assert {m for m, count in lines.items() if count > 400} <= LONG.keys()
    assert LONG.keys() <= MODULES.keys()
