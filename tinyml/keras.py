"""Keras model or SavedModel to int8 .tflite; the only module that imports TensorFlow.

Models saved by Keras 2 are read with the package tf_keras, all others with Keras 3. Run by
quantize.py as `python -m tinyml.keras`, one conversion per process (child.py).
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import keras
import tensorflow as tf
from tensorflow.lite.python.optimize import calibrator
from tensorflow.python.keras.protobuf import saved_metadata_pb2

from . import child, ends, kerasfile, loops, reverse
from .calibration import Input, calibration_samples
from .errors import ModelError, ToolError
from .graph import Array

_NUMBERED = re.compile(r"output_\d+")
_SCOPE = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.-]*")
_MOST_STEPS = 64
_SIGNATURE = "serving_default"


@dataclass(frozen=True)
class Loaded:
    """A model ready to trace: `call` maps tensors in input order to tensors in output order."""

    call: Callable[[Sequence[Any]], Sequence[Any]]
    resource: Any
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    output_layers: tuple[str, ...]
    name: str = "model"
    warnings: tuple[str, ...] = ()


def convert(job: Mapping[str, Any], stage: Callable[[str], None]) -> dict[str, Any]:
    """Load, check the calibration data, trace with batch 1, convert, name; the answer's fields.

    Without an "output" in the job only the float32 model is wanted, to be quantised by others.
    """
    if not keras.__version__.startswith("3."):
        raise ToolError(
            f"tinyml reads models with Keras 3, and Keras {keras.__version__} is installed",
            hint='pip install "tinyml[keras]", and unset TF_USE_LEGACY_KERAS',
        )
    stage("load")
    path = Path(job["model"])
    if path.is_dir():
        model = load_saved_model(path, job.get("input_names"), job.get("output_names"))
    else:
        library = _library(path, job.get("saved_by") or "", stage, unsafe=job["unsafe"])
        model = load_keras(path, library, unsafe=job["unsafe"])
    samples = calibration_samples(job["calibration"], model.inputs)
    stage("trace")
    folder = Path(job["folder"])
    export(model, folder)
    stage("convert")
    if job.get("output"):
        wide = job.get("kind") == "int16x8"
        data = reverse.rescaled(to_integers(folder, samples, job["io_dtype"], wide=wide))
        _name(data, model)
        Path(job["output"]).write_bytes(data)
    if job.get("float_output"):
        data = bytearray(to_float(folder))
        _name(data, model)
        Path(job["float_output"]).write_bytes(data)
    return {
        "inputs": [entry.name for entry in model.inputs],
        "outputs": model.outputs,
        "output_layers": model.output_layers,
        "warnings": model.warnings,
    }


def _library(path: Path, saved_by: str, stage: Callable[[str], None], *, unsafe: bool) -> Any:
    """Keras 3, or tf_keras for a file saved by Keras 2, and stage() what its failure would mean.

    A .h5 file of Keras 2 is tried with Keras 3 where there is no tf_keras.
    """
    if kerasfile.kind(path) == "h5":
        with h5py.File(path) as file:
            kerasfile.check_h5(path, file.attrs.get("model_config"), unsafe=unsafe)
            saved_by = str(file.attrs.get("keras_version", ""))
    if not kerasfile.is_keras_2(saved_by):
        return keras
    if importlib.util.find_spec("tf_keras") is None:
        stage("load_old")
        return keras
    stage("load_tf_keras")
    return importlib.import_module("tf_keras")


def load_keras(path: Path, library: Any = keras, *, unsafe: bool) -> Loaded:
    """A .keras or .h5 file, read with this Keras; `unsafe` lets the code of Lambda layers run."""
    model = library.models.load_model(path, compile=False, safe_mode=not unsafe)
    if not (model.built and getattr(model, "inputs", None)):
        raise ModelError(
            f"{path.name}: {type(model).__name__} {model.name!r} has no input shape",
            hint="start it with keras.Input(shape=(...)) and save it again; a subclassed model "
            "converts after model.export('folder'): give that folder",
        )
    layers = dict(_layers(model, library))
    for name, layer in layers.items():
        if not all(_SCOPE.fullmatch(part) for part in (model.name, layer.name)):
            raise ModelError(
                f"{path.name}: TensorFlow cannot trace a layer named {name!r}",
                hint="use letters, digits, '_', '-' and '.' in layer names",
            )
        if library is keras:
            layer.call = _in_scope(layer.call, f"{model.name}/{name}/")
    warnings = [w for name, layer in layers.items() for w in _unroll(path, name, layer, library)]
    inputs = tuple(
        Input(t.name, _fixed(path, t.name, t.shape[1:]), tf.as_dtype(t.dtype).name)
        for t in model.inputs
    )
    single = isinstance(model, library.Sequential)
    tree = keras.tree if library is keras else tf.nest

    def call(tensors: Sequence[Any]) -> Sequence[Any]:
        packed = tensors[0] if single else tree.pack_sequence_as(model.input, list(tensors))
        return list(tree.flatten(model(packed, training=False)))

    layers_out = (model.layers[-1].name,) if single else tuple(model.output_names)
    outputs = _distinct(layers_out)
    resource = model
    if library is not keras:  # which would write each layer as a model of its own
        resource = tf.Module()
        resource.kept = model.weights
    return Loaded(call, resource, inputs, outputs, layers_out, model.name, tuple(warnings))


def load_saved_model(
    path: Path,
    input_order: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
) -> Loaded:
    """A SavedModel folder by its signature 'serving_default'.

    Inputs are in the order given where that has the same names, else in that of the model's own
    call; outputs as Keras notes them, by the names given for them. A signature has no
    order of its own: TensorFlow gives another one at each loading.
    """
    loaded = tf.saved_model.load(str(path))
    signature = loaded.signatures.get("serving_default")
    if signature is None:
        raise ModelError(
            f"{path.name} has no signature 'serving_default'",
            hint="write it with model.export('folder')",
        )
    specs = signature.structured_input_signature[1]
    names = _in_order(specs, input_order, _called_with(loaded), _noted(path, "input_layers"))
    inputs = tuple(
        Input(n, _fixed(path, n, specs[n].shape[1:]), specs[n].dtype.name) for n in names
    )
    keys = _in_order(signature.structured_outputs, _noted(path, "output_layers"))

    def call(tensors: Sequence[Any]) -> Sequence[Any]:
        answers = signature(**dict(zip(names, tensors, strict=True)))
        return [answers[key] for key in keys]

    outputs = tuple(output_names or keys)
    return Loaded(call, loaded, inputs, outputs, ("",) * len(keys))


def _in_order(names: Mapping[str, Any], *orders: Sequence[str] | None) -> tuple[str, ...]:
    """`names` in the first order that has them all; else sorted, 'output_10' behind 'output_9'."""
    for order in orders:
        if order and sorted(order) == sorted(names):
            return tuple(order)
    if all(_NUMBERED.fullmatch(name) for name in names):
        return tuple(sorted(names, key=lambda name: int(name.rpartition("_")[2])))
    return tuple(sorted(names))


def _called_with(loaded: Any) -> list[str]:
    """Names of the inputs in the order of the model's call, where export() left one."""
    functions = getattr(getattr(loaded, "serve", None), "concrete_functions", ())
    given = functions[0].structured_input_signature[0] if functions else ()
    return [spec.name for spec in tf.nest.flatten(given)]


def _noted(path: Path, what: str) -> list[str]:
    """The 'input_layers' or 'output_layers' that save() of Keras 2 notes beside a SavedModel."""
    file = path / "keras_metadata.pb"
    if not file.is_file():
        return []
    notes = saved_metadata_pb2.SavedMetadata.FromString(file.read_bytes())
    root = next((n.metadata for n in notes.nodes if n.node_path == "root"), "{}")
    layers = (json.loads(root).get("config") or {}).get(what) or []
    return [layer[0] for layer in layers if isinstance(layer, list)]


def _layers(model: Any, library: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every layer of a model and of the models inside it, by path."""
    for layer in model.layers:
        name = prefix + layer.name
        yield name, layer
        if isinstance(layer, library.Model):
            yield from _layers(layer, library, name + "/")


def _unroll(path: Path, name: str, layer: Any, library: Any) -> Iterator[str]:
    """Make a recurrent layer a chain of steps: a loop goes to float32 and back in each turn."""
    inner = (layer, getattr(layer, "forward_layer", None), getattr(layer, "backward_layer", None))
    recurrent = [one for one in inner if isinstance(one, library.layers.RNN)]
    if any(one.stateful for one in recurrent):
        raise ModelError(
            f"{path.name}: layer {name!r} keeps its state between calls (stateful=True)",
            hint="make the state an input and an output of the model",
        )
    if all(one.unroll for one in recurrent):
        return
    flatten = keras.tree.flatten if library is keras else tf.nest.flatten
    steps = flatten(layer.input)[0].shape[1]  # a mask or states may come behind the series
    if steps is None or steps > _MOST_STEPS:
        raise ModelError(
            f"{path.name}: recurrent layer {name!r} has {steps} time steps, and each becomes some "
            "20 operators",
            hint=f"use at most {_MOST_STEPS} time steps, or Conv1D layers",
        )
    for one in recurrent:
        one.unroll = True
        if hasattr(one, "_could_use_gpu_kernel"):
            # Else Keras 2 calls a fused kernel: TFLite's LSTM, which keeps its state between runs.
            one._could_use_gpu_kernel = False
    yield f"recurrent layer {name!r} was unrolled: {steps} steps of some 20 operators each"


def _in_scope(call: Callable[..., Any], scope: str) -> Callable[..., Any]:
    """`call` with its operations named after its layer.

    Keras 3 opens a layer's name scope twice per call, so that TensorFlow names the operations of
    'conv2d' 'conv2d_1', which may be another layer's name. A scope ending in '/' is absolute.
    """

    def scoped(*args: Any, **kwargs: Any) -> Any:
        with tf.name_scope(scope):
            return call(*args, **kwargs)

    return scoped


def _fixed(path: Path, name: str, shape: Sequence[int | None]) -> tuple[int, ...]:
    if shape is None or any(size is None for size in shape):
        raise ModelError(
            f"{path.name}: input {name!r} has shape (batch, {', '.join(map(str, shape))}), and a "
            "microcontroller needs every size but the batch fixed",
            hint=f"build the model with keras.Input(shape=(...), name={name!r}) and fixed sizes",
        )
    return tuple(int(size) for size in shape if size is not None)


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Output names as Keras gives them; a layer with two outputs gives 'x' and 'x_1'."""
    taken: list[str] = []
    for name in names:
        number, free = 1, name
        while free in taken:
            free = f"{name}_{number}"
            number += 1
        taken.append(free)
    return tuple(taken)


def export(model: Loaded, folder: Path) -> None:
    """Write a SavedModel with batch 1 whose signature is in000.. and out000.., in order.

    A signature is stored sorted by name, hence the numbers; `ends.name` gives the real ones.
    """
    specs = [
        tf.TensorSpec((1, *entry.shape), entry.dtype, name=f"in{number:03d}")
        for number, entry in enumerate(model.inputs)
    ]

    def serve(*tensors: Any) -> dict[str, Any]:
        return {f"out{number:03d}": y for number, y in enumerate(model.call(tensors))}

    archive = keras.export.ExportArchive()
    archive.track(model.resource)
    archive.add_endpoint("serving_default", serve, input_signature=specs)
    archive.write_out(str(folder), verbose=False)


class _Calibrator(calibrator.Calibrator):  # type: ignore[misc]
    """TensorFlow's calibrator, that also runs loops."""

    def __init__(self, content: bytes, *arguments: Any) -> None:
        content, self._exposed = loops.expose(content)
        super().__init__(content, *arguments)

    def calibrate(self, dataset: Callable[[], Any]) -> bytes:
        return loops.hide(bytes(super().calibrate(dataset)), self._exposed)


def to_integers(
    folder: Path, samples: Sequence[Array], io_dtype: str, *, wide: bool = False
) -> bytes:
    """Full integer quantisation: int8 activations, or int16 if `wide`; per-channel int8 weights."""

    def representative() -> Iterator[dict[str, Array]]:
        for row in range(len(samples[0])):
            yield {f"in{n:03d}": array[row : row + 1] for n, array in enumerate(samples)}

    calibrator.Calibrator = _Calibrator
    converter = _converter(folder)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    sets = tf.lite.OpsSet
    narrow = sets.TFLITE_BUILTINS_INT8
    wider = sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    converter.target_spec.supported_ops = [wider, sets.TFLITE_BUILTINS] if wide else [narrow]
    io = tf.float32 if io_dtype == "float32" else tf.int16 if wide else tf.int8
    converter.inference_input_type = converter.inference_output_type = io
    return bytes(converter.convert())


def to_float(folder: Path) -> bytes:
    """The same model in float32, of the same tensor names: what the int8 one is judged by."""
    return bytes(_converter(folder).convert())


def _name(data: bytearray, model: Loaded) -> None:
    inputs = [entry.name for entry in model.inputs]
    ends.name(data, model.name, inputs, model.outputs, model.output_layers)


def _converter(folder: Path) -> Any:
    return tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=[_SIGNATURE])


if __name__ == "__main__":
    child.main(convert, keras=keras.__version__)
