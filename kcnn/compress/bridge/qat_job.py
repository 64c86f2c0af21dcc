"""The job "quantizing": quantization-aware training by TF-MOT."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kcnn.compress.bridge.training import Fit

if TYPE_CHECKING:
    import tensorflow as tf
    import tf_keras


def quantize(model: "tf_keras.Model", settings: dict, fit: Fit) -> dict[str, np.ndarray]:
    """Train `model` for int8; return all weights and the bounds of the activations.

    The key of the bounds of a layer's output, minimum and maximum, is "layer name/bounds".
    """
    import tensorflow_model_optimization as tfmot

    names = {layer.name: [_last(weight) for weight in layer.weights] for layer in model.layers}
    scheme = tfmot.quantization.keras.default_8bit.Default8BitQuantizeScheme()
    if settings["sparse"]:
        scheme = tfmot.experimental.combine.Default8BitPrunePreserveQuantizeScheme()
    annotated = tfmot.quantization.keras.quantize_annotate_model(model)
    aware = tfmot.quantization.keras.quantize_apply(annotated, scheme)
    wrapped = {layer.layer.name: layer for layer in aware.layers if hasattr(layer, "layer")}
    variables = {
        f"{name}/{index}": _weight(wrapped[name], weight)
        for name, weights in names.items()
        for index, weight in enumerate(weights)
    }
    for name in settings["frozen"]:
        wrapped[name].layer.trainable = False
        # TF-MOT keeps the kernel here, whatever `trainable` says.
        wrapped[name]._trainable_weights.clear()
    # TF-MOT starts from -6 to 6, and its moving average forgets that after thousands of steps only.
    for name, values in settings["bounds"].items():
        _assign(_bounds(wrapped.get(name)), values)
    (pixels,) = [layer for layer in aware.layers if layer.__class__.__name__ == "QuantizeLayer"]
    _assign(_bounds(pixels), settings["pixels"])
    fit(aware)
    arrays = {key: variable.numpy() for key, variable in variables.items()}
    for name, layer in wrapped.items():
        if bounds := _bounds(layer):
            arrays[f"{name}/bounds"] = np.array([bound.numpy() for bound in bounds])
    return arrays


def _assign(bounds: list["tf.Variable"], values: Sequence[float]) -> None:
    for bound, value in zip(bounds, values, strict=False):
        bound.assign(value)


def _last(weight: "tf.Variable") -> str:
    return weight.name.split("/")[-1].split(":")[0]


def _weight(layer: "tf_keras.layers.Layer", name: str) -> "tf.Variable":
    return next(weight for weight in layer.weights if _last(weight) == name)


def _bounds(layer: "tf_keras.layers.Layer | None") -> list["tf.Variable"]:
    """Return the bounds of a layer's output, minimum and maximum, if TF-MOT rounds it."""
    found = {_last(weight): weight for weight in layer.weights} if layer else {}
    for kind in ("output", "post_activation", layer.name if layer else ""):
        if f"{kind}_min" in found:
            return [found[f"{kind}_min"], found[f"{kind}_max"]]
    return []
