"""Distillation: the loss of the paper, a student that stays a student, a teacher left alone."""

import keras
import numpy as np
import pytest

import kcnn
from kcnn import pipeline
from kcnn.recipe import Data, Distill, Model, Prune, Quantize, Recipe, Train
from kcnn.training import distill


@pytest.fixture(scope="module")
def digits():
    return kcnn.data.load("digits", batch_size=64, augment="none", limit=640)


def network(units=None, *, classes=10, shape=(32, 32, 3), penalty=None):
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    if units:
        layers += [
            keras.layers.Dense(units, "relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
        ]
    logits = keras.layers.Dense(classes, kernel_regularizer=penalty, name="logits")
    return keras.Sequential([keras.Input(shape), *layers, logits])


def convolutional():
    """A teacher whose batch norm another layer can do, and which says other things without it."""
    teacher = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 4, strides=4, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )
    gamma, beta, mean, variance = teacher.layers[2].weights
    gamma.assign(3.0 * gamma)
    mean.assign([0.1, -0.1, 0.2, 0.0])
    beta.assign([0.5, 0.0, 1.0, 0.2])
    return teacher


def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def hinton(student, teacher, labels, temperature, alpha):
    wanted, predicted = log_softmax(teacher / temperature), log_softmax(student / temperature)
    divergence = (np.exp(wanted) * (wanted - predicted)).sum(axis=1).mean()
    crossentropy = -log_softmax(student)[np.arange(len(labels)), labels].mean()
    return alpha * temperature**2 * divergence + (1 - alpha) * crossentropy


@pytest.mark.parametrize("penalty", [None, keras.regularizers.L2(0.01)])
@pytest.mark.parametrize(("temperature", "alpha"), [(4.0, 0.5), (2.0, 0.9), (1.0, 1.0), (3.0, 0.0)])
@pytest.mark.parametrize("teacher", ["dense", "convolutional"])
def test_the_training_loss_is_the_papers(temperature, alpha, penalty, teacher):
    # one batch is the whole epoch: whatever the order, the mean loss is over the same images
    data = kcnn.data.load("digits", batch_size=45, augment="none", limit=50)
    assert data.num_train == 45
    keras.utils.set_random_seed(0)
    teacher = network(16) if teacher == "dense" else convolutional()
    student = network(penalty=penalty)
    images, labels = next(iter(data.calibration))
    expected = hinton(
        student.predict_on_batch(images).astype(float),
        teacher.predict_on_batch(images).astype(float),
        labels.numpy(),
        temperature,
        alpha,
    )
    expected += 0.01 * (student.layers[-1].kernel.numpy() ** 2).sum() if penalty else 0
    result = distill(
        student,
        teacher,
        data,
        temperature=temperature,
        alpha=alpha,
        epochs=1,
        learning_rate=1e-12,
        callbacks=[],
    )
    assert result.history["loss"][0] == pytest.approx(expected, rel=1e-4)
    if not penalty:
        plain = kcnn.evaluate(student, data.validation).loss
        assert result.history["val_loss"][0] == pytest.approx(plain, rel=1e-4)


def test_a_student_learns_from_its_teacher_alone(digits, tmp_path):
    """With alpha=1 no label has an effect, and yet the student learns to classify digits."""
    keras.utils.set_random_seed(0)
    teacher = kcnn.train(network(32), digits, epochs=8, learning_rate=3e-3).model
    known = [weight.copy() for weight in teacher.get_weights()]
    student = network()
    result = distill(
        student, teacher, digits, alpha=1.0, epochs=6, learning_rate=3e-3, run_dir=tmp_path
    )
    assert result.model is student
    assert kcnn.evaluate(student, digits.test).accuracy > 0.8
    for weight, before in zip(teacher.get_weights(), known, strict=True):
        np.testing.assert_array_equal(weight, before)

    losses = result.history["val_loss"]
    checkpoint = tmp_path / "checkpoints" / f"{result.best_epoch:02d}-{min(losses):.2f}.keras"
    saved = keras.models.load_model(checkpoint)  # stock Keras, with nothing of ours registered
    assert [layer.name for layer in saved.layers] == [layer.name for layer in student.layers]
    for weight, kept in zip(saved.get_weights(), student.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, kept)
    kcnn.models.save(student, tmp_path / "student.keras")
    again = kcnn.models.load(tmp_path / "student.keras")
    assert again.count_params() == student.count_params()


@pytest.mark.parametrize(
    ("teacher", "options", "message"),
    [
        ({"classes": 7}, {}, "teacher has 7 outputs, the data has 10 classes"),
        ({"shape": (28, 28, 3)}, {}, r"images of shape \(28, 28, 3\).*: take another teacher"),
        ({}, {"temperature": 0.0}, "temperature=0.0"),
        ({}, {"alpha": 1.5}, "alpha=1.5"),
        ({}, {"epochs": 0}, "epochs=0"),
    ],
)
def test_what_cannot_teach_is_refused(digits, teacher, options, message):
    with pytest.raises(ValueError, match=message):
        distill(network(), network(**teacher), digits, **{"epochs": 1, **options})


def test_a_recipe_with_every_training_option_runs_to_an_int8_file(tmp_path):
    """A teacher, bfloat16, averaged weights: what follows the training sees a float32 model."""
    teacher = kcnn.models.save(network(16), tmp_path / "teacher.keras")
    recipe = Recipe(
        data=Data(name="digits", batch_size=32, augment="none", limit=200),
        model=Model(name="simple_cnn"),
        train=Train(
            epochs=1,
            optimizer="sgd",
            learning_rate=0.01,
            schedule="one_cycle",
            weight_decay=1e-3,
            decay="coupled",
            clip_norm=1.0,
            ema=0.9,
            label_smoothing=0.1,
            precision="mixed_bfloat16",
        ),
        distill=Distill(teacher=str(teacher)),
        prune=Prune(sparsities=(0.5,), epochs=1),
        quantize=Quantize(samples=20),
        explain=None,
    )
    report = pipeline.run(recipe, "student", tmp_path / "student")
    assert [receipt.name for receipt in report.receipts][:2] == ["float", "pruned 50%"]
    model = keras.models.load_model(tmp_path / "student" / "model.keras")
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    test = kcnn.data.load("digits", batch_size=32, augment="none", limit=200).test
    assert kcnn.evaluate(model, test).accuracy == report.receipts[0].accuracy


def test_a_teacher_for_other_data_is_refused_before_anything_is_written(tmp_path):
    teacher = kcnn.models.save(network(classes=7), tmp_path / "teacher.keras")
    recipe = Recipe(
        data=Data(name="digits", limit=200, batch_size=32), distill=Distill(teacher=str(teacher))
    )
    with pytest.raises(ValueError, match="teacher has 7 outputs"):
        pipeline.run(recipe, "student", tmp_path / "student")
    assert not (tmp_path / "student").exists()
