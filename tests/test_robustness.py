"""Corrupted images, held against other libraries and formulas, and a run that is scored on them."""

import io
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv
from PIL import Image

from kcnn import cli
from kcnn.evaluation import CORRUPTIONS, Robustness, corrupt, evaluate, robustness
from kcnn.pipeline import score_robustness
from kcnn.report import robustness as report
from kcnn.report.run_files import read_run

SAVED = Path(__file__).parents[1] / "saved_models"
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 16, 12, 3), np.uint8)


def test_brightness_is_a_larger_value_of_hue_saturation_and_value():
    hsv = rgb_to_hsv(IMAGES / 255)
    hsv[..., 2] = np.minimum(hsv[..., 2] + 0.15, 1)
    expected = 255 * hsv_to_rgb(hsv)
    assert np.abs(corrupt(IMAGES, "brightness", 2) - expected).max() <= 0.51


def test_contrast_leaves_the_mean_of_each_image_and_a_share_of_its_deviation():
    found = corrupt(IMAGES, "contrast", 3).astype(float)
    for axis in (found.mean(axis=(1, 2)) - IMAGES.mean(axis=(1, 2)),):
        assert np.abs(axis).max() < 0.5
    np.testing.assert_allclose(found.std(axis=(1, 2)), 0.15 * IMAGES.std(axis=(1, 2)), rtol=0.02)


def test_blur_spreads_a_dot_as_the_gaussian_says():
    dot = np.zeros((1, 15, 15, 3), np.uint8)
    dot[0, 7, 7] = 255
    line = np.exp(-0.5 * np.arange(-7, 8) ** 2)
    expected = 255 * np.outer(line, line) / line.sum() ** 2
    assert np.abs(corrupt(dot, "blur", 3)[0, :, :, 1] - expected).max() <= 0.6


def test_noise_has_its_deviation_and_no_batch_changes_it():
    gray = np.full((300, 32, 32, 1), 128, np.uint8)
    found = corrupt(gray, "noise", 1, seed=3)
    assert (found.astype(float) - 128).std() == pytest.approx(255 * 0.04, rel=0.01)
    np.testing.assert_array_equal(found[:20], corrupt(gray[:20], "noise", 1, seed=3))
    np.testing.assert_array_equal(found[:280], corrupt(gray[:280], "noise", 1, seed=3))
    assert (found != corrupt(gray, "noise", 1, seed=4)).any()


def test_jpeg_and_pixelation_are_pillows():
    file = io.BytesIO()
    Image.fromarray(IMAGES[3]).save(file, "JPEG", quality=40)
    np.testing.assert_array_equal(corrupt(IMAGES, "jpeg", 3)[3], np.asarray(Image.open(file)))
    halves = np.repeat(np.arange(16, dtype=np.uint8) // 8 * 200, 12).reshape(1, 16, 12, 1)
    found = corrupt(halves, "pixelation", 3)
    assert len(np.unique(found)) <= 4 and np.abs(found.mean() - halves.mean()) < 10


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_worse_is_further_away_and_gray_images_stay_gray(name, channels):
    smooth = np.linspace(0, 255, 32)[None, :, None, None] * np.ones((4, 32, 32, channels))
    images = (smooth * np.linspace(0.4, 1, 32)[None, None, :, None]).astype(np.uint8)
    images[:, 8:20, 8:20] = 255 - images[:, 8:20, 8:20]
    found = [corrupt(images, name, severity) for severity in (1, 2, 3)]
    assert all(each.shape == images.shape and each.dtype == np.uint8 for each in found)
    distances = [np.abs(each.astype(float) - images).mean() for each in found]
    assert min(distances) > 0
    if name != "pixelation":  # whose distance depends on where the borders of its boxes lie
        assert distances[0] < distances[1] < distances[2]


def darker(images):
    return np.stack([255 - images.mean(axis=(1, 2, 3)), images.mean(axis=(1, 2, 3))], axis=1)


def test_the_scores_are_those_of_the_corrupted_images():
    labels = RNG.integers(0, 2, len(IMAGES))
    found = robustness(darker, (IMAGES, labels), corruptions=["noise", "brightness"], seed=5)
    assert list(found.corrupted) == ["noise", "brightness"] and found.count == 40
    assert found.clean == evaluate(darker, (IMAGES, labels)).accuracy
    noisy = corrupt(IMAGES, "noise", 2, seed=5)
    assert found.corrupted["noise"][1] == evaluate(darker, (noisy, labels)).accuracy
    assert Robustness(1.0, {"blur": (0.9, 0.8, 0.1)}, 10).mean == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("options", "images", "reason"),
    [
        ({"corruptions": ["fog"]}, IMAGES, "Unknown corruption 'fog'"),
        ({"corruptions": []}, IMAGES, "Name at least one corruption of brightness"),
        ({}, IMAGES[..., :2], r"Only gray and RGB images.*\(40, 16, 12, 2\)"),
        ({}, IMAGES.astype("float32"), "Only gray and RGB images.*float32"),
    ],
)
def test_what_cannot_be_corrupted_is_refused(options, images, reason):
    with pytest.raises(ValueError, match=reason):
        robustness(darker, (images, np.zeros(len(images), int)), **options)
    with pytest.raises(ValueError, match="severity must be 1, 2 or 3. Received: 0"):
        corrupt(IMAGES, "blur", 0)


def test_a_run_gets_the_scores_of_its_model_and_of_its_int8_file(tmp_path):
    run = shutil.copytree(SAVED / "resnet8_int8", tmp_path / "run")
    images = RNG.integers(0, 256, (6, 32, 32, 3), np.uint8)
    test = tf.data.Dataset.from_tensor_slices((images, np.arange(6))).batch(4)
    found = score_robustness(run, SimpleNamespace(test=test, num_test=6), "cifar10")
    assert [each.name for each in found.variants] == ["float", "int8"]
    assert list(found.variants[1].corrupted) == list(CORRUPTIONS)
    assert read_run(run).robustness == report.load(run / "robustness.json") == found
    page = (run / "report.html").read_text()
    assert 'id="robustness"' in page and "severity 3" in page and "pixelation" in page
    (run / "robustness.json").write_text('{"count": 6}')
    with pytest.raises(ValueError, match="robustness.json' is no robustness report"):
        read_run(run)


def test_the_command_scores_a_model_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copy(SAVED / "resnet8_int8/model.keras", "mine.keras")
    with pytest.raises(SystemExit):
        cli.main(["robustness", "mine.keras"])
    assert "name the data" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["robustness", "mine.keras", "--data", "digits", "--images", "3"])
    said = capsys.readouterr().out
    assert "mine: 0.00% on the images as they are" in said and "pixelation" in said
    assert "3 test images of digits" in said
    assert [file.name for file in tmp_path.iterdir()] == ["mine.keras"]
