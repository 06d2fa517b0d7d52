"""A plan as a file to read: plan.json."""

from __future__ import annotations

from typing import Any

from .values import Item, Plan, Step


def listing(plan: Plan) -> dict[str, Any]:
    """A plan as plan.json has it."""
    return {
        "arena_bytes": plan.arena,
        "arena_lower_bound_bytes": plan.lower_bound,
        "macs": plan.macs,
        "weight_bytes": plan.weight_bytes,
        "weight_bytes_in_ram": sum(
            s.call.constants[n].nbytes
            for s in plan.kernel_steps
            for i, n in plan.in_ram
            if i == s.index
        ),
        "inputs": [_tensor_json(plan, n, t) for n, t in _ends(plan, "input")],
        "outputs": [_tensor_json(plan, n, t) for n, t in _ends(plan, "output")],
        "schedule": [_item_json(plan, item, plan) for item in plan.schedule],
        "moves": [
            {"op": m.node.op, "label": m.node.label, "view": not m.reason, "reason": m.reason}
            for m in plan.moves
        ],
        "overlaps": [
            {"output": output, "input": gone, "lead_bytes": lead}
            for (output, gone), lead in plan.leads.items()
        ],
        "slots": {
            name: {"offset": s.offset, "size": s.size, "first": s.first, "last": s.last}
            for name, s in plan.slots.items()
        },
    }


def _ends(plan: Plan, kind: str) -> list[tuple[str, str]]:
    g = plan.graph
    names, tensors = (g.input_names, g.inputs) if kind == "input" else (g.output_names, g.outputs)
    return list(zip(names, tensors, strict=True))


def _tensor_json(plan: Plan, name: str, key: str) -> dict[str, Any]:
    t = plan.graph.tensors[key]
    quant = {} if t.quant is None else {"scale": t.scale, "zero_point": t.zero_point}
    return {"name": name, "tensor": key, "shape": list(t.shape), "dtype": t.dtype.name, **quant}


def _item_json(plan: Plan, item: Item, whole: Plan) -> dict[str, Any]:
    """`whole` is the plan of which `plan` is a part, or `plan` itself."""
    steps = [
        {
            "step": s.index,
            "op": s.node.op,
            "label": s.node.label,
            "kernel": s.call.kernel,
            "reason": s.reason,
            "macs": s.macs,
            "inputs": list(s.call.inputs),
            "outputs": list(s.call.outputs),
            "output_shape": list(plan.graph.tensors[s.call.outputs[0]].shape),
            "rows": s.call.rows,
            **({"rows_at_a_time": s.rows} if s.band else {}),
            "constants": _constants_json(whole, s),
            "scratch_bytes": s.scratch if isinstance(item, Step) else item.scratch,
            **({"parts": [_part_json(p, whole) for p in s.parts]} if s.parts else {}),
        }
        for s in item.steps
    ]
    if isinstance(item, Step):
        return steps[0]
    return {"stream": steps, "rings": dict(item.rings)}


def _constants_json(plan: Plan, step: Step) -> list[dict[str, Any]]:
    """Where each is read: those in RAM are copied there from flash at start-up. Equal ones are one,
    of the first step that has it."""
    found = []
    for name, array in step.call.constants.items():
        owner, as_what = plan.originals[step.index, name]
        place = "ram" if (owner, as_what) in plan.in_ram else "flash"
        shared = {} if owner == step.index else {"same_as_of_step": owner}
        found.append({"name": name, "bytes": array.nbytes, "read_from": place, **shared})
    return found


def _part_json(part: Plan, whole: Plan) -> dict[str, Any]:
    return {
        "arena_bytes": part.arena,
        "inputs": list(part.graph.inputs),
        "outputs": list(part.graph.outputs),
        "schedule": [_item_json(part, item, whole) for item in part.schedule],
        "slots": {name: {"offset": s.offset, "size": s.size} for name, s in part.slots.items()},
    }
