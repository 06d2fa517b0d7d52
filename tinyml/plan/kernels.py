"""Which kernel computes a layer: the first that the core and the shapes allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..graph import Graph, Node
from ..ops import OPS, Kernel, _int4, operand
from .values import Item, Plan, Step, Stream

Refused = Mapping[tuple[tuple[str, ...], str], str]
"""Outputs of a node and a kernel that is not to compute them -> why."""


def choose(
    node: Node,
    graph: Graph,
    isa: frozenset[str],
    goal: str = "",
    rank: int = 0,
    refused: Refused | None = None,
) -> tuple[Kernel, str]:
    """The first kernel the core and the shapes allow, and why it was not an earlier one.

    `rank` passes over as many of those, as long as another is left.
    """
    found: tuple[Kernel, str] | None = None
    passed: list[str] = []
    for kernel in _of_type(node, graph):
        if kernel.packed and not _int4.is_packed(node, graph):
            continue
        missing = sorted(kernel.isa - isa)
        if kernel.goal and kernel.goal != goal:
            missing.append(f"--optimize {kernel.goal}")
        refusal = f"needs {', '.join(missing)}" if missing else kernel.fits(node, graph)
        if refusal is None and refused:
            refusal = refused.get((node.outputs, kernel.name))
        if _int4.is_packed(node, graph):
            refusal = refusal or _packed_refusal(kernel, node, graph, goal)
        if refusal is None:
            found = kernel, "; ".join(dict.fromkeys(passed)) or "first choice"
            if rank == 0:
                return found
            rank, refusal = rank - 1, "passed over"
        passed.append(f"{kernel.name}: {refusal}")
    if found is not None:
        return found
    raise AssertionError(f"{node.op} has no kernel without requirements")


def _packed_refusal(kernel: Kernel, node: Node, graph: Graph, goal: str) -> str | None:
    """Why a kernel that a core and shapes allow is not for int4 weights, where `goal` is asked."""
    if kernel.packed and goal == "speed":
        return "slower than int4 weights expanded to int8"
    if goal == "unpack" and kernel.packed:
        uses = OPS[node.op].macs(node, graph) // operand(node, graph, 1).count
        return "slower than int4 weights unpacked to RAM" if uses >= _int4.USES else None
    few = operand(node, graph, 1).count <= _int4.FEW
    if goal == "unpack" and not few and _int4.stored(kernel.lower(node, graph)) is None:
        return "its weights are not stored as int4"
    return None


def _of_type(node: Node, graph: Graph) -> Sequence[Kernel]:
    """The kernels for the type of the node's first input alone, or else those for any."""
    kernels = OPS[node.op].kernels
    typed = [k for k in kernels if k.dtype and operand(node, graph, 0).dtype == k.dtype]
    return typed or [k for k in kernels if not k.dtype]


def _kernel_and_weights(step: Step) -> str:
    return f"{step.call.kernel}{' on unpacked weights' if step.call.unpacked else ''}"


def without_room(plan: Plan, fast: Plan) -> Plan:
    """A plan that stands in for a `fast` one; its steps say where that had another kernel."""
    kernels = {s.node.outputs: _kernel_and_weights(s) for s in fast.steps}

    def told(step: Step) -> Step:
        other = kernels.get(step.node.outputs, "")
        if other in ("", _kernel_and_weights(step)):
            return step
        return replace(step, reason=f"{other}: not enough flash or RAM; {step.reason}")

    def item(of: Item) -> Item:
        return replace(of, steps=tuple(map(told, of.steps))) if isinstance(of, Stream) else told(of)

    return replace(plan, schedule=tuple(map(item, plan.schedule)))
