import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import flatbuffers
import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from crash import crash_trial_of
from pydantic import TypeAdapter
from sklearn.datasets import load_digits

from kcnn import models
from kcnn.bundle import About, Result, Verification, read, verify, write_bundle
from kcnn.bundle.snippets import micro_operators, write_snippets
from kcnn.cli.verify import verify as verify_command
from kcnn.data import Examples, Opened, load, load_arrays
from kcnn.layers import LocalResponseNormalization
from kcnn.litert import TFLiteClassifier, read_requirements, summarize
from kcnn.litert.activations import peak_activation_bytes
from kcnn.litert.metadata import read_metadata
from kcnn.runtimes import RUNTIMES, Runtime, find_runtime, litert
from tests.command import run_command

layers = keras.layers
LABELS = ("zero", 'a "quoted" one', "two\\three $x", "four")
LITERT = ("litert", "litert-optimized", "litert-reference")


KCNN = Path(sys.executable).with_name("kcnn")
STUBS = Path(__file__).with_name("stubs")


def noise(count, seed=5):
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), np.uint8)


def tiny(*extra, channels=3):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((8, 8, channels), name="image"),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            *extra,
            layers.Conv2D(16, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, name="logits"),
        ],
        name="tiny",
    )


class Noise:
    """A source of 40 training images and 30 test images."""

    mirror = False

    def open(self, data_dir):
        train, test = (
            Examples.from_arrays(noise(count, seed), np.arange(count) % 4)
            for count, seed in ((40, 5), (30, 6))
        )
        return Opened(train, test, LABELS)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "tiny"
    about = About(license="Apache-2.0", data="noise")
    write_bundle(tiny(), folder, data=load(Noise(), batch_size=8), about=about)
    return folder


def facts(folder):
    """Return what a manifest says, in the format without digest: other facts may be written."""
    values = json.loads((folder / "bundle.json").read_text())
    del values["digest"]
    return values | {"format": 1}


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
    predicted = TFLiteClassifier(bundle / "model_int8.tflite")(noise(30, 6)).argmax(axis=1)
    assert 0 < manifest["test_accuracy"] < 1
    assert manifest["test_accuracy"] == np.mean(predicted == np.arange(30) % 4)
    assert manifest["test_images"] == 30
    files = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    assert files == {"bundle.json", *manifest["sha256"]}
    assert summarize(bundle / "model_int8.tflite").labels == LABELS


def test_the_golden_answers_are_those_of_the_model(bundle):
    images, outputs = golden(bundle)
    np.testing.assert_array_equal(images, noise(30, 6)[:10])
    classifier = TFLiteClassifier(bundle / "model_int8.tflite")
    output = read(bundle).output
    np.testing.assert_allclose(
        (outputs.astype(int) - output.zero_point) * output.scale, classifier(images), rtol=1e-6
    )
    assert len({tuple(row) for row in outputs}) > 1


def test_labels_and_metadata_are_where_other_tools_look(bundle):
    with zipfile.ZipFile(bundle / "model_int8.tflite") as archive:
        assert archive.read("labels.txt").decode().splitlines() == [*LABELS]
    data = read_metadata((bundle / "model_int8.tflite").read_bytes())
    assert data[4:8] == b"M001"
    # Slots as metadata_schema.fbs numbers them: ModelMetadata, SubGraphMetadata, TensorMetadata.
    model = Table(data)
    assert (model.text(0), model.text(1)[:32]) == ("tiny", "Classifies images of 8x8x3 raw p")
    (graph,) = model.tables(3)
    (image,), (scores,) = graph.tables(2), graph.tables(3)
    assert (image.text(0), image.text(1)) == ("image", "Raw pixels 0-255, RGB.")
    content = image.table(3)
    assert content.number(0, "Uint8") == 2  # ImageProperties
    properties = content.table(1)
    assert properties.number(0, "Int8") == 1  # RGB
    assert [properties.table(1).number(slot, "Uint32") for slot in (0, 1)] == [8, 8]
    (unit,) = image.tables(4)
    assert unit.number(0, "Uint8") == 1  # NormalizationOptions
    assert [unit.table(1).floats(slot) for slot in (0, 1)] == [[0.0], [1.0]]
    (file,) = scores.tables(6)
    assert (scores.text(0), file.text(0), file.number(2, "Int8")) == ("logits", "labels.txt", 2)


class Table:
    """A table of a flatbuffer whose fields are known by their numbers only."""

    def __init__(self, data, position=None):
        self.data = data
        start = flatbuffers.encode.Get(flatbuffers.packer.uoffset, data, 0)
        self.read = flatbuffers.table.Table(data, start if position is None else position)

    def offset(self, slot):
        found = self.read.Offset(4 + 2 * slot)
        assert found, f"no field {slot}"
        return found

    def number(self, slot, kind):
        flags = getattr(flatbuffers.number_types, f"{kind}Flags")
        return self.read.Get(flags, self.read.Pos + self.offset(slot))

    def text(self, slot):
        return self.read.String(self.read.Pos + self.offset(slot)).decode()

    def table(self, slot):
        return Table(self.data, self.read.Indirect(self.read.Pos + self.offset(slot)))

    def tables(self, slot):
        start, count = self.read.Vector(self.offset(slot)), self.read.VectorLen(self.offset(slot))
        return [Table(self.data, self.read.Indirect(start + 4 * each)) for each in range(count)]

    def floats(self, slot):
        start, count = self.read.Vector(self.offset(slot)), self.read.VectorLen(self.offset(slot))
        return np.frombuffer(self.data, "<f4", count, start).tolist()


def test_constants_lie_where_microcontrollers_read_them_in_place(bundle):
    model = schema.Model.GetRootAs((bundle / "model_int8.tflite").read_bytes())
    buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
    places = [each._tab.Vector(each._tab.Offset(4)) for each in buffers if each.DataLength()]
    assert len(places) > 6 and {place % 16 for place in places} == {0}


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
    printf("%d", PredictedClass(output));
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
        predicted, *numbers = line.split()
        assert int(predicted) == output.argmax()
        assert [int(number) for number in numbers[:3]] == (
            image.ravel()[:3].astype(int) - 128
        ).tolist()
        powers = np.exp((output - output.max().astype(np.float64)) * scale)
        np.testing.assert_allclose(np.float64(numbers[3:]), powers / powers.sum(), atol=1e-5)
    assert label == LABELS[1]


# What ends a literal, an interpolation, a trigraph, a comment or a line, or hides from a reader.
STRANGE = (
    'quotes " and \' and \\" \\',
    "\\n \\0 \\u{41} \\(1 + 1) $x ${1 + 1} {{ 1 + 1 }} %s",
    "trigraphs ??/ ???= ??' ????! */ // /* R\"(",
    "NUL \0 then digits \0007 and \x01f",
    "\u202eright to left\u2066 \u200f \u200b \ufeff \u00ad",
    "controls \t \a \b \x1b[31m \x7f \x9b",
    "Gr\u00fc\u00dfe \u732b \U0001f600 \U000e0041 e\u0301",
)
STRANGE_PROGRAM = """
#include <stdio.h>
#include "classifier.h"

int main(void) {
  for (int i = 0; i < kClasses; ++i) {
    for (size_t k = 0; k <= kLabelBytes[i]; ++k) printf("%02x", (unsigned char)kLabels[i][k]);
    printf("\\n");
  }
  return 0;
}
"""


@pytest.fixture
def strange(bundle, tmp_path):
    """Return a folder of snippets whose class names are hard to write as literals."""
    summary = summarize(bundle / "model_int8.tflite")
    target = replace(summary.outputs[0], shape=(1, len(STRANGE)))
    changed = replace(summary, labels=STRANGE, outputs=(target,))
    write_snippets(changed, tmp_path, arena_bytes=1, arena_note="A guess.")
    return tmp_path


@pytest.mark.parametrize(
    ("compilers", "file", "standard"),
    [
        (("cc", "gcc", "clang"), "program.c", "c99"),
        (("c++", "g++", "clang++"), "program.cc", "c++11"),  # both read trigraphs
    ],
)
def test_strange_class_names_compile_to_the_same_bytes(strange, compilers, file, standard):
    compiler = next(filter(None, map(shutil.which, compilers)), None)
    if compiler is None:
        pytest.skip("no compiler")
    (strange / file).write_text(STRANGE_PROGRAM)
    command = [compiler, f"-std={standard}", "-Wall", "-Wtrigraphs", "-Werror", "-o", "program"]
    subprocess.run([*command, file, "-lm"], check=True, cwd=strange)
    done = subprocess.run([strange / "program"], capture_output=True, text=True, check=True)
    assert [bytes.fromhex(line) for line in done.stdout.split()] == [
        label.encode() + b"\0" for label in STRANGE
    ]


def kotlin_text(inner):
    """Return what Kotlin reads in a literal, by the escapes of its grammar."""

    def unit(match):
        code = match[1] or match[2]
        return chr(int(code, 16)) if match[1] else code

    assert not re.search(r'(?<!\\)(?:\\\\)*[$"]', inner)
    text = re.sub(r"\\(?:u([0-9a-f]{4})|([\\\"$]))", unit, inner)
    return text.encode("utf-16", "surrogatepass").decode("utf-16")


def swift_text(inner):
    """Return what Swift reads in a literal, by the escapes of its grammar."""

    def scalar(match):
        return chr(int(match[1], 16)) if match[1] else match[2]

    assert not re.search(r'(?<!\\)(?:\\\\)*"', inner)
    return re.sub(r"\\(?:u\{([0-9a-f]{1,8})\}|([\\\"]))", scalar, inner)


@pytest.mark.parametrize(
    ("file", "read_literal"), [("Scores.kt", kotlin_text), ("Classifier.swift", swift_text)]
)
def test_strange_class_names_are_literals_of_the_apps_languages(strange, file, read_literal):
    written = (strange / file).read_bytes().decode()
    assert all(each.isprintable() or each == "\n" for each in written)
    start = written.index("LABELS = listOf(" if "kt" in file else "static let labels = [")
    lines = written[start:].split("\n")[1 : len(STRANGE) + 1]
    lines = [line.strip().removesuffix(",") for line in lines]
    assert all(line[0] == line[-1] == '"' for line in lines)
    assert tuple(read_literal(line[1:-1]) for line in lines) == STRANGE


def test_the_snippets_have_this_models_numbers(bundle):
    output = read(bundle).output
    scale, zero = repr(output.scale), output.zero_point
    byte = "ByteArray(pixels.size) { ((pixels[it].toInt() and 0xFF) - 128).toByte() }"
    expected = {
        "Picture.kt": ["        const val HEIGHT = 8", "        const val CHANNELS = 3"],
        "Picture.swift": ["    static let height = 8, width = 8, channels = 3"],
        "Scores.kt": [
            f"    private const val OUTPUT_SCALE = {scale}f",
            f"    private const val OUTPUT_ZERO_POINT = {zero}",
            f"    fun stored(pixels: ByteArray) = {byte}",
            '        "two\\\\three \\$x",',
        ],
        "Classifier.swift": [
            f"    static let outputScale: Float = {scale}, outputZeroPoint = {zero}",
            "        try inputs[0].write(pixels.map { $0 ^ 0x80 })",
            '        "two\\\\three $x",',
        ],
        "classifier.h": [
            f"static const float kOutputScale = {scale}f;",
            f"static const int kOutputZeroPoint = {zero};",
        ],
        "classifier_micro.cc": [
            f"    resolver.Add{operator}();"
            for operator in ("Conv2D", "MaxPool2D", "Mean", "FullyConnected")
        ],
    }
    for name, lines in expected.items():
        written = (bundle / "snippets" / name).read_text()
        assert not set(lines) - set(written.splitlines())
        assert "{{" not in written
    assert micro_operators(["DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "BATCH_MATMUL", "RELU6"]) == [
        *("DepthwiseConv2D", "AveragePool2D", "BatchMatMul", "Relu6")
    ]


def test_the_readme_says_what_a_port_needs(bundle):
    output, text = read(bundle).output, (bundle / "README.md").read_text()
    size, zero = (bundle / "model_int8.tflite").stat().st_size, output.zero_point
    for fact in (
        "8 x 8 pixels, red, green and blue, and predicts one of 4 classes.",
        "% of 30 test images correctly.",
        f"`{output.scale!r} * (q {'-' if zero > 0 else '+'} {abs(zero)})`",
        "`golden/images.bin` is 10 images of 192 bytes",
        f"| `model_int8.tflite` | the model, {size:,} bytes",
    ):
        assert fact in text
    named = {name for name in re.findall(r"`([\w.]+)/?`", text.split("##")[0])}
    there = {path.name for path in bundle.iterdir()} - {"README.md", "model_data.h"}
    assert named - {".h"} == there


def test_the_card_says_what_the_bundle_knows(bundle):
    card, manifest = (bundle / "MODEL_CARD.md").read_text(), read(bundle)
    file = bundle / "model_int8.tflite"
    predicted, true = TFLiteClassifier(file)(noise(30, 6)).argmax(axis=1), np.arange(30) % 4
    for fact in (
        '| classes | 4: zero, a "quoted" one, two\\\\three $x, four |',
        "| license | Apache-2.0 |",
        "| trained on | not stated |",
        f"kcnn {manifest.versions['kcnn']}, tensorflow {manifest.versions['tensorflow']}, keras",
        "a Keras model with 1,460 parameters",
        "measured on 36 training images of noise",
        f"classifies {np.mean(predicted == true):.2%} of 30 test images of noise",
        f"| flash | {file.stat().st_size:,} bytes,",
        f"| activations | {peak_activation_bytes(file.read_bytes()):,} bytes,",
        "- TensorFlow Lite Micro of 2024-05-07 and later",
    ):
        assert fact in card
    reserved = re.search(
        r"kArenaBytes = (\d+);", (bundle / "snippets/classifier_micro.cc").read_text()
    )
    assert f"| RAM on a microcontroller | {int(reserved[1]):,} bytes," in card
    assert manifest.runs_on == read_requirements(file.read_bytes()).lines()
    assert "MODEL_CARD.md" in manifest.sha256 and len(card.splitlines()) < 70
    names = dict(enumerate(each.replace("\\", "\\\\") for each in LABELS))
    pairs = [(t, p) for t, p in zip(true, predicted, strict=True) if t != p]
    (truth, guess), count = max(Counter(pairs).items(), key=lambda each: (each[1], -each[0][0]))
    share = count / np.sum(true == truth)
    assert f"| {names[truth]} | {names[guess]} | {count} | {share:.1%} |" in card


@pytest.mark.parametrize("text", ["", " ", "MIT\nlicense", "x" * 201])
def test_a_license_is_a_line(text):
    with pytest.raises(ValueError, match="a line of 1 to 200 letters that names it, such as"):
        About(license=text)


def test_times_and_memory_are_measured_and_older_receipts_are_read(bundle, tmp_path):
    verification = verify(bundle, runtimes=["litert", "litert-reference"])
    verification.save(tmp_path / "receipt.json")
    receipt = json.loads((tmp_path / "receipt.json").read_text())
    kind = TypeAdapter(Result)
    for result, stored in zip(verification.results, receipt["results"], strict=True):
        times = result.times
        assert 0 < times.p50 <= times.p90 <= times.p99 and times.first > 0
        assert times.count >= 100 and times.p50 == result.milliseconds_per_image
        assert 2e6 < result.peak_memory_bytes < 2e8  # that of this process is larger
        assert kind.validate_python(stored) == result
        cells = result.row(10)
        assert f"{times.p50:.3f}/{times.p90:.3f}/{times.p99:.3f}" in cells
        old = {key: stored[key] for key in stored if key not in ("times", "peak_memory_bytes")}
        earlier = kind.validate_python(old)
        assert earlier == replace(result, times=None, peak_memory_bytes=None)
        assert f"{times.p50:.3f}" in earlier.row(10)


def test_gray_is_rounded_as_on_the_page(bundle, tmp_path):
    summary = summarize(bundle / "model_int8.tflite")
    gray = replace(summary, inputs=(replace(summary.inputs[0], shape=(1, 8, 8, 1)),))
    write_snippets(gray, tmp_path, arena_bytes=1, arena_note="A guess.")
    line = "byte(0.299f * red + 0.587f * green + 0.114f * blue)"
    assert line in (tmp_path / "Picture.kt").read_text()


def test_the_cpp_code_compiles(bundle):
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    command = [compiler, "-std=c++17", "-fsyntax-only", "-Wall", "-Werror", f"-I{STUBS}"]
    command += [f"-I{bundle}", f"-I{bundle / 'snippets'}", bundle / "model_data.cc"]
    snippets = sorted((bundle / "snippets").glob("*.cc"))
    assert len(snippets) == 2
    subprocess.run([*command, *snippets], check=True)


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
    predicted = model.predict_on_batch(images.astype("float32")).argmax(axis=1)
    assert first.float_agreement == np.mean(
        predicted == np.where(np.arange(40) < 10, labels - 1, labels) % 4
    )
    for other in others:
        assert other.skipped is None
        assert other.difference < 4
    low = replace(first, float_agreement=0.45)
    (line,) = replace(verification, results=(low,)).failures
    assert "predicts the Keras model's class for 45% of 40 images; 50% is the least" in line


def near(model, images, *, timeout):
    """A user's own runtime: LiteRT, but the first number of every answer is two steps higher."""
    run = litert.run(model, images, timeout=timeout)
    outputs = run.outputs.copy()
    outputs[:, 0] = np.clip(outputs[:, 0].astype(int) + 2, 0, 255)
    return replace(run, outputs=outputs)


OWN = Runtime("own", "My runtime", near, lambda: None, io="uint8", held_to="litert", tolerance=2)


def test_a_runtime_of_ones_own_is_verified_as_the_others_are(bundle):
    verification = verify(bundle, runtimes=[OWN, "litert-optimised"])
    own, optimized = verification.results
    assert (own.title, own.held_difference, own.golden_equal) == ("My runtime", 2, 0)
    assert optimized.runtime == "litert-optimized"  # its old name still finds it
    assert verification.failures == [] and verification.required == ("own", "litert-optimized")
    strict = replace(OWN, tolerance=1, golden=True)
    assert verify(bundle, runtimes=[strict]).failures == [
        "My runtime returns other answers for 10 of 10 golden images.",
        "My runtime differs by up to 2 steps from LiteRT, XNNPACK; 1 are allowed.",
    ]
    missing = replace(OWN, available=lambda: "Buy one.")
    assert "My runtime did not run: Buy one." in verify(bundle, runtimes=[missing]).failures
    with pytest.raises(ValueError, match="Unknown runtime 'nowhere'"):
        verify(bundle, runtimes=[replace(OWN, held_to="nowhere")])


def test_a_runtime_of_ones_own_is_found_by_its_place(tmp_path, monkeypatch):
    (tmp_path / "phones.py").write_text(
        "from kcnn.runtimes import RUNTIMES\nOURS, wrong = RUNTIMES['litert'], 1\n"
    )
    monkeypatch.chdir(tmp_path)
    assert find_runtime("phones:OURS") is RUNTIMES["litert"]
    with pytest.raises(ValueError, match="'phones:wrong' must be a kcnn.runtimes.Runtime"):
        find_runtime("phones:wrong")


def test_other_answers_than_the_golden_ones_are_reported(copied):
    outputs = np.fromfile(copied / "golden/outputs.bin", np.int8)
    outputs[0] ^= 1
    outputs.tofile(copied / "golden/outputs.bin")
    with pytest.raises(ValueError, match="outputs.bin' has changed"):
        verify(copied, runtimes=["litert"])
    manifest = facts(copied)
    del manifest["sha256"]["golden/outputs.bin"]
    (copied / "bundle.json").write_text(json.dumps(manifest))
    verification = verify(copied, runtimes=["litert"])
    assert verification.results[0].golden_equal == 9
    assert verification.failures == [
        "LiteRT, XNNPACK returns other answers for 1 of 10 golden images."
    ]


def test_what_the_manifest_does_not_know_is_named(copied, capsys):
    assert verify(copied, runtimes=["litert"]).extra_files == ()
    (copied / "golden/.hidden").touch()
    (copied / "readme\x1b[31m").touch()
    (copied / "more/deep").mkdir(parents=True)
    (copied / "more/deep/model.tflite").touch()
    (copied / "elsewhere").symlink_to("/etc")
    (copied / "README.md").rename(copied / "web/README.md")
    (copied / "README.md").symlink_to("web/README.md")
    expected = ["README.md (a link)", "elsewhere (a link)", "golden/.hidden", "more/"]
    expected += ["readme\x1b[31m", "web/README.md"]
    assert verify(copied, runtimes=["litert"]).extra_files == tuple(expected)
    verify_command(copied, runtime=["litert"], out=copied / "result.json")
    assert json.loads((copied / "result.json").read_text())["extra_files"] == expected
    printed = " ".join(capsys.readouterr().out.split())
    names = ", ".join(expected).replace("\x1b", "\\x1b")
    assert f"not in bundle.json, so not checked: {names}" in printed
    for index in range(30):
        (copied / f"file {index}").touch()
    verify_command(copied, runtime=["litert"])
    assert "and 17 more" in capsys.readouterr().out


def test_what_is_no_bundle_is_refused(copied, tmp_path):
    with pytest.raises(ValueError, match="kcnn export RUN --bundle"):
        verify(tmp_path)
    with pytest.raises(ValueError, match="Did you mean 'litert'"):
        verify(copied, runtimes=["litrt"])
    model = copied / "model_int8.tflite"
    model.write_bytes(model.read_bytes()[:-100])
    with pytest.raises(ValueError, match="has changed since the bundle was made"):
        read(copied)
    model.unlink()
    with pytest.raises(ValueError, match="lacks its file 'model_int8.tflite'"):
        read(copied)
    manifest = facts(copied)
    (copied / "bundle.json").write_text(json.dumps(manifest | {"sha256": {"../x": "0"}}))
    with pytest.raises(ValueError, match="outside the bundle"):
        read(copied)
    (copied / "bundle.json").write_text("{}")
    with pytest.raises(ValueError, match="no bundle's manifest: name is missing"):
        read(copied)
    (copied / "bundle.json").write_bytes(b" " * (2**24 + 1))
    with pytest.raises(ValueError, match="more than 16,777,216 bytes"):
        read(copied)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the child through /proc")
@pytest.mark.parametrize("name", ["model_int8.tflite", "web/model.tflite"])
def test_a_model_that_crashes_litert_is_refused(name, copied):
    with (copied / name).open("ab") as model:
        model.write(b" ")  # a file that this process has not written
    manifest = facts(copied)
    del manifest["sha256"][name]
    (copied / "bundle.json").write_text(json.dumps(manifest))
    crash_trial_of(os.getpid())
    with pytest.raises(ValueError, match=rf"{name} is damaged.*\(SIGSEGV"):
        verify(copied, runtimes=[replace(OWN, run=litert.run)])


@pytest.mark.parametrize(
    ("keys", "value", "reason"),
    [
        (("format",), 7, "format must be"),
        (("format",), 2, "has changed since"),  # which needs a digest
        (("golden", "count"), 0, "golden.count"),
        (("output", "shape"), [], "does not fit its model"),
        (("output", "zero_point"), None, "does not fit its model"),
        (("output", "scale"), 0.5, "does not fit its model"),
        (("input", "shape"), [1, 8, 8, 1], "does not fit its model"),
        (("labels",), ["a", "b", "c", "d"], "does not fit its model"),
    ],
)
def test_a_manifest_of_another_model_is_refused(keys, value, reason, copied):
    manifest = facts(copied)
    inner = manifest
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    (copied / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=reason) as caught:
        verify(copied, runtimes=["litert"])
    assert "\n" not in str(caught.value)


def outcome(name, **found):
    same = {"golden_equal": 10, "golden_difference": 0, "milliseconds_per_image": 1.0}
    return Result(name, RUNTIMES[name].title, **(same | found))


@pytest.mark.parametrize(
    ("result", "machine", "complaint"),
    [
        (outcome("litert"), None, None),
        (outcome("litert", golden_equal=9, golden_difference=1), None, "for 1 of 10 golden"),
        # Another processor may round otherwise, but does not compute anything else.
        (outcome("litert", golden_equal=9, golden_difference=1), "another", None),
        (outcome("litert", golden_equal=9, golden_difference=40), "another", "40 steps from the"),
        # Other kernels differ from the golden answers, in no way that could be bounded.
        (outcome("litert-reference", golden_equal=0, golden_difference=90), None, None),
        (outcome("tflite-micro", held_difference=11, golden_equal=0), None, None),
        (outcome("tflite-micro", held_difference=17), None, "up to 17 steps from LiteRT, refer"),
        (outcome("tflite-micro"), None, "cannot be compared with LiteRT, reference kernels"),
        (outcome("litert-js", held_difference=0), None, None),
        (outcome("litert-js", held_difference=1), None, "up to 1 steps from LiteRT, XNNPACK"),
        (Result("litert", "LiteRT, XNNPACK", failed="Why."), None, "XNNPACK failed: Why."),
    ],
)
def test_what_is_wrong_is_reported(result, machine, complaint, bundle):
    manifest = read(bundle)
    manifest = replace(manifest, machine=machine or manifest.machine)
    failures = Verification(manifest, (result,)).failures
    assert len(failures) == (complaint is not None)
    assert complaint is None or complaint in failures[0]


def test_a_runtime_that_was_asked_for_must_run(bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("KCNN_TFLITE_MICRO_PYTHON", str(tmp_path / "python"))
    by_default = verify(bundle, runtimes=["litert", "tflite-micro"])
    assert by_default.results[1].skipped and len(by_default.failures) == 1
    assert "TFLite Micro did not run" in by_default.failures[0]
    assert replace(by_default, required=()).failures == []
    assert replace(by_default, results=by_default.results[1:], required=()).failures == [
        "No runtime ran the bundle."
    ]


def test_what_a_microcontroller_lacks_is_reported_and_no_obstacle(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    model = tiny(layers.Rescaling(1 / 64), LocalResponseNormalization(alpha=0.02))
    write_bundle(model, ".", calibration=noise(32), golden=noise(10))
    assert summarize("model_int8.tflite").operators.keys() >= {"LOG", "EXP"}
    assert Path("bundle.json").is_file()
    assert [each.name for each in tmp_path.iterdir()] == ["work"]
    if reason := RUNTIMES["tflite-micro"].available():
        pytest.skip(reason)
    assert "// Memory for the activations. A guess, and this file may not compile: TFLite" in (
        Path("snippets/classifier_micro.cc").read_text()
    )
    verification = verify(".", runtimes=["litert", "tflite-micro"])
    (line,) = verification.failures
    assert line.startswith("TFLite Micro failed: ")
    assert verification.results[0].golden_equal == 10


@pytest.fixture(scope="module")
def digits_model(tmp_path_factory):
    """Return the file of a model that classifies digits by the nearest of their mean images."""
    digits = load_digits()
    means = np.stack([digits.images[digits.target == each].mean(axis=0) for each in range(10)])
    means = (means / 16).reshape(10, 64)
    image = keras.Input((32, 32, 3), name="image")
    x = layers.Conv2D(1, 1, kernel_initializer="ones", name="gray")(image)
    x = layers.Flatten()(layers.AveragePooling2D(4)(x))
    model = keras.Model(image, layers.Dense(10, name="logits")(x), name="nearest")
    weights = [2 * means.T / (3 * 255), -(means**2).sum(axis=1)]
    model.get_layer("logits").set_weights(weights)
    path = tmp_path_factory.mktemp("digits") / "nearest.keras"
    model.save(path)
    return path


def kcnn(*arguments, cwd, **variables):
    environment = {**os.environ, "COLUMNS": "200", **variables}
    return subprocess.run(
        [*map(str, (KCNN, *arguments))], cwd=cwd, capture_output=True, text=True, env=environment
    )


def test_from_a_keras_file_to_a_bundle_that_runs_everywhere(
    digits_model, tmp_path, monkeypatch, capsys
):
    flags = ("--data", "digits", "--bundle", "phone", "--license", "MIT")
    done = kcnn("export", digits_model, *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    card = (tmp_path / "phone/MODEL_CARD.md").read_text()
    assert "| license | MIT |" in card and "% of 359 test images of digits correctly" in card
    assert "int8 accuracy 9" in done.stdout and "on 359 test images" in done.stdout
    assert "of 144 validation images" in done.stdout and "warning" not in done.stdout
    assert [each.name for each in tmp_path.iterdir()] == ["phone"]

    done = kcnn("verify", "phone", "--data", "digits", "--images", "30", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    for runtime in RUNTIMES.values():
        reason = runtime.available()
        start = f"skipped {runtime.title}: {reason}" if reason else runtime.title
        (line,) = [each for each in lines if each.startswith(start)]
        if runtime.golden and not reason:
            assert line.removeprefix(start).split()[0] == "10"
    with zipfile.ZipFile(tmp_path / "phone/model_int8.tflite") as archive:
        assert archive.read("labels.txt").split() == [b"%d" % each for each in range(10)]

    monkeypatch.chdir(tmp_path)  # from here on in this process, which has everything imported
    here = RUNTIMES["litert-js"].available() is None
    assert (run_command("verify", "phone", "--runtime", "litert-js") == 0) == here
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("KCNN_CHROMIUM", "nowhere")
        assert run_command("verify", "phone", "--runtime", "litert-js") == 1

    # What cannot be installed is named, and the others run.
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("KCNN_RUNTIMES", str(tmp_path / "none"))
        elsewhere.setenv("KCNN_TFLITE_MICRO_PYTHON", "")
        elsewhere.setenv("PIP_NO_INDEX", "1")
        elsewhere.setenv("PATH", "")
        capsys.readouterr()
        assert run_command("verify", "phone", "--install") == 0
    said = capsys.readouterr().out
    assert "TFLite Micro" in said and "install Node.js" in said
    assert said.count("skipped ") == 4 and "LiteRT, XNNPACK" in said

    train, test = (getattr(load_arrays("digits"), part) for part in ("train", "test"))
    parts = {"train_images": train.images, "train_labels": train.labels}
    np.savez(tmp_path / "own.npz", **parts, test_images=test.images, test_labels=test.labels)
    for place, name in enumerate(("digits", "arrays:own.npz")):
        flags = ("--data", name, "--runtime", "litert", "--out", f"{place}.json")
        assert run_command("verify", "phone", *flags) == 0
    first, second = (json.loads((tmp_path / f"{each}.json").read_text()) for each in (0, 1))
    for receipt in (first, second):
        assert receipt.pop("data") in ("digits", "arrays:own.npz") and receipt.pop("created")
        assert receipt["failures"] == [] and receipt["results"][0]["golden_equal"] == 10
        (result,) = receipt["results"]
        assert result.pop("milliseconds_per_image") > 0 and result.pop("peak_memory_bytes") > 0
        assert result.pop("times")["count"] > 100
    assert first == second and first["results"][0]["accuracy"] > 0.9

    outputs = tmp_path / "phone/golden/outputs.bin"
    outputs.write_bytes(outputs.read_bytes()[::-1])
    capsys.readouterr()
    assert run_command("verify", "phone") == 1
    assert "has changed since the bundle was made" in capsys.readouterr().err


def test_a_file_of_floats_is_labeled_and_compared_where_data_are_named(digits_model, tmp_path):
    flags = ("--quantization", "float16", "--data", "digits", "--out", "half.tflite")
    done = kcnn("export", digits_model, *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "both predict the same class for 100.00%" in " ".join(done.stdout.split())
    assert summarize(tmp_path / "half.tflite").labels == tuple("0123456789")


def test_a_runtime_that_takes_too_long_is_ended(bundle):
    (result,) = verify(bundle, runtimes=["litert"], timeout=0.01).results
    assert "longer than 0.01 s: raise the timeout" in result.failed


def test_what_is_passed_beside_data_replaces_it(tmp_path):
    golden_images, names = noise(12, seed=7), ("a", "b", "c", "d")
    data = load(Noise(), batch_size=8)
    written = write_bundle(tiny(), tmp_path / "new", data=data, golden=golden_images, labels=names)
    assert (written.labels, written.golden.count, written.test_images) == (names, 12, 30)
    stored = np.fromfile(tmp_path / "new/golden/images.bin", np.uint8)
    np.testing.assert_array_equal(stored, golden_images.ravel())


def test_a_bundle_needs_golden_images(tmp_path):
    with pytest.raises(ValueError, match="pass data=, or ten test images as golden="):
        write_bundle(tiny(), tmp_path / "new", calibration=noise(32))
    assert not (tmp_path / "new").exists()


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
