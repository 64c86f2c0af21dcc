"""What a user can choose about pruning: which layers, how far each, 2:4, a teacher."""

import subprocess

import keras
import numpy as np
import pytest

import kcnn.data
from kcnn.compress import check_prune, prune

L = keras.layers
ENGINES = pytest.mark.parametrize("engine", ["keras", "tfmot"])


def network(first=L.Conv2D, name="network"):
    keras.utils.set_random_seed(3)
    image = keras.Input((32, 32, 3), name="image")
    x = L.Rescaling(1 / 255)(L.AveragePooling2D(4)(image))
    x = L.ReLU()(L.Conv2D(10, 3, name="conv1")(x))
    x = L.ReLU()(L.SeparableConv2D(9, 3, name="conv2")(x))
    x = L.Dense(21, activation="relu", name="hidden")(L.Flatten()(x))
    return keras.Model(image, L.Dense(10, name="logits")(x), name=name)


def kernels(model):
    names = {"conv1": "kernel", "conv2": "pointwise_kernel", "hidden": "kernel", "logits": "kernel"}
    return {name: getattr(model.get_layer(name), kernel).numpy() for name, kernel in names.items()}


def digits(**options):
    return kcnn.data.load("digits", **{"batch_size": 32, "limit": 160, "augment": "none"} | options)


@pytest.fixture(scope="module")
def data():
    return digits()


@ENGINES
def test_layers_have_their_own_sparsity_and_the_others_keep_the_zeros_they_have(data, engine):
    model = network()
    model.get_layer("hidden").kernel.assign(np.where(np.eye(144, 21), 0, kernels(model)["hidden"]))
    wanted = {"conv2": 0.3, "logits": 0.8}
    result = prune(model, data, sparsity=wanted, epochs=2, engine=engine)
    before, after = kernels(model), kernels(result.model)
    for name, share in wanted.items():
        assert np.count_nonzero(after[name] == 0) == round(share * after[name].size)
    np.testing.assert_array_equal(after["hidden"] == 0, before["hidden"] == 0)
    assert np.all(after["conv1"] != 0)
    assert all(np.any(after[name] != before[name]) for name in after)  # all of them train
    assert result.layer_sparsity == {name: np.mean(after[name] == 0) for name in after}
    total = np.concatenate([kernel.ravel() for kernel in after.values()])
    assert result.sparsity == pytest.approx(np.mean(total == 0))
    assert result.history["sparsity"][-1] == pytest.approx(result.sparsity)


@ENGINES
def test_two_to_four_leaves_the_two_largest_of_four_input_channels(engine):
    """With a teacher on soft labels, which must not get in each other's way."""
    model = network()
    result = prune(
        model,
        digits(augment="cutmix"),
        sparsity="2:4",
        exclude=("conv1",),
        epochs=1,
        learning_rate=1e-12,
        teacher=network(),
        engine=engine,
    )
    before, after = kernels(model), kernels(result.model)
    assert np.all(after["conv1"] != 0)
    for name in ("conv2", "hidden", "logits"):
        channels, filters = after[name].shape[-2:]
        old, new = (kernel.reshape(-1, channels, filters) for kernel in (before[name], after[name]))
        for start in range(0, channels, 4):  # the last group may be smaller
            size = np.abs(old[:, start : start + 4])
            kept = size >= np.sort(size, axis=1)[:, -2:][:, :1]
            np.testing.assert_array_equal(new[:, start : start + 4] != 0, kept)
    assert np.isfinite(result.history["loss"]).all()


@ENGINES
def test_the_loss_with_a_teacher_is_that_of_distill(engine):
    model, teacher = network(), network(name="teacher")
    teacher.set_weights([2 * weight for weight in teacher.get_weights()])
    answers = teacher.get_weights()
    # So few zeros and such small steps that the loss is still that of the model as it was.
    result = prune(
        model,
        digits(),
        sparsity={"hidden": 1e-6},
        epochs=1,
        learning_rate=1e-12,
        teacher=teacher,
        engine=engine,
    )
    labelled = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    expected, right = [], []
    for images, labels in digits().train:
        logits = model(images)
        wanted, predicted = (keras.ops.softmax(x / 4) for x in (teacher(images), logits))
        divergence = keras.losses.kl_divergence(wanted, predicted)
        expected.append(0.5 * labelled(labels, logits) + 0.5 * 4**2 * np.mean(divergence))
        right.append(np.argmax(logits, axis=1) == labels.numpy())
    assert result.history["loss"] == pytest.approx([np.mean(expected)], rel=1e-5)
    assert result.history["accuracy"] == pytest.approx([np.mean(right)])
    for before, after in zip(answers, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def without_logits():
    image = keras.Input((32, 32, 3))
    x = L.Dense(10, activation="sigmoid", name="top")(L.Flatten()(image))
    return keras.Model(image, x)


def with_zeros():
    model = network()
    model.get_layer("hidden").kernel.assign(np.eye(144, 21))
    return model


def in_series():
    model = keras.Sequential([keras.Input((32, 32, 3)), L.Reshape((32, -1))])
    model.add(L.Conv1D(4, 3, name="series"))
    model.add(L.Flatten())
    model.add(L.Dense(10, name="logits"))
    return model


REFUSED = {
    "unknown layer": (
        network,
        {"sparsity": {"conv3": 0.5}},
        r"Unknown layer 'conv3'\. Did you mean 'conv[12]'\? Known: conv1, conv2, hidden, logits",
    ),
    "unknown exclusion": (network, {"exclude": ["hiden"]}, "'hiden'. Did you mean 'hidden'?"),
    "one name": (network, {"exclude": "hidden"}, r"must hold names of layers: .*'hidden',"),
    "nothing left": (
        network,
        {"exclude": ("conv1", "conv2", "hidden", "logits")},
        "exclude names every layer",
    ),
    "both": (
        network,
        {"sparsity": {"conv1": 0.5}, "exclude": ("conv1",)},
        "'conv1' has a sparsity and is excluded",
    ),
    "fraction": (network, {"sparsity": {"conv1": 1.5}}, "between 0 and 1, by layer name.*1.5"),
    "pattern": (network, {"sparsity": "1:4"}, "or be '2:4'. Received: sparsity='1:4'"),
    "no pattern": (in_series, {"sparsity": "2:4"}, r"'series' \(Conv1D\).*2:4.*exclude it"),
    "zeros": (with_zeros, {"sparsity": "2:4"}, "'hidden' has zeros.*or exclude the layer"),
    "teacher": (network, {"teacher": without_logits()}, "A teacher needs .* one class an image"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_choice_that_makes_no_sense_is_refused(case, data, monkeypatch):
    build, options, message = REFUSED[case]
    model = build()
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a child was started"))
    for function in (prune, check_prune):
        with pytest.raises(ValueError, match=message) as refusal:
            function(model, data, **options)
        assert "\n" not in str(refusal.value)
