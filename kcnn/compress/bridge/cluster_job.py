"""The job "clustering": train a model with TF-MOT so that its kernels have few values."""

from typing import TYPE_CHECKING

import numpy as np

from kcnn.compress.bridge.prune_job import wrap_to_keep_zeros
from kcnn.compress.bridge.rebuild import named_weights
from kcnn.compress.bridge.training import Fit

if TYPE_CHECKING:
    import tf_keras


def cluster(model: "tf_keras.Model", settings: dict, fit: Fit) -> dict[str, np.ndarray]:
    """Train `model` while the weights of each kernel share a few values; return all weights."""
    import tensorflow_model_optimization as tfmot
    import tf_keras

    clustering, pruning = tfmot.clustering.keras, tfmot.sparsity.keras
    clusters, layers, zeros = settings["clusters"], settings["layers"], settings["zeros"]

    def wrap(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        name = layer.name
        if name not in layers:
            return wrap_to_keep_zeros(layer, zeros[name]) if name in zeros else layer
        if hasattr(layer, "get_clusterable_weights"):  # see own_layers.py
            clustering.ClusterableLayer.register(type(layer))
        start = clustering.CentroidInitialization.LINEAR
        return clustering.cluster_weights(layer, clusters, start, preserve_sparsity=name in zeros)

    wrapped = tf_keras.models.clone_model(model, clone_function=wrap)
    fit(wrapped, callbacks=[pruning.UpdatePruningStep()])
    return named_weights(pruning.strip_pruning(clustering.strip_clustering(wrapped)))
