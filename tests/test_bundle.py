import json
import shutil
import subprocess
import zipfile

import keras
import numpy as np
import pytest

from kcnn import models
from kcnn.bundle import Score, read, verify, write_bundle
from kcnn.litert import TFLiteClassifier, summarize
from kcnn.litert.activations import peak_activation_bytes
from kcnn.litert.metadata import read_metadata

layers = keras.layers
LABELS = ("zero", 'a "quoted" one', "two\\three $x", "four")
LITERT = ("litert", "litert-optimised", "litert-reference")


def noise(count, seed=5):
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3), name="image"),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, name="logits"),
        ],
        name="tiny",
    )
    folder = tmp_path_factory.mktemp("bundle") / "tiny"
    write_bundle(
        model, folder, calibration=noise(32), golden=noise(10), labels=LABELS, score=Score(0.9, 50)
    )
    return folder


@pytest.fixture
def copied(bundle, tmp_path):
    return shutil.copytree(bundle, tmp_path / "copy")


def golden(folder):
    return (
        np.fromfile(folder / "golden/images.bin", np.uint8).reshape(10, 8, 8, 3),
        np.fromfile(folder / "golden/outputs.bin", np.int8).reshape(10, 4),
    )


def test_a_bundle_says_what_is_in_it(bundle):
    manifest = json.loads((bundle / "bundle.json").read_text())
    assert manifest["input"] | {"name": ""} == {
        **{"name": "", "dtype": "int8", "shape": [1, 8, 8, 3]},
        **{"scale": 1.0, "zero_point": -128},
    }
    assert manifest["labels"] == [*LABELS]
    assert (manifest["test_accuracy"], manifest["test_images"]) == (0.9, 50)
    files = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    assert files == {"bundle.json", *manifest["sha256"]}
    assert summarize(bundle / "model_int8.tflite").labels == LABELS


def test_the_golden_answers_are_those_of_the_model(bundle):
    images, outputs = golden(bundle)
    classifier = TFLiteClassifier(bundle / "model_int8.tflite")
    output = read(bundle).output
    np.testing.assert_allclose(
        (outputs.astype(int) - output.zero_point) * output.scale, classifier(images), rtol=1e-6
    )
    assert len({tuple(row) for row in outputs}) > 1


def test_labels_and_metadata_are_where_other_tools_look(bundle):
    with zipfile.ZipFile(bundle / "model_int8.tflite") as archive:
        assert archive.read("labels.txt").decode().splitlines() == [*LABELS]
    metadata = read_metadata((bundle / "model_int8.tflite").read_bytes())
    assert metadata[4:8] == b"M001"
    for text in (b"tiny", b"labels.txt", b"logits", b"Raw pixels 0-255, RGB."):
        assert text in metadata


def test_the_c_array_holds_the_model(bundle):
    text = (bundle / "model_data.cc").read_text()
    numbers = text.partition("{")[2].partition("}")[0].replace("\n", "").split(",")
    data = bytes(int(number, 16) for number in numbers if number.strip())
    assert data == (bundle / "model_int8.tflite").read_bytes()
    assert f"g_model_data_len = {len(data)};" in text


PROGRAM = """
#include <stdio.h>
#include "classifier.h"

int main(void) {
  uint8_t pixels[kImageBytes];
  int8_t stored[kImageBytes], output[kClasses];
  float probabilities[kClasses];
  FILE* images = fopen("images.bin", "rb");
  FILE* outputs = fopen("outputs.bin", "rb");
  while (fread(pixels, 1, kImageBytes, images) == kImageBytes) {
    if (fread(output, 1, kClasses, outputs) != kClasses) return 1;
    StorePixels(pixels, stored);
    Probabilities(output, probabilities);
    printf("%d", LargestPlace(output));
    for (int i = 0; i < 3; ++i) printf(" %d", stored[i]);
    for (int i = 0; i < kClasses; ++i) printf(" %.6f", probabilities[i]);
    printf("\\n");
  }
  printf("%s\\n", kLabels[1]);
  return 0;
}
"""


def test_the_c_code_counts_as_the_model_does(bundle, tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    (tmp_path / "program.c").write_text(PROGRAM)
    command = [compiler, "-Wall", "-Werror", "-I", str(bundle / "snippets"), "-o", "program"]
    subprocess.run([*command, "program.c", "-lm"], check=True, cwd=tmp_path)
    done = subprocess.run(
        [tmp_path / "program"], cwd=bundle / "golden", capture_output=True, text=True, check=True
    )
    *lines, label = done.stdout.splitlines()
    images, outputs = golden(bundle)
    scale = read(bundle).output.scale
    for line, image, output in zip(lines, images, outputs, strict=True):
        told, *numbers = line.split()
        assert int(told) == output.argmax()
        assert [int(number) for number in numbers[:3]] == (
            image.ravel()[:3].astype(int) - 128
        ).tolist()
        powers = np.exp((output - output.max().astype(np.float64)) * scale)
        np.testing.assert_allclose(np.float64(numbers[3:]), powers / powers.sum(), atol=1e-5)
    assert label == LABELS[1]


def test_the_snippets_have_this_models_numbers(bundle):
    output = read(bundle).output
    for name in ("Classifier.kt", "Classifier.swift", "classifier.h"):
        text = (bundle / "snippets" / name).read_text()
        assert repr(output.scale) in text
        assert str(output.zero_point) in text
        assert "{{" not in text
    micro = (bundle / "snippets/classifier_micro.cc").read_text()
    for operator in ("Conv2D", "MaxPool2D", "Mean", "FullyConnected"):
        assert f"resolver.Add{operator}();" in micro


def test_a_bundle_is_verified_on_litert(bundle):
    images = noise(40, seed=9)
    labels = TFLiteClassifier(bundle / "model_int8.tflite")(images).argmax(axis=1)
    labels[:10] = (labels[:10] + 1) % 4
    verification = verify(bundle, images, labels, runtimes=LITERT)
    assert verification.failures == []
    first, *others = verification.results
    assert (first.golden_equal, first.golden_difference) == (10, 0)
    assert (first.images, first.accuracy, first.agreement, first.difference) == (40, 0.75, 1, 0)
    model = models.load(bundle / "model.keras")
    told = model.predict_on_batch(images.astype("float32")).argmax(axis=1)
    assert first.float_agreement == np.mean(
        told == np.where(np.arange(40) < 10, labels - 1, labels) % 4
    )
    for other in others:
        assert other.skipped is None
        assert other.difference < 4


def test_other_answers_than_the_golden_ones_are_told(copied):
    outputs = np.fromfile(copied / "golden/outputs.bin", np.int8)
    outputs[0] ^= 1
    outputs.tofile(copied / "golden/outputs.bin")
    with pytest.raises(ValueError, match="outputs.bin' is not the file"):
        verify(copied, runtimes=["litert"])
    manifest = json.loads((copied / "bundle.json").read_text())
    del manifest["sha256"]["golden/outputs.bin"]
    (copied / "bundle.json").write_text(json.dumps(manifest))
    verification = verify(copied, runtimes=["litert"])
    assert verification.results[0].golden_equal == 9
    assert verification.failures == [
        "LiteRT, XNNPACK gives other answers for 1 of 10 golden images."
    ]


def test_what_is_no_bundle_is_refused(copied, tmp_path):
    with pytest.raises(ValueError, match="kcnn export RUN --bundle"):
        verify(tmp_path)
    with pytest.raises(ValueError, match="Did you mean 'litert'"):
        verify(copied, runtimes=["litrt"])
    model = copied / "model_int8.tflite"
    model.write_bytes(model.read_bytes()[:-100])
    with pytest.raises(ValueError, match="not the file that the bundle was made of"):
        read(copied)
    model.unlink()
    with pytest.raises(ValueError, match="lacks its file 'model_int8.tflite'"):
        read(copied)
    manifest = json.loads((copied / "bundle.json").read_text())
    (copied / "bundle.json").write_text(json.dumps(manifest | {"sha256": {"../x": "0"}}))
    with pytest.raises(ValueError, match="outside the bundle"):
        read(copied)
    (copied / "bundle.json").write_text("{}")
    with pytest.raises(ValueError, match="no bundle's manifest"):
        read(copied)


def test_a_folder_in_use_stays_as_it_is(bundle):
    before = sorted(bundle.rglob("*"))
    with pytest.raises(ValueError, match="exists"):
        write_bundle(None, bundle, calibration=noise(32), golden=noise(10))
    assert sorted(bundle.rglob("*")) == before


def test_nothing_is_left_of_a_bundle_that_cannot_be_made(tmp_path):
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(2)])
    with pytest.raises(ValueError, match="at least 10"):
        write_bundle(model, tmp_path / "new", calibration=noise(3), golden=noise(10))
    assert [*tmp_path.iterdir()] == []


def test_the_peak_of_activations_is_counted(bundle):
    # The first convolution reads 8x8x3 and writes 8x8x8 bytes.
    assert peak_activation_bytes((bundle / "model_int8.tflite").read_bytes()) == 8 * 8 * (3 + 8)
