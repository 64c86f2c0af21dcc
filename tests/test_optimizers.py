"""Optimizers against NumPy: PyTorch's rules for coupled decay, Keras's for the rest."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.training import Muon, make_optimizer
from kcnn.training.fast_updates import with_fast_updates

STEPS, RATE, DECAY = 4, 0.05, 0.3


def variables():
    """A kernel that decays and a bias that does not."""
    rng = np.random.default_rng(0)
    values = {"kernel": rng.normal(size=(3, 2)), "bias": rng.normal(size=2)}
    return [
        keras.Variable(value.astype("float32"), name=name, dtype="float32")
        for name, value in values.items()
    ]


def gradients():
    rng = np.random.default_rng(1)
    return [[rng.normal(size=(3, 2)), rng.normal(size=2)] for _ in range(STEPS)]


def after(optimizer):
    """Return the values after a few steps of the real optimizer."""
    trained = variables()
    for values in gradients():
        optimizer.apply([keras.ops.convert_to_tensor(g, "float32") for g in values], trained)
    return [variable.numpy() for variable in trained]


def by_hand(step, *, decay=DECAY, everything=False):
    """Return the values after the same steps of `step(weight, gradient, state, time)`."""
    results = []
    for index, variable in enumerate(variables()):
        weight, state = variable.numpy().astype(np.float64), {}
        for time, values in enumerate(gradients(), start=1):
            gradient = values[index]
            if variable.name == "kernel" or everything:
                gradient = gradient + decay * weight
            weight = step(weight, gradient, state, time)
        results.append(weight)
    return results


def sgd(momentum, nesterov):
    """torch.optim.SGD, dampening 0."""

    def step(weight, gradient, state, time):
        state["buffer"] = momentum * state.get("buffer", 0) + gradient
        direction = gradient + momentum * state["buffer"] if nesterov else state["buffer"]
        return weight - RATE * direction

    return step


def adam(weight, gradient, state, time):
    """torch.optim.Adam, with Keras's epsilon."""
    state["first"] = 0.9 * state.get("first", 0) + 0.1 * gradient
    state["second"] = 0.999 * state.get("second", 0) + 0.001 * gradient**2
    first, second = state["first"] / (1 - 0.9**time), state["second"] / (1 - 0.999**time)
    return weight - RATE * first / (np.sqrt(second) + 1e-7)


def rmsprop(weight, gradient, state, time):
    """torch.optim.RMSprop with Keras's smoothing 0.9 and epsilon."""
    state["square"] = 0.9 * state.get("square", 0) + 0.1 * gradient**2
    return weight - RATE * gradient / np.sqrt(state["square"] + 1e-7)


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize(
    ("name", "options", "step"),
    [
        ("sgd", {}, sgd(0.9, nesterov=True)),
        ("sgd", {"momentum": 0.5, "nesterov": False}, sgd(0.5, nesterov=False)),
        ("sgd", {"momentum": 0.0}, sgd(0.0, nesterov=False)),
        ("adam", {}, adam),
        ("rmsprop", {}, rmsprop),
    ],
)
def test_coupled_decay_goes_through_the_gradient(name, options, step, everything):
    optimizer = make_optimizer(
        name, RATE, weight_decay=DECAY, decay="coupled", decay_everything=everything, **options
    )
    for value, expected in zip(after(optimizer), by_hand(step, everything=everything), strict=True):
        np.testing.assert_allclose(value, expected, rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize(
    ("name", "options", "kernel"),
    [
        ("adam", {}, "ResourceApplyAdam"),
        ("adamw", {"weight_decay": DECAY}, "ResourceApplyAdam"),
        ("sgd", {"clip_norm": 0.5, "ema": 0.9}, "ResourceApplyKerasMomentum"),
        ("sgd", {"nesterov": False}, "ResourceApplyKerasMomentum"),
        ("sgd", {"momentum": 0.0}, None),
        ("rmsprop", {"momentum": 0.9}, None),
    ],
)
def test_fast_updates_equal_those_of_keras(name, options, kernel):
    rate = keras.optimizers.schedules.CosineDecay(RATE, 2 * STEPS)
    fast = make_optimizer(name, rate, **options)
    config = fast.get_config()
    stock = fast.__class__.from_config(config)
    assert type(stock).__module__.startswith("keras.")
    if name != "rmsprop":
        assert type(fast) is not type(stock)
    if options.get("weight_decay"):
        stock.exclude_from_weight_decay(var_names=["bias"])
    # The kernel takes 1 - 0.999 of numbers in float32, which moves a step by 7e-6 of itself.
    for value, expected in zip(after(fast), after(stock), strict=True):
        np.testing.assert_allclose(value, expected, rtol=2e-5, atol=2e-6)
    for mine, reference in zip(fast.variables, stock.variables, strict=True):
        np.testing.assert_allclose(mine, reference, rtol=2e-5, atol=2e-6)

    trained = variables()
    optimizer = make_optimizer(name, rate, **options)
    optimizer.build(trained)
    step = tf.function(lambda grads: optimizer.apply(grads))
    graph = step.get_concrete_function([tf.zeros(each.shape) for each in trained]).graph
    kinds = {each.type for each in graph.get_operations() if "ResourceApply" in each.type}
    assert kinds == ({kernel} if kernel else set())


@pytest.mark.parametrize(
    ("name", "options", "dtype", "sparse"),
    [
        ("Adam", {"amsgrad": True}, "float32", False),
        ("Adam", {}, "float32", True),
        ("Adam", {}, "float16", False),
        ("SGD", {"momentum": 0.9}, "float32", True),
        ("SGD", {"momentum": 0.9}, "bfloat16", False),
    ],
)
def test_what_the_kernels_do_not_do_is_keras_own(name, options, dtype, sparse):
    stock = getattr(keras.optimizers, name)
    gradient = tf.cast([[1.0, 2.0], [0.0, 3.0]], dtype)
    gradient = tf.IndexedSlices(gradient, [2, 0], [3, 2]) if sparse else gradient
    results, kinds = [], []
    for make in (stock, with_fast_updates(stock)):
        weight = keras.Variable(np.ones((3 if sparse else 2, 2)), dtype=dtype)
        optimizer = make(RATE, **options)
        optimizer.build([weight])
        step = tf.function(lambda optimizer=optimizer: optimizer.apply([gradient]))
        operations = step.get_concrete_function().graph.get_operations()
        kinds.append({each.type for each in operations})
        for _ in range(STEPS):
            step()
        results.append(weight.numpy())
    assert not any("ResourceApply" in kind for kind in kinds[1])
    np.testing.assert_array_equal(*results)


def test_coupled_decay_comes_after_the_clipping():
    """As in PyTorch, where the norm is clipped before `step` adds the decay."""
    norms = [np.sqrt(sum((value**2).sum() for value in values)) for values in gradients()]
    assert min(norms) > 0.5
    expected = variables()[0].numpy()
    for (gradient, _), norm in zip(gradients(), norms, strict=True):
        expected = expected - RATE * (gradient * 0.5 / norm + DECAY * expected)
    optimizer = make_optimizer(
        "sgd", RATE, momentum=0.0, weight_decay=DECAY, decay="coupled", clip_norm=0.5
    )
    np.testing.assert_allclose(after(optimizer)[0], expected, rtol=1e-5)


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop"])
def test_decoupled_decay_shrinks_weights_beside_the_gradient(name, everything):
    """Without a gradient each step is a factor, whatever the optimizer."""
    optimizer = make_optimizer(name, RATE, weight_decay=DECAY, decay_everything=everything)
    trained = variables()
    for _ in range(STEPS):
        optimizer.apply([keras.ops.zeros(variable.shape) for variable in trained], trained)
    for variable, before in zip(trained, variables(), strict=True):
        decays = everything or variable.name == "kernel"
        factor = (1 - RATE * DECAY) ** STEPS if decays else 1.0
        np.testing.assert_allclose(variable.numpy(), factor * before.numpy(), rtol=1e-5)


def test_decay_spares_the_biases_and_batch_norms_of_a_model():
    """By their own names: a layer's name must not matter."""
    model = keras.Sequential(
        [
            keras.Input((4, 4, 2)),
            keras.layers.Conv2D(3, 3, name="bias_conv"),
            keras.layers.BatchNormalization(name="gamma_bn"),
            keras.layers.Flatten(),
            keras.layers.Dense(2, name="beta"),
        ]
    )
    for decay in ("coupled", "decoupled"):
        optimizer = make_optimizer("sgd", 0.1, momentum=0.0, weight_decay=0.5, decay=decay)
        for variable in model.trainable_variables:
            variable.assign(keras.ops.ones(variable.shape))
        optimizer.apply(
            [keras.ops.zeros(variable.shape) for variable in model.trainable_variables],
            model.trainable_variables,
        )
        for variable in model.trainable_variables:
            expected = 0.95 if variable.name == "kernel" else 1.0
            np.testing.assert_allclose(variable.numpy(), expected, err_msg=variable.path)


def test_decay_leaves_the_loss_alone_and_files_stock(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="logits")])
    optimizer = make_optimizer("sgd", 0.1, weight_decay=10.0, decay="coupled")
    model.compile(optimizer, "mse")
    images, truth = np.ones((4, 3)), np.zeros((4, 2))
    plain = float(np.mean(model.predict(images, verbose=0) ** 2))
    assert model.evaluate(images, truth, verbose=0) == pytest.approx(plain, rel=1e-5)
    assert model.fit(images, truth, verbose=0).history["loss"][0] == pytest.approx(plain, rel=1e-5)
    model.save(tmp_path / "checkpoint.keras")
    loaded = keras.models.load_model(tmp_path / "checkpoint.keras").optimizer
    assert type(loaded) is keras.optimizers.SGD
    for variable, before in zip(loaded.variables, optimizer.variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), before.numpy())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sdg", {}, "Did you mean 'sgd'"),
        ("sgd", {"decay": "copled"}, "Did you mean 'coupled'"),
        ("adamw", {"weight_decay": 0.1, "decay": "coupled"}, "take 'adam'"),
        ("adam", {"momentum": 0.9}, "momentum belongs to 'sgd', 'muon' and 'rmsprop'"),
        ("rmsprop", {"nesterov": True}, "nesterov belongs to 'sgd'"),
        ("adam", {"norm_bias_rate": 64.0}, "norm_bias_rate belongs to 'sgd' and 'muon'"),
        ("sgd", {"muon": Muon()}, "muon belongs to 'muon'. Received: optimizer='sgd'"),
        ("muon", {"momentum": 0.0}, "Muon needs a momentum above 0"),
        ("muon", {"weight_decay": 0.1, "decay": "coupled"}, "Muon's decay is decoupled"),
        ("sgd", {"momentum": 0.0, "nesterov": True}, "needs a momentum"),
        ("sgd", {"momentum": 1.0}, "momentum=1.0"),
        ("sgd", {"weight_decay": -1e-4}, "weight_decay=-0.0001"),
        ("sgd", {"clip_norm": 0.0}, "clip_norm=0.0"),
        ("sgd", {"ema": 1.0}, "ema=1.0"),
    ],
)
def test_what_means_nothing_is_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        make_optimizer(name, 0.1, **options)
