"""A Keras 3 model as plain data, from which the child process rebuilds it in Keras 2.

Only what both Keras generations compute alike is carried; the rest is refused by name.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np

import kcnn.layers
from kcnn.arithmetic.layer_calls import calls
from kcnn.compress.call_checks import check_calls
from kcnn.compress.keras2_equivalents import (
    ANY_DATA_FORMAT,
    EQUIVALENT_ACTIVATIONS,
    EQUIVALENT_OPTIONS,
    RENAMED,
)

# Without a meaning for a layer whose weights are copied and which runs in float32.
_DROPPED = frozenset({"name", "dtype", "seed", "renorm_clipping", "renorm_momentum"})
_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.>-]*")  # TensorFlow's pattern for a scope
# Those of kcnn.layers that Keras 2 lacks too are written for it in bridge/layers.py.
_MODULES = (keras.layers, kcnn.layers)


def describe_layers(model: keras.Model) -> list[dict]:
    """Return the layers of `model` in topological order, the output layer last.

    Each is a dictionary of plain data: `name`, `class_name`, `config` (in the terms of Keras 2) and
    `inputs`, the names of the layers it is fed by.

    Raises:
        ValueError: the model is not one graph of stock layers from one input to one output, or one
            of its layers cannot be carried; the message names it.

    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2, name="logits")])
    >>> describe_layers(model)[1]["config"]
    {'trainable': True, 'units': 2, 'activation': 'linear', 'use_bias': True}
    """
    _check_model(model)
    check_calls(calls(model))
    layers = []
    for entry in _entries(model):
        name, class_name = entry["config"]["name"], entry["class_name"]
        with _naming(name, class_name):
            inputs = _inputs(entry, layers, sequential=isinstance(model, keras.Sequential))
            config = _config(entry)
        layers.append({"name": name, "class_name": class_name, "config": config, "inputs": inputs})
    return layers


def named_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """Return all weights in float32, the `i`-th of a layer under "layer name/i"."""
    return {
        f"{layer.name}/{i}": np.asarray(weight, np.float32)
        for layer in model.layers
        for i, weight in enumerate(layer.get_weights())
    }


def copy_with_weights(model: keras.Model, values: dict[str, np.ndarray]) -> keras.Model:
    """Return a copy of `model`, not compiled, with other weights, named as by `named_weights`."""
    # `clone_model` would also compile the copy, and fail on a loss of the caller's own.
    make = keras.Sequential if isinstance(model, keras.Sequential) else keras.Model
    copy = make.from_config(model.get_config())
    for layer in copy.layers:
        layer.set_weights([values[f"{layer.name}/{i}"] for i in range(len(layer.weights))])
    return copy


def write_job(folder: Path, model: keras.Model, job: dict | None = None) -> None:
    """Write to `folder` all that the child needs: the graph, the weights, the job, a probe.

    The probe is a few random images and the model's own answers to them, on which the child
    measures how well it has rebuilt the model. Without a job, that is all it does.

    Raises:
        ValueError: as `describe_layers`.
    """
    layers = describe_layers(model)
    shape = [size or 32 for size in layers[0]["config"]["shape"]]
    images = np.random.default_rng(0).integers(0, 256, (8, *shape)).astype(np.float32)
    answers = keras.ops.convert_to_numpy(model(images, training=False)).astype(np.float32)
    (folder / "job.json").write_text(json.dumps({"layers": layers, "job": job}))
    np.savez(folder / "weights.npz", **named_weights(model))
    np.savez(folder / "probe.npz", images=images, answers=answers)


@contextmanager
def _naming(name: str, class_name: str) -> Iterator[None]:
    try:
        yield
    except ValueError as reason:
        raise ValueError(
            f"Layer {name!r} ({class_name}) cannot be carried to TF-MOT: {reason}"
        ) from None


def _check_model(model: keras.Model) -> None:
    if not isinstance(model, keras.Model):
        raise ValueError(f"Expected a Keras 3 model. Received: {type(model)}.")
    if not model.built:
        raise ValueError(f"Model {model.name!r} is not built: start it with keras.Input(shape).")
    for layer in model.layers:
        class_name = layer.__class__.__name__
        with _naming(layer.name, class_name):
            _check_layer(layer, class_name)
    ends = [len(getattr(model, end, None) or ()) for end in ("inputs", "outputs")]
    if ends != [1, 1]:
        raise ValueError(
            f"Model {model.name!r} must be a graph with one input and one output, of "
            f"keras.Sequential or keras.Model(inputs, outputs). Received: {ends[0]} and {ends[1]}."
        )


def _check_layer(layer: keras.layers.Layer, class_name: str) -> None:
    if isinstance(layer, keras.Model):
        raise ValueError("it is a model within the model; use its layers directly instead.")
    # `__class__`, because kcnn's batch norm is stock in this respect.
    known = any(layer.__class__ is getattr(module, class_name, None) for module in _MODULES)
    if class_name != "InputLayer" and not (known and class_name in EQUIVALENT_OPTIONS):
        raise ValueError(f"express it by the layers that can: {', '.join(EQUIVALENT_OPTIONS)}.")
    if not _NAME.fullmatch(layer.name):
        raise ValueError("name it with a letter first, then letters, digits, '_', '.' and '-'.")
    if layer.dtype_policy.quantization_mode:
        raise ValueError("it is quantized; begin with the float model.")


def _entries(model: keras.Model) -> list[dict]:
    try:
        return model.get_config()["layers"]
    except (KeyError, NotImplementedError):
        # A class of its own has no graph in its config, even where it was built from one.
        raise ValueError(
            f"Model {model.name!r} is a class of its own: pass "
            "keras.Model(model.inputs, model.outputs) instead."
        ) from None


def _config(entry: dict) -> dict:
    class_name, config = entry["class_name"], entry["config"]
    if class_name == "InputLayer":
        return {"shape": list(config["batch_shape"][1:])}
    carried = {}
    for key, value in config.items():
        if key == "trainable":
            carried[key] = value
        elif key in EQUIVALENT_OPTIONS[class_name]:
            _check_option(class_name, key, value)
            carried[RENAMED.get((class_name, key), key)] = value
        elif key.endswith("_regularizer") and key != "activity_regularizer" and value:
            carried[key] = _regularizer(key, value)
        elif (key, value) == ("data_format", "channels_last"):
            continue  # of ZeroPadding1D, which knows nothing else in Keras 2
        elif key not in _DROPPED and not key.endswith("_initializer") and value:
            raise ValueError(f"it has {key}={value!r}, which is not carried; leave it out.")
    return carried


def _check_option(class_name: str, key: str, value: object) -> None:
    if key == "activation" and (not isinstance(value, str) or value not in EQUIVALENT_ACTIVATIONS):
        received = value["config"] if isinstance(value, dict) else value
        raise ValueError(
            f"activation {received!r} is not the same in Keras 2; use a layer such as "
            f"keras.layers.LeakyReLU, or one of {', '.join(sorted(EQUIVALENT_ACTIVATIONS))}."
        )
    if key == "data_format" and value != "channels_last" and class_name not in ANY_DATA_FORMAT:
        raise ValueError(f"data_format must be 'channels_last'. Received: {value!r}.")
    if key in ("mean", "variance") and value is None:
        raise ValueError(
            "its statistics were adapted; give them as constants: "
            "keras.layers.Normalization(mean=..., variance=...)."
        )


def _regularizer(key: str, value: dict) -> dict:
    if value["module"] != "keras.regularizers" or value["class_name"] not in ("L1", "L2", "L1L2"):
        raise ValueError(f"{key} must be L1, L2 or L1L2. Received: {value['class_name']}.")
    # Keras 2 would follow "module" to Keras 3's class.
    return {"class_name": value["class_name"], "config": value["config"]}


def _inputs(entry: dict, before: list[dict], *, sequential: bool) -> list[str]:
    if entry["class_name"] == "InputLayer":
        return []
    if sequential:
        return [before[-1]["name"]]
    (call,) = entry["inbound_nodes"]
    arguments, options = call["args"], call["kwargs"]
    # Inside a model, Keras 3 overrules a `training` that was given when the layer was called.
    extra = [key for key, value in options.items() if key != "training" and value is not None]
    tensors = arguments[0] if isinstance(arguments[0], (list, tuple)) else arguments[:1]
    if extra or len(arguments) != 1 or not all(isinstance(tensor, dict) for tensor in tensors):
        raise ValueError("it is called with more than the outputs of other layers.")
    return [tensor["config"]["keras_history"][0] for tensor in tensors]
