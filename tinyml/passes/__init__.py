"""Rewrites of a graph; each leaves every output bit as it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..graph import Graph
from .activations import fuse_activations
from .bound import bind_constants
from .broadcasts import merge_broadcasts
from .dead_channels import drop_dead_channels
from .dilation import restore_dilation
from .padding import merge_padding
from .requantize import merge_requantize
from .same_bytes import drop_same_bytes
from .shapes import fold_shapes
from .single_channel import convolve_single_channels
from .unused import drop_unused

Rewrite = Callable[[Graph], Graph]

BEFORE_CHECKS: tuple[Rewrite, ...] = (
    # Weights, axes and limits of loops may be handed to a subgraph as its inputs.
    bind_constants,
    # A free batch size leaves arithmetic of shapes, and its results where constants must be.
    fold_shapes,
    # Kernels of two operands walk four dimensions; group normalisation has five.
    merge_broadcasts,
)

PIPELINE: tuple[Rewrite, ...] = (
    # What is not needed must not keep the others from seeing that a tensor has one reader.
    drop_unused,
    # Converters write dilation as three operators, two of which only move pixels.
    restore_dilation,
    # ZeroPadding2D and causal Conv1D layers need no padded copy of the image.
    merge_padding,
    # Models joined at a seam change scales twice.
    merge_requantize,
    # A Rescaling layer, or a RELU of what is not negative, only gives scales a new meaning.
    drop_same_bytes,
    # A RELU of one scale is a bound, which convolutions, pools and sums have for nothing.
    fuse_activations,
    # The first layer of small audio models; convolutions have kernels for every core.
    convolve_single_channels,
    # Channels that never change need no computing: half of MLPerf Tiny's VWW model.
    drop_dead_channels,
)


def prepare(graph: Graph) -> Graph:
    """The graph as the checks of operators should see it."""
    return _run(BEFORE_CHECKS, graph)


def run(graph: Graph) -> Graph:
    """The simplest graph we know with the same outputs; `graph` has passed its checks."""
    return _run(PIPELINE, graph)


def _run(rewrites: Sequence[Rewrite], graph: Graph) -> Graph:
    """Each rewrite of a graph, then all of them of the subgraphs that it has left."""
    for rewrite in rewrites:
        graph = rewrite(graph).verify()
    if not any(node.graphs for node in graph.nodes):
        return graph
    nodes = (replace(n, graphs=tuple(_run(rewrites, g) for g in n.graphs)) for n in graph.nodes)
    return replace(graph, nodes=tuple(nodes)).verify()
