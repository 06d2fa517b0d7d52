"""Operators that only move bytes, and need not: what they put together is written in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..graph import Graph, Node, Tensor
from ..ops import OPS, Call
from .values import Move, Place

_MOVES = frozenset({"join", "join_s8", "split", "copy_strided"})  # kernels
_WORD = 4  # kernels may read words where a tensor begins at one


def inside_of(graph: Graph, moves: Sequence[Move]) -> dict[str, Place]:
    """Which tensor lies where in which other: other shapes of one, and views."""
    found = {n.outputs[0]: Place(str(n.inputs[0])) for n in graph.nodes if OPS[n.op].alias}
    for move in moves:
        if not move.reason:
            found |= move.inside
    return found


def moves_of(graph: Graph, calls: Mapping[str, Call]) -> tuple[Move, ...]:
    """The operators that only move bytes; as views where their bytes lie in one piece.

    `calls` has the call that computes a tensor.
    """
    # Outputs outlive a run that stops, so that nothing else may be written where they are.
    kept = any(call.stops for call in calls.values())
    inside = inside_of(graph, ())
    made = {n: node for node in graph.nodes if not OPS[node.op].alias for n in node.outputs}
    moves = []
    for node in graph.nodes:
        call = calls[node.outputs[0]] if node.outputs and node.outputs[0] in calls else None
        if call is None or call.kernel not in _MOVES:
            continue
        if kept:
            move = Move(node, "outputs are kept where a run stops early")
        elif call.kernel.startswith("join"):
            move = _joined(node, call, graph, inside, made)
        else:
            move = _cut(node, call, graph)
        if not move.reason:
            inside |= move.inside
        moves.append(move)
    return tuple(moves)


def _cut(node: Node, call: Call, graph: Graph) -> Move:
    """Outputs as views of the input."""
    x = graph.tensors[call.inputs[0]]
    outputs = [graph.tensors[n] for n in call.outputs]
    if x.data is not None or any(t.variable for t in (x, *outputs)):
        return Move(node, f"{x.name} is a constant or a variable")
    if not call.outputs_at:
        return Move(node, "its bytes do not lie in one piece")
    if refusal := _uneven(outputs, call.outputs_at):
        return Move(node, refusal)
    places = zip(call.outputs, call.outputs_at, strict=True)
    return Move(node, "", {n: Place(x.name, at) for n, at in places})


def _joined(
    node: Node, call: Call, graph: Graph, inside: Mapping[str, Place], made: Mapping[str, Node]
) -> Move:
    """Inputs in their places in the output, where those that make them have no other place."""
    whole = graph.tensors[call.outputs[0]]
    if call.kernel != "join":
        return Move(node, "its inputs have other scales")
    if not call.inputs_at:
        return Move(node, "the bytes of an input do not lie in one piece")
    parts = [graph.tensors[n] for n in call.inputs]
    if refusal := _uneven(parts, call.inputs_at):
        return Move(node, refusal)
    roots: dict[str, Place] = {}
    for part, at in zip(parts, call.inputs_at, strict=True):
        root = part.name
        while root in inside and inside[root].offset == 0 and root not in made:
            root = inside[root].buffer
        by = made.get(root)
        if root in roots:
            return Move(node, f"{root} is there twice")
        if part.data is not None or part.variable or by is None or whole.variable:
            return Move(node, f"{part.name} is not made by a layer")
        if root in inside or graph.tensors[root].nbytes != part.nbytes:
            return Move(node, f"{part.name} has its place in another tensor")
        if by.graphs or graph.tensors[root].variable:
            return Move(node, f"{part.name} is made by {by.op}")
        roots[root] = Place(whole.name, at)
    return Move(node, "", roots)


def _uneven(tensors: Sequence[Tensor], offsets: Sequence[int]) -> str:
    for tensor, at in zip(tensors, offsets, strict=True):
        if at % max(_WORD, tensor.dtype.itemsize):
            return f"{tensor.name} would begin within a word"
    return ""
