"""The job "pruning": train a model with TF-MOT's masks on its kernels."""

from typing import TYPE_CHECKING, Any

import numpy as np

from kcnn.compress.bridge.rebuild import named_weights
from kcnn.compress.bridge.training import Fit

if TYPE_CHECKING:
    import tf_keras

TWO_TO_FOUR = "2:4"


def prune(model: "tf_keras.Model", settings: dict, fit: Fit) -> dict[str, np.ndarray]:
    """Train `model` while its smallest weights become zero; return all weights."""
    import tensorflow_model_optimization as tfmot
    import tf_keras

    pruning = tfmot.sparsity.keras

    def wrap(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        target = settings["targets"].get(layer.name)
        if target is None:
            return layer
        if target == TWO_TO_FOUR:
            return pruning.prune_low_magnitude(layer, sparsity_m_by_n=(2, 4))
        begin, end = target
        if begin == end or settings["end_step"] == 1:
            return wrap_to_keep_zeros(layer, end)
        schedule: Any = pruning.PolynomialDecay(
            begin, end, 1, settings["end_step"], frequency=settings["frequency"]
        )
        return pruning.prune_low_magnitude(layer, schedule)

    wrapped = tf_keras.models.clone_model(model, clone_function=wrap)
    kernels = [
        layer.pruning_vars[0][0] for layer in wrapped.layers if hasattr(layer, "pruning_vars")
    ]

    def sparsity() -> dict[str, float]:
        zeros = sum(np.count_nonzero(kernel.numpy() == 0) for kernel in kernels)
        return {"sparsity": zeros / settings["weights"]}

    fit(wrapped, callbacks=[pruning.UpdatePruningStep()], measure=sparsity)
    return named_weights(pruning.strip_pruning(wrapped))


def wrap_to_keep_zeros(layer: "tf_keras.layers.Layer", sparsity: float) -> "tf_keras.layers.Layer":
    """Wrap `layer` so that this fraction of its smallest weights is zero from step 1 on."""
    import tensorflow_model_optimization as tfmot

    pruning = tfmot.sparsity.keras
    schedule = pruning.ConstantSparsity(sparsity, begin_step=1, end_step=1, frequency=1)
    return pruning.prune_low_magnitude(layer, schedule)
