"""Trainings on several virtual devices: what tests/test_devices.py has a process do."""

import json
import sys
from pathlib import Path

import keras
import numpy as np

import kcnn
from kcnn.data import labelled

BATCH = 24


def network():
    """Return a small network; on TensorFlow without batch norm, whose statistics differ there."""
    keras.utils.set_random_seed(0)
    on_jax = keras.config.backend() == "jax"
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(8, 4, strides=4, activation="gelu"),
            *([keras.layers.BatchNormalization(), keras.layers.Dropout(0.2)] if on_jax else []),
            keras.layers.Flatten(),
            keras.layers.Dense(10, name="logits"),
        ]
    )


def data(batch_size=BATCH, *, streams=False):
    if streams:
        limit, labelled.RAM_LIMIT = labelled.RAM_LIMIT, 0
        loaded = kcnn.data.load_streams("digits", limit=200)
        labelled.RAM_LIMIT = limit
        return kcnn.data.JaxData(loaded, batch_size, seed=1)
    if keras.config.backend() == "jax":
        return kcnn.data.JaxData(kcnn.data.load_arrays("digits", limit=200), batch_size, seed=1)
    return kcnn.data.load("digits", limit=200, batch_size=batch_size, seed=1)


def train(epochs=3, model=None, *, streams=False, **options):
    model = network() if model is None else model
    options = {"optimizer": "sgd", "learning_rate": 0.05, "callbacks": []} | options
    result = kcnn.train(model, data(streams=streams), epochs=epochs, **options)
    weights = [np.asarray(keras.ops.convert_to_numpy(each)).sum() for each in model.weights]
    return {"history": result.history, "weights": [float(each) for each in weights]}


def said(call, kind=ValueError):
    """Return the message of the error that a call raises."""
    try:
        call()
    except kind as error:
        return str(error)
    return ""


def on_jax(folder):
    import jax

    from kcnn.training.jax_steps import training_step
    from kcnn.training.loop_jax import JaxSteps
    from kcnn.training.objective import Objective
    from kcnn.training.placement import Placement

    distribution = keras.distribution
    names = distribution.list_devices()
    done = {"devices": len(names), "one": train()}
    with distribution.DataParallel().scope():
        done["8"] = train()
    done["streamed"] = train(streams=True)
    stop = {"callbacks": [StopWithin(10)], "checkpoint_steps": 3}
    try:
        train(streams=True, resume=folder / "streamed", **stop)
    except InterruptedError:
        pass
    with distribution.DataParallel(devices=names[:4]).scope():
        done["streamed on four, resumed"] = train(
            streams=True, resume=folder / "streamed", callbacks=[]
        )

    def cost():
        model = network()
        model.compile(keras.optimizers.SGD(0.05))
        model.optimizer.build(model.trainable_variables)
        steps = JaxSteps(model, data(), Objective())
        place = Placement.of_keras()
        body = training_step(model, data(), Objective(), None, place)
        given = (0, (steps._read(), steps._sums), steps._train, steps._draw(steps._train[1], 0))
        return jax.jit(body).lower(*given).compile().cost_analysis()["flops"]

    done["flops"] = {"one": cost()}
    with distribution.DataParallel().scope():
        done["flops"]["all"] = cost()
        unequal = said(lambda: kcnn.train(network(), data(20), epochs=1))
    mesh = distribution.DeviceMesh((4, 2), ["batch", "model"], names)
    layout = distribution.LayoutMap(mesh)
    with distribution.ModelParallel(layout_map=layout, batch_dim_name="batch").scope():
        model_parallel = said(lambda: kcnn.train(network(), data(), epochs=1))
    from kcnn.training.devices import several

    done["said"] = {
        "unequal": unequal,
        "model parallel": model_parallel,
        "too many": said(lambda: several(9)),
    }
    return done


class StopWithin(keras.callbacks.Callback):
    """Ends the process's training before a step."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_begin(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == self.step:
            raise InterruptedError


def on_tensorflow(folder):
    import tensorflow as tf

    from kcnn.training.devices import several

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    done = {"devices": 2, "one": train(), "adam": train(optimizer="adam", learning_rate=0.01)}
    strategy = several("all")
    assert isinstance(strategy, tf.distribute.MirroredStrategy)
    with strategy.scope():
        models = [network() for _ in range(3)]
    done["2"] = train(model=models[0])
    done["adam, 2"] = train(model=models[1], optimizer="adam", learning_rate=0.01)
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        done["one device strategy"] = train(epochs=1)
    outside = keras.optimizers.SGD(0.05)
    done["said"] = {
        "unequal": said(lambda: kcnn.train(models[2], data(15), epochs=1)),
        "outside": said(
            lambda: kcnn.train(models[2], data(), epochs=1, optimizer=outside, learning_rate=None)
        ),
    }
    with keras.distribution.DataParallel(devices=["cpu:0"]).scope():
        done["said"]["keras.distribution"] = said(lambda: kcnn.train(network(), data(), epochs=1))
    return done


def main(folder):
    """Do all of it for the backend, and write what came of it."""
    folder = Path(folder)
    done = (on_jax if keras.config.backend() == "jax" else on_tensorflow)(folder)
    (folder / "done.json").write_text(json.dumps(done))


if __name__ == "__main__":
    main(sys.argv[1])
