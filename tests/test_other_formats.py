"""SavedModel and ONNX answer as the model they were written from."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kcnn.cli.export import export
from kcnn.export import export_format, other_formats

layers = keras.layers


def small():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(6, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4),
        ]
    )


@pytest.mark.parametrize(("format", "name"), [("saved_model", "served"), ("onnx", "net.onnx")])
def test_the_written_model_answers_as_the_original(format, name, tmp_path):
    if format == "onnx":
        pytest.importorskip("tf2onnx")
    model = small()
    made = export_format(model, tmp_path / name, format, softmax=True)
    assert made.path.exists() and made.bytes > 500 and made.largest_difference < 1e-4
    images = np.random.default_rng(1).integers(0, 256, (3, 12, 12, 3)).astype(np.float32)
    answers = other_formats.FORMATS[format].open(made.path)(images)
    expected = tf.nn.softmax(model(images)).numpy()
    np.testing.assert_allclose(answers, expected, atol=1e-5)
    assert [each.name for each in tmp_path.iterdir()] == [name]
    with pytest.raises(ValueError, match="exists"):
        export_format(model, made.path, format)


def bare(scaling=None):
    """A model that scales no pixels, or with layers of its own in front of it."""
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3))
    x = image if scaling is None else scaling(image)
    x = layers.ReLU()(layers.Conv2D(4, 3, name="conv")(x))
    return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)), name="bare")


def test_what_is_written_takes_raw_pixels(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    model = bare()
    with caplog.at_level("WARNING", "kcnn"):
        export_format(model, "unscaled", "saved_model")
    assert "Nothing in front of the first weights of model 'bare' scales the pixels" in caplog.text
    caplog.clear()
    model.save("net.keras")
    export(Path("net.keras"), format="saved_model", input_range="0..1")
    assert not caplog.records
    images = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 3)).astype(np.float32)
    answers = other_formats.FORMATS["saved_model"].open(Path("net_saved_model"))(images)
    np.testing.assert_allclose(answers, model(images / 255), atol=1e-5)


def test_augmentation_is_not_written(tmp_path):
    def augmented(x):
        x = layers.RandomContrast(0.3)(layers.RandomFlip()(x))
        return layers.Rescaling(1 / 255)(x)

    made = export_format(bare(augmented), tmp_path / "served", "saved_model")
    assert made.largest_difference < 1e-4
    images = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 3)).astype(np.float32)
    answers = other_formats.FORMATS["saved_model"].open(made.path)(images)
    np.testing.assert_allclose(answers, bare(augmented)(images, training=False), atol=1e-5)


def test_the_command_line_writes_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small().save("net.keras")
    export(Path("net.keras"), format="saved_model")
    assert "net_saved_model: " in capsys.readouterr().out
    assert Path("net_saved_model/saved_model.pb").is_file()
    for options, reason in (
        ({"format": "saved_model"}, "exists"),
        ({"format": "onx"}, "Did you mean 'onnx'"),
        ({"format": "onnx", "io": "uint8"}, "leave --io out"),
        ({"format": "onnx", "c": True}, "leave --c out"),
    ):
        with pytest.raises(ValueError, match=reason):
            export(Path("net.keras"), **options)


def test_what_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="Did you mean 'onnx'"):
        export_format(small(), tmp_path / "net.onnx", "onxx")
    with pytest.raises(ValueError, match="must end in .onnx"):
        export_format(small(), tmp_path / "net.tflite", "onnx")
    monkeypatch.setattr(other_formats, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"needs tf2onnx, onnxruntime: pip install 'kcnn\[onnx\]'"):
        export_format(small(), tmp_path / "net.onnx", "onnx")
    monkeypatch.undo()
    model = small()

    def broken(path):
        return lambda images: np.zeros((len(images), 4)) + 9

    wrong = other_formats._Format("tf_saved_model", "", (), broken)
    monkeypatch.setattr(other_formats, "FORMATS", {"saved_model": wrong})
    with pytest.raises(RuntimeError, match="answers differently"):
        export_format(model, tmp_path / "served", "saved_model")
    assert [*tmp_path.iterdir()] == []
