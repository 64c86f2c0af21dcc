"""tf_keras, the Keras 2 that uses TensorFlow kernels which Keras 3 no longer uses."""

import os
from pathlib import Path
from typing import Any, cast

from benchmarks import networks
from benchmarks.contestants import FOREVER
from benchmarks.contestants.keras3 import clock
from benchmarks.contestants.pipelines import tf_image_map
from benchmarks.race import Spec
from benchmarks.turns import Turns


def fit(spec: Spec, turns: Turns) -> None:
    """Compile and fit the same network in tf_keras, fed by `tf.image` in a `map`."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tf_keras

    from kcnn.compress.bridge.rebuild import rebuild

    folder = Path(spec.folder)
    tf_keras.utils.set_random_seed(spec.seed)
    parts = networks.layers(folder, spec.model), networks.weights(folder, spec.model)
    images, expected = networks.probe(folder, spec.model)
    answers = rebuild(*parts)(images, training=False).numpy()
    turns.facts["difference"] = networks.difference(answers, expected)
    if spec.precision == "bfloat16":
        tf_keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = rebuild(*parts)
    turns.facts["parameters"] = model.count_params()
    model.compile(
        tf_keras.optimizers.Adam(),
        tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(
        tf_image_map(*networks.arrays(folder), spec.batch).repeat(),
        epochs=1,
        steps_per_epoch=FOREVER,
        callbacks=[clock(turns, spec.batch, base=tf_keras.callbacks.Callback)],
        verbose=cast(Any, 0),
    )
