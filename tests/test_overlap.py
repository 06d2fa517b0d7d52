"""Outputs in the bytes of dying inputs: as near as reads and writes allow, and no nearer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import networks
from tests.pick import Pick, Seeded
from tests.target import check_on_core
from tests.test_cores import CORES
from tests.test_plan import check_slots, equal_to_tflm
from tinyml import tflite
from tinyml.engines import aot
from tinyml.graph import Graph, Node, Tensor
from tinyml.ops import Call, Window
from tinyml.ops._order import ORDERS
from tinyml.plan import Plan, Step, overlap, placed, scratch_name

LAYERS = ("conv", "depthwise", "branch", "conv", "depthwise", "relu", "conv")
SHORT = 6  # networks for each core


def shared(plan: Plan) -> set[str]:
    """The kernels whose output lies in bytes of their input."""
    found = set()
    for item in plan.schedule:
        output = plan.slots[item.steps[-1].call.outputs[0]]
        made = {n for s in item.steps for n in s.call.outputs}
        for name in {n for s in item.steps for n in s.call.inputs if n in plan.slots} - made:
            place = plan.slots[name]
            if (
                output.offset < place.offset + place.size
                and place.offset < output.offset + output.size
            ):
                found.add(item.steps[-1].call.kernel)
    return found


def promising(pick: Pick) -> bytes:
    """A network all of whose large tensors die with the next layer."""
    net = networks._Network(pick)
    net.size, net.channels = (pick.integer(8, 12), pick.integer(8, 12)), pick.choice([3, 4, 8])
    net.m.graph.tensors[net.last].shape = list(net.shape)
    for layer in LAYERS:
        getattr(net, layer)()
    net.head()
    net.m.graph.outputs = [net.last]
    return net.m.finish()


@pytest.mark.qemu
@pytest.mark.parametrize("board", CORES, ids=lambda b: Path(b).stem)
def test_outputs_in_the_bytes_of_inputs_are_right_on_each_core(board: str, tmp_path: Path) -> None:
    """All kernels that promise an order are among them, on one core or another."""
    plans: list[Plan] = []

    def kept(plan: Plan) -> Plan:
        check_slots(plan)
        plans.append(plan)
        return plan

    blobs = [promising(Seeded(seed)) for seed in range(SHORT)]
    check_on_core(board, blobs, tmp_path, goal="", changed=kept)
    found = set().union(*map(shared, plans))
    used = {s.call.kernel for plan in plans for s in plan.steps}
    assert found & ORDERS.keys()
    assert {k for k in used & ORDERS.keys() if not k.startswith("fully")} <= found


@dataclass(frozen=True)
class Layer:
    """A window over an input of in_h x in_w pixels, as a call of a kernel that makes columns."""

    kernel: str
    size: tuple[int, int]
    window: tuple[int, int, int]  # kernel, stride, padding: those of rows and columns
    channels: tuple[int, int]
    chunk: int
    band: int = 0

    @property
    def out(self) -> tuple[int, int]:
        kernel, stride, pad = self.window
        rows, columns = ((s + 2 * pad - kernel) // stride + 1 for s in self.size)
        return rows, columns

    @property
    def step(self) -> Step:
        kernel, stride, pad = self.window
        params = {"chunk": self.chunk, "stride_w": stride, "pad_w": pad, "together": 1}
        window = Window(stride, kernel, pad)
        call = Call(self.kernel, ("x",), ("y",), self.out[0], params=params, window=window)
        return Step(0, Node("CONV_2D", ("x",), ("y",)), call, 0, "", band=self.band)

    @property
    def graph(self) -> Graph:
        shapes = {"x": (1, *self.size, self.channels[0]), "y": (1, *self.out, self.channels[1])}
        tensors = {n: Tensor(n, shape, np.dtype(np.int8)) for n, shape in shapes.items()}
        return Graph(tensors, (), ("x",), ("y",), ("x",), ("y",))

    def groups(self) -> Iterator[tuple[set[int], set[int]]]:
        """The bytes that are read, and then those that are written."""
        rows, columns = self.out
        pixels = [(y, x) for y in range(rows) for x in range(columns)]
        if self.band:
            parts = [[p for p in pixels if p[0] // self.band == b] for b in range(rows)]
        elif self.kernel.endswith("mve"):
            each = range(0, columns, self.chunk)
            parts = [
                [(y, x) for x in range(c, min(c + self.chunk, columns))]
                for y in range(rows)
                for c in each
            ]
        else:
            parts = [pixels[c : c + self.chunk] for c in range(0, len(pixels), self.chunk)]
        for part in parts:
            reads = {b for y, x in part for b in self._read(y, x)}
            first = [(y * columns + x) * self.channels[1] for y, x in part]
            yield reads, {f + c for f in first for c in range(self.channels[1])}

    def _read(self, y: int, x: int) -> Iterator[int]:
        kernel, stride, pad = self.window
        (height, width), channels = self.size, self.channels[0]
        for iy in range(max(0, y * stride - pad), min(height, y * stride - pad + kernel)):
            for ix in range(max(0, x * stride - pad), min(width, x * stride - pad + kernel)):
                at = (iy * width + ix) * channels
                yield from range(at, at + channels)

    def harms(self, lead: int) -> bool:
        """Whether anything is read that has been written over, the output `lead` bytes in front."""
        written: set[int] = set()
        for reads, writes in self.groups():
            moved = {b - lead for b in writes}
            if self.band:  # nothing is promised within a band
                written |= moved
            if reads & written:
                return True
            written |= moved
        return False


@st.composite
def layers(draw: st.DrawFn, band: bool) -> Layer:
    kernel = draw(st.integers(1, 3))
    size = draw(st.integers(kernel, 7)), draw(st.integers(kernel, 7))
    window = kernel, draw(st.integers(1, kernel)), draw(st.integers(0, kernel // 2))
    channels = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    name = draw(st.sampled_from(["conv2d_s8__dsp", "conv2d_s8__mve"]))
    layer = Layer(name, size, window, channels, draw(st.integers(1, 9)))
    if not band or layer.out[0] < 2:
        return layer
    return replace(layer, band=draw(st.integers(1, layer.out[0] - 1)))


@settings(deadline=None)
@given(st.one_of(layers(band=False), layers(band=True)))
def test_an_output_begins_as_near_as_it_may_and_no_nearer(layer: Layer) -> None:
    """Byte by byte: nothing is read that was written over, and one byte nearer something is."""
    lead = overlap.lead(layer.graph, layer.step, "x")
    assert lead is not None
    assert not layer.harms(lead) and not layer.harms(lead + 5)
    assert lead == -layer.graph.tensors["x"].nbytes or layer.harms(lead - 1)


def test_what_promises_nothing_shares_nothing() -> None:
    layer = Layer("conv2d_s8", (4, 4), (3, 1, 1), (2, 2), 4)
    assert overlap.lead(layer.graph, layer.step, "x") is None
    step = layer.step
    batches = replace(step, call=replace(step.call, kernel="conv2d_s8__dsp", batches=2))
    assert overlap.lead(layer.graph, batches, "x") is None


@pytest.mark.parametrize("seed", range(20))
def test_layers_in_bands_of_rows_give_the_same(seed: int) -> None:
    """Each depthwise layer of a network, whatever its band; with outputs in their inputs' bytes."""
    blob = networks.network(Seeded(seed), ("conv", "depthwise", "depthwise", "relu", "depthwise"))
    plan = aot.plan(tflite.parse(blob))
    wide = [s for s in plan.steps if s.call.row_scratch and s.call.rows > 1]
    for rows in (1, 2, 3):
        schedule = tuple(replace(s, band=rows) if s in wide else s for s in plan.schedule)
        banded = placed(plan.graph, schedule, plan.moves)
        check_slots(banded)
        equal_to_tflm(banded, blob, seed)
        for step in wide:
            there, before = (p.slots.get(scratch_name(step)) for p in (banded, plan))
            assert there and before and there.size <= before.size
