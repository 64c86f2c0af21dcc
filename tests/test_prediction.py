"""kcnn.predict: photographs, arrays, models and files of all kinds to named probabilities."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from small_models import LAYERS, gap_model, images, mean_color_model, snapshot

import kcnn
from kcnn.answers import UNKNOWN
from kcnn.export import export_tflite
from kcnn.models.final_activation import final_activation
from kcnn.prediction import Predictions, predict
from kcnn.prediction.photographs import shown_size

RUN = Path(__file__).parent.parent / "saved_models" / "simple_cnn"
NAMES = ["red", "green", "blue"]
RED_GREEN = np.array([[255, 0, 102], [0, 51, 255]], np.uint8)[:, None, None]
PIXELS = np.ascontiguousarray(np.broadcast_to(RED_GREEN, (2, 8, 8, 3)))
LOGITS = PIXELS[:, 0, 0] * (6 / 255)


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def nested(model):
    image = keras.Input((8, 8, 3))
    return keras.Model(image, LAYERS.Dropout(0.5)(model(image)))


def with_layer(layer):
    bare = mean_color_model(None)
    return keras.Model(bare.inputs[0], layer(bare.outputs[0]))


def subclassed(ending):
    class Whole(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = mean_color_model(None)
            self.end = LAYERS.Activation(ending)

        def call(self, image):
            return self.end(self.inner(image))

    model = Whole()
    model(PIXELS.astype("float32"))
    return model


@pytest.mark.parametrize(
    ("model", "squash"),
    [
        (lambda: mean_color_model(None), softmax),
        (lambda: mean_color_model("softmax"), softmax),
        (lambda: mean_color_model("log_softmax"), softmax),
        (lambda: mean_color_model("sigmoid"), sigmoid),
        (lambda: mean_color_model("log_sigmoid"), sigmoid),
        (lambda: mean_color_model(tf.nn.softmax), softmax),
        (lambda: with_layer(LAYERS.Softmax()), softmax),
        (lambda: with_layer(LAYERS.Activation("sigmoid")), sigmoid),
        (lambda: with_layer(keras.ops.softmax), softmax),
        (lambda: with_layer(keras.ops.log_softmax), softmax),
        (lambda: nested(mean_color_model("softmax")), softmax),
        (lambda: nested(mean_color_model(None)), softmax),
        (lambda: subclassed("linear"), softmax),
        (lambda: subclassed("softmax"), softmax),
        (lambda: subclassed("sigmoid"), sigmoid),
    ],
)
def test_scores_are_squashed_exactly_once(model, squash):
    found = predict(model(), PIXELS)
    np.testing.assert_allclose(found.probabilities, squash(LOGITS), rtol=1e-5)
    assert found.probabilities.dtype == np.float32


def test_what_no_class_speaks_for_is_no_certainty():
    model, pixels = mean_color_model("sigmoid"), np.full((1, 8, 8, 3), 255, np.uint8)
    kernel = model.layers[-1].kernel
    kernel.assign(kernel * -1e4)  # every sigmoid is 0, as the logarithm of a certainty would be
    np.testing.assert_array_equal(predict(model, pixels).probabilities, np.zeros((1, 3)))
    model.layers[-1].activation = keras.activations.log_sigmoid
    kernel.assign(kernel * -1)
    np.testing.assert_array_equal(predict(model, pixels).probabilities, np.ones((1, 3)))


def test_logits_near_zero_and_in_half_precision_are_squashed():
    layers = [LAYERS.GlobalAveragePooling2D(), LAYERS.Dense(3)]
    half = [type(each).from_config(each.get_config() | {"dtype": "bfloat16"}) for each in layers]
    model = keras.Sequential([keras.Input((8, 8, 3)), *half])
    model.layers[-1].kernel.assign(np.eye(3) / 300)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
    assert np.all(predict(model, pixels).probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5))


def test_a_single_score_is_squashed_by_the_sigmoid_to_the_second_of_two_classes():
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, LAYERS.Dense(1)(LAYERS.GlobalAveragePooling2D()(image)))
    model.layers[-1].set_weights([np.full((3, 1), 0.01), np.zeros(1)])
    expected = sigmoid(0.01 * PIXELS[:, 0, 0].sum(axis=1, keepdims=True, dtype=float))
    found = predict(model, PIXELS, class_names=["no", "yes"]).probabilities
    np.testing.assert_allclose(found, np.concatenate([1 - expected, expected], axis=1), rtol=1e-5)


def test_probabilities_that_no_softmax_of_keras_made_are_known_by_their_numbers():
    shares = with_layer(LAYERS.Lambda(lambda x: x / keras.ops.sum(x, axis=-1, keepdims=True)))
    expected = LOGITS / LOGITS.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(predict(shares, PIXELS).probabilities, expected, rtol=1e-5)
    found = predict(subclassed("log_softmax"), PIXELS)
    np.testing.assert_allclose(found.probabilities, softmax(LOGITS), rtol=1e-5)


def test_scores_that_are_not_finite_are_refused():
    model = mean_color_model(None)
    model.layers[-1].kernel.assign(np.full((3, 3), np.nan))
    with pytest.raises(ValueError, match="scores are not finite"):
        predict(model, PIXELS)


def test_the_model_is_left_as_it_was_and_every_image_is_on_its_own():
    model, batch = gap_model(), images(70)
    before = snapshot(model)
    whole = predict(model, batch)
    assert snapshot(model) == before
    for n in (0, 63, 64, 69):
        alone = predict(model, batch[n])
        np.testing.assert_allclose(alone.probabilities[0], whole.probabilities[n], rtol=1e-5)
    np.testing.assert_array_equal(whole.class_index, model.predict_on_batch(batch).argmax(axis=1))
    np.testing.assert_array_equal(whole.images, batch)


def test_a_model_may_declare_its_image_in_a_dictionary():
    image = keras.Input((8, 8, 3), name="image")
    model = keras.Model({"image": image}, mean_color_model(None)(image))
    np.testing.assert_allclose(predict(model, PIXELS).probabilities, softmax(LOGITS), rtol=1e-5)


def test_rows_are_named_and_sorted_and_ties_keep_the_order_of_the_classes():
    probabilities = np.array([[0.2, 0.5, 0.2, 0.1], [0.1, 0.1, 0.1, 0.7]], "float32")
    found = Predictions(PIXELS, probabilities, ("a", "long", "c", "d"), ("x.png", "y.png"), 3)
    assert [row.class_name for row in found.top()[0]] == ["long", "a", "c"]
    assert found.top(1)[1] == (("d", pytest.approx(0.7), 3),)
    assert len(found) == 2 and len(found.top(99)[0]) == 4
    assert found.classes == ("long", "d")
    lines = str(found).splitlines()
    assert lines[:3] == ["x.png", "  long   50.00%", "  a      20.00%"] and lines[4] == "y.png"
    with pytest.raises(ValueError, match="count must be an integer of at least 1"):
        found.top(0)


def test_photographs_of_any_size_orientation_and_kind(tmp_path):
    wide = np.zeros((301, 907, 3), np.uint8)
    wide[..., 1] = 255  # a red middle between green sides: what is cropped, not squashed, is red
    wide[:, 300:607] = [255, 0, 0]
    Image.fromarray(wide).save(tmp_path / "a.png")
    turned = np.concatenate([wide[:, 300:601], wide[:, :50], wide[:, :50]], axis=1)
    tags = Image.Exif()
    tags[0x0112] = 6
    Image.fromarray(turned).save(tmp_path / "b.jpg", exif=tags)
    Image.new("L", (5, 3), 200).save(tmp_path / "c.png")
    Image.fromarray(images(1, size=30)[0]).save(tmp_path / "d.png")
    model, files = mean_color_model(None), sorted(tmp_path.iterdir())
    found = predict(model, files, class_names=NAMES)
    assert found.sources == tuple(map(str, files))
    assert found.images.shape == (4, 8, 8, 3) and found.images.dtype == np.uint8
    assert found.classes[:2] == ("red", "red")
    np.testing.assert_allclose(found.probabilities[0], softmax([[6.0, 0, 0]])[0], rtol=1e-2)
    np.testing.assert_allclose(found.probabilities[2], np.full(3, 1 / 3), rtol=1e-5)
    folder = predict(model, tmp_path, class_names=NAMES)
    assert folder.sources == found.sources
    for n, file in enumerate(files):  # none depends on the others
        alone = predict(model, str(file))
        np.testing.assert_array_equal(alone.images[0], found.images[n])
        np.testing.assert_array_equal(folder.images[n], found.images[n])


def test_a_photograph_is_gray_for_a_model_of_one_channel(tmp_path):
    Image.new("RGB", (40, 30), (200, 100, 50)).save(tmp_path / "photo.png")
    found = predict(mean_color_model(None, channels=1), tmp_path / "photo.png")
    assert found.images.shape == (1, 8, 8, 1)
    assert (found.images == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)).all()


def test_a_model_of_any_size_takes_photographs_in_224_pixels(tmp_path):
    Image.new("RGB", (400, 300)).save(tmp_path / "photo.png")
    any_size = keras.Sequential([keras.Input((None, None, 3)), LAYERS.GlobalAveragePooling2D()])
    assert predict(any_size, tmp_path / "photo.png").images.shape == (1, 224, 224, 3)
    assert predict(any_size, PIXELS).images.shape == PIXELS.shape


@pytest.mark.parametrize(
    ("sizes", "input_size", "expected"),
    [
        ([(480, 640)], (32, 32), (480, 480)),  # the photograph's own detail
        ([(3000, 4000)], (32, 32), (512, 512)),  # but bounded
        ([(8, 8)], (32, 32), (32, 32)),  # and never less than the model sees
        ([(100, 400), (200, 200)], (32, 64), (100, 200)),  # the finest of all
        ([(3000, 4000)], (600, 600), (600, 600)),
    ],
)
def test_the_picture_has_the_inputs_proportions(sizes, input_size, expected):
    assert shown_size(sizes, input_size) == expected


@pytest.mark.parametrize("ending", ["logits", "softmax", "sigmoid"])
@pytest.mark.parametrize("quantization", ["int8", "none"])
def test_a_file_predicts_what_its_classifier_answers(tmp_path, ending, quantization):
    model = gap_model(LAYERS.Dense(5, activation=None if ending == "logits" else ending))
    path, batch = tmp_path / "model.tflite", images(40)
    options = {"calibration": batch} if quantization == "int8" else {}
    export_tflite(model, path, quantization=quantization, labels=list("abcde"), **options)
    classifier = kcnn.TFLiteClassifier(path)
    answers = classifier(batch)
    assert classifier.final_activation == (None if ending == "logits" else ending)
    assert classifier.output_dtype == ("int8" if quantization == "int8" else "float32")
    expected = softmax(answers) if ending == "logits" else answers
    for given in (path, classifier):
        found = predict(given, batch)
        np.testing.assert_allclose(found.probabilities, expected, rtol=1e-6)
        assert found.class_names == tuple("abcde")
    atol = 0.1 if quantization == "int8" else 1e-5
    np.testing.assert_allclose(predict(model, batch).probabilities, expected, atol=atol)


def test_a_file_with_softmax_or_feature_map_is_read_for_what_it_is(tmp_path):
    model, batch = gap_model(), images()
    for name, options in {"softmax": {"softmax": True}, "map": {"feature_map": True}}.items():
        path = tmp_path / f"{name}.tflite"
        export_tflite(model, path, quantization="none", **options)
        expected = predict(model, batch).probabilities
        np.testing.assert_allclose(predict(path, batch).probabilities, expected, atol=1e-5)


def test_a_runs_folder_stands_for_its_model_and_its_labels(tmp_path):
    Image.fromarray(images(1, size=60)[0]).save(tmp_path / "photo.png")
    names = tuple((RUN / "labels.txt").read_text().splitlines())
    found = predict(RUN, tmp_path / "photo.png")
    assert found.class_names == names and found.images.shape == (1, 32, 32, 3)
    model = kcnn.models.load(RUN / "model.keras")
    expected = softmax(model.predict_on_batch(found.images).astype(float))
    np.testing.assert_allclose(found.probabilities, expected, rtol=1e-4, atol=1e-6)
    int8 = predict(RUN / "model_int8.tflite", found.images)
    assert int8.class_names == names
    np.testing.assert_allclose(int8.probabilities, expected, atol=0.15)


def test_names_beside_a_file_of_other_classes_are_not_its_own(tmp_path):
    mean_color_model(None).save(tmp_path / "model.keras")
    (tmp_path / "labels.txt").write_text("red\ngreen\nblue\n")
    assert predict(tmp_path, PIXELS).classes == ("red", "blue")
    (tmp_path / "labels.txt").write_text("cat\ndog\n")
    assert predict(tmp_path, PIXELS).class_names == ("0", "1", "2")
    assert predict(tmp_path, PIXELS, class_names=NAMES, top=1).top()[0][0].class_name == "red"


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (PIXELS.astype("float32"), {}, r"takes uint8 images .* Received: float32, shape \(2, 8"),
        (PIXELS[:, :7], {}, r"shape \[N, 8, 8, 3\].* Received: uint8, shape \(2, 7, 8, 3\)"),
        (PIXELS[:0], {}, r"Received: uint8, shape \(0, 8, 8, 3\)"),
        ([], {}, r"paths of image files of any size. Received: float64, shape \(0,\)"),
        ("nowhere.jpg", {}, "'nowhere.jpg' cannot be read: No such file"),
        (PIXELS, {"class_names": ["a"]}, "one name a class, 3 here. Received: 1 names"),
        (PIXELS, {"class_names": "abc"}, "Received: the text 'abc'"),
        (PIXELS, {"top": 0}, "top must be an integer of at least 1. Received: top=0"),
    ],
)
def test_what_does_not_fit_is_refused(given, options, message):
    with pytest.raises(ValueError, match=message):
        predict(mean_color_model(None), given, **options)


def test_models_and_folders_that_cannot_be_used_say_why(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    (tmp_path / "empty").mkdir()
    four = keras.Sequential([keras.Input((8, 8, 4)), LAYERS.GlobalAveragePooling2D()])
    with pytest.raises(ValueError, match=r"\[N, height, width, 1 or 3\]. Received: .* 8, 8, 4\]"):
        predict(four, tmp_path / "photo.png")
    with pytest.raises(ValueError, match="'.*empty' holds no image: none of its files ends in"):
        predict(mean_color_model(None), tmp_path / "empty")
    shutil.copytree(tmp_path / "empty", tmp_path / "outer/none")
    Image.new("RGB", (8, 8)).save(tmp_path / "outer/photo.PNG")
    (tmp_path / "outer").rename(tmp_path / "empty/inner")
    with pytest.raises(ValueError, match="'.*empty' holds no image itself: .* such as '.*inner'"):
        predict(mean_color_model(None), tmp_path / "empty")
    maps = keras.Sequential([keras.Input((8, 8, 3)), LAYERS.ReLU()])
    with pytest.raises(ValueError, match=r"with one output \[N, classes\]. Received: .*8, 8, 3"):
        predict(maps, PIXELS)
    with pytest.raises(ValueError, match="Expected a Keras model.* Received: int"):
        predict(3, PIXELS)
    with pytest.raises(ValueError, match="There is no file"):
        predict(tmp_path / "empty", PIXELS)
    shutil.copy(RUN / "labels.txt", tmp_path / "model.tflite")
    with pytest.raises(ValueError, match="is not a TensorFlow Lite model"):
        predict(tmp_path / "model.tflite", PIXELS)


def test_the_final_activation_is_that_of_the_graph():
    assert final_activation(kcnn.models.resnet8()) is None
    assert final_activation(subclassed("softmax")) == UNKNOWN  # it has no graph to see
    assert final_activation(nested(mean_color_model("softmax"))) == "softmax"
