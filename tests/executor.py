"""Runs a plan on the host by calling the C kernels one by one, with guards round the arena.

The kernels are compiled once with UBSan; so thousands of cases need no further compiler run.
What the emitter prints is tested apart, in test_emit.py.
"""

from __future__ import annotations

import ctypes
import fcntl
import functools
import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinyml.ops import _int4
from tinyml.paths import FIRMWARE
from tinyml.plan import Copy, Plan, Step, Stream, rows_needed

FOLDER = "TINYML_TEST_OBJECTS"
"""The variable that names the folder of what is compiled once per run."""
GUARD = 64
MOST_TURNS = 1000
_FIELD = re.compile(r"\b(const )?((?:int|uint)(?:8|16|32|64)_t|float) ([^;]+);")
_SCALARS = {
    "int16_t": ctypes.c_int16,
    "uint16_t": ctypes.c_uint16,
    "int32_t": ctypes.c_int32,
    "float": ctypes.c_float,
}


class _View(ctypes.Structure):
    _fields_ = (
        ("base", ctypes.c_void_p),
        ("row_bytes", ctypes.c_int32),
        ("ring", ctypes.c_int32),
    )


def kernel_names() -> list[str]:
    return sorted(p.stem for p in (FIRMWARE / "kernels").glob("*.h"))


def portable_kernels() -> list[str]:
    """Those that need no special instructions, so that they run here too."""
    return [name for name in kernel_names() if "__" not in name]


@functools.cache
def _header(kernel: str) -> str:
    return (FIRMWARE / "kernels" / f"{kernel}.h").read_text()


@functools.cache
def _struct(kernel: str) -> type[ctypes.Structure]:
    """The parameter struct as the header declares it."""
    body = re.search(rf"struct {kernel} \{{(.*?)\n\}};", _header(kernel), re.S)
    assert body, kernel
    text = re.sub(r"/\*.*?\*/", "", body.group(1), flags=re.S)
    fields = []
    for const, kind, names in _FIELD.findall(text):
        for name in names.split(","):
            pointer = "*" in name
            assert pointer == bool(const)
            fields.append((name.strip(" *\n"), ctypes.c_void_p if pointer else _SCALARS[kind]))
    return type(kernel, (ctypes.Structure,), {"_fields_": tuple(fields)})


@functools.cache
def library() -> ctypes.CDLL:
    lines = []
    for kernel in portable_kernels():
        signature = re.search(
            rf"TM_(?:KERNEL|DRIVER) void {kernel}\((.*?)\)", _header(kernel), re.S
        )
        assert signature, kernel
        parameters = " ".join(signature.group(1).split())
        names = [p.split()[-1].lstrip("*") for p in parameters.split(",")]
        lines.append(f'#include "kernels/{kernel}.h"')
        lines.append(f"void call_{kernel}({parameters}) {{ {kernel}({', '.join(names)}); }}")
    folder = Path(os.environ.get(FOLDER) or tempfile.mkdtemp(prefix="tinyml-kernels-"))
    source, target = folder / "kernels.c", folder / "kernels.so"
    with (folder / "kernels.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process of this run may be at it
        if not target.exists():
            source.write_text("\n".join(lines) + "\n")
            subprocess.run(
                [
                    *("cc", "-O2", "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"),
                    *("-fsanitize=undefined", "-fno-sanitize-recover=all"),
                    *("-I", FIRMWARE, "-I", FIRMWARE / "include", source, "-o", target),
                ],
                check=True,
            )
    return ctypes.CDLL(str(target))


class Executor:
    """One model, ready to run. Raises AssertionError when a kernel writes outside the arena."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.memory = np.full(plan.arena + 2 * GUARD + 16, 0xA5, np.uint8)
        start = GUARD + (-(self.memory.ctypes.data + GUARD) % 16)
        self.arena = self.memory[start : start + plan.arena]
        self.keep: list[object] = []
        self.structs = {step.index: self._fill(step) for step in plan.kernel_steps}
        self.reset()

    def reset(self) -> None:
        """Bring all state to what it is before the first run."""
        for state in self.plan.states:
            place = self.arena[state.slot.offset :][: state.slot.size]
            if state.initial is None:
                place[:] = state.byte & 0xFF
            else:
                place[:] = np.frombuffer(state.initial.tobytes(), np.uint8)

    def _fill(self, step: Step) -> ctypes.Structure:
        values = dict(step.call.params)
        for name, array in step.call.constants.items():
            array = np.ascontiguousarray(array)
            self.keep.append(array)
            values[name] = array.ctypes.data
        if (offset := self.plan.unpacked(step)) is not None and step.call.unpacked:
            values[step.call.unpacked.name] = self.arena.ctypes.data + offset
        kind = _struct(step.call.kernel)
        assert set(values) == {f[0] for f in kind._fields_}, step.call.kernel
        return kind(**values)

    def __call__(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        graph, slots = self.plan.graph, self.plan.slots
        places = [state.slot for state in self.plan.states]
        states = [self.arena[s.offset :][: s.size] for s in places]
        kept = [s.copy() for s in states]
        self.memory[:] = 0xA5
        for state, value in zip(states, kept, strict=True):
            state[:] = value
        for name, value in zip(graph.inputs, inputs, strict=True):
            raw = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
            self.arena[slots[name].offset :][: len(raw)] = raw
        self._run(self.plan)
        results = []
        for name in graph.outputs:
            t = graph.tensors[name]
            raw = self.arena[slots[name].offset :][: t.nbytes]
            results.append(np.frombuffer(raw.tobytes(), t.dtype).reshape(t.shape))
        return results

    def _unpack(self, plan: Plan, step: Step) -> None:
        offset, unpacked = plan.unpacked(step), step.call.unpacked
        if offset is not None and unpacked is not None:
            found = _int4.unpack(step.call.constants[unpacked.name], unpacked)
            self.arena[offset : offset + unpacked.bytes] = found

    def _run(self, plan: Plan) -> None:
        for item in plan.schedule:
            for step in item.steps:
                self._unpack(plan, step)
            if isinstance(item, Stream):
                self._stream(item)
            elif item.node.op == "IF":
                self._if(plan, item)
            elif item.node.op == "WHILE":
                self._while(plan, item)
            else:
                for batch in range(item.call.batches):
                    for y in range(0, item.call.rows, item.rows):
                        self._call(plan, item, y, min(y + item.rows, item.call.rows), batch)
            self.check_guards(item.steps[-1])
            if self._stopped(item):
                break

    def _if(self, plan: Plan, step: Step) -> None:
        part = step.parts[0 if self._true(plan, step.call.inputs[0]) else 1]
        self._copy(plan, plan.copies_in(step, part))
        self._run(part)
        self._copy(part, plan.copies_out(step, part))

    def _while(self, plan: Plan, step: Step) -> None:
        condition, body = step.parts
        self._copy(plan, plan.copies_before(step))
        for _ in range(MOST_TURNS):
            self._copy(plan, plan.copies_in(step, condition))
            self._run(condition)
            if not self._true(condition, condition.graph.outputs[0]):
                return
            self._copy(plan, plan.copies_in(step, body))
            self._run(body)
            self._copy(body, plan.copies_out(step, body))
        raise AssertionError("a loop does not end")

    def _true(self, plan: Plan, name: str) -> bool:
        data = plan.graph.tensors[name].data
        return bool(self.arena[plan.slots[name].offset] if data is None else data.reshape(())[()])

    def _copy(self, plan: Plan, copies: Sequence[Copy]) -> None:
        for copy in copies:
            data = plan.graph.tensors[copy.source].data
            raw = self.arena[copy.offset :] if data is None else np.frombuffer(data, np.uint8)
            self.arena[copy.target :][: copy.size] = raw[: copy.size]

    def _stopped(self, item: Step | Stream) -> bool:
        view = self.plan.state(item) if isinstance(item, Step) and item.call.stops else None
        if view is None or view.offset is None:
            return False
        return bool(self.arena[view.offset : view.offset + 4].view(np.int32)[0])

    def _stream(self, stream: Stream) -> None:
        done = dict.fromkeys((s.index for s in stream.steps), 0)

        def pull(position: int, end: int) -> None:
            step = stream.steps[position]
            while done[step.index] < end:
                row = done[step.index]
                for source in stream.sources(position):
                    window, rows = rows_needed(step, stream.steps[source])
                    pull(source, window.end(row + 1, rows))
                self._call(self.plan, step, row, row + 1, 0)
                done[step.index] += 1

        pull(len(stream.steps) - 1, stream.steps[-1].call.rows)

    def _call(self, plan: Plan, step: Step, y0: int, y1: int, batch: int) -> None:
        ins = [self._view(plan, step, n, batch, output=False) for n in step.call.inputs]
        outs = [self._view(plan, step, n, batch, output=True) for n in step.call.outputs]
        state = self.plan.state(step)
        if state is not None and state.offset is not None:
            outs.append(_View(self.arena.ctypes.data + state.offset, 0, 0))
        if step.call.variadic:
            ins, outs = [(_View * len(ins))(*ins)], [(_View * len(outs))(*outs)]
        offset = plan.scratch(step)
        scratch = None if offset is None else self.arena.ctypes.data + offset
        function = getattr(library(), f"call_{step.call.kernel}")
        function.restype = None
        function(
            ctypes.byref(self.structs[step.index]),
            ctypes.c_int32(y0),
            ctypes.c_int32(y1),
            *ins,
            *outs,
            ctypes.c_void_p(scratch),
        )

    def _view(self, plan: Plan, step: Step, name: str, batch: int, *, output: bool) -> _View:
        view = plan.view(step, name, output=output)
        if view.offset is None:
            data = np.array(plan.graph.tensors[name].data)  # aligned, as in C
            self.keep.append(data)
            base = data.ctypes.data
        else:
            base = self.arena.ctypes.data + view.offset
        return _View(base + batch * view.batch_bytes, view.row_bytes, view.ring)

    def check_guards(self, step: Step) -> None:
        inside = np.zeros(len(self.memory), bool)
        start = self.arena.ctypes.data - self.memory.ctypes.data
        inside[start : start + self.plan.arena] = True
        assert (self.memory[~inside] == 0xA5).all(), f"{step.call.kernel} wrote outside the arena"
