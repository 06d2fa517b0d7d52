"""Calibration and test data: .npz files by input name, and int8 arithmetic on whole arrays."""

from __future__ import annotations

import math
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .files import whole_file
from .graph import Array
from .missing import unreadable

LABELS = ("labels", "y")
_MAGIC = b"\x93NUMPY"
_HEADER = re.compile(
    rb"\{'descr': ?'(?P<dtype>[|<>=](?:b1|[iu][1248]|f[248]))', ?'fortran_order': ?"
    rb"(?P<fortran>True|False), ?'shape': ?\((?P<shape>[0-9, ]*)\),? ?\}\s*"
)
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
_MOST_BYTES = 1 << 32
_FEW_SAMPLES = 20
_HOW = "write it with numpy.savez('data.npz', input_name=x), plain numbers only"


def load_arrays(path: Path) -> dict[str, Array]:
    """Every array of a .npz file by name, or the one of a .npy file by the file's own name.

    InputError: a file that is missing, damaged, too large, or holds anything but numbers.
    """
    if not path.is_file():
        raise unreadable(path, hint=_HOW, kinds=(".npz", ".npy"))
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise unreadable(path, error, hint=_HOW) from error
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(f"{path.name} is too large", hint="give fewer samples")
    if magic == _MAGIC:
        return {path.stem: _array(path.name, path.read_bytes())}
    if not magic.startswith(b"PK"):
        raise InputError(f"{path.name} is not a .npz file", hint=_HOW)
    try:
        return _load_npz(path)
    except (*_ZIP_ERRORS, ValueError, OSError) as error:
        raise InputError(f"{path.name} is damaged: {error}", hint=_HOW) from error


def _load_npz(path: Path) -> dict[str, Array]:
    with zipfile.ZipFile(path) as archive:
        total = sum(entry.file_size for entry in archive.infolist())
        if total > _MOST_BYTES:
            raise InputError(
                f"{path.name} would unpack to {total} bytes", hint="give fewer samples"
            )
        strange = [n for n in archive.namelist() if not n.endswith(".npy")]
        if strange:
            raise InputError(f"{path.name} holds {strange[0]!r}, not only arrays", hint=_HOW)
        return {
            name.removesuffix(".npy"): _array(
                f"{path.name}: array {name[:-4]!r}", archive.read(name)
            )
            for name in archive.namelist()
        }


def _array(what: str, content: bytes) -> Array:
    """A .npy file of numbers (numpy.lib.format), read without evaluating its header.

    numpy's own reader is safe too, but a damaged header makes it raise nearly anything, or ask
    for more memory than there is.
    """
    wide = content[len(_MAGIC) : len(_MAGIC) + 1] in (b"\2", b"\3")
    start = len(_MAGIC) + 2 + (4 if wide else 2)
    size = int.from_bytes(content[len(_MAGIC) + 2 : start], "little")
    header = _HEADER.fullmatch(content[start : start + min(size, 4096)])
    if header is None:
        text = content[start : start + 80].decode("latin-1").strip()
        reason = "Python objects or text" if re.search("[|<>=][OUSV]", text) else "no numbers"
        raise InputError(f"{what} holds {reason}", hint=_HOW)
    dtype = np.dtype(header["dtype"].decode())
    shape = tuple(int(digits) for digits in re.findall(rb"[0-9]+", header["shape"]))
    data = content[start + size :]
    if math.prod(shape) * dtype.itemsize != len(data) or len(shape) > 32:
        raise InputError(f"{what} is damaged: {len(data)} bytes for shape {shape}", hint=_HOW)
    order: Literal["F", "C"] = "F" if header["fortran"] == b"True" else "C"
    array = np.frombuffer(data, dtype).reshape(shape, order=order)
    return array.astype(dtype.newbyteorder("="), copy=False)


def save_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write a .npz of arrays by name, in one go: a reader sees the old file or all of the new."""
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **dict(arrays))  # type: ignore[arg-type]


def input_arrays(path: Path, input_names: Sequence[str]) -> dict[str, Array]:
    """The inputs in a .npz by name, or the one in a .npy of a model with one input."""
    arrays = load_arrays(path)
    if path.suffix == ".npy" and len(input_names) == 1:
        return {input_names[0]: next(iter(arrays.values()))}
    return {name: _named(path, arrays, name) for name in input_names}


def labels_of(path: Path, input_names: Sequence[str]) -> Array | None:
    """The labels in a file of inputs, or None where it has none."""
    arrays = load_arrays(path)
    if not any(name in arrays and name not in input_names for name in LABELS):
        return None
    return labelled_set(path, input_names)[1]


def labelled_set(path: Path, input_names: Sequence[str]) -> tuple[dict[str, Array], Array]:
    """Inputs by name, and the label of each sample from the array `labels` or `y`, int64 (N,)."""
    arrays = load_arrays(path)
    label = next((n for n in LABELS if n in arrays and n not in input_names), None)
    if label is None:
        raise InputError(
            f"{path.name} has no array 'labels' (or 'y')",
            hint="numpy.savez('test.npz', input_name=x, labels=class_numbers)",
        )
    labels = arrays[label]
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or not np.array_equal(labels, np.floor(labels)):
        raise InputError(
            f"{path.name}: {label!r} has shape {labels.shape}, and class numbers (N,) are expected",
            hint="turn one-hot labels into numbers with labels.argmax(axis=1)",
        )
    inputs = {name: _named(path, arrays, name) for name in input_names}
    for name, array in inputs.items():
        if array.ndim == 0 or len(array) != len(labels):
            raise InputError(
                f"{path.name}: {name!r} has shape {array.shape} for {len(labels)} labels",
                hint="one label for each sample",
            )
    if len(labels) == 0:
        raise InputError(f"{path.name} holds no samples")
    return inputs, labels.astype(np.int64)


def _named(path: Path, arrays: Mapping[str, Array], name: str) -> Array:
    if name not in arrays:
        raise InputError(
            f"{path.name} has no array {name!r}; it has {', '.join(map(repr, sorted(arrays)))}",
            hint=f"name the array after the model's input: numpy.savez(..., **{{{name!r}: x}})",
        )
    return arrays[name]


def check_calibration(name: str, arrays: Mapping[str, Array]) -> list[str]:
    """Warnings about calibration data that will quantise badly; InputError if it cannot work."""
    warnings = []
    counts = {key: len(a) if a.ndim else 0 for key, a in arrays.items()}
    if not counts or 0 in counts.values():
        raise InputError(f"{name} holds no samples", hint=_HOW)
    if len(set(counts.values())) > 1:
        text = ", ".join(f"{key!r} {count}" for key, count in sorted(counts.items()))
        raise InputError(f"{name}: the arrays differ in their number of samples: {text}")
    few = min(counts.values())
    if few < _FEW_SAMPLES:
        warnings.append(
            f"{name} holds {few} sample{'s' if few > 1 else ''}; 100 or more give steadier int8 "
            "ranges"
        )
    for key, array in sorted(arrays.items()):
        if not np.isfinite(array).all():
            raise InputError(
                f"{name}: array {key!r} holds infinite or NaN values",
                hint="leave such samples out: x[numpy.isfinite(x.reshape(len(x), -1)).all(axis=1)]",
            )
        warnings += _range_warnings(f"{name}: array {key!r}", array)
    return warnings


def _range_warnings(what: str, array: Array) -> list[str]:
    warnings = []
    if array.dtype.kind == "u" and array.max() > 1:
        warnings.append(
            f"{what} holds integers up to {array.max()}; is this the input the model was trained "
            "on, after preprocessing?"
        )
    if array.size and array.min() == array.max():
        warnings.append(f"{what} is {array.flat[0]} everywhere")
    elif array.ndim > 1:
        columns = array.reshape(-1, array.shape[-1])
        still = np.flatnonzero(columns.min(axis=0) == columns.max(axis=0))
        if len(still) > 0 and len(columns) > 1:
            first = ", ".join(map(str, still[:8])) + (", ..." if len(still) > 8 else "")
            warnings.append(
                f"{what}: {len(still)} of {columns.shape[1]} channels never change ({first})"
            )
    return warnings


def to_int8(values: npt.ArrayLike, scale: float, zero_point: int) -> npt.NDArray[np.int8]:
    """clip(round(x / scale) + zero_point) to int8; see `to_integers`."""
    return np.asarray(to_integers(values, scale, zero_point, np.dtype(np.int8)), np.int8)


def to_integers(
    values: npt.ArrayLike, scale: float, zero_point: int, dtype: np.dtype[Any]
) -> Array:
    """clip(round(x / scale) + zero_point) to int8 or int16.

    Computed in float32 and rounded half to even, as np.round in the TFLite examples; values
    outside the calibrated range saturate, they never wrap. NaN is an InputError.
    """
    real = np.asarray(values, np.float32)
    if np.isnan(real).any():
        raise InputError(f"NaN has no {dtype.name} value", hint="look for NaN in the input data")
    steps = np.round(real / np.float32(scale)) + np.float32(zero_point)
    limits = np.iinfo(dtype)
    return np.clip(steps, limits.min, limits.max).astype(dtype)


@dataclass(frozen=True)
class Form:
    """What a model's input takes: the shape of a sample, type, scale and zero point."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    quant: tuple[float, int] | None


def device_arrays(inputs: Mapping[str, Array], forms: Mapping[str, Form]) -> dict[str, Array]:
    """Arrays (N, *shape) of the model's types, floats quantised; InputError where they do not fit.

    An array of one sample may come without the batch dimension.
    """
    if sorted(inputs) != sorted(forms):
        raise InputError(
            f"the model's inputs are {', '.join(map(repr, forms))}; "
            f"the arrays are {', '.join(map(repr, inputs))}",
            hint="numpy.savez('inputs.npz', input_name=x)",
        )
    arrays = {}
    for name, form in forms.items():
        array, sample = inputs[name], form.shape
        array = array[np.newaxis] if array.shape == sample else array
        if array.shape[1:] != sample or not len(array):
            expected = ", ".join(map(str, ("N", *sample)))
            raise InputError(
                f"{name!r} has shape {array.shape}, and ({expected}) is expected",
                hint="N counts the samples; the other sizes are those of the model's input",
            )
        if array.dtype.kind == "f" and form.quant is not None:
            array = to_integers(array, *form.quant, form.dtype)
        if array.dtype != form.dtype and not (array.dtype.kind == form.dtype.kind == "f"):
            raise InputError(
                f"{name!r} holds {array.dtype.name}; the model takes {form.dtype}",
                hint=""
                if form.quant is None
                else "give real numbers in float32, preprocessed "
                f"as in training, or {form.dtype} as the model's input has them",
            )
        arrays[name] = array.astype(form.dtype)
    if len({len(a) for a in arrays.values()}) != 1:
        counts = ", ".join(f"{n!r} {len(a)}" for n, a in arrays.items())
        raise InputError(f"the arrays differ in their number of samples: {counts}")
    return arrays


def to_real(values: Array, scale: float, zero_point: int) -> npt.NDArray[np.float32]:
    """scale * (q - zero_point) in float32."""
    return (values.astype(np.int32) - zero_point).astype(np.float32) * np.float32(scale)


def classes(outputs: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The class of each sample (N, ...): argmax, or value >= 0.5 for one real output.

    int8 outputs need no dequantising for argmax; a single int8 output does: see `to_real`.
    """
    values: npt.NDArray[Any] = np.asarray(outputs)
    flat = values.reshape(len(values), -1)
    if flat.shape[1] == 1:
        return (flat[:, 0] >= 0.5).astype(np.int64)
    return np.asarray(flat.argmax(axis=1), np.int64)


def accuracy(outputs: npt.ArrayLike, labels: Array) -> float:
    """Share of samples whose class is the label; the first of equal outputs counts."""
    return float(np.mean(classes(outputs) == labels))
