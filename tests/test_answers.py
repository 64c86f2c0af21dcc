"""Probability or logit: decided once, by the graph or by the numbers, whoever asks."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_models import LAYERS, gap_model, images, signed_cam

import kcnn
from kcnn.answers import UNKNOWN, Logits, as_logits, as_probabilities, decide
from kcnn.bundle.reading import threshold_of
from kcnn.explain import tflite_cam
from kcnn.explain.checks import check
from kcnn.export import export_tflite
from kcnn.litert.final_activation import final_activation as activation_of_file
from kcnn.models.final_activation import final_activation

CLASSES = 5


def with_end(*layers, units=CLASSES):
    """The same logits in every model, and what is given after them."""
    plain = gap_model(classes=units)
    x = plain.outputs[0]
    for layer in layers:
        x = layer(x)
    return keras.Model(plain.inputs[0], x)


def with_activation(activation):
    return gap_model(LAYERS.Dense(CLASSES, activation=activation, name="logits"))


@keras.saving.register_keras_serializable("test_answers")
class Head(keras.layers.Layer):
    """A layer of the user's own, whose end the graph does not show."""

    def call(self, x):
        return keras.ops.softmax(x)


class Own(keras.Model):
    """A model of the user's own class."""

    def __init__(self, end):
        super().__init__()
        self.body, self.end = gap_model(), end

    def call(self, x):
        return self.end(self.body(x))


def nested_head():
    head = keras.Sequential([LAYERS.Dropout(0.5), LAYERS.Activation("softmax")], name="head")
    return with_end(head)


def own(end):
    model = Own(end)
    model(images(2).astype("float32"))
    return model


SOFTMAX = {
    "activation of a layer": lambda: with_activation("softmax"),
    "a function of TensorFlow": lambda: with_activation(tf.nn.softmax),
    "Softmax layer": lambda: with_end(LAYERS.Softmax()),
    "Activation layer": lambda: with_end(LAYERS.Activation("softmax")),
    "keras.ops": lambda: with_end(keras.ops.softmax),
    "nested head": nested_head,
    "then linear": lambda: with_end(LAYERS.Softmax(), LAYERS.Activation("linear")),
    "then a cast": lambda: with_end(keras.ops.softmax, lambda x: keras.ops.cast(x, "float32")),
    "then a reshape": lambda: with_end(LAYERS.Softmax(), LAYERS.Reshape((CLASSES,))),
    "by hand": lambda: with_end(
        keras.ops.exp, lambda x: x / keras.ops.sum(x, axis=-1, keepdims=True)
    ),
    "layer of one's own": lambda: with_end(Head()),
    "class of one's own": lambda: own(LAYERS.Softmax()),
}
BY_VALUE = ("by hand", "layer of one's own", "class of one's own")
every_softmax = pytest.mark.parametrize("name", SOFTMAX)


def labelled(count=40):
    labels = np.random.default_rng(3).integers(0, CLASSES, count).astype("int32")
    return tf.data.Dataset.from_tensor_slices((images(count), labels)).batch(16)


@every_softmax
def test_a_softmax_is_scored_as_keras_scores_it(name):
    model, data = SOFTMAX[name](), labelled()
    expected = kcnn.evaluate(lambda batch: gap_model()(batch.astype("float32")).numpy(), data)
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    loss, accuracy = model.evaluate(data, verbose=0)
    found = kcnn.evaluate(model, data)
    assert found.loss == pytest.approx(loss, rel=1e-4)
    assert found.accuracy == pytest.approx(accuracy)
    assert found.loss == pytest.approx(expected.loss, rel=1e-4)
    np.testing.assert_allclose(
        kcnn.predict(model, images()).probabilities,
        kcnn.predict(gap_model(), images()).probabilities,
        rtol=1e-4,
    )
    assert final_activation(model) == (UNKNOWN if name in BY_VALUE else "softmax")


@pytest.mark.parametrize("name", ["keras.ops", "nested head", "then a cast", *BY_VALUE])
def test_no_softmax_of_a_softmax_is_trained(name):
    data = kcnn.data.load("digits", limit=40, batch_size=20, augment="none")
    body = SOFTMAX[name]()
    model = keras.Sequential([keras.Input((32, 32, 3)), LAYERS.Resizing(12, 12), body])
    data = dataclasses.replace(data, class_names=tuple("abcde"))
    with pytest.raises(ValueError, match="must end in logits, but its .* softmax"):
        kcnn.train(model, data, epochs=1)
    teacher, student = model, gap_model()
    with pytest.raises(ValueError, match="must end in logits, but its .* softmax"):
        kcnn.distill(
            keras.Sequential([keras.Input((32, 32, 3)), LAYERS.Resizing(12, 12), student]),
            teacher,
            data,
            epochs=1,
        )


@pytest.mark.parametrize("name", ["keras.ops", "nested head", "then linear", "by hand"])
def test_an_exported_softmax_is_applied_once(name, tmp_path):
    model, data = SOFTMAX[name](), labelled()
    expected = kcnn.evaluate(gap_model(), data)
    for asked in (False, True):
        path = tmp_path / f"{asked}.tflite"
        result = export_tflite(model, path, quantization="none", softmax=asked)
        assert result.output.name == "probabilities"
        assert kcnn.evaluate(path, data).loss == pytest.approx(expected.loss, rel=1e-4)
        answers = kcnn.TFLiteClassifier(path)(images())
        np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("quantization", ["int8", "none"])
def test_kcnns_own_softmax_file_is_scored_like_its_logits(tmp_path, quantization):
    options = {"calibration": images(40)} if quantization == "int8" else {}
    losses = []
    for softmax in (False, True):
        path = tmp_path / f"{softmax}.tflite"
        export_tflite(gap_model(), path, quantization=quantization, softmax=softmax, **options)
        losses.append(kcnn.evaluate(path, labelled()).loss)
    assert losses[1] == pytest.approx(losses[0], rel=2e-2 if quantization == "int8" else 1e-4)


def test_an_int8_probability_of_zero_is_not_impossible(tmp_path):
    model = gap_model(LAYERS.Dense(CLASSES, activation="softmax", name="logits"))
    model.get_layer("logits").bias.assign([0, 0, 0, 0, 40])
    export_tflite(model, tmp_path / "model.tflite", calibration=images(40))
    loss = kcnn.evaluate(tmp_path / "model.tflite", labelled()).loss
    assert loss <= np.log(512)  # half a step of 1/256 stands for what was rounded to 0


def test_agreement_compares_probabilities_where_one_side_has_no_logits():
    softmax = gap_model(LAYERS.Dense(CLASSES, activation="softmax", name="logits"))
    found = kcnn.evaluation.agreement(softmax, gap_model(), labelled())
    assert found.share == 1 and found.largest_difference < 1e-5


# One unit


def one_unit(kind):
    """Models of the same logit: without sigmoid, with one, with one as an operation."""
    if kind == "sigmoid":
        model = gap_model(LAYERS.Dense(1, activation="sigmoid", name="logits"))
    else:
        model = with_end(*([] if kind == "logit" else [keras.ops.sigmoid]), units=1)
    kernel, bias = model.get_layer("logits").weights
    means = keras.Model(model.inputs[0], model.get_layer("gap").output)(images(40), training=False)
    kernel.assign(100 * kernel)
    bias.assign(-np.mean(means @ kernel, axis=0))  # so that either class is predicted
    return model


@pytest.mark.parametrize("kind", ["logit", "sigmoid", "operation"])
def test_one_unit_stands_for_two_classes(kind, tmp_path):
    model, batch = one_unit(kind), images(40)
    logit = np.asarray(one_unit("logit")(batch.astype("float32")), np.float64)[:, 0]
    assert (logit > 0).any() and (logit < 0).any()
    labels = (np.arange(40) % 2).astype("int32")
    data = tf.data.Dataset.from_tensor_slices((batch, labels)).batch(16)
    loss = np.mean(np.log1p(np.exp(np.where(labels == 1, -logit, logit))))
    options = {"quantization": "none", "softmax": True, "labels": ["no", "yes"]}
    export_tflite(model, tmp_path / "model.tflite", **options)
    assert kcnn.predict(tmp_path / "model.tflite", batch).class_names == ("no", "yes")
    for given in (model, tmp_path / "model.tflite"):
        found = kcnn.evaluate(given, data)
        assert found.loss == pytest.approx(loss, rel=1e-4)
        assert found.accuracy == np.mean((logit > 0) == labels)
        probabilities = kcnn.predict(given, batch).probabilities
        np.testing.assert_allclose(probabilities[:, 1], 1 / (1 + np.exp(-logit)), rtol=1e-4)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    heatmaps = kcnn.grad_cam(model, batch)
    np.testing.assert_array_equal(heatmaps.class_index, (logit > 0).astype(int))
    np.testing.assert_allclose(heatmaps.score, np.abs(logit), rtol=1e-3)
    for wanted, sign in ((0, -1), (1, 1)):
        expected = np.maximum(sign * signed_cam(model, batch, [0] * 40), 0)
        for method in ("gradcam", "cam"):
            received = kcnn.grad_cam(model, batch, wanted, method=method).raw
            np.testing.assert_allclose(received, expected, atol=1e-5 * expected.max())


def test_the_file_of_one_unit_is_explained_like_the_model(tmp_path):
    model, batch = one_unit("logit"), images()
    export_tflite(model, tmp_path / "model.tflite", quantization="none")
    found = tflite_cam(tmp_path / "model.tflite", batch)
    expected = kcnn.grad_cam(model, batch)
    np.testing.assert_array_equal(found.class_index, expected.class_index)
    np.testing.assert_allclose(found.raw, expected.raw, atol=1e-4 * expected.raw.max())


def test_one_unit_is_checked_with_its_own_probabilities():
    model, batch = one_unit("sigmoid"), images(8)
    found = check(model, batch, np.arange(8) % 2)
    shares = kcnn.predict(model, batch).probabilities.max(axis=1)  # of the predicted classes
    np.testing.assert_allclose(found.deletion.probability["own"][:, 0], shares, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:.*softmax over axis")
def test_a_softmax_over_one_unit_is_refused():
    model = gap_model(LAYERS.Dense(1, activation="softmax", name="logits"))
    for call in (lambda: kcnn.predict(model, images()), lambda: kcnn.evaluate(model, labelled())):
        with pytest.raises(ValueError, match="softmax to a single output, which is 1 for every"):
            call()


# The numbers


def test_logits_and_probabilities_are_two_sides():
    logits = np.random.default_rng(0).normal(0, 3, (6, 4))
    shares = as_probabilities(logits, None).astype(np.float64)
    for activation, answers in (("softmax", shares), ("log_softmax", np.log(shares))):
        assert decide(UNKNOWN, answers, step=2e-5) == activation
        again = as_probabilities(as_logits(answers, activation), None)
        np.testing.assert_allclose(again, shares, rtol=1e-5)
    sigmoids = 1 / (1 + np.exp(-logits))
    for activation, answers in (("sigmoid", sigmoids), ("log_sigmoid", np.log(sigmoids))):
        np.testing.assert_allclose(as_logits(answers, activation), logits, rtol=1e-6)
        np.testing.assert_allclose(as_probabilities(answers, activation), sigmoids, rtol=1e-5)
    assert decide(UNKNOWN, logits) is None and decide(None, shares) is None
    assert np.isfinite(as_logits(np.array([[0.0, 1.0]]), "softmax")).all()
    assert np.isfinite(as_logits(np.array([[0.0], [1.0]]), "sigmoid")).all()


def test_what_the_first_batch_tells_holds_for_all():
    rows = iter([np.array([[0.3, 0.7]]), np.array([[0.0, 0.9]])])
    logits = Logits(lambda _: next(rows), UNKNOWN)
    np.testing.assert_allclose(logits(np.zeros(1)), np.log([[0.3, 0.7]]))
    assert logits.activation == "softmax"
    assert np.isfinite(logits(np.zeros(1))).all()
    with pytest.raises(ValueError, match=r"one output .*Received: \(2, 3\) and \(2, 4\)"):
        Logits(lambda _: [np.zeros((2, 3)), np.zeros((2, 4))], None)(np.zeros(2))


@keras.saving.register_keras_serializable("test_answers")
class Hidden(keras.layers.Layer):
    """A layer of the user's own, which applies an operation of `keras.ops`."""

    def __init__(self, operation, **options):
        super().__init__(**options)
        self.operation = operation

    def call(self, x):
        return getattr(keras.ops, self.operation)(x)

    def get_config(self):
        return {**super().get_config(), "operation": self.operation}


def sigmoid_heads(x):
    return LAYERS.Concatenate()([LAYERS.Dense(1, activation="sigmoid")(x) for _ in range(3)])


def test_numbers_that_may_be_either_are_warned_of(caplog):
    data = (images(20), np.arange(20) % 5)
    hidden, plain = (with_end(Hidden(each)) for each in ("hard_sigmoid", "negative"))
    for use in (lambda m: kcnn.evaluate(m, data), lambda m: kcnn.predict(m, images(20))):
        use(plain)
        assert "0 and 1" not in caplog.text
        use(hidden)
        assert caplog.text.count("answers of the model to these images lie between 0 and 1") == 1
        caplog.clear()
    known = kcnn.data.from_arrays(*data, batch_size=5, validation=0.25, augment="none")
    kcnn.train(hidden, known, epochs=1)
    assert caplog.text.count("they are read as logits") == 1


SIGMOIDS = {
    "a head for each class": sigmoid_heads,
    "clipped": lambda x: keras.ops.clip(keras.ops.sigmoid(x), 0.01, 0.99),
    "an average": lambda x: LAYERS.Average()([keras.ops.sigmoid(x), keras.ops.sigmoid(2 * x)]),
    "a hard sigmoid": LAYERS.Activation("hard_sigmoid"),
    "hidden": lambda x: Hidden("sigmoid")(x),
}


@pytest.mark.parametrize("name", SIGMOIDS)
def test_classes_that_do_not_exclude_each_other_are_probabilities(name, tmp_path):
    model = with_end(SIGMOIDS[name])
    assert final_activation(model) == (UNKNOWN if name == "hidden" else "sigmoid")
    path = tmp_path / "model.tflite"
    quantization = "float16" if name == "an average" else "int8"
    result = export_tflite(model, path, calibration=images(16), quantization=quantization)
    data = path.read_bytes()
    assert (result.output.name, activation_of_file(data)) == ("probabilities", "sigmoid")
    assert (
        threshold_of(data, model.output_shape[1], None) == 0.5
    )  # a bundle predicts each class on its own
    expected = np.asarray(model(images(8).astype("float32")))
    assert kcnn.predict(path, images(8)).probabilities == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("name", ["half", "batch norm", "average", "softmax average"])
def test_operations_on_logits_leave_them_logits_and_on_softmax_probabilities(name, tmp_path):
    ends = {
        "half": lambda x: x / 2.0,
        "batch norm": LAYERS.BatchNormalization(),
        "average": lambda x: LAYERS.Average()([x, LAYERS.Dense(CLASSES)(x)]),
        "softmax average": lambda x: LAYERS.Average()([keras.ops.softmax(x)] * 2),
    }
    model = with_end(ends[name])
    expected = "softmax" if name == "softmax average" else None
    export_tflite(model, tmp_path / "model.tflite", calibration=images(16))
    found = activation_of_file((tmp_path / "model.tflite").read_bytes())
    assert (final_activation(model), found) == (expected, expected)


def test_numbers_from_0_to_1_of_which_nothing_tells_what_they_are_are_refused(tmp_path):
    shown = [lambda x: keras.ops.abs(x) * -1.0, Hidden("exp")]
    model, path = with_end(*shown), tmp_path / "model.tflite"
    for options in ({}, {"softmax": True}):
        with pytest.raises(ValueError, match=r'"sigmoid"\) for classes .*Dense\(5, use_bias=Fal'):
            export_tflite(model, path, calibration=images(16), **options)
    identity = LAYERS.Dense(CLASSES, use_bias=False, kernel_initializer="identity")
    result = export_tflite(with_end(*shown, identity), path, calibration=images(16))
    assert result.output.name == "logits"
