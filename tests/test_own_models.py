"""Models of the user's own, of every kind that Keras has: they work, or one line says why not."""

import keras
import numpy as np
import pytest

import kcnn
from kcnn.arithmetic import model_arithmetic
from kcnn.explain.layers import spatial_layer
from kcnn.explain.paths import on_every_path
from kcnn.explain.trace import recorded
from kcnn.export import export_tflite
from kcnn.models import select_output
from kcnn.models.files import load

L = keras.layers


@pytest.fixture(scope="module")
def digits():
    return kcnn.data.load("digits", limit=100, batch_size=25, augment="none")


def layers():
    conv = L.Conv2D(4, 3, strides=4, activation="relu", name="conv")
    pool = L.GlobalAveragePooling2D(name="pool")
    return [L.Rescaling(1 / 255), conv, pool, L.Dense(10, name="kind")]


def pixels(count=4, size=32):
    images = np.random.default_rng(0).integers(0, 256, (count, size, size, 3))
    return images.astype("uint8")


class Own(keras.Model):
    """A model of the user's own class, with a batch norm and a dropout that know `training`."""

    def __init__(self, end=None):
        super().__init__()
        self.body = layers()
        self.norm, self.drop, self.end = L.BatchNormalization(), L.Dropout(0.5), end

    def call(self, x, training=None):
        for layer in self.body[:2]:
            x = layer(x)
        x = self.drop(self.norm(x, training=training), training=training)
        for layer in self.body[2:]:
            x = layer(x)
        return x if self.end is None else self.end(x)


class Pair(keras.Model):
    """Two outputs, which no graph shows."""

    def __init__(self):
        super().__init__()
        self.body = keras.Sequential(layers())

    def call(self, x):
        kind = self.body(x)
        return {"kind": kind, "sum": keras.ops.sum(kind, axis=-1, keepdims=True)}


def two_outputs(kind=list):
    image = keras.Input((32, 32, 3))
    x = image
    for layer in layers()[:-1]:
        x = layer(x)
    ends = {name: L.Dense(units, name=name)(x) for name, units in (("box", 4), ("kind", 10))}
    return keras.Model(image, ends if kind is dict else [*ends.values()], name="two")


def two_inputs():
    image, more = keras.Input((32, 32, 3), name="image"), keras.Input((2,), name="more")
    x = image
    for layer in layers()[:-1]:
        x = layer(x)
    return keras.Model([image, more], L.Dense(10)(L.Concatenate()([x, more])), name="both")


def nested():
    image = keras.Input((32, 32, 3))
    body = keras.Sequential([keras.Input((32, 32, 3)), *layers()[:2]], name="body")
    head = keras.Sequential(layers()[2:], name="head")
    return keras.Model(image, head(body(image)))


TRAINED = {
    "Sequential without Input": lambda: keras.Sequential(layers()),
    "class of one's own": Own,
    "nested": nested,
    "one of two outputs": lambda: select_output(two_outputs(), "kind"),
    "one of a dictionary": lambda: select_output(two_outputs(dict), "kind"),
}


@pytest.mark.parametrize("name", TRAINED)
def test_models_of_every_kind_are_trained_scored_and_explained(name, digits, tmp_path):
    keras.utils.set_random_seed(0)
    model = TRAINED[name]()
    result = kcnn.train(model, digits, epochs=2, learning_rate=1e-2, run_dir=tmp_path)
    losses = result.history["loss"]
    assert result.model is model and losses[1] < losses[0]
    found = kcnn.evaluate(model, digits.validation)
    assert found.loss == pytest.approx(min(result.history["val_loss"]), rel=1e-4)
    np.testing.assert_allclose(
        kcnn.predict(model, pixels()).probabilities.sum(axis=1), 1, rtol=1e-5
    )
    assert kcnn.grad_cam(model, pixels(), 3).raw.shape == (4, 8, 8)


def test_a_chosen_output_trains_the_layers_of_the_whole(digits):
    whole = two_outputs()
    before = [weight.numpy().copy() for weight in whole.get_layer("conv").weights]
    box = whole.get_layer("box").get_weights()
    kcnn.train(select_output(whole, "kind"), digits, epochs=1)
    changed = [weight.numpy() for weight in whole.get_layer("conv").weights]
    assert not np.array_equal(changed[0], before[0])
    for now, then in zip(whole.get_layer("box").get_weights(), box, strict=True):
        np.testing.assert_array_equal(now, then)
    with pytest.raises(ValueError, match="Unknown output 'kinds'. Did you mean 'kind'"):
        select_output(whole, "kinds")
    with pytest.raises(ValueError, match="has no outputs to choose from: use it as it is"):
        select_output(keras.Sequential([keras.Input((4,)), L.Dense(2)]), "kind")


def doors(model, digits, folder):
    """Everything that takes a model, by name."""
    return {
        "training": lambda: kcnn.train(model, digits, epochs=1),
        "teacher": lambda: kcnn.distill(nested(), model, digits, epochs=1),
        "pruning": lambda: kcnn.prune(model, digits, epochs=1, engine="keras"),
        "tfmot": lambda: kcnn.prune(model, digits, epochs=1),
        "evaluation": lambda: kcnn.evaluate(model, digits.validation),
        "prediction": lambda: kcnn.predict(model, pixels()),
        "heat map": lambda: kcnn.grad_cam(model, pixels()),
        "export": lambda: export_tflite(model, folder / "model.tflite", quantization="none"),
    }


@pytest.mark.parametrize("kind", [list, dict])
@pytest.mark.parametrize("door", doors(None, None, None))
def test_several_outputs_are_refused_with_the_way_to_choose(door, kind, digits, tmp_path):
    with pytest.raises(
        ValueError, match=r"one output. .* box, kind. .*select_output\(model, 'b"
    ) as error:
        doors(two_outputs(kind), digits, tmp_path)[door]()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("door", doors(None, None, None))
def test_several_inputs_are_refused_by_name(door, digits, tmp_path):
    with pytest.raises(ValueError, match=r"one input.* 'both' with 2 inputs \(image, more\)"):
        doors(two_inputs(), digits, tmp_path)[door]()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Pair, "one output .N, classes. from its call"),
        (lambda: "model.keras", "must be a Keras 3 model; kcnn.models.load .* Received: str"),
        (lambda: Own(L.Softmax()), "must end in logits, but its answers are probabilities"),
        (lambda: Own(L.Dense(7)), "has 7 outputs, the data has 10 classes"),
        (lambda: keras.Sequential([L.Flatten(), L.Conv2D(3, 3)]), "cannot be called on images"),
        (lambda: keras.Sequential([L.Flatten(), L.Dense(7)]), "has 7 outputs"),
        (
            lambda: keras.Sequential([keras.Input((32, 32, 3)), L.Conv2D(10, 3)]),
            r"one logit for each class.* end it with Flatten .* \(None, 30, 30, 10\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_training(make, message, digits):
    with pytest.raises(ValueError, match=message) as caught:
        kcnn.train(make(), digits, epochs=1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("door", ["pruning", "tfmot", "export"])
def test_what_needs_a_graph_says_how_to_make_one(door, digits, tmp_path):
    model = Own()
    model(pixels().astype("float32"))
    with pytest.raises(ValueError, match=r"keras.Model\(image, model.call\(image\)\)") as caught:
        doors(model, digits, tmp_path)[door]()
    assert "\n" not in str(caught.value)
    image = keras.Input((32, 32, 3))
    graph = keras.Model(image, model.call(image))  # as the message says
    np.testing.assert_allclose(
        graph(pixels().astype("float32")), model(pixels().astype("float32")), rtol=1e-5
    )
    kcnn.prune(graph, digits, sparsity=0.5, epochs=1, engine="keras")


def test_what_needs_tensorflow_says_so_on_other_backends(digits, tmp_path, monkeypatch):
    model = nested()
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    calls = doors(model, digits, tmp_path)
    for door in ("training", "heat map", "export"):
        with pytest.raises(ValueError, match="KERAS_BACKEND=tensorflow") as caught:
            calls[door]()
        assert "\n" not in str(caught.value)


def test_a_nested_model_is_pruned_as_one_model(digits):
    model = nested()
    flat = kcnn.models.flatten(model)
    batch = pixels().astype("float32")
    np.testing.assert_allclose(flat(batch), model(batch), rtol=1e-5, atol=1e-6)
    pruned = kcnn.prune(model, digits, sparsity=0.5, epochs=1, engine="keras")
    assert pruned.layer_sparsity["conv"] == pytest.approx(0.5, abs=0.01)


# Files


def test_other_formats_say_how_to_convert_them(tmp_path):
    model = keras.Sequential([keras.Input((8, 8, 3)), L.Flatten(), L.Dense(2)])
    model.save_weights(tmp_path / "m.weights.h5")
    model.export(tmp_path / "saved", verbose=False)
    (tmp_path / "m.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (tmp_path / "m.pt").write_bytes(b"PK")
    for name, message in {
        "m.h5": r"load_model\('m.h5', compile=False\).save\('m.keras'\)",
        "m.weights.h5": r"weights alone. .*load_weights\('m.weights.h5'\)",
        "saved": r"is a SavedModel.*model.save\('model.keras'\)",
        "saved/model.keras": "is a SavedModel",
        "m.pt": "a file of PyTorch",
    }.items():
        with pytest.raises(ValueError, match=message) as caught:
            load(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="is a SavedModel"):
        kcnn.predict(tmp_path / "saved", pixels(size=8))


@keras.saving.register_keras_serializable("test_own_models")
class Doubled(keras.layers.Layer):
    """A layer of the user's own."""

    def call(self, x):
        return 2 * x


def test_layers_that_need_code_say_what_to_do(tmp_path):
    for name, layer in (("lambda", L.Lambda(lambda x: 2 * x)), ("own", Doubled())):
        model = keras.Sequential([keras.Input((8, 8, 3)), layer, L.Flatten(), L.Dense(2)])
        model.save(tmp_path / f"{name}.keras")
    with pytest.raises(ValueError, match="has a Lambda layer.*safe_mode=False") as caught:
        load(tmp_path / "lambda.keras")
    assert "\n" not in str(caught.value)
    registered = keras.saving.get_custom_objects()
    kept = registered.pop("test_own_models>Doubled")
    try:
        with pytest.raises(ValueError, match="its class 'Doubled' is not known. Import"):
            load(tmp_path / "own.keras")
    finally:
        registered["test_own_models>Doubled"] = kept
    assert load(tmp_path / "own.keras").layers[0].name == model.layers[0].name


# Layers


def adaptive(kind=L.AdaptiveAveragePooling2D):
    image = keras.Input((32, 32, 3))
    x = L.Conv2D(8, 3, activation="relu", name="first")(L.Rescaling(1 / 255)(image))
    x = kind(10, name="adaptive")(x)  # of 30: windows of 3
    x = L.Conv2D(8, 3, activation="relu", name="second")(x)
    return keras.Model(image, L.Dense(10)(L.GlobalAveragePooling2D()(x)))


@pytest.mark.parametrize("kind", [L.AdaptiveAveragePooling2D, L.AdaptiveMaxPooling2D])
def test_adaptive_pooling_is_a_pooling(kind, digits, tmp_path):
    keras.utils.set_random_seed(0)
    model = adaptive(kind)
    assert model_arithmetic(model).receptive_field == (11, 11)
    pruned = kcnn.prune(model, digits, sparsity=0.5, epochs=1, engine="keras").model
    slim = kcnn.slim(pruned, macs=0.6, multiple_of=2).model
    assert slim.get_layer("second").filters < 8 or slim.get_layer("first").filters < 8
    images = pixels(20)
    for quantization in ("none", "int8"):
        path = tmp_path / f"{quantization}.tflite"
        options = {"calibration": images} if quantization == "int8" else {}
        export_tflite(slim, path, quantization=quantization, **options)
        expected = np.asarray(slim(images.astype("float32")))
        atol = 1e-4 if quantization == "none" else 0.25 * np.abs(expected).max()
        np.testing.assert_allclose(kcnn.TFLiteClassifier(path)(images), expected, atol=atol)
    with pytest.raises(ValueError, match="'adaptive' .*cannot be rebuilt in Keras 2"):
        kcnn.prune(model, digits, epochs=1)


def test_uneven_adaptive_windows_are_the_largest():
    image = keras.Input((11, 10, 3))
    model = keras.Model(image, L.AdaptiveMaxPooling2D((4, 3))(L.Conv2D(2, 1)(image)))
    # Of 11 in 4 parts: [0, 3), [2, 6), [5, 9), [8, 11); of 10 in 3: [0, 4), [3, 7), [6, 10).
    assert model_arithmetic(model).receptive_field == (4, 4)


def test_a_spatial_layer_that_is_not_known_is_named():
    image = keras.Input((32, 32, 3))
    x = L.Resizing(16, 16, name="smaller")(L.Conv2D(4, 3)(image))
    model = keras.Model(image, L.Conv2D(4, 3)(x))
    with pytest.raises(ValueError, match=r"behind layer 'smaller' \(Resizing\) is not known"):
        model_arithmetic(model)


def branches(*, joined):
    image = keras.Input((16, 16, 3))
    x = L.Conv2D(4, 3, padding="same", activation="relu", name="stem")(image)
    left, right = (
        L.Conv2D(4, 3, padding="same", activation="relu", name=name)(x)
        for name in ("left", "right")
    )
    if joined:
        x = L.Concatenate(name="both")([left, right])
        return keras.Model(image, L.Dense(3)(L.GlobalAveragePooling2D()(x)))
    means = [L.GlobalAveragePooling2D()(each) for each in (left, right)]
    return keras.Model(image, L.Dense(3)(L.Concatenate()(means)))


@pytest.mark.parametrize(("joined", "expected"), [(True, "both"), (False, "stem")])
def test_the_default_map_is_one_that_every_path_passes(joined, expected):
    model = branches(joined=joined)
    assert kcnn.grad_cam(model, pixels(2, 16)).layer == expected
    inside = keras.Sequential([keras.Input((16, 16, 3)), model])
    assert kcnn.grad_cam(inside, pixels(2, 16)).layer == f"{model.name}/{expected}"
    assert kcnn.grad_cam(model, pixels(2, 16), layer="left").layer == "left"


def test_two_towers_have_no_common_map(caplog):
    image = keras.Input((16, 16, 3))
    towers = [L.GlobalAveragePooling2D()(L.Conv2D(4, 3, name=name)(image)) for name in ("a", "b")]
    model = keras.Model(image, L.Dense(3)(L.Concatenate()(towers)))
    layer = kcnn.grad_cam(model, pixels(2, 16)).layer
    assert layer in ("a", "b")
    assert f"Layer {layer!r}, the last one, shows the evidence of its own" in caplog.text


def test_a_model_without_a_graph_keeps_the_last_map():
    model = Own()
    batch = pixels().astype("float32")
    model(batch)
    assert on_every_path(model) is None
    with recorded(model) as calls:
        model(batch)
    assert spatial_layer(calls, passed=None) in calls


# Series and voxels


@pytest.mark.parametrize("shape", [(64, 6), (8, 8, 8, 1)])
def test_images_are_needed_where_only_they_make_sense(shape):
    model = kcnn.models.simple_cnn(shape, 3)
    batch = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    with pytest.raises(ValueError, match=f"{shape[0]}, {shape[1]}") as caught:
        kcnn.predict(model, batch)
    assert "\n" not in str(caught.value)


def test_images_of_another_size_are_not_scored():
    model = keras.Sequential([keras.Input((16, 16, 3)), L.GlobalAveragePooling2D(), L.Dense(2)])
    images, labels = np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 1, 0, 1])
    with pytest.raises(ValueError, match=r"of shape \(16, 16, 3\).*image_size=\(16, 16"):
        kcnn.evaluate(model, (images, labels))
