"""A training that is taken up from its state ends where it would have ended, bit for bit."""

import json
import math
import os
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

import kcnn
from kcnn.callbacks.memory import memory_of
from kcnn.training import (
    Checkpoints,
    Interrupted,
    Rollback,
    TrainingDiverged,
    TrainingState,
    make_optimizer,
)
from tests import interrupted


@pytest.fixture(scope="module", params=["tensorflow", "jax"])
def done(request, tmp_path_factory):
    """What a process on that backend found; see tests/interrupted.py."""
    folder = tmp_path_factory.mktemp(request.param)
    environment = os.environ | {"KERAS_BACKEND": request.param, "TF_DETERMINISTIC_OPS": "1"}
    command = [sys.executable, "-m", "tests.interrupted", str(folder)]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr[-3000:]
    return json.loads((folder / "done.json").read_text())


@pytest.mark.parametrize("stop", interrupted.STOPS)
def test_a_training_that_is_taken_up_ends_with_equal_bits(done, stop):
    whole, resumed = done["whole"], done[stop]
    assert resumed["interrupted"]
    assert resumed["history"] == whole["history"]
    assert resumed["best_epoch"] == whole["best_epoch"]
    assert resumed["stop_reason"] == whole["stop_reason"]
    assert resumed["memories"] == whole["memories"]
    assert resumed["weights"] == whole["weights"]
    assert resumed["optimizer"] == whole["optimizer"]
    assert resumed["again"], "a finished training is not repeated"


def test_muon_is_taken_up_with_equal_bits(done):
    whole, resumed = done["muon"]
    assert resumed == whole


def test_the_tested_training_uses_what_it_has_to_remember(done):
    """Dropout, averages, slow weights, an early stop and a lower rate all took part."""
    whole = done["whole"]
    assert whole["stop_reason"] == "early_stopping"
    assert whole["best_epoch"] < len(whole["history"]["loss"])
    rates = whole["history"]["learning_rate"]
    assert rates[-1] < rates[0]
    assert done["without dropout's draws"] != whole["weights"]
    assert done["without the callbacks' memory"] != whole["memories"]


def test_a_plain_fit_that_is_taken_up_ends_with_equal_bits(done):
    """It went on twice; once more, it repeats nothing."""
    whole = done["fit whole"]
    assert done["fit stopped"] == whole
    assert done["fit stopped again"] == whole
    assert whole["epochs"] == list(range(len(whole["epochs"])))
    assert len(whole["history"]["learning_rate"]) == len(whole["epochs"]) < interrupted.EPOCHS
    assert done["fit other data"]["weights"] != whole["weights"]


@pytest.mark.parametrize("rate", ["number", "schedule"])
def test_a_training_that_diverged_goes_back_and_may_be_stopped_afterwards(done, rate):
    """It ends with equal bits, at a quarter of the rate after two rollbacks."""
    whole, stopped = (done[f"rolled back, {rate}, {place}"] for place in ("whole", "stopped"))
    assert stopped == whole
    assert [each["factor"] for each in whole["rollbacks"]] == [0.5, 0.25]
    assert {(each["name"], each["epoch"]) for each in whole["rollbacks"]} <= {
        ("loss", 5),
        ("a weight", 5),
    }
    np.testing.assert_allclose(
        whole["history"]["learning_rate"], [0.1] * 4 + [0.025] * (interrupted.EPOCHS - 4)
    )
    assert whole["stop_reason"] == "epochs"
    assert np.isfinite(whole["history"]["loss"]).all()


def test_a_state_is_what_was_saved(tmp_path):
    bits = np.array([1.5, -2.0], "float32").astype("bfloat16")
    memories = [kcnn.callbacks.state.Memory("Own", {"best": None, "list": [1, 2.5, bits, np.inf]})]
    state = TrainingState(
        epoch=3,
        step=2,
        first_epoch=0,
        stopped=False,
        model=[np.arange(3.0)],
        optimizer=[np.array(7)],
        sums=[np.array(0.25, "float32")],
        memories=memories,
    )
    state.save(tmp_path / "last.state")
    again = TrainingState.load(tmp_path / "last.state")
    assert (again.epoch, again.step, again.stopped) == (3, 2, False)
    np.testing.assert_array_equal(again.model[0], [0, 1, 2])
    assert again.sums[0].dtype == np.float32
    (memory,) = again.memories
    assert memory.values["best"] is None
    assert memory.values["list"][:2] == [1, 2.5]
    assert memory.values["list"][2].dtype == bits.dtype
    np.testing.assert_array_equal(memory.values["list"][2], bits)
    assert memory.values["list"][3] == np.inf


@pytest.mark.parametrize("damage", [b"", b"no zip at all", None])
def test_a_damaged_state_is_refused(tmp_path, damage):
    file = tmp_path / "last.state"
    TrainingState(0, 0, 0, False, [np.zeros(100)], []).save(file)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2] if damage is None else damage)
    with pytest.raises(ValueError, match="no training state that|is damaged"):
        TrainingState.load(file)
    with pytest.raises(ValueError, match="There is no training state"):
        TrainingState.load(tmp_path / "other.npz")


def test_a_whole_state_with_another_digest_is_refused(tmp_path):
    """The checksums inside a state do not show that a part of it is of another one."""
    files = [tmp_path / name for name in ("one.state", "other.state")]
    for number, file in enumerate(files):
        TrainingState(number, 0, 0, False, [np.zeros(9)], []).save(file)
    one, other = (file.read_bytes() for file in files)
    start = one.index(b"PK")
    files[0].write_bytes(one[:start] + other[start:])
    with pytest.raises(ValueError, match="is damaged: its digest differs"):
        TrainingState.load(files[0])


def test_a_state_of_another_training_is_refused(tmp_path):
    """Another model, optimizer or list of callbacks: each is named."""
    saved = interrupted.save_after(1, tmp_path)
    for change, message in (
        ({"units": 7}, "The model is not the one"),
        ({"optimizer": keras.optimizers.RMSprop()}, "with optimizer='SGD'.*Received: .*'RMSprop'"),
        ({"callbacks": []}, "The callbacks are not those.*Received: .*History. Expected: .*Early"),
    ):
        with pytest.raises(ValueError, match=message):
            interrupted.train(checkpoints=saved, **change)


def test_two_trainings_at_once_do_not_share_a_folder(tmp_path):
    """As from two notebooks; a run has its own lock."""
    pytest.importorskip("fcntl", reason="nothing is locked on Windows")
    checkpoints = Checkpoints(tmp_path)
    with checkpoints.alone():
        with pytest.raises(ValueError, match="Another training keeps its state in '.*': wait for"):
            interrupted.train(checkpoints=checkpoints)
        assert not list(tmp_path.iterdir())


def compiled(optimizer, loss=None):
    model = interrupted.network()
    model.compile(optimizer, loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def fit_plainly(folder, model, *, seed=1, callbacks=(), epochs=1):
    data = kcnn.data.load("digits", limit=100, batch_size=20, augment="none", seed=seed)
    resume = kcnn.callbacks.Resume(folder, callbacks, data=data)
    return model.fit(data.train, epochs=epochs, callbacks=[resume], verbose=0)


def test_a_plain_fit_goes_on_with_its_own_settings_only(tmp_path):
    fit_plainly(tmp_path, compiled(keras.optimizers.Adam(1e-3)))
    rate = r"with learning_rate=0\.001: go on with .* Received: learning_rate=0\.5"
    logits = keras.losses.SparseCategoricalCrossentropy()
    for model, seed, message in (
        (compiled(keras.optimizers.Adam(0.5)), 1, rate),
        (compiled(keras.optimizers.Adam(1e-3, beta_1=0.5)), 1, "with beta_1=0.9:"),
        (compiled(keras.optimizers.Adam(1e-3), logits), 1, "with loss={'loss'.*'from_logits': T"),
        (compiled(keras.optimizers.Adam(1e-3)), 2, "with seed=1:"),
    ):
        with pytest.raises(ValueError, match=message):
            fit_plainly(tmp_path, model, seed=seed, epochs=2)
    lower = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    model = compiled(keras.optimizers.Adam(1e-3))
    for epochs in (2, 3):  # a callback has lowered the rate: the same model goes on
        again = fit_plainly(tmp_path, model, epochs=epochs, callbacks=[lower])
    assert again.epoch == [0, 1, 2]


class InStep(keras.callbacks.Callback):
    """Does something once, before a step."""

    def __init__(self, step, action):
        super().__init__()
        self.step, self.action = step, action

    def on_train_batch_begin(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == self.step and (action := self.action):
            self.action = None
            action()


@pytest.fixture
def terminated():
    """Return the list to which a handler of SIGTERM adds."""
    received = []

    def note(number, frame):
        received.append(number)

    before = signal.signal(signal.SIGTERM, note)
    yield received
    assert signal.getsignal(signal.SIGTERM) == note
    signal.signal(signal.SIGTERM, before)


def test_a_signal_ends_a_plain_fit_with_the_best_weights_and_the_history(tmp_path, terminated):
    press = InStep(10, lambda: signal.raise_signal(signal.SIGTERM))  # of the third epoch, with 4
    worst = keras.callbacks.EarlyStopping("loss", mode="max", patience=9, restore_best_weights=True)
    model = compiled(keras.optimizers.Adam(1e-3))
    with pytest.raises(Interrupted):
        fit_plainly(tmp_path, model, callbacks=[press, worst], epochs=4)
    assert int(model.optimizer.iterations) == 11  # the step was finished
    assert model.history.epoch == [0, 1] and worst.best_epoch == 0
    for one, other in zip(model.get_weights(), worst.best_weights, strict=True):
        np.testing.assert_array_equal(one, other)
    again = fit_plainly(tmp_path, model, callbacks=[press, worst], epochs=4)
    assert again.epoch == [0, 1, 2, 3] and int(model.optimizer.iterations) == 4 * 4
    assert terminated == []


def test_a_signal_after_a_plain_fit_that_failed_is_the_earlier_handlers(tmp_path, terminated):
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fit_plainly(tmp_path, compiled("adam"), callbacks=[InStep(2, fail)])
    signal.raise_signal(signal.SIGTERM)
    assert terminated == [signal.SIGTERM]


def test_a_plain_fit_keeps_no_state_that_is_not_finite(tmp_path):
    class Explode(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations.numpy() == 6:
                self.model.layers[-1].kernel.assign(self.model.layers[-1].kernel * np.nan)

    message = r"a weight became nan in epoch 2: .*Lower the learning rate\. .*remove the folder\."
    for _ in range(2):
        with pytest.raises(TrainingDiverged, match=message):
            fit_plainly(
                tmp_path, compiled(keras.optimizers.SGD(0.1)), epochs=3, callbacks=[Explode()]
            )
        state = Checkpoints(tmp_path).load()
        assert state.epoch == 1
        assert all(np.isfinite(value).all() for value in state.model)
    own = [keras.callbacks.TerminateOnNaN(), Explode()]  # it ends the training, without an error
    fit_plainly(tmp_path, compiled(keras.optimizers.SGD(0.1)), epochs=3, callbacks=own)
    assert Checkpoints(tmp_path).load().epoch == 1


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_training_after_a_whole_step(tmp_path, number):
    """The state is kept, the best weights are in the model, and the training goes on from there."""

    class Send(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if self.model.optimizer.iterations.numpy() == 20:
                signal.raise_signal(getattr(signal, number))

    # Where tests run behind a & or under nohup, the signal is ignored.
    ignored = signal.signal(getattr(signal, number), signal.default_int_handler)
    before = signal.getsignal(signal.SIGTERM)
    stopping = keras.callbacks.EarlyStopping(restore_best_weights=True)
    with pytest.raises(Interrupted, match=number) as raised:
        interrupted.train(checkpoints=Checkpoints(tmp_path), callbacks=[stopping], more=[Send()])
    assert isinstance(raised.value, KeyboardInterrupt)
    assert signal.getsignal(signal.SIGTERM) == before
    signal.signal(getattr(signal, number), ignored)
    state = Checkpoints(tmp_path).load()
    assert (state.epoch, state.step) == (2, 5)
    for kept, best in zip(stopping.model.get_weights(), stopping.best_weights, strict=True):
        np.testing.assert_array_equal(kept, best)
    result, _ = interrupted.train(
        checkpoints=Checkpoints(tmp_path),
        callbacks=[keras.callbacks.EarlyStopping(restore_best_weights=True)],
    )
    assert result.history["loss"][:2] == stopping.model.history.history["loss"]


def test_a_damaged_last_state_leaves_the_one_before(tmp_path):
    checkpoints = Checkpoints(tmp_path / "states")
    for epoch in (1, 2):
        checkpoints.save(TrainingState(epoch, 0, 0, False, [np.zeros(9)], []))
    content = bytearray(checkpoints.last.read_bytes())
    content[-200] ^= 1
    checkpoints.last.write_bytes(content)
    assert checkpoints.load().epoch == 1
    (checkpoints.folder / ".last-killed_1.state").write_bytes(b"half of it")
    assert checkpoints.load().epoch == 1
    assert {file.name for file in checkpoints.folder.iterdir()} == {"previous.state"}
    checkpoints.previous.write_bytes(b"")
    (tmp_path / "best.keras").write_bytes(b"")
    advice = r"No whole state is left: remove '.*/states' to .*The best model so far is '.*/best.ke"
    with pytest.raises(ValueError, match=advice):
        checkpoints.load()
    checkpoints.remove()
    assert checkpoints.load() is None
    assert not checkpoints.folder.exists()


def test_a_loss_that_is_not_finite_becomes_no_best():
    """Whatever is monitored, epoch and step are named, and the history before is kept."""
    stopping = keras.callbacks.EarlyStopping("val_accuracy", restore_best_weights=True)

    class Explode(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if self.model.optimizer.iterations.numpy() == 11:
                self.model.layers[-1].kernel.assign(self.model.layers[-1].kernel * np.nan)

    with pytest.raises(TrainingDiverged, match="loss became nan in step 4 of epoch 2") as raised:
        interrupted.train(callbacks=[stopping], more=[Explode()])
    assert (raised.value.epoch, raised.value.step) == (2, 4)
    assert len(raised.value.history["loss"]) == 1
    assert stopping.best_epoch == 0
    assert all(np.isfinite(weight).all() for weight in stopping.best_weights)
    for kept, best in zip(stopping.model.get_weights(), stopping.best_weights, strict=True):
        np.testing.assert_array_equal(kept, best)


def test_a_training_goes_back_three_times_and_says_so(tmp_path, caplog):
    """Without checkpoints, from the start; a rate that a callback sets is lowered, too."""
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9)
    options = {"on_divergence": "roll_back", "callbacks": [scheduler]}
    explode = interrupted.Explode(3, 9, tmp_path / "exploded")
    with pytest.raises(TrainingDiverged, match=r"in step 4 of epoch 1: .* earlier state 3 times"):
        interrupted.train(more=[explode], **options)
    assert all(np.isfinite(weight).all() for weight in explode.model.get_weights())
    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert lines == [
        "loss became nan in step 4 of epoch 1: going back to epoch 1 with "
        f"{factor} times the learning rate ({number} of 3)"
        for number, factor in ((1, 0.5), (2, 0.25), (3, 0.125))
    ]
    for file in tmp_path.iterdir():
        file.unlink()
    late = interrupted.Explode(interrupted.STEPS + 1, 1, tmp_path / "exploded")
    result, _ = interrupted.train(more=[late], **options)
    rates = [0.1 * 0.9 ** (epoch + 1) for epoch in range(interrupted.EPOCHS)]
    rates[1:] = [rate / 2 for rate in rates[1:]]
    np.testing.assert_allclose(result.history["learning_rate"], rates, rtol=1e-6)
    assert scheduler.schedule(0, 1.0) == 0.9
    assert result.rollbacks == (Rollback("loss", "nan", 2, 2, 0.5),)


def test_an_explosion_without_nan_is_no_ordinary_end(caplog):
    class Explode(keras.callbacks.Callback):
        epochs = (2,)

        def on_epoch_begin(self, epoch, logs=None):
            if epoch in self.epochs:
                for layer in self.model.layers[-3:]:
                    for weight in layer.weights:
                        weight.assign(weight * 1e9)

    # So low a rate changes nothing: the model stays what the explosion made of it.
    def train(**options):
        optimizer = keras.optimizers.SGD(1e-30)
        return interrupted.train(**{"optimizer": optimizer, "more": [Explode()]} | options)[0]

    assert train(callbacks=[]).stop_reason == "diverged"
    assert "training diverged: the loss rose to" in caplog.text
    best = keras.callbacks.EarlyStopping(patience=99, restore_best_weights=True)
    result = train(callbacks=[best], optimizer=make_optimizer("adam", 1e-2))
    assert result.best_epoch == 2
    assert result.history["val_loss"][1] < 0.9 * math.log(10)
    assert result.stop_reason == "epochs"
    with pytest.raises(TrainingDiverged, match=r"loss became \d.*e\+\d+ in epoch 3"):
        train(callbacks=[], on_divergence="roll_back")
    first = Explode()
    first.epochs = iter([0])  # once
    result = train(callbacks=[], more=[first], on_divergence="roll_back")
    assert [(each.epoch, each.factor) for each in result.rollbacks] == [(1, 0.5)]
    assert result.stop_reason == "epochs"


def test_another_callback_that_ends_a_training_is_named(tmp_path):
    class Enough(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    options = {"checkpoints": Checkpoints(tmp_path), "callbacks": []}
    for _ in range(2):  # a finished training is not repeated
        result, _ = interrupted.train(more=[Enough()], **options)
        assert (result.stop_reason, result.epochs) == ("Enough", 2)


def test_a_callback_of_ones_own_is_remembered():
    class Own(keras.callbacks.Callback):
        seen = 0

        def state(self):
            return {"seen": self.seen}

        def restore(self, state):
            self.seen = state["seen"]

    class Stopping(keras.callbacks.EarlyStopping):
        pass

    assert memory_of(Own()) == {"seen": 0}
    assert memory_of(Stopping())["wait"] == 0
    assert memory_of(keras.callbacks.TerminateOnNaN()) is None
