"""Cases of the pooling operators."""

from __future__ import annotations

from tests.modelfile import ACTIVATIONS, VALID, ModelFile
from tests.pick import Pick

from . import _shared


def case(pick: Pick, name: str, kind: str = "") -> bytes:
    g = _shared.window(pick, dilated=False)
    channels, batch = pick.integer(1, 9), pick.choice([1, 1, 2])
    if pick.choice([False, False, True]):  # all of an image
        size = pick.integer(4, 8), pick.integer(5, 8)
        g = {"size": size, "kernel": size, "stride": (1, 1), "out": (1, 1), "padding": VALID}
        channels = pick.choice([1, 8, 16, 17, 24])
    quant = {"scale": pick.scale(), "zero_point": pick.zero_point()}
    if (kind or pick.choice(["int8", "int8", "int8", "float32"])) == "float32":
        quant = {"dtype": "float32"}
    elif kind == "int16":
        quant = {"dtype": "int16", "scale": pick.scale() / 100}
    m = ModelFile()
    x = m.input((batch, *g["size"], channels), **quant)
    y = m.output((batch, *g["out"], channels), **quant)
    m.op(
        name,
        [x],
        [y],
        "Pool2DOptions",
        padding=g["padding"],
        strideH=g["stride"][0],
        strideW=g["stride"][1],
        filterHeight=g["kernel"][0],
        filterWidth=g["kernel"][1],
        fusedActivationFunction=ACTIVATIONS[pick.activation()],
    )
    return m.finish()
