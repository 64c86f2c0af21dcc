"""MediaPipe's own image classifier reads what kcnn writes: names, normalization, scores."""

import json
import subprocess

import keras
import numpy as np
import pytest

from kcnn.export import export_tflite
from kcnn.litert import TFLiteClassifier
from kcnn.runtimes import NotForThisModel, installation, litert, mediapipe

layers = keras.layers
LABELS = ("one", "two", "three", "four")
KINDS = {
    "uint8": {"io": "uint8"},
    "probabilities": {"io": "uint8", "softmax": True},
    "float16": {"quantization": "float16"},
    "float32": {"quantization": "none", "softmax": True},
}

# It runs in the environment of MediaPipe: FILE IMAGES, answers names and scores as JSON.
SCRIPT = """
import json, sys
import mediapipe, numpy as np
tasks, vision = mediapipe.tasks, mediapipe.tasks.vision
images, answers = np.load(sys.argv[1]), {}
for file in sys.argv[2:]:
    options = vision.ImageClassifierOptions(base_options=tasks.BaseOptions(model_asset_path=file))
    with vision.ImageClassifier.create_from_options(options) as classifier:
        answers[file] = []
        for image in images:
            picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image)
            found = classifier.classify(picture).classifications[0].categories
            answers[file].append([[each.category_name, each.score] for each in found])
print(json.dumps(answers))
"""


def noise(count):
    return np.random.default_rng(5).integers(0, 256, (count, 12, 12, 3), np.uint8)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4),
        ]
    )
    folder = tmp_path_factory.mktemp("kinds")
    paths = {name: folder / f"{name}.tflite" for name in (*KINDS, "int8")}
    for name, options in (KINDS | {"int8": {}}).items():
        export_tflite(network, paths[name], calibration=noise(32), labels=LABELS, **options)
    return paths


def test_every_kind_gives_names_and_scores(files, tmp_path):
    if reason := mediapipe.available():
        pytest.skip(reason)
    images = noise(5)
    np.save(tmp_path / "images.npy", images)
    named = [files[name] for name in KINDS]
    command = [installation.mediapipe_python(), "-c", SCRIPT, tmp_path / "images.npy", *named]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    answers = json.loads(done.stdout.splitlines()[-1])
    for name in KINDS:
        expected = TFLiteClassifier(files[name])(images)
        spread = np.ptp(expected)
        for found, scores in zip(answers[str(files[name])], expected, strict=True):
            by_name = dict(zip(LABELS, scores.tolist(), strict=True))
            assert dict(found) == pytest.approx(by_name, abs=0.02 * float(spread))
        if "softmax" in KINDS[name]:
            assert sum(score for _, score in answers[str(files[name])][0]) == pytest.approx(
                1, abs=0.02
            )


def test_what_mediapipe_does_not_take_is_no_failure(files):
    with pytest.raises(NotForThisModel, match="a model of int8 images"):
        mediapipe.run(files["int8"].read_bytes(), noise(1))


def test_the_outputs_are_those_of_litert(files):
    if reason := mediapipe.available():
        pytest.skip(reason)
    data, images = files["uint8"].read_bytes(), noise(20)
    ours = mediapipe.run(data, images)
    assert np.abs(ours.levels - litert.run(data, images).levels).max() <= 1
