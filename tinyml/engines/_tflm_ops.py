"""TFLite-Micro's operators: how each is added to its resolver, and the newest version it knows."""

from __future__ import annotations

from collections.abc import Mapping

from ..ops import OPS

# Builtin: version number of the newest form that TFLite-Micro's kernels (2026-08) can read, out of
# the versions LiteRT gives out. Newer ones stand for types or options the kernels would misread:
# they look at neither number.
_VERSIONS = """
    ABS 5 ADD 5 ADD_N 1 ARG_MAX 3 ARG_MIN 3 ASSIGN_VARIABLE 1 AVERAGE_POOL_2D 3 BATCH_MATMUL 4
    BATCH_TO_SPACE_ND 4 BROADCAST_ARGS 1 BROADCAST_TO 3 CALL_ONCE 1 CAST 8 CEIL 1 CONCATENATION 5
    CONV_2D 8 COS 1 CUMSUM 1 DEPTHWISE_CONV_2D 7 DEPTH_TO_SPACE 2 DEQUANTIZE 8 DIV 2
    DYNAMIC_UPDATE_SLICE 5 ELU 1 EMBEDDING_LOOKUP 4 EQUAL 5 EXP 2 EXPAND_DIMS 1 FILL 4 FLOOR 1
    FLOOR_DIV 3 FLOOR_MOD 2 FULLY_CONNECTED 13 GATHER 7 GATHER_ND 5 GREATER 2 GREATER_EQUAL 3
    HARD_SWISH 1 IF 1 L2_NORMALIZATION 2 L2_POOL_2D 1 LEAKY_RELU 2 LESS 3 LESS_EQUAL 2 LOG 2
    LOGICAL_AND 1 LOGICAL_NOT 1 LOGICAL_OR 1 LOGISTIC 3 LOG_SOFTMAX 2 MAXIMUM 4 MAX_POOL_2D 3
    MEAN 3 MINIMUM 4 MIRROR_PAD 3 MUL 7 NEG 1 NOT_EQUAL 4 PACK 4 PAD 5 PADV2 5 PRELU 1 QUANTIZE 5
    READ_VARIABLE 1 REDUCE_ALL 1 REDUCE_MAX 3 REDUCE_MIN 3 RELU 3 RELU6 3 RESHAPE 1
    RESIZE_BILINEAR 4 RESIZE_NEAREST_NEIGHBOR 4 REVERSE_V2 3 ROUND 1 RSQRT 3 SELECT_V2 2 SHAPE 1
    SIN 1 SLICE 7 SOFTMAX 3 SPACE_TO_BATCH_ND 4 SPACE_TO_DEPTH 2 SPLIT 4 SPLIT_V 2 SQRT 2 SQUARE 1
    SQUARED_DIFFERENCE 2 SQUEEZE 2 STRIDED_SLICE 8 SUB 5 SUM 2 SVDF 4 TANH 3 TRANSPOSE 8
    TRANSPOSE_CONV 5 UNIDIRECTIONAL_SEQUENCE_LSTM 4 UNPACK 4 VAR_HANDLE 1 WHILE 1 ZEROS_LIKE 1
""".split()
VERSIONS: Mapping[str, int] = dict(zip(_VERSIONS[::2], map(int, _VERSIONS[1::2]), strict=True))

_ODD_NAMES = {
    "BATCH_MATMUL": "AddBatchMatMul",
    "CUMSUM": "AddCumSum",
    "PADV2": "AddPadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
}

CUSTOM: Mapping[str, str] = {
    "CIRCULAR_BUFFER": "AddCircularBuffer",
    "SignalDelay": "AddDelay",
    "SignalEnergy": "AddEnergy",
    "SignalFftAutoScale": "AddFftAutoScale",
    "SignalFilterBank": "AddFilterBank",
    "SignalFilterBankLog": "AddFilterBankLog",
    "SignalFilterBankSpectralSubtraction": "AddFilterBankSpectralSubtraction",
    "SignalFilterBankSquareRoot": "AddFilterBankSquareRoot",
    "SignalFramer": "AddFramer",
    "SignalIrfft": "AddIrfft",
    "SignalOverlapAdd": "AddOverlapAdd",
    "SignalPCAN": "AddPCAN",
    "SignalRfft": "AddRfft",
    "SignalStacker": "AddStacker",
    "SignalWindow": "AddWindow",
    "TFLM_DECODE": "AddDecode",
    "TFLite_Detection_PostProcess": "AddDetectionPostprocess",
    "ethos-u": "AddEthosU",
}
"""Custom operators that come with TFLite-Micro: name in the model -> resolver method."""

INT8 = frozenset(
    "ADD AVERAGE_POOL_2D CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED MAX_POOL_2D MUL SOFTMAX".split()
)
"""Builtins with a registration of their int8 kernels alone, Register_<name>_INT8: less flash."""


def method(builtin: str) -> str:
    """MicroMutableOpResolver's method for a builtin; empty where TFLite-Micro lacks it."""
    if builtin in OPS and OPS[builtin].resolver:
        return OPS[builtin].resolver
    if builtin not in VERSIONS:
        return ""
    words = (w if w[0].isdigit() else w.capitalize() for w in builtin.split("_"))
    return _ODD_NAMES.get(builtin) or "Add" + "".join(words)
