"""The process that tests/test_jax.py starts on the JAX backend, where TensorFlow is not importable.

It writes its results to `done.json` in the given folder. `trained_in_whole_batches` also runs on
TensorFlow.
"""

import importlib.util
import json
import sys
from pathlib import Path

REFUSED = ("tensorflow", "tensorflow_datasets", "tf_keras", "ai_edge_litert")


class _Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def small_network(seed=0):
    """Return a network with kernels, biases and batch norm, with equal weights on all backends."""
    import keras
    import numpy as np

    from kcnn.layers import BatchNormalization

    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(6, 4, strides=4, kernel_regularizer=keras.regularizers.L2(1e-3)),
            BatchNormalization(momentum=0.9),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
            keras.layers.Dense(10, name="logits"),
        ]
    )
    random = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        values = random.normal(0, 0.1, variable.shape)
        variable.assign(values + 1 if variable.name == "gamma" else values)
    return model


def trained_in_whole_batches(data):
    """Train with all images in each batch, so that their order has no effect."""
    import keras

    import kcnn
    from kcnn.callbacks import AveragedStatistics, Lookahead, standard
    from kcnn.training import cosine, make_optimizer

    rate = cosine(0.1, epochs=4, steps_per_epoch=1, warmup_epochs=1)
    optimizer = make_optimizer("sgd", rate, weight_decay=0.01, decay="coupled", ema=0.5)
    settings = {"epochs": 4, "optimizer": optimizer, "label_smoothing": 0.1}
    callbacks = [
        keras.callbacks.SwapEMAWeights(swap_on_epoch=True),
        AveragedStatistics(0.5, every=1),
        Lookahead(4, every=2),
        *standard(plateau=False),
    ]
    result = kcnn.train(small_network(), data, callbacks=callbacks, **settings)
    return {
        "history": result.history,
        "best_epoch": result.best_epoch,
        "weights": [float(abs(weight).sum()) for weight in result.model.get_weights()],
    }


def darkened(images, key):
    """An augmentation of the user's own."""
    return images // 2


def one_epoch(seed, augment):
    """Return the history and the sums of the weights."""
    import kcnn
    from kcnn.data import JaxData, load_arrays

    data = JaxData(load_arrays("digits", limit=200), 32, augment, seed)
    result = kcnn.train(small_network(), data, epochs=1, optimizer="sgd", learning_rate=0.05)
    return result.history, [float(abs(weight).sum()) for weight in result.model.get_weights()]


def watched():
    """Return what callbacks see that look at each batch, at each fifth one, and so on a GPU."""
    import jax

    import kcnn
    from kcnn.callbacks import EveryFewSteps
    from kcnn.data import JaxData, load_arrays

    class Watch(EveryFewSteps):
        def __init__(self, every):
            super().__init__(every)
            self.seen, self.weights = [], []

        def on_steps(self, before, now):
            self.seen.append(now)
            self.weights.append(float(abs(self.model.get_weights()[0]).sum()))

    data = JaxData(load_arrays("digits", limit=200), 22)
    seen = {"steps": data.steps_per_epoch}
    backend = jax.default_backend
    for name, device, every in (
        ("all", "cpu", 1),
        ("fifth", "cpu", 5),
        ("fifth, compiled loop", "gpu", 5),
    ):
        jax.default_backend = lambda device=device: device
        watch = Watch(every)
        result = kcnn.train(small_network(), data, epochs=2, learning_rate=0.01, callbacks=[watch])
        history = result.history
        seen[name] = {"seen": watch.seen, "weights": watch.weights, "history": history}
    jax.default_backend = backend
    return seen


def stock_callbacks():
    """Return the results of callbacks that are not kcnn's, and of one of kcnn's beside them."""
    import keras

    import kcnn
    from kcnn.callbacks import Lookahead
    from kcnn.data import JaxData, load_arrays

    class Still(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.model.optimizer.learning_rate.assign(0.0)

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 2

    data = JaxData(load_arrays("digits", limit=200), 22)

    def trained(*callbacks, **options):
        options = {"epochs": 2, "optimizer": "sgd", "learning_rate": 0.01} | options
        return kcnn.train(small_network(), data, callbacks=list(callbacks), **options)

    seen = []
    recorder = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(logs)
    )

    class StopAtOnce(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.stop_training = True

    still, stopped, at_once = trained(Still()), trained(Stop()), trained(StopAtOnce())
    trained(recorder, Lookahead(16))
    nan = trained(keras.callbacks.TerminateOnNaN(), learning_rate=1e30)
    return {
        "still": [float(abs(weight).sum()) for weight in still.model.trainable_weights],
        "start": [float(abs(weight).sum()) for weight in small_network().trainable_weights],
        "stopped": int(stopped.model.optimizer.iterations),
        "at once": at_once.epochs,
        "nan": int(nan.model.optimizer.iterations),
        "logs": seen,
    }


def lenet(policy="float32"):
    """Return the test accuracy after an epoch."""
    import keras

    import kcnn
    from kcnn.data import JaxData, load_arrays

    keras.utils.set_random_seed(0)
    data = JaxData(load_arrays("digits"), 32)
    keras.config.set_dtype_policy(policy)
    model = kcnn.models.lenet5(variant="modern")
    keras.config.set_dtype_policy("float32")
    kcnn.train(model, data, epochs=1, learning_rate=3e-3)
    return kcnn.evaluate(model, data.test, expected_count=data.num_test).accuracy


def own_step():
    """Return a model with its own `train_step`."""
    import keras

    class Own(keras.Model):
        def train_step(self, *given):
            return super().train_step(*given)

    model = small_network()
    return Own(model.inputs[0], model.outputs[0])


def resumed():
    """Return the weights after two epochs, in one training and in one that was stopped between."""
    import keras

    import kcnn
    from kcnn.data import JaxData, load_arrays

    class From(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.model._initial_epoch = 1  # as BackupAndRestore does

    data = JaxData(load_arrays("digits", limit=200), 22)
    ends = []
    for parts in ([(2, [])], [(1, []), (2, [From()])]):
        model = small_network()
        for epochs, callbacks in parts:
            kcnn.train(
                model,
                data,
                epochs=epochs,
                optimizer=keras.optimizers.SGD(0.05),
                callbacks=callbacks,
            )
        ends.append([float(abs(weight).sum()) for weight in model.get_weights()])
    return ends


def refusals():
    """Return the messages of errors for what only TensorFlow can do."""
    import keras

    import kcnn
    from kcnn import comparison, pipeline, recipe
    from kcnn.data import JaxData, load_arrays

    recipes = {
        "tensorboard": recipe.Recipe(train=recipe.Train(tensorboard=True)),
        "whitening": recipe.Recipe(train=recipe.Train(whitening_epochs=3)),
    }
    calls = {
        name: lambda each=each: pipeline.run(each, "x", "never") for name, each in recipes.items()
    }
    data = JaxData(load_arrays("digits", limit=200), 22)
    for name, model, optimizer in (
        ("own step", own_step(), "sgd"),
        ("scaled", small_network(), keras.optimizers.SGD(0.1, loss_scale_factor=8.0)),
    ):
        calls[name] = lambda model=model, optimizer=optimizer: kcnn.train(
            model, data, epochs=1, optimizer=optimizer, callbacks=[]
        )
    calls["strong"] = lambda: JaxData(load_arrays("digits"), augment="strong")
    calls["compare"] = lambda: pipeline.run_comparison(comparison, "depths", "never")
    said = {}
    for name, call in calls.items():
        try:
            call()
        except ValueError as error:
            said[name] = str(error)
    return said


def pruned():
    """Return the zeros of each layer, alone and with a teacher."""
    from kcnn.compress import prune
    from kcnn.data import JaxData, load_arrays
    from tests.mask_steps import network, zeros

    data = JaxData(load_arrays("digits", limit=160), 32, "none")
    options = {"sparsity": 0.7, "epochs": 2, "engine": "keras"}
    results = [prune(network(), data, teacher=each, **options) for each in (None, network())]
    return [zeros(result.model) for result in results]


def clustered():
    """Return how many values each kernel has, and the last loss."""
    from kcnn.compress import cluster
    from kcnn.data import JaxData, load_arrays
    from tests.mask_steps import network

    data = JaxData(load_arrays("digits", limit=160), 32, "none")
    result = cluster(network(), data, clusters=5, epochs=2, engine="keras")
    return {"clusters": result.clusters, "loss": result.history["loss"][-1]}


def muon():
    """Return the weights after a few steps."""
    from kcnn.training import make_optimizer
    from tests.muon_steps import trained

    found = trained(make_optimizer("muon", 0.1))
    return {name: value.tolist() for name, value in found.items()}


def main(folder):
    """Run everything and write the results."""
    sys.meta_path.insert(0, _Refuse())
    find_spec = importlib.util.find_spec
    importlib.util.find_spec = lambda name, package=None: (
        None if name.partition(".")[0] in REFUSED else find_spec(name, package)
    )
    from kcnn import models
    from kcnn.cli import main as command
    from kcnn.data import JaxData, load_arrays

    arrays = load_arrays("digits", limit=200)
    whole = JaxData(arrays, len(arrays.train), "none")
    done = {
        "whole": trained_in_whole_batches(whole),
        "epochs": {
            name: one_epoch(seed, augment)
            for name, seed, augment in (
                ("first", 3, "standard"),
                ("again", 3, "standard"),
                ("other", 4, "standard"),
                ("mixup", 3, "mixup"),
                ("alternating", 3, "alternating"),
                ("own", 3, darkened),
            )
        },
        "watched": watched(),
        "stock": stock_callbacks(),
        "lenet": lenet(),
        "lenet, mixed": lenet("mixed_bfloat16"),
        "resumed": resumed(),
        "refusals": refusals(),
        "muon": muon(),
        "pruned": pruned(),
        "clustered": clustered(),
    }
    size = ["--set", 'model.options={"width": 8}']
    folder = Path(folder)
    prune = ["--set", 'prune={"sparsities": [0.5], "engine": "keras"}']
    teacher = str(models.save(models.lenet5(variant="modern"), folder / "teacher.keras"))
    taught = [
        "--set",
        f"distill={json.dumps({'teacher': teacher})}",
        "--set",
        'slim={"macs": 0.7, "epochs": 2}',
    ]
    command_line = ["run", "speedrun94", "--smoke", "--set", "data.name=digits"]
    command_line += [*size, *prune, *taught]
    try:
        command([*command_line, "--out", str(folder / "run")])
    except SystemExit as end:
        done["exit"] = end.code
    done["loaded"] = [name for name in REFUSED if name in sys.modules]
    (folder / "done.json").write_text(json.dumps(done))


if __name__ == "__main__":
    main(sys.argv[1])
