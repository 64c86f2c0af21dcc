"""Training learns, restores the best epoch, and refuses what cannot work before it starts."""

import keras
import numpy as np
import pytest

import kcnn
from kcnn.training import cosine, make_optimizer


@pytest.fixture(scope="module")
def digits():
    return kcnn.data.load("digits", batch_size=64, augment="none", limit=900)


def test_a_small_network_learns_digits(digits, tmp_path):
    keras.utils.set_random_seed(0)
    result = kcnn.train(
        kcnn.models.lenet5(), digits, epochs=6, learning_rate=3e-3, run_dir=tmp_path
    )
    assert result.epochs == 6
    assert result.stop_reason == "finished"
    assert kcnn.evaluate(result.model, digits.test).accuracy > 0.85
    assert (tmp_path / "history.csv").read_text().count("\n") == 7
    best = kcnn.evaluate(result.model, digits.validation, expected_count=digits.num_validation)
    losses = result.history["val_loss"]
    assert best.loss == pytest.approx(losses[result.best_epoch - 1], rel=1e-4)
    assert losses[result.best_epoch - 1] == min(losses)


def test_the_best_epoch_is_the_one_whose_weights_are_kept(digits):
    keras.utils.set_random_seed(0)
    by_accuracy = kcnn.callbacks.standard(monitor="val_accuracy")
    result = kcnn.train(kcnn.models.lenet5(), digits, epochs=4, callbacks=by_accuracy)
    accuracies = result.history["val_accuracy"]
    assert accuracies[result.best_epoch - 1] == max(accuracies)
    last = kcnn.train(kcnn.models.lenet5(), digits, epochs=2, callbacks=[])
    assert last.best_epoch == 2


@pytest.mark.filterwarnings("ignore:The model does not have any trainable weights")
def test_early_stopping_gives_its_reason(digits):
    frozen = kcnn.models.lenet5()
    frozen.trainable = False
    result = kcnn.train(
        frozen, digits, epochs=9, callbacks=kcnn.callbacks.standard(patience=2, plateau=False)
    )
    assert result.epochs == 3
    assert result.stop_reason == "val_loss was no better for 2 epochs"


def test_one_seed_gives_one_result():
    def weights():
        keras.utils.set_random_seed(3)
        data = kcnn.data.load("digits", batch_size=50, limit=200, augment="shift", seed=3)
        return kcnn.train(kcnn.models.simple_cnn(), data, epochs=2).model.get_weights()

    for first, second in zip(weights(), weights(), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        ({"num_classes": 7}, {}, "7 outputs, the data 10 classes: .*num_classes=10"),
        ({"input_shape": (28, 28, 3)}, {}, r"\(28, 28, 3\), the data has \(32, 32, 3\)"),
        ({}, {"epochs": 0}, "epochs=0"),
        ({}, {"optimizer": "addam"}, "Did you mean 'adam'"),
    ],
)
def test_what_cannot_work_is_refused_before_training(digits, model, arguments, message):
    with pytest.raises(ValueError, match=message):
        kcnn.train(kcnn.models.lenet5(**model), digits, **{"epochs": 1, **arguments})


def test_a_plateau_and_a_schedule_are_refused_together(digits):
    with pytest.raises(ValueError, match="schedule sets"):
        kcnn.train(
            kcnn.models.lenet5(),
            digits,
            epochs=1,
            learning_rate=cosine(0.1, epochs=1, steps_per_epoch=9),
            callbacks=kcnn.callbacks.standard(plateau=True),
        )


def test_a_schedule_goes_with_the_default_callbacks(digits):
    rate = cosine(1e-3, epochs=1, steps_per_epoch=digits.steps_per_epoch)
    result = kcnn.train(kcnn.models.lenet5(), digits, epochs=1, learning_rate=rate)
    assert result.history["learning_rate"] == pytest.approx([0.0], abs=1e-9)


def test_a_loss_that_explodes_stops_with_the_reason(digits):
    with pytest.raises(RuntimeError, match="training diverged"):
        kcnn.train(kcnn.models.lenet5(), digits, epochs=3, optimizer="sgd", learning_rate=1e12)


def test_weight_decay_spares_biases_and_batch_norm():
    """One step without gradient: decoupled decay shrinks kernels by rate x decay, alone."""
    model = kcnn.models.simple_cnn()
    optimizer = make_optimizer("sgd", 0.1, weight_decay=0.5)
    optimizer.build(model.trainable_variables)
    before = [np.array(variable.numpy()) + 1 for variable in model.trainable_variables]
    for variable, value in zip(model.trainable_variables, before, strict=True):
        variable.assign(value)
    optimizer.apply([np.zeros(value.shape, np.float32) for value in before])
    for variable, value in zip(model.trainable_variables, before, strict=True):
        factor = 0.95 if variable.name == "kernel" else 1.0
        np.testing.assert_allclose(
            variable.numpy(), factor * value, rtol=1e-6, err_msg=variable.path
        )


def test_the_cosine_ends_at_zero_and_needs_room_to_fall():
    rate = cosine(0.4, epochs=4, steps_per_epoch=5, warmup_epochs=1)
    values = [float(rate(step)) for step in range(21)]
    assert max(values) == pytest.approx(0.4)
    assert values.index(max(values)) == 5
    assert values[20] == pytest.approx(0, abs=1e-8)
    with pytest.raises(ValueError, match="warmup_epochs"):
        cosine(0.1, epochs=2, steps_per_epoch=5, warmup_epochs=2)
