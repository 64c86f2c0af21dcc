"""Muon against NumPy in float64, saved, and in a training; tests/test_jax.py has it on JAX."""

import keras
import numpy as np
import pytest

import kcnn
from kcnn.recipe import Recipe, Train, Transfer, override
from kcnn.training import Muon, make_optimizer, schedules
from kcnn.training.muon import find_filters, orthogonalize
from tests.muon_steps import SHAPES, gradients, trained, values


def by_hand(settings, *, decay, rates, iterations=5):
    """Return the values after the same steps, with PyTorch's and Jordan's rules."""
    weights = values()
    buffers = {name: np.zeros(shape) for name, shape in SHAPES.items()}
    for rate, step_gradients in zip(rates, gradients(), strict=True):
        for name, gradient in step_gradients.items():
            filters = name in ("conv/kernel", "hidden/kernel")
            momentum = settings.momentum if filters else 0.9
            weight = weights[name] * (1 - rate * decay if "kernel" in name else 1.0)
            buffers[name] = momentum * buffers[name] + gradient
            step = gradient + momentum * buffers[name]
            if not filters:
                weights[name] = weight - rate * step
                continue
            if settings.normalize:
                weight = weight * np.sqrt(weight.shape[-1]) / np.linalg.norm(weight)
            rows, columns = np.prod(step.shape[:-1]), step.shape[-1]
            x = step.reshape(rows, columns) / np.linalg.norm(step)
            for _ in range(iterations):
                # The same polynomial of x x^T or of x^T x, whichever is smaller.
                square = x.T @ x
                x = 3.4445 * x - 4.7750 * x @ square + 2.0315 * x @ square @ square
            scale = np.sqrt(max(1, columns / rows))
            weights[name] = weight - rate * settings.rate * scale * x.reshape(step.shape)
    return weights


@pytest.mark.parametrize(
    ("settings", "decay"),
    [
        (Muon(), 0.0),
        (Muon(rate=0.3, momentum=0.6, iterations=3, normalize=True), 0.5),
    ],
)
def test_steps_equal_a_computation_in_float64(settings, decay):
    rate = schedules.step(0.1, steps_per_epoch=2, step_epochs=1, factor=0.5)
    found = trained(make_optimizer("muon", rate, weight_decay=decay, muon=settings))
    rates = [0.1, 0.1, 0.05, 0.05]
    expected = by_hand(settings, decay=decay, rates=rates, iterations=settings.iterations)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=2e-4, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("shape", [(3, 3, 16, 16), (3, 3, 5, 64), (1, 1, 64, 8), (40, 30)])
def test_singular_values_are_near_one_at_any_scale(shape):
    step = np.random.default_rng(0).normal(size=shape) * 1e-9
    found = keras.ops.convert_to_numpy(orthogonalize(step.astype("float32")))
    singular = np.linalg.svd(found.reshape(-1, shape[-1]), compute_uv=False)
    singular = singular / np.sqrt(max(1, shape[-1] / np.prod(shape[:-1])))
    assert 0.6 < singular.min() < singular.max() < 1.3
    # It turns nothing: the singular vectors are those of the step.
    left, _, right = np.linalg.svd(step.reshape(-1, shape[-1]), full_matrices=False)
    rotated = left.T @ found.reshape(-1, shape[-1]) @ right.T
    assert np.abs(rotated - np.diag(np.diag(rotated))).max() < 1e-3
    assert not np.any(orthogonalize(np.zeros(shape, "float32")))


def test_a_step_of_almost_one_direction_is_as_exact():
    """Singular values down to 1e-7 of the largest, against Newton-Schulz itself in float64."""
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.normal(size=(size, 32)))[0] for size in (288, 32))
    step = (left * np.logspace(0, -7, 32)) @ right.T
    x = step / np.linalg.norm(step)
    for _ in range(5):
        square = x.T @ x
        x = 3.4445 * x - 4.7750 * x @ square + 2.0315 * x @ square @ square
    found = keras.ops.convert_to_numpy(orthogonalize(step.reshape(3, 3, 32, 32).astype("float32")))
    np.testing.assert_allclose(found.reshape(288, 32), x, atol=2e-4)


@pytest.mark.parametrize("name", ["resnet8", "speed_net", "vgg11"])
def test_which_variables_of_a_network_are_filters(name):
    model = kcnn.models.build(name)
    variables = model.trainable_variables
    filters = {variables[place].path for place in find_filters(variables)}
    others = {each.path for each in variables} - filters
    kernels = {path for path in others if path.endswith("/kernel")}
    first = next(each for each in model.layers if hasattr(each, "kernel"))
    assert kernels == {first.kernel.path, model.layers[-1].kernel.path}
    assert len(filters) == sum(each.path.endswith("/kernel") for each in variables) - 2


def test_a_depthwise_kernel_is_no_filter_bank():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 6)),
            keras.layers.DepthwiseConv2D(3),
            keras.layers.SeparableConv2D(5, 3),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    variables = model.trainable_variables
    names = [variables[place].name for place in find_filters(variables)]
    assert names == ["pointwise_kernel"]


def test_a_model_without_hidden_filters_is_refused():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="nothing to do: .* Take 'sgd'"):
        make_optimizer("muon", 0.1).build(model.trainable_variables)


def validation_loss(optimizer):
    keras.utils.set_random_seed(0)
    data = kcnn.data.load("digits", batch_size=64, augment="none")
    model = kcnn.models.simple_cnn()
    result = kcnn.train(model, data, epochs=2, optimizer=optimizer, callbacks=[])
    return result.history["val_loss"][-1]


def test_it_learns_digits_faster_than_sgd():
    """With the better of two learning rates for each: 0.15 against 0.34."""
    losses = {
        name: min(validation_loss(make_optimizer(name, rate)) for rate in (0.02, 0.05))
        for name in ("sgd", "muon")
    }
    assert losses["muon"] < 0.7 * losses["sgd"]


def test_a_file_loads_as_sgd_with_its_velocities(tmp_path):
    model = kcnn.models.build("resnet8")
    model.compile(make_optimizer("muon", 0.1), "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 32, 32, 3)).astype("uint8")
    model.train_on_batch(images, np.arange(4))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras").optimizer
    assert type(loaded) is keras.optimizers.SGD
    assert loaded.momentum == pytest.approx(0.9)
    for variable, before in zip(loaded.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), before.numpy())


def test_a_recipe_names_its_settings():
    recipe = Recipe(train=Train(optimizer="muon", schedule="cosine", learning_rate=0.1))
    assert override(recipe, ["train.muon.momentum=0.6"]).train.muon.momentum == 0.6
    with pytest.raises(ValueError, match="train.muon.momentum must be below 1"):
        override(recipe, ["train.muon.momentum=1"])
    with pytest.raises(ValueError, match="muon means nothing with optimizer='adam'"):
        override(recipe, ["train.optimizer=adam", "train.muon.rate=0.5"])
    with pytest.raises(ValueError, match="transfer freezes all of them"):
        Recipe(train=Train(optimizer="muon"), transfer=Transfer(base="base.keras"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0.0}, "rate must be a positive"),
        ({"momentum": 1.0}, "momentum must lie in"),
        ({"iterations": 0}, "iterations must be an integer"),
        ({"iterations": 6}, "iterations must be at most 5"),
    ],
)
def test_settings_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Muon(**options)
