"""Describe a Keras 3 model as plain data, from which the child process rebuilds it in Keras 2.

Only layers and options that compute the same in both are described; others are refused by name.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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

# Config keys that do not affect a float32 copy of a layer.
_DROPPED = frozenset({"name", "dtype", "seed", "renorm_clipping", "renorm_momentum"})
_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.>-]*")  # TensorFlow's pattern for a scope
# Layers of kcnn.layers that Keras 2 lacks are written for it in bridge/own_layers.py.
_MODULES = (keras.layers, kcnn.layers)


def describe_layers(model: keras.Model) -> list[dict]:
    """Return the layers of `model` in topological order, the output layer last.

    Each is a dictionary of plain data: `name`, `class_name`, `config` (as Keras 2 spells it) and
    `inputs`, the names of the layers that feed it.

    Raises:
        ValueError: the model is not one graph of stock layers from one input to one output, or
            Keras 2 does not compute the same for one of its layers; the message names it.

    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2, name="logits")])
    >>> describe_layers(model)[1]["config"]
    {'trainable': True, 'units': 2, 'activation': 'linear', 'use_bias': True}
    """
    _check_model(model)
    check_calls(calls(model))
    layers: list[dict[str, Any]] = []
    for entry in _entries(model):
        name, class_name = entry["config"]["name"], entry["class_name"]
        with _naming(name, class_name):
            inputs = _inputs(entry, layers, sequential=isinstance(model, keras.Sequential))
            config = _config(entry)
        layers.append({"name": name, "class_name": class_name, "config": config, "inputs": inputs})
    return layers


def named_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """Return all weights in float32; the key of a layer's `i`-th weight is "layer name/i"."""
    return {
        f"{layer.name}/{i}": np.asarray(weight, np.float32)
        for layer in model.layers
        for i, weight in enumerate(layer.get_weights())
    }


def copy_with_weights(model: keras.Model, values: dict[str, np.ndarray]) -> keras.Model:
    """Return an uncompiled copy of `model` with these weights, named as by `named_weights`."""
    # `clone_model` would also compile the copy, and fail on a custom loss.
    make = keras.Sequential if isinstance(model, keras.Sequential) else keras.Model
    copy = make.from_config(model.get_config())
    for layer in copy.layers:
        layer.set_weights([values[f"{layer.name}/{i}"] for i in range(len(layer.weights))])
    return copy


def write_job(folder: Path, model: keras.Model, job: dict | None = None) -> None:
    """Write to `folder` what the child needs: the layers, the weights, a probe and the job.

    The probe is a few random images and the model's outputs for them. With it, the child measures
    how exactly it has rebuilt the model. Without a job, it does nothing else.

    Raises:
        ValueError: `describe_layers` refuses the model.
    """
    layers = describe_layers(model)
    shape = [size or 32 for size in layers[0]["config"]["shape"]]
    images = np.random.default_rng(0).integers(0, 256, (8, *shape)).astype(np.float32)
    outputs: Any = keras.ops.convert_to_numpy(model(images, training=False))
    (folder / "job.json").write_text(json.dumps({"layers": layers, "job": job}))
    weights: dict[str, Any] = named_weights(model)
    np.savez(folder / "weights.npz", **weights)
    np.savez(folder / "probe.npz", images=images, outputs=outputs.astype(np.float32))


@contextmanager
def _naming(name: str, class_name: str) -> Iterator[None]:
    try:
        yield
    except ValueError as reason:
        raise ValueError(
            f"Layer {name!r} ({class_name}) cannot be rebuilt in Keras 2 for TF-MOT: {reason}"
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
        raise ValueError("it is a model within the model: pass kcnn.models.flatten(model) instead.")
    # `__class__`, because kcnn's batch norm reports the stock class there.
    known = any(layer.__class__ is getattr(module, class_name, None) for module in _MODULES)
    if class_name != "InputLayer" and not (known and class_name in EQUIVALENT_OPTIONS):
        raise ValueError(f"use one of these layers instead: {', '.join(EQUIVALENT_OPTIONS)}.")
    if not _NAME.fullmatch(layer.name):
        raise ValueError("its name must be a letter, then letters, digits, '_', '.' and '-'.")
    if layer.dtype_policy.quantization_mode:
        raise ValueError("it is quantized: start from the float model.")


def _entries(model: keras.Model) -> list[dict]:
    try:
        return model.get_config()["layers"]
    except (KeyError, NotImplementedError):
        # A subclassed model has no graph in its config, even if it was built from one.
        raise ValueError(
            f"Model {model.name!r} is a subclass of keras.Model: pass "
            "keras.Model(model.inputs, model.outputs) instead."
        ) from None


def _config(entry: dict) -> dict:
    class_name, config = entry["class_name"], entry["config"]
    if class_name == "InputLayer":
        return {"shape": list(config["batch_shape"][1:])}
    copied = {}
    for key, value in config.items():
        if key == "trainable":
            copied[key] = value
        elif key in EQUIVALENT_OPTIONS[class_name]:
            _check_option(class_name, key, value)
            copied[RENAMED.get((class_name, key), key)] = value
        elif key.endswith("_regularizer") and key != "activity_regularizer" and value:
            copied[key] = _regularizer(key, value)
        elif (key, value) == ("data_format", "channels_last"):
            continue  # of ZeroPadding1D, which has no such option in Keras 2
        elif key not in _DROPPED and not key.endswith("_initializer") and value:
            raise ValueError(f"it has {key}={value!r}, which Keras 2 lacks: leave it out.")
    return copied


def _check_option(class_name: str, key: str, value: Any) -> None:
    if key == "activation" and (not isinstance(value, str) or value not in EQUIVALENT_ACTIVATIONS):
        received = value["config"] if isinstance(value, dict) else value
        raise ValueError(
            f"activation {received!r} is not the same in Keras 2: use a layer such as "
            f"keras.layers.LeakyReLU, or one of {', '.join(sorted(EQUIVALENT_ACTIVATIONS))}."
        )
    if key == "data_format" and value != "channels_last" and class_name not in ANY_DATA_FORMAT:
        raise ValueError(f"data_format must be 'channels_last'. Received: {value!r}.")
    if key in ("mean", "variance") and value is None:
        raise ValueError(
            "its statistics were adapted: give them as constants instead, "
            "keras.layers.Normalization(mean=..., variance=...)."
        )


def _regularizer(key: str, value: dict) -> dict:
    if value["module"] != "keras.regularizers" or value["class_name"] not in ("L1", "L2", "L1L2"):
        raise ValueError(f"{key} must be L1, L2 or L1L2. Received: {value['class_name']}.")
    # Without "module", which would lead Keras 2 to Keras 3's class.
    return {"class_name": value["class_name"], "config": value["config"]}


def _inputs(entry: dict, before: list[dict], *, sequential: bool) -> list[str]:
    if entry["class_name"] == "InputLayer":
        return []
    if sequential:
        return [before[-1]["name"]]
    (call,) = entry["inbound_nodes"]
    arguments, options = call["args"], call["kwargs"]
    # Inside a model, Keras 3 overrules the `training` argument of a layer's call.
    extra = [key for key, value in options.items() if key != "training" and value is not None]
    tensors = arguments[0] if isinstance(arguments[0], (list, tuple)) else arguments[:1]
    if extra or len(arguments) != 1 or not all(isinstance(tensor, dict) for tensor in tensors):
        raise ValueError("its call has other arguments than the outputs of other layers.")
    return [tensor["config"]["keras_history"][0] for tensor in tensors]
