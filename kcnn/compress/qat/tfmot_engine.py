"""Quantization-aware training by TF-MOT, and its result as a Keras 3 model."""

import keras
import numpy as np

from kcnn.compress.finetune import finetune
from kcnn.compress.kernels import kernel_variables, kernels, sparsity
from kcnn.compress.qat.insert_fake_quantize import PIXELS, fake_quantize_name, insert_fake_quantize
from kcnn.compress.to_keras2 import describe_layers
from kcnn.data import Data
from kcnn.layers import FakeQuantize
from kcnn.models.fold_normalization import find_foldable, fold_normalization

# Layers that TF-MOT can quantize, among those that a model with `FakeQuantize` may have.
SUPPORTED = frozenset(
    "Activation Add AveragePooling2D BatchNormalization Concatenate Conv2D Cropping2D Dense "
    "DepthwiseConv2D Dropout Flatten GlobalAveragePooling2D GlobalMaxPooling2D InputLayer "
    "LeakyReLU MaxPooling2D Permute ReLU Reshape SpatialDropout2D ZeroPadding2D".split()
)

# Number of batches on which the bounds are measured from which TF-MOT starts.
MEASURED_BATCHES = 8


def train_with_tfmot(
    model: keras.Model, data: Data, *, epochs: int, learning_rate: float
) -> tuple[keras.Model, dict[str, list[float]]]:
    """Train a copy of `model`, which `check_tfmot_layers` accepts; return it and the history.

    TF-MOT cannot quantize the normalization of the pixels, so it is folded into the first layer.
    That layer's kernel is then frozen: its weights are so small that Adam's first steps would
    destroy it.

    Raises:
        RuntimeError: the data cannot be read, the loss became NaN, or the child process died.
    """
    folded = fold_normalization(model)
    aware = insert_fake_quantize(folded)
    bounds = _measure_bounds(folded, data)
    settings = {
        "bounds": bounds,
        "pixels": PIXELS,
        "frozen": list(find_foldable(model).values()),
        "sparse": sparsity(folded) > 0,
    }
    trained = finetune(
        "quantizing",
        folded,
        data,
        settings,
        epochs=epochs,
        learning_rate=learning_rate,
    )
    _copy_result(aware, folded, trained.arrays, bounds)
    return aware, trained.history


def check_tfmot_layers(model: keras.Model) -> None:
    """Raise ValueError unless TF-MOT can quantize, and Keras 2 rebuild, all layers of `model`.

    The normalization of the pixels does not count, because it is folded.
    """
    model = fold_normalization(model)
    for layer in model.layers:
        if layer.__class__.__name__ not in SUPPORTED:
            raise ValueError(
                f"Layer {layer.name!r} ({layer.__class__.__name__}) cannot be trained for int8 by "
                'TF-MOT, which does not support it: use engine="keras".'
            )
    describe_layers(model)


def _measure_bounds(model: keras.Model, data: Data) -> dict[str, tuple[float, float]]:
    """Return the mean bounds of each layer's output over a few batches, by the layer's name.

    All layers are measured, because TF-MOT rounds more outputs than TensorFlow Lite, also those of
    poolings.
    """
    names = [layer.name for layer in model.layers]
    outputs = keras.Model(model.inputs[0], [model.get_layer(name).output for name in names])
    batches = []
    count = min(MEASURED_BATCHES, data.steps_per_epoch)
    for images, _ in data.batches().take(count).as_numpy_iterator():
        values = keras.tree.flatten(outputs(images, training=False))
        batches.append([(min(0.0, float(np.min(v))), float(np.max(v))) for v in values])
    means = np.mean(batches, axis=0)
    return {name: (float(low), float(high)) for name, (low, high) in zip(names, means, strict=True)}


def _find_bounds_layer(aware: keras.Model, name: str) -> FakeQuantize | None:
    """Return the layer that learns the bounds of layer `name`'s output, if they are learned."""
    found = (layer for layer in aware.layers if layer.name == fake_quantize_name(name))
    layer = next(found, None)
    return layer if layer is not None and layer.bounds is None else None


def _copy_result(
    aware: keras.Model,
    model: keras.Model,
    arrays: dict[str, np.ndarray],
    measured: dict[str, tuple[float, float]],
) -> None:
    """Set the weights and bounds of `aware` from the result; the zeros of `model` stay zero."""
    for layer in model.layers:
        weights = [arrays[f"{layer.name}/{index}"] for index in range(len(layer.weights))]
        aware.get_layer(layer.name).set_weights(weights)
    for name, kernel in kernel_variables(aware).items():
        kernel.assign(kernel * (kernels(model)[name] != 0))
    for name, bounds in measured.items():
        learner = _find_bounds_layer(aware, name)
        if learner is None:
            continue
        low, high = arrays.get(f"{name}/bounds", bounds)
        learner.minimum.assign(min(low, 0.0))
        learner.maximum.assign(max(high, low + 1e-6))
        learner.steps.assign(1.0)
