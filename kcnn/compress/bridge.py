"""The child process: the only file that knows `tf_keras` and TF-MOT.

`python -m kcnn.compress.bridge FOLDER...` rebuilds the model of each folder in Keras 2, reports how
far its answers are from the original's, prunes it while it trains on the batches that arrive on
the standard input, and leaves the weights in the folder. `child.py` is its other end.

Keras 2 and TF-MOT are imported inside the functions: whoever imports this file (a documentation
tool, a test collector) must not be switched to Keras 2.
"""

import json
import math
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kcnn.compress.child import read_array

if TYPE_CHECKING:
    import tensorflow as tf
    import tf_keras

Report = Callable[[dict], None]


def main(folders: list[str]) -> None:
    """Do the job of each folder; on failure, end with the reason as the last line of stderr."""
    reports = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not get between the reports

    def report(values: dict) -> None:
        reports.write(json.dumps(values) + "\n")
        reports.flush()

    try:
        for folder in folders:
            run(Path(folder), report)
    except Exception as error:
        traceback.print_exc()
        sys.stderr.write(f"{type(error).__name__}: {reason(error)}\n")
        sys.stderr.flush()
        os._exit(1)  # an orderly exit would stumble over the thread that waits for a batch


def reason(error: Exception) -> str:
    """Return the one line of an error's text that says what happened."""
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith("[[")] or ["no reason"]
    # TensorFlow's comes after a traceback of the whole graph.
    return lines[-1 if lines[0] == "Graph execution error:" else 0][:200]


def run(folder: Path, report: Report) -> None:
    """Do the job that `graph.write_job` wrote to `folder`."""
    job = json.loads((folder / "job.json").read_text())
    model = rebuild(job["layers"], np.load(folder / "weights.npz"))
    report({"difference": difference(model, np.load(folder / "probe.npz"))})
    if job["pruning"]:
        pruned = prune(model, job["pruning"], report)
        np.savez(folder / "pruned.npz", **named_weights(pruned))
        report({"done": True})


def rebuild(layers: list[dict], weights: dict[str, np.ndarray]) -> "tf_keras.Model":
    """Return the Keras 2 model that `graph.describe` and `graph.weights` told of."""
    import tf_keras

    own, tensors = own_layers(), {}
    for layer in layers:
        name = layer["name"]
        if layer["class_name"] == "InputLayer":
            tensors[name] = tf_keras.Input(**layer["config"], name=name)
            continue
        layer_class = own.get(layer["class_name"]) or getattr(tf_keras.layers, layer["class_name"])
        rebuilt = layer_class(**layer["config"], name=name)
        inputs = [tensors[source] for source in layer["inputs"]]
        tensors[name] = rebuilt(inputs if len(inputs) > 1 else inputs[0])
        rebuilt.set_weights([weights[f"{name}/{i}"] for i in range(len(rebuilt.weights))])
    ends = list(tensors.values())
    return tf_keras.Model(ends[0], ends[-1])


def own_layers() -> dict[str, type]:
    """Return the layers of `kcnn.layers` that Keras 2 lacks, written for it, by class name.

    Their weights come from the originals, so what they start with does not matter.
    """
    import tensorflow as tf
    import tf_keras

    class LocalResponseNormalization(tf_keras.layers.Layer):
        def __init__(self, depth_radius, bias, alpha, beta, **options):
            super().__init__(**options)
            self.settings = (depth_radius, bias, alpha, beta)

        def call(self, inputs):
            # TensorFlow's own kernel takes images only, but sees no further than the channels.
            images = tf.reshape(inputs, (1, 1, -1, inputs.shape[-1]))
            return tf.reshape(tf.nn.lrn(images, *self.settings), tf.shape(inputs))

    class PartiallyConnectedConv2D(tf_keras.layers.Layer):
        def __init__(self, connections, kernel_size, **options):
            super().__init__(**options)
            self.links = [(seen, map_) for map_, row in enumerate(connections) for seen in row]
            self.kernel_size, self.maps = kernel_size, len(connections)

        def build(self, input_shape):
            positions = np.array([seen * self.maps + map_ for seen, map_ in self.links])
            self.placed = np.eye(input_shape[-1] * self.maps, dtype=np.float32)[positions]
            size = self.kernel_size
            self.kernel = self.add_weight("kernel", (size, size, len(self.links)))
            self.bias = self.add_weight("bias", (self.maps,))

        def call(self, inputs):
            size = self.kernel_size
            kernel = tf.reshape(self.kernel @ self.placed, (size, size, -1, self.maps))
            return tf.nn.conv2d(inputs, kernel, 1, "VALID") + self.bias

        def get_prunable_weights(self):
            return [self.kernel]

    return {
        layer.__name__: layer for layer in (LocalResponseNormalization, PartiallyConnectedConv2D)
    }


def named_weights(model: "tf_keras.Model") -> dict[str, np.ndarray]:
    """Return all weights under the keys of `graph.weights`."""
    return {
        f"{layer.name}/{i}": weight
        for layer in model.layers
        for i, weight in enumerate(layer.get_weights())
    }


def difference(model: "tf_keras.Model", probe: dict[str, np.ndarray]) -> float:
    """Return how far the answers are from those expected, relative to the largest of these."""
    expected = probe["answers"]
    answers = model(probe["images"], training=False).numpy()
    return float(np.abs(answers - expected).max() / max(1.0, np.abs(expected).max()))


def prune(model: "tf_keras.Model", settings: dict, report: Report) -> "tf_keras.Model":
    """Train `model` on the batches from the standard input while TF-MOT prunes it."""
    import tensorflow_model_optimization as tfmot
    import tf_keras

    def wrap(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        target = settings["sparsity"].get(layer.name)
        if target is None:
            return layer
        return tfmot.sparsity.keras.prune_low_magnitude(layer, schedule(*target, settings))

    tf_keras.utils.set_random_seed(0)  # of the dropout
    wrapped = tf_keras.models.clone_model(model, clone_function=wrap)
    kernels = [
        layer.pruning_vars[0][0] for layer in wrapped.layers if hasattr(layer, "pruning_vars")
    ]

    def report_epoch(epoch: int, logs: dict[str, float]) -> None:
        zeros = sum(np.count_nonzero(kernel.numpy() == 0) for kernel in kernels)
        report(logs | {"sparsity": zeros / sum(math.prod(kernel.shape) for kernel in kernels)})

    epochs, steps = settings["epochs"], settings["steps_per_epoch"]
    rate = tf_keras.optimizers.schedules.CosineDecay(settings["learning_rate"], epochs * steps)
    loss = tf_keras.losses.SparseCategoricalCrossentropy
    if settings["soft_labels"]:
        loss = tf_keras.losses.CategoricalCrossentropy
    wrapped.compile(
        tf_keras.optimizers.Adam(rate, jit_compile=False),
        loss(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    wrapped.fit(
        batches(settings, model),
        steps_per_epoch=steps,
        epochs=epochs,
        verbose=0,
        callbacks=[
            tfmot.sparsity.keras.UpdatePruningStep(),
            tf_keras.callbacks.LambdaCallback(on_epoch_end=report_epoch),
        ],
    )
    return tfmot.sparsity.keras.strip_pruning(wrapped)


def schedule(initial: float, final: float, settings: dict) -> object:
    """Return TF-MOT's schedule from one sparsity to another, the first update in step 1."""
    from tensorflow_model_optimization.sparsity import keras as sparsity

    end, frequency = settings["end_step"], settings["frequency"]
    if end == 1 or initial == final:
        return sparsity.ConstantSparsity(final, begin_step=1, end_step=1, frequency=1)
    return sparsity.PolynomialDecay(initial, final, 1, end, frequency=frequency)


def batches(settings: dict, model: "tf_keras.Model") -> "tf.data.Dataset":
    """Return the batches of images and labels that arrive on the standard input."""
    import tensorflow as tf

    stream = sys.stdin.buffer

    def read() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for _ in range(settings["epochs"] * settings["steps_per_epoch"]):
            yield read_array(stream), read_array(stream)

    labels_shape = model.output_shape if settings["soft_labels"] else (None,)
    shapes = (model.input_shape, labels_shape)
    signature = tuple(map(tf.TensorSpec, shapes, settings["dtypes"]))
    options = tf.data.Options()
    options.autotune.enabled = False  # its thread can hold up the end by as much as an epoch
    dataset = tf.data.Dataset.from_generator(read, output_signature=signature)
    return dataset.prefetch(2).with_options(options)


if __name__ == "__main__":
    main(sys.argv[1:])
