"""Arrays and the data sets of other libraries: what is taken, and what is refused in a line."""

import csv
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from command import run_command
from PIL import Image
from small_models import gap_model, mean_color_model

import kcnn
from kcnn.data import from_arrays, from_dataset, load
from kcnn.data.in_memory import InMemory
from kcnn.pipeline.training_setup import training_for
from kcnn.recipe import Recipe, Train
from kcnn.training import make_optimizer
from kcnn.training.class_weights import class_weights

COUNT, CLASSES = 60, 5
RANDOM = np.random.default_rng(0)
LABELS = np.arange(COUNT) % CLASSES
IMAGES = RANDOM.integers(0, 256, (COUNT, 12, 12, 3)).astype(np.uint8)
ONE_HOT = np.eye(CLASSES, dtype=np.float32)[LABELS]


class Sequence(keras.utils.PyDataset):
    """Batches of 20 as Keras reads them."""

    def __init__(self, labels):
        super().__init__()
        self.labels = labels

    def __len__(self):
        return 3

    def __getitem__(self, index):
        part = slice(20 * index, 20 * index + 20)
        return IMAGES[part].astype("float32"), self.labels[part]


def torch_loader():
    torch = pytest.importorskip("torch")
    images = torch.from_numpy(IMAGES.transpose(0, 3, 1, 2).copy())
    pairs = torch.utils.data.TensorDataset(images, torch.from_numpy(LABELS))
    return torch.utils.data.DataLoader(pairs, batch_size=20)


def slices(*arrays):
    return tf.data.Dataset.from_tensor_slices(arrays)


KINDS = {
    "batched": lambda: slices(IMAGES, LABELS).batch(20),
    "unbatched": lambda: slices(IMAGES, LABELS),
    "one-hot": lambda: slices(IMAGES, ONE_HOT).batch(20),
    "unbatched one-hot": lambda: slices(IMAGES, ONE_HOT),
    "column": lambda: slices(IMAGES, LABELS[:, None]).batch(20),
    "float32": lambda: slices(IMAGES.astype(np.float32), LABELS.astype(np.float32)).batch(20),
    "PyDataset": lambda: Sequence(LABELS),
    "PyDataset one-hot": lambda: Sequence(ONE_HOT),
    "DataLoader": torch_loader,
    "arrays": lambda: (IMAGES, LABELS),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_batches_becomes_the_same_images_and_labels(kind):
    data = from_dataset(KINDS[kind](), KINDS[kind](), test=KINDS[kind]())
    for part in (data.train, data.validation, data.test, data.batches().take(data.steps_per_epoch)):
        images, labels = map(np.concatenate, zip(*part.as_numpy_iterator(), strict=True))
        assert images.dtype == np.uint8 and labels.dtype == np.int32
        np.testing.assert_array_equal(images, IMAGES)
        np.testing.assert_array_equal(labels, LABELS)
    assert data.num_train == data.num_validation == data.num_test == COUNT
    assert data.class_names == tuple("01234") and data.image_shape == (12, 12, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_score_is_that_of_the_same_arrays(kind):
    model = gap_model()
    expected = kcnn.evaluate(
        model, load(InMemory.of((IMAGES, LABELS), test=(IMAGES, LABELS)), batch_size=8).test
    )
    found = kcnn.evaluate(model, KINDS[kind](), expected_count=COUNT)
    assert found.accuracy == expected.accuracy
    assert found.loss == pytest.approx(expected.loss, rel=1e-5)


def test_data_of_ones_own_is_trained_pruned_and_exported(tmp_path):
    data = from_dataset(Sequence(ONE_HOT), (IMAGES, LABELS))
    options = {"epochs": 1, "callbacks": []}
    assert np.isfinite(kcnn.train(gap_model(), data, **options).history["loss"][0])
    kcnn.prune(gap_model(), data, sparsity=0.5, epochs=1, engine="keras")
    head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(CLASSES, name="logits")]
    plain = keras.Sequential([keras.Input((12, 12, 3)), keras.layers.Conv2D(4, 3), *head])
    aware = kcnn.quantize_aware(plain, data, epochs=1, control=False).model
    assert isinstance(aware, keras.Model)
    model = gap_model()
    for kind in ("unbatched", "PyDataset", "arrays"):
        path = tmp_path / f"{kind}.tflite"
        kcnn.export_tflite(model, path, calibration=KINDS[kind](), samples=20)
    files = [(tmp_path / f"{kind}.tflite").read_bytes() for kind in ("unbatched", "arrays")]
    assert files[0] == files[1]


def test_weights_of_images_count_as_in_keras_fit():
    weights = np.linspace(0, 2, COUNT, dtype=np.float32)
    data = from_dataset(slices(IMAGES, LABELS, weights).batch(20), (IMAGES, LABELS))
    model, other = gap_model(), gap_model()
    kcnn.train(model, data, epochs=1, optimizer="sgd", learning_rate=0.1, callbacks=[])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    other.compile(make_optimizer("sgd", 0.1), loss)
    other.fit(
        IMAGES, LABELS, sample_weight=weights, batch_size=20, epochs=1, shuffle=False, verbose=0
    )
    name = "logits"
    received, expected = (np.array(each.get_layer(name).kernel) for each in (model, other))
    np.testing.assert_allclose(received, expected, rtol=1e-3, atol=1e-5)
    assert np.abs(expected - np.array(gap_model().get_layer(name).kernel)).max() > 1e-3
    with pytest.raises(ValueError, match="engine='keras'"):
        kcnn.prune(model, data, epochs=1)


def test_arrays_are_split_like_any_source():
    data = from_arrays(IMAGES, LABELS, class_names=list("abcde"), batch_size=10, seed=3)
    same = load(
        InMemory.of((IMAGES, LABELS[:, None]), class_names=list("abcde")), batch_size=10, seed=3
    )
    for one, other in zip(data.batches(), same.batches().take(4), strict=False):
        np.testing.assert_array_equal(one[0], other[0])
    assert (data.num_train, data.num_validation, data.num_test) == (43, 5, 12)
    names = from_arrays(
        IMAGES,
        np.array(list("abcde"))[LABELS],
        validation=(IMAGES[:5], list("abcde")),
        batch_size=8,
    )
    assert names.class_names == tuple("abcde") and names.num_validation == 5


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES / 255, LABELS, "raw pixels, whole numbers of 0 to 255.*float64 of 0 to 1"),
        (IMAGES.transpose(0, 3, 1, 2), LABELS, r"images.transpose\(0, 2, 3, 1\)"),
        (IMAGES, LABELS + 1, "must count from 0. Received: 1, 2, 3, 4, 5"),
        (IMAGES, LABELS[:-1], "must be 60 class numbers"),
        (IMAGES, ONE_HOT / 2, "shares of several classes"),
        (IMAGES, LABELS * 50, "must count from 0. Received: 0, 50, 100, 150, 200"),
        (IMAGES, LABELS + 0.5, r"class numbers, as integers. Received: float64, .*= 0\.5"),
        (IMAGES, LABELS * 0, "at least 2 classes. Received: '0' alone"),
        (IMAGES, ["cat", None] * 30, r"train labels\[1\] is missing. Received: None"),
        (IMAGES, np.array(["cat", np.nan] * 30, object), r"labels\[1\] is missing. Received: nan"),
        ([IMAGES[0], IMAGES[1, :6]], [0, 1], r"one shape. Received: \(12, 12, 3\), \(6, 12, 3\)"),
    ],
)
def test_arrays_that_cannot_be_meant_are_refused(images, labels, message):
    with pytest.raises(ValueError, match=message) as caught:
        from_arrays(images, labels)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: from_arrays(IMAGES, LABELS, test=IMAGES), r"test must be a pair .*: ndarray"),
        (lambda: from_arrays(IMAGES, LABELS, test=(IMAGES, LABELS, LABELS)), "Received: 3 parts"),
        (lambda: from_dataset((IMAGES, LABELS), None), "validation batches are needed"),
        (lambda: load(IMAGES), "for arrays there is kcnn.data.from_arrays. Received: an array"),
    ],
)
def test_parts_that_are_missing_or_no_pairs_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
    data = from_arrays(IMAGES, LABELS, validation=[IMAGES, LABELS], batch_size=10)
    assert data.num_validation == COUNT


@pytest.mark.parametrize(
    "labels", [LABELS.astype("float32"), LABELS.astype(object), LABELS.tolist()]
)
def test_whole_numbers_of_any_type_are_class_numbers(labels):
    data, expected = (from_arrays(IMAGES, each, batch_size=10) for each in (labels, LABELS))
    assert data.class_names == expected.class_names
    for one, other in zip(data.batches().take(2), expected.batches().take(2), strict=True):
        np.testing.assert_array_equal(one[1], other[1])


def test_true_and_false_are_two_classes():
    data = from_arrays(IMAGES, LABELS == 1, batch_size=10)
    assert data.class_names == ("0", "1")


def test_the_names_of_another_librarys_classes_are_kept(tmp_path):
    for name in ("oak", "ash"):
        (tmp_path / name).mkdir()
        for number in range(4):
            Image.fromarray(IMAGES[number]).save(tmp_path / name / f"{number}.png")
    options = {"image_size": (12, 12), "validation_split": 0.5, "subset": "both", "seed": 0}
    train, validation = keras.utils.image_dataset_from_directory(tmp_path, **options)
    assert from_dataset(train, validation).class_names == ("ash", "oak")
    assert from_dataset(train, validation, class_names=["a", "b"]).class_names == ("a", "b")
    loader = torch_loader()
    loader.dataset.classes = list("abcde")
    assert from_dataset(loader, (IMAGES, LABELS)).class_names == tuple("abcde")


def generator():
    yield IMAGES, LABELS


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (generator, "Expected a tf.data.Dataset.*Received: function"),
        (generator(), "Received: generator"),
        (slices(IMAGES).batch(20), "must be .images, labels. or .images, labels, weights"),
        (
            tf.data.Dataset.from_tensor_slices({"image": IMAGES, "label": LABELS}).batch(20),
            "of a tf.data.Dataset must be .* Received: a dict of 'image', 'label': map it",
        ),
        (slices(IMAGES, LABELS).batch(20).repeat(), "never end"),
        (slices(IMAGES, LABELS).take(0), "are empty"),
        (slices(IMAGES[:, :6], LABELS).batch(20), "must have one shape"),
    ],
)
def test_batches_that_cannot_be_taken_say_so_in_a_line(train, message):
    with pytest.raises(ValueError, match=message) as caught:
        from_dataset(train, (IMAGES, LABELS))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda given: kcnn.train(gap_model(), given, epochs=1),
        lambda given: kcnn.prune(gap_model(), given, epochs=1),
        lambda given: kcnn.prune(gap_model(), given, epochs=1, engine="keras"),
        lambda given: kcnn.quantize_aware(gap_model(), given, epochs=1),
        lambda given: kcnn.distill(gap_model(), gap_model(), given, epochs=1),
        lambda given: kcnn.find_learning_rate(gap_model(), given),
    ],
)
def test_a_training_of_batches_alone_says_what_to_do(call):
    with pytest.raises(ValueError, match=r"kcnn\.data\.from_dataset\(train, validation\)"):
        call(slices(IMAGES, LABELS).batch(20))


def test_an_explanation_of_a_whole_data_set_says_what_to_pass():
    with pytest.raises(ValueError, match="next.data.test.as_numpy_iterator"):
        kcnn.grad_cam(gap_model(), slices(IMAGES, LABELS).batch(20))


# Rare classes

RARE = np.repeat([0, 1], [50, 10])


def test_balanced_weights_are_those_of_scikit_learn():
    from sklearn.utils.class_weight import compute_class_weight

    data = from_dataset((IMAGES, RARE), (IMAGES, RARE), class_names=["often", "rare"])
    expected = compute_class_weight("balanced", classes=np.arange(2), y=RARE)
    np.testing.assert_allclose(class_weights("balanced", data), expected)
    assert class_weights({"rare": 3, 0: 0.5}, data) == (0.5, 3.0)
    for value, message in [
        ({"rar": 2}, "Unknown class in class_weight 'rar'. Did you mean 'rare'"),
        ({2: 1.0}, "classes 0 to 1"),
        ({0.5: 1.0}, "classes 0 to 1"),
        ([1.0, 2.0], "or a dictionary of factors by class number or name"),
        ({0: -1.0}, "positive, finite number"),
        ("balance", "Did you mean 'balanced'"),
    ]:
        with pytest.raises(ValueError, match=message):
            class_weights(value, data)


def test_class_weights_are_the_weights_of_the_images_in_the_loss():
    ends = []
    weights = np.array([0.6, 3.0], np.float32)
    for arrays, options in (
        ((IMAGES, RARE), {"class_weight": "balanced"}),
        ((IMAGES, RARE, weights[RARE]), {}),
    ):
        data = from_dataset(slices(*arrays).batch(20), (IMAGES, RARE))
        model = gap_model(classes=2)
        kcnn.train(model, data, epochs=1, optimizer="sgd", callbacks=[], **options)
        ends.append(np.array(model.get_layer("logits").kernel))
    np.testing.assert_allclose(*ends, rtol=1e-5)


def test_a_recipe_balances_its_classes_as_train_does():
    data = from_dataset(slices(IMAGES, RARE).batch(20), (IMAGES, RARE))
    recipe = Recipe(train=Train(epochs=1, schedule="constant", class_weight="balanced"))
    ends = []
    for training in (
        lambda model: training_for(recipe, model, data)(callbacks=[]),
        lambda model: kcnn.train(model, data, epochs=1, callbacks=[], class_weight="balanced"),
        lambda model: kcnn.train(model, data, epochs=1, callbacks=[]),
    ):
        model = gap_model(classes=2)
        training(model)
        ends.append(np.array(model.get_layer("logits").kernel))
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-5)
    assert np.abs(ends[0] - ends[2]).max() > 1e-4


def test_balanced_accuracy_and_f1_are_those_of_scikit_learn():
    from sklearn.metrics import balanced_accuracy_score, f1_score

    found = kcnn.evaluate(gap_model(classes=2), (IMAGES, RARE))
    predicted = found.logits.argmax(axis=1)
    assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(RARE, predicted))
    np.testing.assert_allclose(
        found.f1, f1_score(RARE, predicted, average=None, zero_division=0), atol=1e-12
    )


# kcnn predict


@pytest.fixture
def photographs(tmp_path):
    """A model of red, green and blue, and a folder of photographs, two of them damaged."""
    model = tmp_path / "run" / "model.keras"
    model.parent.mkdir()
    mean_color_model(None).save(model)
    (model.parent / "labels.txt").write_text("red\ngreen\nblue\n")
    root = tmp_path / "photos"
    for number, color in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255)] * 30):
        folder = root / f"year {number % 4}" / "deep"
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 10), color).save(folder / f"{number:03d}.png")
    (root / "bad.jpg").write_bytes(b"no image")
    (root / "cut.png").write_bytes((root / "year 0" / "deep" / "000.png").read_bytes()[:50])
    return model, root


@pytest.mark.parametrize("kind", ["run", "keras", "tflite"])
def test_a_folder_of_photographs_becomes_a_table(photographs, tmp_path, capsys, kind):
    model, root = photographs
    if kind == "tflite":
        file = tmp_path / "colors.tflite"
        labels = ["red", "green", "blue"]
        kcnn.export_tflite(keras.models.load_model(model), file, quantization="none", labels=labels)
    else:
        file = model.parent if kind == "run" else model
    out = tmp_path / "out.csv"
    assert run_command("predict", file, root, "--csv", out, "--probabilities") == 0
    said = capsys.readouterr().out
    assert "90 images classified, 2 cannot be read" in said
    assert "bad.jpg' cannot be read" in said and "cut.png' cannot be read" in said
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["file", "class", "probability", "red", "green", "blue"]
    assert [row["file"] for row in rows] == sorted(str(path) for path in root.rglob("*/*.png"))
    names = ("red", "green", "blue")
    assert all(row["class"] == names[int(row["file"][-7:-4]) % 3] for row in rows)
    share = np.exp(6) / (np.exp(6) + 2)
    assert {row["probability"] for row in rows} == {f"{share:.6f}"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no file or folder 'nowhere'"),
        (["bad.jpg", "--csv", "there.csv"], "'there.csv' exists"),
        (["bad.jpg", "--csv", "out.csv"], "'bad.jpg' cannot be read"),
        (["bad.jpg", "--probabilities"], "columns to the table of --csv"),
        (["empty"], "holds no image"),
    ],
)
def test_what_cannot_be_predicted_writes_nothing(
    photographs, monkeypatch, capsys, arguments, message
):
    model, root = photographs
    monkeypatch.chdir(root)
    (root / "there.csv").touch()
    (root / "empty").mkdir()
    before = sorted(root.iterdir())
    assert run_command("predict", model, *arguments) == 1
    assert message in capsys.readouterr().err
    assert sorted(root.iterdir()) == before and not (root / "there.csv").read_bytes()


# Names of any script


def test_a_font_that_has_the_names_is_appended_else_it_is_said_once(tmp_path, monkeypatch, caplog):
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen
    from matplotlib import font_manager

    from kcnn import fonts
    from kcnn.pictures import save_figure
    from kcnn.report.confusion_plot import confusion_figure

    shipped = [each for each in font_manager.fontManager.ttflist if "mpl-data" in each.fname]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", shipped)
    monkeypatch.setattr(font_manager, "findSystemFonts", list)

    def forget():
        for function in (fonts._family_with, fonts._advise, fonts._characters):
            function.cache_clear()

    def drawn():
        figure = confusion_figure(np.eye(2, dtype=int), ["고양", "dog"])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            save_figure(figure, tmp_path / "picture.png")
        return (tmp_path / "picture.png").read_bytes()

    forget()
    boxes = drawn()
    drawn()
    said = [each.getMessage() for each in caplog.records]
    assert len(said) == 1 and "fonts-noto-cjk" in said[0]
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for point in ((0, 900), (900, 900), (900, 0)):
        pen.lineTo(point)
    pen.closePath()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "block"])
    builder.setupCharacterMap(dict.fromkeys(map(ord, "고양"), "block"))
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "block": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (1000, 0), "block": (1000, 0)})
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": "Blocks", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "blocks.ttf")
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(tmp_path / "blocks.ttf")])
    forget()
    assert drawn() != boxes
    assert len(caplog.records) == 1
    forget()
