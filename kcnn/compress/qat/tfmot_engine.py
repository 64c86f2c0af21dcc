"""Quantisation-aware training by TF-MOT, and its result as a model of Keras 3."""

import keras
import numpy as np

from kcnn.compress.finetune import Watch, finetune
from kcnn.compress.kernels import kernel_variables, kernels, sparsity
from kcnn.compress.qat.insert_fake_quantize import PIXELS, fake_quantize_name, insert_fake_quantize
from kcnn.compress.qat.tuning import History
from kcnn.compress.to_keras2 import describe_layers
from kcnn.data import Data
from kcnn.layers import FakeQuantize
from kcnn.models.fold_normalization import find_foldable, fold_normalization

# What TF-MOT's registry has, of those that a model with roundings may have.
SUPPORTED = frozenset(
    "Activation Add AveragePooling2D BatchNormalization Concatenate Conv2D Cropping2D Dense "
    "DepthwiseConv2D Dropout Flatten GlobalAveragePooling2D GlobalMaxPooling2D InputLayer "
    "LeakyReLU MaxPooling2D Permute ReLU Reshape SpatialDropout2D ZeroPadding2D".split()
)

# Batches on which the bounds are measured that TF-MOT starts from.
MEASURED_BATCHES = 8


def train_with_tfmot(
    model: keras.Model,
    data: Data,
    *,
    epochs: int,
    learning_rate: float,
    watch: Watch | None,
) -> tuple[keras.Model, History]:
    """Return `model`, checked by `check_tfmot_layers`, trained by TF-MOT, and the history.

    TF-MOT has no normalisation of the pixels, so that is folded into the first layer, whose kernel
    then stays as it is: its weights are now so small that Adam's first steps would destroy it.

    Raises:
        RuntimeError: as `finetune`.
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
    tuned = finetune(
        "quantizing",
        folded,
        data,
        settings,
        epochs=epochs,
        learning_rate=learning_rate,
        watch=watch,
    )
    _copy_result(aware, folded, tuned.arrays, bounds)
    return aware, tuned.history


def check_tfmot_layers(model: keras.Model) -> None:
    """Raise ValueError if TF-MOT does not know a layer of `model`, or one cannot be carried to it.

    The normalisation of the pixels, which is folded, need not be known.
    """
    model = fold_normalization(model)
    for layer in model.layers:
        if layer.__class__.__name__ not in SUPPORTED:
            raise ValueError(
                f"Layer {layer.name!r} ({layer.__class__.__name__}) cannot be trained for int8 by "
                'TF-MOT, which does not know its kind; engine="keras" does.'
            )
    describe_layers(model)


def _measure_bounds(model: keras.Model, data: Data) -> dict[str, tuple[float, float]]:
    """Return the mean bounds of each layer's output over a few batches, by the layer's name.

    Of all layers, as TF-MOT rounds more outputs than TensorFlow Lite: those of poolings, too.
    """
    names = [layer.name for layer in model.layers]
    outputs = keras.Model(model.inputs[0], [model.get_layer(name).output for name in names])
    batches = []
    count = min(MEASURED_BATCHES, data.steps_per_epoch)
    for images, _ in data.batches().take(count).as_numpy_iterator():
        values = keras.tree.flatten(outputs(images, training=False))
        batches.append([(min(0.0, float(np.min(v))), float(np.max(v))) for v in values])
    means = np.mean(batches, axis=0)
    return {name: tuple(map(float, mean)) for name, mean in zip(names, means, strict=True)}


def _find_bounds_layer(aware: keras.Model, name: str) -> FakeQuantize | None:
    """Return the layer that learns the bounds of layer `name`, if they are learned."""
    found = (layer for layer in aware.layers if layer.name == fake_quantize_name(name))
    layer = next(found, None)
    return layer if layer is not None and layer.bounds is None else None


def _copy_result(
    aware: keras.Model,
    model: keras.Model,
    arrays: dict[str, np.ndarray],
    measured: dict[str, tuple[float, float]],
) -> None:
    """Give `aware` the weights and bounds that came back; the zeros of `model` stay zero."""
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
