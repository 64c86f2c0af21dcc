"""Training learns, restores the best epoch, and refuses what cannot work before it starts."""

import dataclasses
import os
import shutil
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import kcnn
from kcnn.callbacks import MonitorGuard
from kcnn.models.files import in_float32
from kcnn.pipeline import run, setup
from kcnn.pipeline.training_setup import callbacks_for, training_for
from kcnn.recipe import Data, Model, Recipe, Train
from kcnn.training import cosine, make_optimizer
from kcnn.training.room import check_room, checkpoint_bytes
from tests.recipes import TINY


@pytest.fixture(scope="module")
def digits():
    return kcnn.data.load("digits", batch_size=64, augment="none", limit=900)


def lenet(**arguments):
    return kcnn.models.lenet5(variant="modern", **arguments)


def linear():
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(10, name="logits"),
        ]
    )


def test_a_small_network_learns_digits(digits, tmp_path):
    keras.utils.set_random_seed(0)
    result = kcnn.train(lenet(), digits, epochs=6, learning_rate=3e-3, run_dir=tmp_path)
    assert result.epochs == 6
    assert result.stop_reason == "epochs"
    assert kcnn.evaluate(result.model, digits.test).accuracy > 0.85
    assert (tmp_path / "history.csv").read_text().count("\n") == 7
    best = kcnn.evaluate(result.model, digits.validation, expected_count=digits.num_validation)
    losses = result.history["val_loss"]
    assert best.loss == pytest.approx(losses[result.best_epoch - 1], rel=1e-4)
    assert losses[result.best_epoch - 1] == min(losses)


def test_the_best_epoch_is_the_one_whose_weights_are_kept(digits):
    keras.utils.set_random_seed(0)
    by_accuracy = kcnn.callbacks.standard(monitor="val_accuracy")
    result = kcnn.train(linear(), digits, epochs=4, callbacks=by_accuracy)
    accuracies = result.history["val_accuracy"]
    assert accuracies[result.best_epoch - 1] == max(accuracies)
    last = kcnn.train(linear(), digits, epochs=2, callbacks=[])
    assert last.best_epoch == 2


@pytest.mark.filterwarnings("ignore:The model does not have any trainable weights")
def test_early_stopping_gives_its_reason(digits):
    frozen = linear()
    frozen.trainable = False
    result = kcnn.train(
        frozen, digits, epochs=9, callbacks=kcnn.callbacks.standard(patience=2, plateau=False)
    )
    assert result.epochs == 3
    assert result.stop_reason == "early_stopping"


def test_one_seed_gives_one_result():
    def weights():
        keras.utils.set_random_seed(3)
        data = kcnn.data.load("digits", batch_size=50, limit=200, augment="shift", seed=3)
        return kcnn.train(lenet(), data, epochs=2).model.get_weights()

    for first, second in zip(weights(), weights(), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        ({"num_classes": 7}, {}, "7 outputs, the data has 10 classes: .*num_classes=10"),
        ({"input_shape": (28, 28, 3)}, {}, r"\(28, 28, 3\), the data has \(32, 32, 3\)"),
        ({}, {"epochs": 0}, "epochs=0"),
        ({}, {"optimizer": "addam"}, "Did you mean 'adam'"),
    ],
)
def test_what_cannot_work_is_refused_before_training(digits, model, arguments, message):
    with pytest.raises(ValueError, match=message):
        kcnn.train(lenet(**model), digits, **{"epochs": 1, **arguments})


def test_a_plateau_and_a_schedule_are_refused_together(digits):
    with pytest.raises(ValueError, match="schedule sets"):
        kcnn.train(
            lenet(),
            digits,
            epochs=1,
            learning_rate=cosine(0.1, epochs=1, steps_per_epoch=9),
            callbacks=kcnn.callbacks.standard(plateau=True),
        )


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        (
            keras.callbacks.EarlyStopping(),
            "must be a list of Keras callbacks.*EarlyStopping object",
        ),
        ([keras.callbacks.EarlyStopping], "must be a list of Keras callbacks.*class"),
        (
            [keras.callbacks.LearningRateScheduler(lambda epoch: 0.1)],
            "LearningRateScheduler cannot change a learning rate that a schedule sets",
        ),
    ],
)
def test_what_is_no_list_of_callbacks_or_clashes_is_refused(digits, callbacks, message):
    rate = cosine(0.1, epochs=1, steps_per_epoch=9)
    with pytest.raises(ValueError, match=message):
        kcnn.train(linear(), digits, epochs=1, learning_rate=rate, callbacks=callbacks)


def test_a_compile_of_ones_own_that_is_not_used_is_said(digits, caplog):
    model = linear()
    model.compile(keras.optimizers.RMSprop(0.1), "mse")
    own = model.optimizer
    kcnn.train(model, digits, epochs=1, callbacks=[])
    assert "is compiled with RMSprop" in caplog.text
    caplog.clear()
    kcnn.train(model, digits, epochs=1, callbacks=[])
    kcnn.train(linear(), digits, epochs=1, optimizer=own, callbacks=[])
    assert "is compiled with" not in caplog.text


def test_a_monitor_that_is_not_measured_is_refused_before_training(digits):
    with pytest.raises(ValueError, match="'val_acc', which is not measured. Known: accuracy, .*"):
        kcnn.train(linear(), digits, epochs=1, callbacks=[MonitorGuard("val_acc")])

    class Adds(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_acc"] = logs["val_accuracy"]

    result = kcnn.train(linear(), digits, epochs=1, callbacks=[Adds(), MonitorGuard("val_acc")])
    assert "val_acc" in result.history


def test_a_folder_without_room_is_refused_before_training(digits, tmp_path, monkeypatch):
    """The size that is asked for is that of the files: three states and two models."""
    model = lenet()
    kcnn.train(model, digits, epochs=1, resume=tmp_path / "states")
    written = (tmp_path / "states/last.state").stat().st_size
    needed = checkpoint_bytes(model, model.optimizer)
    assert 2.5 * written < needed < 6 * written
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage._replace(free=100_000))
    message = rf"needs about {needed / 1e6:.1f} MB for checkpoints .* disk has 0.1 MB left: free"
    with pytest.raises(ValueError, match=message):
        kcnn.train(lenet(), digits, epochs=1, resume=tmp_path / "other")
    with pytest.raises(ValueError, match=r"needs about \d\.\d MB .* disk has 0.1 MB left: free"):
        run(TINY, "run", tmp_path / "run")
    assert [each.name for each in tmp_path.iterdir()] == ["states"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no such place")
def test_a_place_that_takes_no_folder_cannot_be_written():
    with pytest.raises(
        ValueError, match="'/proc/kcnn' cannot be made: '/proc' cannot be written: name"
    ):
        check_room("/proc/kcnn", 1)


def test_a_run_is_refused_for_what_its_end_would_refuse(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("one", "two\nlines"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(20):
            pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{number}.png")
    section = Data(name=f"folder:{tmp_path / 'images'}", batch_size=8, validation=0.2)
    with pytest.raises(ValueError, match=r"must be one line of text. Received: 'two\\nlines'"):
        run(dataclasses.replace(TINY, data=section), "run", tmp_path / "run")
    if sys.platform == "linux":  # a name in Latin-1, as of an old disk or archive
        named = os.fsencode(tmp_path / "images") + b"/caf\xe9"
        os.rename(os.fsencode(tmp_path / "images/two\nlines"), named)
        with pytest.raises(ValueError, match=r"text in UTF-8: rename it, .*Received: 'caf.udce9'"):
            run(dataclasses.replace(TINY, data=section), "run", tmp_path / "run")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="file' is a file, so nothing can be written into it"):
        run(TINY, "run", tmp_path / "file" / "run")
    assert not (tmp_path / "run").exists()


def test_a_schedule_goes_with_the_default_callbacks(digits):
    rate = cosine(1e-3, epochs=1, steps_per_epoch=digits.steps_per_epoch)
    result = kcnn.train(linear(), digits, epochs=1, learning_rate=rate)
    assert result.history["learning_rate"] == pytest.approx([0.0], abs=1e-9)


def test_a_loss_that_explodes_stops_with_the_reason(digits):
    with pytest.raises(RuntimeError, match="training diverged"):
        kcnn.train(linear(), digits, epochs=3, optimizer="sgd", learning_rate=1e38)


def softmax_model():
    return keras.Sequential(
        [keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    )


def test_probabilities_in_place_of_logits_are_refused(digits):
    with pytest.raises(ValueError, match="must end in logits.*applies softmax"):
        kcnn.train(softmax_model(), digits, epochs=1)


class Weights(keras.callbacks.Callback):
    """Keeps the weights after each batch."""

    def on_train_begin(self, logs=None):
        self.kept = []

    def on_train_batch_end(self, batch, logs=None):
        self.kept.append(self.model.get_weights())


def test_averaged_weights_are_judged_saved_and_kept(digits, tmp_path):
    plain = Weights()
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    result = kcnn.train(
        linear(),
        digits,
        epochs=2,
        optimizer=make_optimizer("sgd", 0.05, ema=0.8),
        callbacks=[plain, checkpoint],
    )
    average = plain.kept[0]
    for weights in plain.kept[1:]:
        average = [0.8 * old + 0.2 * new for old, new in zip(average, weights, strict=True)]
    assert np.abs(average[0] - plain.kept[-1][0]).max() > 1e-3
    saved = keras.models.load_model(tmp_path / "2.keras")
    for model in (result.model, saved):
        for weight, expected in zip(model.get_weights(), average, strict=True):
            np.testing.assert_allclose(weight, expected, rtol=1e-4, atol=1e-6)
    judged = kcnn.evaluate(result.model, digits.validation)
    assert result.history["val_loss"][-1] == pytest.approx(judged.loss, rel=1e-4)


def test_a_recipe_can_keep_the_last_epoch_and_its_averages(digits):
    train = Train(
        epochs=3, optimizer="sgd", learning_rate=0.01, schedule="constant", keep="last", ema=0.5
    )
    trained = training_for(Recipe(train=train), linear(), digits)
    callbacks = callbacks_for(train, digits, None)
    assert not any(isinstance(each, keras.callbacks.EarlyStopping) for each in callbacks)
    result = trained(callbacks=callbacks)
    assert result.best_epoch == result.epochs == 3
    judged = kcnn.evaluate(result.model, digits.validation)
    assert result.history["val_loss"][-1] == pytest.approx(judged.loss, rel=1e-4)


def test_the_best_average_is_kept_after_an_early_stop(digits):
    stop = keras.callbacks.EarlyStopping(patience=1, restore_best_weights=True)
    # a rate that makes the second epoch worse
    result = kcnn.train(
        linear(),
        digits,
        epochs=9,
        optimizer=make_optimizer("sgd", 1.0, momentum=0.99, ema=0.5),
        callbacks=[stop],
    )
    assert result.epochs < 9
    judged = kcnn.evaluate(result.model, digits.validation)
    assert min(result.history["val_loss"]) == pytest.approx(judged.loss, rel=1e-4)


def test_an_early_stop_that_would_lose_the_averages_is_refused(digits):
    with pytest.raises(ValueError, match="restore_best_weights=True"):
        kcnn.train(
            linear(),
            digits,
            epochs=2,
            optimizer=make_optimizer("sgd", 0.1, ema=0.9),
            callbacks=[keras.callbacks.EarlyStopping()],
        )


def losses_of_one_step(data, **options):
    """Return the losses of a training that changes nothing, and the model."""
    result = kcnn.train(
        linear(), data, epochs=1, learning_rate=1e-12, callbacks=[], optimizer="sgd", **options
    )
    return result.history["loss"][0], result.history["val_loss"][0], result.model


def test_label_smoothing_is_in_the_training_loss_alone(digits):
    # one batch is the whole epoch: whatever the order, the mean loss is over the same images
    data = kcnn.data.load("digits", batch_size=45, augment="none", limit=50)
    keras.utils.set_random_seed(1)
    loss, validation_loss, model = losses_of_one_step(data, label_smoothing=0.3)
    images, labels = next(iter(data.calibration))
    stock = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3)
    expected = float(stock(np.eye(10)[labels.numpy()], model(images)))
    assert loss == pytest.approx(expected, rel=1e-5)
    assert abs(expected - kcnn.evaluate(model, data.calibration).loss) > 1e-3
    plain = kcnn.evaluate(model, data.validation).loss
    assert validation_loss == pytest.approx(plain, rel=1e-5)
    with pytest.raises(ValueError, match="label_smoothing=1.0"):
        kcnn.train(linear(), digits, epochs=1, label_smoothing=1.0)


def test_soft_labels_are_learned_and_judged_on_hard_ones():
    data = kcnn.data.load("digits", batch_size=64, augment="mixup", limit=400)
    _, validation_loss, model = losses_of_one_step(data)
    scored = kcnn.evaluate(model, data.validation)
    assert validation_loss == pytest.approx(scored.loss, rel=1e-5)
    keras.utils.set_random_seed(0)
    result = kcnn.train(linear(), data, epochs=8, learning_rate=1e-2)
    assert kcnn.evaluate(result.model, data.test).accuracy > 0.6
    assert result.history["val_accuracy"][result.best_epoch - 1] > 0.6


def test_a_precision_is_of_the_model_alone_and_ends_with_training(digits, tmp_path):
    recipe = Recipe(
        model=Model(name="lenet5", options={"variant": "modern"}),
        train=Train(precision="mixed_bfloat16"),
    )
    mixed = setup.build(recipe, digits)
    assert keras.config.dtype_policy().name == "float32"
    assert {layer.compute_dtype for layer in mixed.layers} == {"bfloat16", "float32"}
    assert {str(weight.dtype) for weight in mixed.weights} == {"float32"}
    result = kcnn.train(mixed, digits, epochs=1, callbacks=[])
    mixed.layers[-1].kernel.trainable = False  # as `models.whiten` does
    whole = in_float32(result.model)
    assert [each.trainable for each in whole.weights] == [each.trainable for each in mixed.weights]
    assert {layer.compute_dtype for layer in whole.layers} == {"float32"}
    assert in_float32(whole) is whole
    images = next(iter(digits.test))[0]
    logits = whole.predict_on_batch(images)
    difference = np.abs(mixed.predict_on_batch(images) - logits).max()
    assert 0 < difference < 0.05 * np.abs(logits).max()


def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path):
    def data():
        return kcnn.data.load("digits", limit=200, batch_size=20, augment="strong", seed=3)

    def weights(data, callbacks):
        keras.utils.set_random_seed(0)  # of the first weights; nothing else here draws
        optimizer = keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True)
        model = linear()
        result = kcnn.train(model, data, epochs=4, optimizer=optimizer, callbacks=callbacks)
        assert 1 <= result.best_epoch <= result.epochs
        return np.concatenate([each.ravel() for each in model.get_weights()])

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations.numpy() == 23:  # 9 steps an epoch: in the third
                raise InterruptedError

    shared = data()
    whole = weights(shared, [])
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(InterruptedError):
        weights(data(), [backup, Stop()])
    early = keras.callbacks.EarlyStopping("loss", patience=4, restore_best_weights=True)
    np.testing.assert_allclose(weights(data(), [backup, early]), whole, atol=1e-6)
    # Nor does it matter what has been trained on the same data before.
    np.testing.assert_allclose(weights(shared, []), whole, atol=1e-6)
