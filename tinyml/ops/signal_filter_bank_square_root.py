"""SignalFilterBankSquareRoot: the root of each channel, shifted right by a number of bits."""

from __future__ import annotations

from ..graph import Graph, Node
from . import Call, Kernel, Op, _signal, operand, register


def check(node: Node, graph: Graph) -> list[str]:
    refusals = _signal.refusals(node, graph, ["uint64", "int32"], ["uint32"])
    if refusals:
        return refusals
    (x, bits), y = (operand(node, graph, i) for i in (0, 1)), graph.outs(node)[0]
    if len(x.shape) != 1 or x.shape != y.shape or bits.count != 1:
        return [f"it makes {y.shape} of {x.shape} and {bits.shape}"]
    return []


def lower(node: Node, graph: Graph) -> Call:
    x, bits, y = operand(node, graph, 0), operand(node, graph, 1), graph.outs(node)[0]
    return _signal.call("filter_bank_square_root_u64", [x, bits], [y], {"count": x.count})


register(
    Op(
        "SignalFilterBankSquareRoot",
        check,
        (Kernel("filter_bank_square_root_u64", lower),),
        custom=_signal.no_options,
        resolver="AddFilterBankSquareRoot",
        doc="uint64 to uint32",
    )
)
