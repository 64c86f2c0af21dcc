"""Trainings that are stopped and taken up again: what tests/test_state.py has a process do.

Every training has dropout, batch norm, averaged weights and statistics, slow weights, early
stopping and a plateau, so that nothing of it can be forgotten unnoticed. A process that is given a
folder does all of them and writes what came of it there, as JSON, with arrays as hexadecimal text.
"""

import dataclasses
import hashlib
import json
import sys
from pathlib import Path

import keras
import numpy as np

import kcnn
from kcnn.callbacks import EveryFewSteps, Lookahead
from kcnn.callbacks.memory import memory_of
from kcnn.callbacks.state import Memory
from kcnn.training import Checkpoints, Objective, cosine, make_optimizer
from kcnn.training.trainer import run_training

EPOCHS, STEPS = 12, 8
STOPS = {"in the first epoch": 3, "between epochs": 2 * STEPS, "in a later epoch": 4 * STEPS + 5}


class Interrupt(keras.callbacks.Callback):
    """Raises in the step after the state was saved."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def on_train_batch_begin(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == self.after:
            raise InterruptedError


class Own(keras.callbacks.Callback):
    """A callback with a memory of its own, from outside the package."""

    def on_train_begin(self, logs=None):
        self.total = 0.0

    def on_epoch_end(self, epoch, logs=None):
        self.total += logs["loss"]

    def state(self):
        return {"total": self.total}

    def restore(self, state):
        self.total = state["total"]


def network(units=24):
    keras.utils.set_random_seed(0)
    on_jax = keras.config.backend() == "jax"  # where nothing compiles GELU apart
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 4, strides=4),
            keras.layers.BatchNormalization(momentum=0.8),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
            keras.layers.Dense(units, "relu" if on_jax else "gelu"),
            keras.layers.Dropout(0.4),
            keras.layers.Dense(10, name="logits"),
        ]
    )


def callbacks():
    return [
        keras.callbacks.SwapEMAWeights(swap_on_epoch=True),
        kcnn.callbacks.AveragedStatistics(0.6, every=3),
        Lookahead(EPOCHS * STEPS, every=5),
        Own(),
        kcnn.callbacks.LearningRateLog(),
        # So large a step asked of every epoch is missed soon.
        keras.callbacks.EarlyStopping(min_delta=0.12, patience=3, restore_best_weights=True),
        keras.callbacks.ReduceLROnPlateau(factor=0.2, patience=1, min_delta=0.12),
    ]


def train(*, checkpoints=None, units=24, optimizer=None, **options):
    """Return the result of the training, and its callbacks."""
    if keras.config.backend() == "jax":
        data = kcnn.data.JaxData(kcnn.data.load_arrays("digits", limit=200, seed=1), 22, seed=1)
    else:
        data = kcnn.data.load("digits", limit=200, batch_size=22, seed=1)
    assert data.steps_per_epoch == STEPS
    used = options.pop("callbacks", None)
    used = callbacks() if used is None else used
    result = run_training(
        network(units),
        data,
        Objective(label_smoothing=0.1),
        epochs=EPOCHS,
        optimizer=optimizer or make_optimizer("sgd", 0.1, ema=0.7),
        callbacks=[*used, *options.pop("more", [])],
        checkpoints=checkpoints,
        **options,
    )
    return result, used


def save_after(steps, folder, **options):
    """Return the state after so many steps of a training that is interrupted then."""
    within = steps % STEPS
    checkpoints = Checkpoints(folder, every=within or None)
    try:
        train(checkpoints=checkpoints, more=[Interrupt(steps)], **options)
    except InterruptedError:
        pass
    else:
        raise RuntimeError("The training was not interrupted.")
    return checkpoints


class Explode(keras.callbacks.Callback):
    """Makes the weights NaN before a step, as often as it is told to, in all processes together."""

    def __init__(self, step, times, tally):
        super().__init__()
        self.step, self.times, self.tally = step, times, tally

    def on_train_batch_begin(self, batch, logs=None):
        done = len(list(self.tally.parent.glob(f"{self.tally.name}*")))
        if int(self.model.optimizer.iterations) == self.step and done < self.times:
            (self.tally.parent / f"{self.tally.name}{done}").touch()
            kernel = self.model.layers[-1].kernel
            kernel.assign(kernel * np.nan)


def found(result, used):
    """Return everything that must be equal, as plain JSON."""
    model = result.model
    return {
        "history": result.history,
        "best_epoch": result.best_epoch,
        "rollbacks": [dataclasses.asdict(each) for each in result.rollbacks],
        "stop_reason": result.stop_reason,
        "weights": [_digest(weight) for weight in model.variables],
        "optimizer": [_digest(weight) for weight in model.optimizer.variables],
        "memories": [
            json.loads(json.dumps(memory, default=_digest)) for memory in map(memory_of, used)
        ],
    }


def _digest(array):
    array = np.asarray(keras.ops.convert_to_numpy(array))
    return hashlib.sha256(array.tobytes()).hexdigest()


def main(folder):
    """Do all of it."""
    folder = Path(folder)
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    done = {"whole": found(*train())}
    for name, steps in STOPS.items():
        checkpoints = save_after(steps, folder / name)
        state = checkpoints.load()
        place = state.epoch * STEPS + state.step
        done[name] = found(*train(checkpoints=checkpoints)) | {"interrupted": place == steps}
        again = found(*train(checkpoints=checkpoints))
        done[name]["again"] = again["weights"] == done[name]["weights"]
    done |= roll_back(folder)
    done |= plain_fits(folder)
    done["muon"] = muon(folder / "muon")
    # What comes without a part of the state shows that these tests can fail.
    no_draws = [value * 0 if value.dtype.kind in "iu" else value for value in state.model]
    changed = _changed(checkpoints, state, model=no_draws)
    done["without dropout's draws"] = found(*train(checkpoints=changed))["weights"]
    memories = [Memory(each.callback, _forgotten(each.values)) for each in state.memories]
    changed = _changed(checkpoints, state, memories=memories)
    done["without the callbacks' memory"] = found(*train(checkpoints=changed))["memories"]
    (folder / "done.json").write_text(json.dumps(done))


def roll_back(folder):
    """Train with an explosion in the fifth epoch, twice, by a number and by a schedule.

    The second time the training is killed after it has gone back.
    """
    done = {}
    for name, rate in (("number", 0.1), ("schedule", kcnn.training.schedules.constant(0.1))):
        used = [kcnn.callbacks.LearningRateLog()]
        for place in ("whole", "stopped"):
            checkpoints = Checkpoints(folder / f"{name} {place}", every=3)
            exploding = Explode(4 * STEPS + 5, 2, folder / f"{name} {place} exploded")
            options = {
                "checkpoints": checkpoints,
                "callbacks": used,
                "on_divergence": "roll_back",
            }
            stops = [Interrupt(6 * STEPS + 2)] if place == "stopped" else []
            try:
                optimizer = make_optimizer("sgd", rate, ema=0.7)
                result = train(optimizer=optimizer, more=[exploding, *stops], **options)
            except InterruptedError:
                optimizer = make_optimizer("sgd", rate, ema=0.7)
                result = train(optimizer=optimizer, more=[exploding], **options)
            done[f"rolled back, {name}, {place}"] = found(*result)
    return done


def muon(folder):
    """Return what came of a training by Muon, whole and with a stop."""

    def options():
        optimizer = make_optimizer("muon", cosine(0.1, epochs=EPOCHS, steps_per_epoch=STEPS))
        return {"optimizer": optimizer, "callbacks": []}

    checkpoints = save_after(STOPS["in a later epoch"], folder, **options())
    resumed = found(*train(checkpoints=checkpoints, **options()))
    return [found(*train(**options())), resumed]


class Leave(keras.callbacks.Callback):
    """Raises in an epoch, as a kill would stop it."""

    def __init__(self, epoch):
        super().__init__()
        self.leaves, self.epoch = epoch, None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == (self.leaves, 3):
            raise InterruptedError


def plain_fits(folder):
    """Fit by Keras alone, whole, stopped in two epochs, and without the data's position."""
    done = {}
    for name, stops in (
        ("whole", (None,)),
        ("stopped", (2, 5, None, "again")),
        ("other data", (2, None)),
    ):
        for stop in stops:
            data = kcnn.data.load("digits", limit=200, batch_size=22, augment="shift", seed=1)
            model, used = network(), callbacks()
            if keras.config.backend() == "jax":  # whose own fit hides the weights in an epoch
                used = [each for each in used if not isinstance(each, EveryFewSteps)]
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile(make_optimizer("sgd", 0.1, ema=0.7), loss, metrics=["accuracy"])
            position = data if name != "other data" else None
            resume = kcnn.callbacks.Resume(
                folder / f"fit {name}",
                [*used, Leave(stop)],
                data=position,
            )
            options = {"validation_data": data.validation, "shuffle": False, "verbose": 0}
            try:
                past = model.fit(data.train, epochs=EPOCHS, callbacks=[resume], **options)
            except InterruptedError:
                continue
            key = f"fit {name}" + (" again" if stop == "again" else "")
            done[key] = {
                "epochs": past.epoch,
                "history": past.history,
                "weights": [_digest(weight) for weight in model.variables],
                "optimizer": [_digest(weight) for weight in model.optimizer.variables],
                "memories": [
                    json.loads(json.dumps(memory_of(each), default=_digest)) for each in used
                ],
            }
    return done


def _changed(checkpoints, state, **changes):
    checkpoints.save(dataclasses.replace(state, **changes))
    return checkpoints


def _forgotten(values):
    return values | ({"best": None} if "best" in values else {})


if __name__ == "__main__":
    main(sys.argv[1])
