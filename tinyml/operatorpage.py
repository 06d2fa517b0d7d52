"""docs/OPERATORS.md, made from the registry: `python -m tinyml.operatorpage` writes it anew."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .board import CORES
from .engines._tflm_ops import CUSTOM, VERSIONS
from .engines.aot import WHY_NOT_CUSTOM
from .ops import OPS, Op
from .paths import ROOT

PAGE = ROOT / "docs" / "OPERATORS.md"
COLUMNS = ("int8", "int16", "float32")
OTHERS = ("bool", "int32", "int64", "uint8")
_LEADING = re.compile(
    r"(?:or )?((?:u?int\d+|float32|bool)(?: (?:or|and|to) (?:u?int\d+|float32))*)"
)
_TYPE = re.compile(r"u?int\d+|float32|bool")
_ANY = re.compile(r"\b(?:any type|all types)\b")

WHY_NOT: Mapping[str, str] = {}
"""Why the engine lacks a builtin of TFLite-Micro, and the way out."""

_HEAD = """\
# Operators

Made from the registry in `tinyml/ops/` by `python -m tinyml.operatorpage`; do not edit it here.

The engine `aot` compiles **{both} of TFLite-Micro's {theirs} builtin operators**, and \
{more} that TFLite-Micro lacks
({extra}); and **{customs} of its {their_customs} custom operators**, those of audio front ends
and of detectors.
Engine `tflm` runs whatever the TFLite-Micro you give it does.
`tinyml inspect MODEL` says of one model what each engine supports, layer by layer.

Every row is tested: each operator equals TFLite-Micro bit for bit in int8 on drawn shapes, scales
and zero points, on this computer, and a sample of each on emulated cores
([NUMERICS.md](NUMERICS.md) has the exceptions).

- *int8*, *int16*, *float32*: the types of its data. int8 is the normal case; layers with float32
  weights are refused, since they mean that a model was not quantised.
- *cores*: every operator runs on every core. `C` is the portable kernel; a name is an instruction
  set with a faster kernel of the same bytes, for shapes that suit it. `-` is no work at all:
  another view of the same memory. IF and WHILE use the kernels of what they run.
- *int4 weights* (of CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED, with int8 data) lie in flash
  two in a byte. At `--optimize size` kernels read them so; at `balanced` each run unpacks those of
  many uses to RAM, for the int8 kernels of the core (1024 weights or fewer may lie in flash as int8
  for a faster kernel); at `speed` all of them do, if flash is large enough.
"""
_CUSTOM_HEAD = """\
## Custom operators

TFLite-Micro's own, by the names they have in a model. All equal TFLite-Micro bit for bit, on every
core, in portable C ([NUMERICS.md](NUMERICS.md) has the exceptions).

| operator | types and limits |
|---|---|
"""

_MODELS = """\
## Models that are refused, and the way out

| what | why | instead |
|---|---|---|
| float32 layers with weights | nobody means to run them on a microcontroller without a float \
unit | `tinyml quantize MODEL --calibration data.npz` |
| hybrid: int8 weights, float32 activations | made by `Optimize.DEFAULT` without calibration data; \
it computes in float32 | the same |
| float16 weights behind a DEQUANTIZE | they would be expanded at run time, to twice the memory | \
the same |
| layers in uint8 (not the ends of a model) | the quantisation of before 2019, with asymmetric \
weights | convert again with a converter of today |
| int4 tensors that are no weights, int2 and sparse ones | no kernels | convert again without them |
| a size that is unknown (not the batch) | all memory is planned beforehand | fix the input shape |
| variables and other state inside of IF and WHILE | only the main graph keeps state | hand the \
value to the subgraph, and assign behind it what that gives |
| TensorList operators, as converters make of Keras layers that loop | their tensors grow as they \
run | `tinyml quantize` unrolls LSTM, GRU and RNN layers; or build them with `unroll=True` |
| WHERE of a computed condition | how many values it gives depends on them | \
`tf.where(condition, a, b)`, which is SELECT_V2 |
| STRIDED_SLICE of a computed begin, as of `x[i]` | TFLite-Micro lacks it too | \
`tf.slice` with a constant size, or `tf.gather` |
| ONE_HOT | the same | `tf.gather(tf.eye(depth), x)` |
| computed weights, axes or shapes | how large the results are depends on them | \
constants; a batch size of 1 folds most of them |
| other CUSTOM and Flex (Select TF) operators | there is no code for them on a microcontroller | \
replace the layer; engine `tflm` takes custom operators of your own |
| weights with a zero point, or scales along another axis | no kernel can read them | \
convert again |
| FULLY_CONNECTED with shuffled weights | they are laid out for another runtime | convert again |
"""


def types_of(op: Op) -> frozenset[str]:
    """The types of data that the operator's description begins with."""
    if _ANY.search(op.doc):
        return frozenset((*COLUMNS, *OTHERS))
    found: set[str] = set()
    for clause in re.split("[;,] ", op.doc):
        if match := _LEADING.match(clause):
            found.update(_TYPE.findall(match[1]))
    return frozenset(found)


def page() -> str:
    """The whole page, in Markdown."""
    theirs = set(VERSIONS)
    builtins = {name for name, op in OPS.items() if op.custom is None}
    extra = sorted(builtins - theirs)
    head = _HEAD.format(
        both=len(theirs & set(OPS)),
        theirs=len(theirs),
        more=len(extra),
        extra=", ".join(extra),
        customs=len(set(OPS) - builtins),
        their_customs=len(CUSTOM),
    )
    cores = core_groups()
    lines = [head, "## Supported", ""]
    headers = ["operator", *COLUMNS, "other types"]
    headers += [" ".join(map(_short, group)) for group in cores.values()]
    headers.append("limits")
    lines += [_cells(headers), "|---" * len(headers) + "|"]
    lines += [_cells(_row(OPS[name], list(cores))) for name in sorted(builtins)]
    lines += ["", _CUSTOM_HEAD.rstrip("\n")]
    lines += [_cells([name, OPS[name].doc]) for name in sorted(set(OPS) - builtins)]
    lines += ["", "## Not supported", "", *_missing(), "", _MODELS]
    return "\n".join(lines).rstrip("\n") + "\n"


def core_groups() -> dict[frozenset[str], list[str]]:
    """The cores by what their instruction sets are."""
    groups: dict[frozenset[str], list[str]] = {}
    for core in CORES.values():
        if core.cpu != "host":
            groups.setdefault(core.base | core.isa, []).append(core.cpu)
    return groups


def _short(cpu: str) -> str:
    return cpu.removeprefix("cortex-").upper().replace("PLUS", "+")


def _cells(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _row(op: Op, cores: list[frozenset[str]]) -> list[str]:
    types = types_of(op)
    marks = ["yes" if t in types else "" for t in COLUMNS]
    others = "all" if types.issuperset(OTHERS) else ", ".join(t for t in OTHERS if t in types)
    return [op.name, *marks, others, *(_fastest(op, isa) for isa in cores), op.doc]


def _fastest(op: Op, isa: frozenset[str]) -> str:
    """The instruction sets that the operator's kernels use on a core."""
    if op.alias:
        return "-"
    if op.control:
        return "C"
    used = frozenset[str]().union(*(k.isa for k in op.kernels if k.isa <= isa))
    return ", ".join(sorted(used)) or "C"


def _missing() -> Iterator[str]:
    reasons = {**WHY_NOT, **WHY_NOT_CUSTOM}
    missing = sorted(set(VERSIONS) - set(OPS)) + sorted(set(CUSTOM) - set(OPS))
    if not missing:
        yield "Nothing that TFLite-Micro has."
        return
    yield "| TFLite-Micro's | why, and what instead |"
    yield "|---|---|"
    for name in missing:
        yield _cells([name, reasons[name]])


def write() -> None:
    PAGE.write_text(page(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write()
