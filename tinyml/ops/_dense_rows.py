"""Dense layers by rows of weights as the model has them: where packing these does not pay."""

from __future__ import annotations

from dataclasses import replace

from ..graph import Graph, Node, Tensor
from . import Call, Kernel, _rescaling
from ._variant import Lower, variant

_FEW = 3  # outputs, for which rows take fewer instructions than packed pairs on Cortex-M4


def kernel(isa: str, scalar: Lower) -> Kernel:
    """The kernel for cores with DSP extension, or for Cortex-M3."""
    name = f"fully_connected_s8_rows__{isa}"

    def fits(call: Call, weights: Tensor) -> str | None:
        assert weights.data is not None
        w = weights.data
        return _rescaling.scale_refusal(call, w) or _rescaling.bias_refusal(call, w)

    def rows(call: Call, weights: Tensor) -> Call:
        assert weights.data is not None
        w, p = weights.data, call.params
        table = _rescaling.channel_constants(call, w, _rescaling.folded_bias(call, w))
        return replace(
            call,
            kernel=name,
            params={k: p[k] for k in ("batches", "in_n", "out_n", "act_min", "act_max")},
            constants={"weights": w, "channels": table.astype("<i4")},
        )

    return variant(name, scalar, fits, rows, frozenset({isa}))


def of_few(scalar: Lower) -> Kernel:
    """The same by DSP of a few outputs; only for speed, as it shares no code with packed layers."""
    any_number = kernel("dsp", scalar)

    def fits(node: Node, graph: Graph) -> str | None:
        many = int(scalar(node, graph).params["out_n"]) > _FEW
        return f"over {_FEW} outputs" if many else any_number.fits(node, graph)

    return replace(any_number, fits=fits, goal="speed")


def thumb2_cost(out_n: int, in_n: int) -> float:
    """Instructions on Cortex-M3, as counted: four outputs at a time, and those left over."""
    fours, left = divmod(out_n, 4)
    rest = (1.75 + 2 * left) * in_n + 35 * left + 30 if left else 0
    return fours * (9.75 * in_n + 170) + rest
