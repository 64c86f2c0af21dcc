"""`callbacks.standard`: every argument reaches its callback, and metrics of one's own work."""

import keras
import numpy as np
import pytest

from kcnn.callbacks import standard
from kcnn.callbacks.direction import direction


class Note(keras.callbacks.Callback):
    """Measures a metric of one's own, one value an epoch."""

    def __init__(self, name, values):
        super().__init__()
        self.name, self.values = name, values

    def on_epoch_end(self, epoch, logs=None):
        logs[self.name] = self.values[epoch]


def fit(callbacks, epochs=4):
    rng = np.random.default_rng(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x, y = rng.normal(size=(32, 4)), rng.normal(size=(32, 2))
    return model, model.fit(
        x, y, epochs=epochs, validation_split=0.5, callbacks=callbacks, verbose=0
    )


def test_every_argument_reaches_its_callback(tmp_path):
    given = standard(
        tmp_path,
        "val_quality",
        mode="max",
        verbose=1,
        patience=7,
        min_delta=0.01,
        start_from_epoch=2,
        restore_best_weights=False,
        factor=0.1,
        plateau_patience=3,
        plateau_min_delta=0.02,
        cooldown=4,
        min_lr=1e-4,
        save_best_only=False,
        save_weights_only=True,
    )
    stop, plateau, checkpoint = (
        next(each for each in given if isinstance(each, kind))
        for kind in (
            keras.callbacks.EarlyStopping,
            keras.callbacks.ReduceLROnPlateau,
            keras.callbacks.ModelCheckpoint,
        )
    )
    assert (stop.patience, stop.min_delta, stop.start_from_epoch) == (7, 0.01, 2)
    assert not stop.restore_best_weights
    assert (plateau.factor, plateau.patience, plateau.min_delta) == (0.1, 3, 0.02)
    assert (plateau.cooldown, plateau.min_lr) == (4, 1e-4)
    assert checkpoint.save_weights_only and not checkpoint.save_best_only
    assert {(each.monitor, each.mode, each.verbose) for each in (stop, plateau, checkpoint)} == {
        ("val_quality", "max", 1)
    }


@pytest.mark.parametrize("name", ["val_top.5", "a/b", "score[0]", "{curly}", "quality: good"])
def test_a_metric_of_ones_own_with_any_name_decides(name, tmp_path):
    values = [0.5, 0.7, 0.6, 0.2]
    note = Note(name, values)
    model, history = fit([note, *standard(tmp_path, name, mode="max")])
    assert {file.name for file in (tmp_path / "checkpoints").iterdir()} == {
        "01-0.50.keras",
        "02-0.70.keras",
    }
    best = keras.models.load_model(tmp_path / "checkpoints" / "02-0.70.keras")
    for ours, theirs in zip(model.get_weights(), best.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)  # the best epoch's weights were restored
    assert history.history[name] == values


def test_every_epochs_weights_can_be_kept(tmp_path):
    falling = Note("val_error", [4.0, 3.0, 5.0])
    model, _ = fit(
        [
            falling,
            *standard(tmp_path, "val_error", save_best_only=False, save_weights_only=True),
        ],
        epochs=3,
    )
    folder = tmp_path / "checkpoints"
    assert {file.name for file in folder.iterdir()} == {
        f"0{epoch}-{value}.00.weights.h5" for epoch, value in ((1, 4), (2, 3), (3, 5))
    }
    model.load_weights(folder / "03-5.00.weights.h5")


def test_the_rate_falls_for_a_metric_that_rises_and_not_below_its_end():
    note = Note("val_f1", [0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    options = {"patience": 9, "factor": 0.1, "plateau_patience": 2, "min_lr": 0.002}
    _, history = fit([note, *standard(monitor="val_f1", **options)], epochs=6)
    assert history.history["learning_rate"] == pytest.approx([0.1, 0.1, 0.1, 0.01, 0.01, 0.002])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("val_loss", "min"),
        ("val_head_loss", "min"),
        ("val_mean_absolute_error", "min"),
        ("kl_divergence", "min"),
        ("val_acc", "max"),
        ("val_sparse_top_k_categorical_accuracy", "max"),
        ("val_mean_io_u", "max"),
        ("val_f1_score", "max"),
        ("val_AUC", "max"),
    ],
)
def test_the_direction_is_read_from_the_name(name, expected):
    assert direction(name) == expected


@pytest.mark.parametrize("name", ["val_quality", "val_loss_of_accuracy", "lossless"])
def test_a_direction_that_no_name_says_is_asked_for(name):
    with pytest.raises(ValueError, match='pass mode="max" or mode="min"') as caught:
        standard(monitor=name)
    assert f"monitor={name!r}" in str(caught.value)
    assert direction(name, "max") == "max"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"plateau": False, "factor": 0.1}, "factor=0.1 means nothing with plateau=False"),
        ({"plateau": False, "min_lr": 1e-4}, "min_lr=0.0001 means nothing with plateau=False"),
        ({"plateau": False, "plateau_patience": 2}, "plateau_patience=2 means nothing"),
        ({"plateau": False, "cooldown": 2}, "cooldown=2 means nothing"),
        ({"save_weights_only": True}, "save_weights_only=True needs a run_dir"),
        ({"save_best_only": False}, "save_best_only=False needs a run_dir"),
        (
            {"keep": "last", "patience": None, "plateau": False, "min_delta": 0.1},
            'min_delta=0.1 means nothing with keep="last"',
        ),
        ({"mode": "up"}, "mode must be .*mode='up'"),
        ({"factor": 1.0}, "factor=1.0"),
        ({"factor": 0}, "factor=0"),
        ({"factor": "0.5"}, "factor must be a number. Received: factor='0.5'"),
        ({"monitor": None}, "monitor must be the name of a metric"),
        ({"min_lr": -1}, "min_lr=-1"),
        ({"min_delta": float("nan")}, "min_delta=nan"),
        ({"cooldown": 0.5}, "cooldown=0.5"),
        ({"plateau_patience": 0}, "plateau_patience=0"),
        ({"start_from_epoch": -1}, "start_from_epoch=-1"),
    ],
)
def test_an_argument_that_would_be_ignored_or_is_out_of_range_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        standard(**arguments)


def test_a_wait_that_the_early_stop_cuts_short_is_said(caplog):
    standard(patience=5, plateau_patience=5)
    assert "plateau_patience=5 is not below patience=5" in caplog.text
    assert standard(patience=None, plateau_patience=3)[-1].patience == 3  # never stops early


def test_validation_metrics_without_validation_data_are_explained():
    rng = np.random.default_rng(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="'val_loss' is not measured.*Pass validation_data to fit"):
        model.fit(rng.normal(size=(8, 4)), rng.normal(size=(8, 2)), callbacks=standard(), verbose=0)
