"""Callbacks, fed with logs by hand, and together in a real `model.fit`."""

import csv
import logging
import math

import keras
import numpy as np
import pytest

from kcnn.callbacks import AveragedStatistics, BestModel, EpochLog, MonitorGuard, standard


def tiny():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile(
        keras.optimizers.SGD(0.1),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def inputs(value=1.0):
    rng = np.random.default_rng(0)
    return (rng.normal(size=(32, 4)) * value).astype("float32"), rng.integers(0, 2, 32)


def test_the_standard_list_writes_a_history_and_the_best_epochs(tmp_path):
    model = tiny()
    history = model.fit(
        *inputs(), epochs=3, validation_split=0.5, callbacks=standard(tmp_path), verbose=0
    )
    with open(tmp_path / "history.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert float(rows[0]["learning_rate"]) == pytest.approx(0.1)
    losses = history.history["val_loss"]
    running_best = [i for i, loss in enumerate(losses) if loss == min(losses[: i + 1])]
    expected = {f"{i + 1:02d}-{losses[i]:.2f}.keras" for i in running_best}
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == expected


def test_the_best_epochs_weights_are_restored():
    model, (x, y) = tiny(), inputs()
    # a rate that grows makes later epochs worse
    worsen = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 * 30**epoch)
    history = model.fit(
        x,
        y,
        epochs=4,
        validation_split=0.5,
        callbacks=[worsen, *standard(plateau=False)],
        verbose=0,
    )
    best = min(history.history["val_loss"])
    assert history.history["val_loss"][-1] > best
    assert model.evaluate(x[16:], y[16:], verbose=0)[0] == pytest.approx(best, rel=1e-5)


def test_the_last_epochs_weights_are_kept(tmp_path):
    model, (x, y) = tiny(), inputs()
    worsen = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 * 30**epoch)
    callbacks = standard(tmp_path, patience=None, plateau=False, keep="last")
    history = model.fit(
        x, y, epochs=4, validation_split=0.5, callbacks=[worsen, *callbacks], verbose=0
    )
    losses = history.history["val_loss"]
    assert losses[-1] > min(losses)
    assert model.evaluate(x[16:], y[16:], verbose=0)[0] == pytest.approx(losses[-1], rel=1e-5)
    assert [file.name for file in tmp_path.iterdir()] == ["history.csv"]


def test_a_schedule_sets_the_logged_rate():
    model = tiny()
    model.compile(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(1.0, 2)), loss="mse")
    x = inputs()[0]
    history = model.fit(
        x,
        np.zeros((32, 2)),
        batch_size=32,
        epochs=2,
        validation_split=0.5,
        callbacks=standard(plateau=False),
        verbose=0,
    )
    assert history.history["learning_rate"] == pytest.approx([0.5, 0.0], abs=1e-6)


def test_a_plateau_beside_a_schedule_is_refused_when_the_training_begins():
    # Keras alone fails when the plateau is reached.
    model, (x, y) = tiny(), inputs()
    model.optimizer = keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(1.0, 2))
    with pytest.raises(ValueError, match=r"a learning rate that a schedule sets.*plateau=False"):
        model.fit(x, y, epochs=9, validation_split=0.5, callbacks=standard(), verbose=0)
    assert model.optimizer.iterations == 0


def test_a_misspelt_monitor_stops_after_the_first_epoch(tmp_path):
    # Keras alone would warn, and save every epoch as the best one
    checkpoint = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.keras", monitor="val_acc", save_best_only=True
    )
    with pytest.raises(ValueError, match="'val_acc' is not measured. Known: .*val_accuracy"):
        tiny().fit(
            *inputs(),
            epochs=3,
            validation_split=0.5,
            callbacks=[*standard(monitor="val_acc"), checkpoint],
            verbose=0,
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_training(loss):
    guard = MonitorGuard()
    guard.on_epoch_end(0, {"val_loss": 1.0})
    with pytest.raises(RuntimeError, match="epoch 2: training diverged"):
        guard.on_epoch_end(1, {"val_loss": loss})


def test_one_line_an_epoch(caplog):
    with caplog.at_level(logging.INFO, logger="kcnn"):
        tiny().fit(*inputs(), epochs=2, callbacks=[EpochLog()], verbose=0)
    lines = [record.message for record in caplog.records if record.name == "kcnn"]
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert all("loss " in line and "\n" not in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patience": 0}, "patience=0"),
        ({"patience": None}, "needs a patience"),
        ({"tensorboard": True}, "needs a run_dir"),
        ({"keep": "last"}, "add patience=None and plateau=False. Received: patience=10"),
        ({"keep": "worst"}, "keep='worst'"),
    ],
)
def test_arguments_that_cannot_go_together(arguments, message):
    with pytest.raises(ValueError, match=message):
        standard(**arguments)


def test_statistics_are_averaged_and_in_the_model_when_it_is_judged():
    model = keras.Sequential([keras.Input((2,)), keras.layers.BatchNormalization()])
    inner = keras.Sequential([model, keras.layers.Dense(1)])
    inner.build((None, 2))
    mean = model.layers[0].moving_mean
    callback = AveragedStatistics(0.9, every=2)
    callback.set_model(inner)
    callback.on_train_begin()
    callback.on_epoch_begin(0)
    callback.on_test_begin()  # nothing has been averaged yet
    np.testing.assert_array_equal(mean, [0, 0])
    callback.on_test_end()
    average = None
    for step in range(1, 6):
        mean.assign([step, -step])
        callback.on_train_batch_end(step - 1)
        if step % 2 == 0:
            average = step if average is None else 0.81 * average + 0.19 * step
    for enter, leave in (
        (callback.on_test_begin, callback.on_test_end),
        (lambda: callback.on_epoch_end(0), lambda: callback.on_epoch_begin(1)),
    ):
        enter()
        np.testing.assert_allclose(mean, [average, -average], rtol=1e-6)
        leave()
        np.testing.assert_array_equal(mean, [5, -5])


def test_averaged_statistics_refuse():
    with pytest.raises(ValueError, match="momentum=1.0"):
        AveragedStatistics(1.0)
    assert AveragedStatistics(0.9, every=np.int64(3)).every == 3
    for every in (0, 2.5, None):
        with pytest.raises(ValueError, match=f"every must be an integer.*Received: every={every}"):
            AveragedStatistics(0.9, every=every)


def test_statistics_count_for_all_the_steps_since_the_last_look():
    model = keras.Sequential([keras.Input((1,)), keras.layers.BatchNormalization()])
    mean = model.layers[0].moving_mean
    callback = AveragedStatistics(0.9, every=2)
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, last_batch, value in ((0, 2, 1.0), (0, 6, 2.0), (1, 0, 4.0)):
        if last_batch != 6:
            callback.on_epoch_begin(epoch)
        mean.assign([value])
        callback.on_train_batch_end(last_batch)
    callback.on_epoch_end(1)
    # Looked at after 3 steps, after 7 (two multiples of 2 later), and after 8.
    expected = 0.81 * (0.9**4 * 1.0 + (1 - 0.9**4) * 2.0) + 0.19 * 4.0
    np.testing.assert_allclose(mean, [expected], rtol=1e-6)


@pytest.mark.parametrize("first", [float("nan"), float("inf"), 0.5])
def test_a_value_that_is_not_finite_is_never_the_best(first, tmp_path):
    best = BestModel(tmp_path / "best.keras")
    best.set_model(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
    best.on_train_begin()
    best.on_epoch_end(0, {"val_loss": first})
    assert (tmp_path / "best.keras").exists() == np.isfinite(first)
    best.on_epoch_end(1, {"val_loss": 0.4})
    best.on_epoch_end(2, {"val_loss": float("nan")})
    assert best.state() == {"best": 0.4}
