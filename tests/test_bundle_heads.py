"""Bundles of models that do not predict the most probable class, and how outputs are read."""

import functools
import json
import shutil
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest

import kcnn
from kcnn.bundle import read, verify, write_bundle
from kcnn.bundle.arithmetic import Arithmetic
from kcnn.provenance import sha256
from kcnn.runtimes.installation import PAGE

layers = keras.layers
THRESHOLD = 0.3
PIXELS = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3)).astype(np.uint8)
GOLDEN = PIXELS[:10]
HEADS = {
    "one logit": (lambda: [layers.Dense(1)], ("cold", "warm")),
    "one sigmoid": (lambda: [layers.Dense(1, activation="sigmoid")], ("cold", "warm")),
    "a sigmoid each": (lambda: [layers.Dense(3), layers.Activation("sigmoid")], ("a", "b", "c")),
    "a softmax": (lambda: [layers.Dense(3), layers.Softmax()], ("a", "b", "c")),
}


def made(head):
    """Return a model whose answers are spread, and the logits that it computes for the pixels."""
    keras.utils.set_random_seed(3)
    body = [keras.Input((8, 8, 3)), layers.Rescaling(1 / 128, -1), layers.Flatten()]
    model = keras.Sequential([*body, *HEADS[head][0]()], name="net")
    dense = next(each for each in model.layers if isinstance(each, layers.Dense))
    kernel, bias = dense.get_weights()
    dense.set_weights([kernel * 2, bias])
    return model


@pytest.fixture(scope="module")
def bundle_of(tmp_path_factory):
    """Return a function from a head to the folder of its bundle, which is written once."""

    @functools.cache
    def write(head):
        folder = tmp_path_factory.mktemp("head") / "bundle"
        threshold = None if head == "a softmax" else THRESHOLD
        options = {"calibration": PIXELS, "golden": GOLDEN, "labels": HEADS[head][1]}
        write_bundle(made(head), folder, **options, threshold=threshold)
        return folder

    return write


@pytest.fixture(params=HEADS)
def bundle(request, bundle_of):
    folder = bundle_of(request.param)
    return folder, read(folder), request.param


@pytest.fixture
def copied(bundle_of, tmp_path):
    return Path(shutil.copytree(bundle_of("a softmax"), tmp_path / "copy"))


def expected(folder):
    """Return the probabilities of the golden images by kcnn's own door, which needs no bundle."""
    return kcnn.predict(folder / "model_int8.tflite", GOLDEN).probabilities


def predicted(shares, head):
    if head == "a softmax":
        return np.eye(3, dtype=bool)[shares.argmax(axis=1)]
    if head == "a sigmoid each":
        return shares >= THRESHOLD
    return np.stack([shares[:, 1] < THRESHOLD, shares[:, 1] >= THRESHOLD], axis=1)


PROGRAM = """
#include <stdio.h>
#include "classifier.h"

int main(void) {
  int8_t output[kOutputs];
  float probabilities[kClasses];
  FILE* outputs = fopen("outputs.bin", "rb");
  while (fread(output, 1, kOutputs, outputs) == kOutputs) {
    Probabilities(output, probabilities);
    for (int i = 0; i < kClasses; ++i) printf("%.7f %d ", probabilities[i], CHOSEN);
    printf("\\n");
  }
  return 0;
}
"""


def test_the_c_code_reads_what_kcnn_reads(bundle, tmp_path):
    folder, _, head = bundle
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    several = head == "a sigmoid each"
    chosen = "IsPredicted(output, i)" if several else "PredictedClass(output) == i"
    (tmp_path / "program.c").write_text(PROGRAM.replace("CHOSEN", chosen))
    command = [compiler, "-Wall", "-Werror", f"-I{folder / 'snippets'}", "program.c", "-lm"]
    subprocess.run([*command, "-o", "program"], check=True, cwd=tmp_path)
    done = subprocess.run([tmp_path / "program"], cwd=folder / "golden", capture_output=True)
    found = np.array([line.split() for line in done.stdout.splitlines()], float)
    shares = expected(folder)
    np.testing.assert_allclose(found[:, ::2], shares, atol=1e-6)
    assert (found[:, 1::2] == predicted(shares, head)).all()
    assert 0 < predicted(shares, head)[:, -1].sum() < 10


def test_the_page_reads_what_kcnn_reads(bundle, tmp_path):
    folder, _, head = bundle
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node.js")
    page = json.loads((folder / "web/page.json").read_text())
    script = (
        f"import {{ read }} from {json.dumps((PAGE / 'classes.js').as_uri())};"
        f"const page = {json.dumps(page)};"
        "const found = page.golden.outputs.map((each) => read(each, page));"
        "console.log(JSON.stringify(found));"
    )
    (tmp_path / "page.mjs").write_text(script)
    done = subprocess.run([node, "page.mjs"], cwd=tmp_path, capture_output=True, check=True)
    shares = expected(folder)
    names = HEADS[head][1]
    for found, row, chosen in zip(
        json.loads(done.stdout), shares, predicted(shares, head), strict=True
    ):
        by_name = {each["label"]: each["share"] for each in found["classes"]}
        np.testing.assert_allclose([by_name[name] for name in names], row, atol=1e-6)
        assert {each["label"] for each in found["predicted"]} == {
            name for name, each in zip(names, chosen, strict=True) if each
        }


def test_the_bundle_is_verified_and_scored_by_its_threshold(bundle):
    folder, manifest, head = bundle
    assert manifest.threshold == (None if head == "a softmax" else THRESHOLD)
    assert manifest.labels == HEADS[head][1]
    chosen = predicted(kcnn.predict(folder / "model_int8.tflite", PIXELS).probabilities, head)
    labels = chosen.astype(int) if head == "a sigmoid each" else chosen.argmax(axis=1)
    labels[:15] = (labels[:15] + 1) % (2 if labels.ndim == 2 else len(manifest.labels))
    verification = verify(folder, PIXELS, labels, runtimes=["litert"])
    assert verification.failures == []
    (result,) = verification.results
    assert (result.golden_equal, result.photographs_difference) == (10, 0)
    assert result.accuracy == 0.75 and result.float_agreement >= 0.9
    assert verification.arithmetic.differences.keys() == {
        *("README.md", "snippets/classifier.h", "snippets/Scores.kt", "snippets/Classifier.swift"),
        "web/page.json",
    }
    assert verification.arithmetic.from_source < 0.03 < verification.arithmetic.otherwise
    with pytest.raises(ValueError, match=r"predicts (one class|several classes at once)"):
        verify(folder, PIXELS, labels[:, None] if labels.ndim == 1 else labels[:, 0])


def test_the_readme_says_what_is_predicted(bundle):
    folder, manifest, head = bundle
    text = " ".join((folder / "README.md").read_text().split())
    assert ("probability is at least 0.3" in text) == (head != "a softmax")
    assert ("decides between two classes" in text) == head.startswith("one")
    assert ("do not exclude each other" in text) == (head == "a sigmoid each")
    assert f"answers of {manifest.output.shape[1]} int8 number" in text


WRONG = {
    "README.md": ("`0.00390625 * (q", "`0.0078125 * (q"),
    "snippets/classifier.h": ("kOutputZeroPoint = -128", "kOutputZeroPoint = -127"),
    "snippets/Scores.kt": ("return real", "val sum = exp(real)"),
    "snippets/Classifier.swift": ("outputScale: Float = 0.00390625", "outputScale: Float = 0.01"),
    "web/page.json": ('"activation": null', '"activation": "softmax"'),
}


def sign_again(folder, names):
    """Let a manifest know of changed files, in the format without digest."""
    facts = json.loads((folder / "bundle.json").read_text()) | {"format": 1}
    del facts["digest"]
    facts["sha256"] |= {name: sha256(folder / name) for name in names}
    (folder / "bundle.json").write_text(json.dumps(facts))


def test_formulas_that_are_not_the_models_are_named(copied):
    for name, (old, new) in WRONG.items():
        text = (copied / name).read_text()
        assert old in text
        (copied / name).write_text(text.replace(old, new))
    sign_again(copied, WRONG)
    failures = verify(copied, runtimes=["litert"]).failures
    assert len(failures) == len(WRONG)
    for name, failure in zip(WRONG, failures, strict=True):
        assert failure.startswith(f"{name} reads the outputs otherwise than the model")


def test_logits_that_are_taken_for_probabilities_are_noticed():
    (line,) = Arithmetic({"README.md": 0.0}, 0.4, 0.01).complaints
    assert "by 0.400 on average, and by 0.010" in line
    assert Arithmetic({}, 0.02, 0.4).complaints == []


def test_golden_photographs_that_are_not_the_models_pixels_are_noticed(copied):
    file = copied / "golden/photographs.bin"
    (np.fromfile(file, np.uint8) // 2).tofile(file)
    sign_again(copied, ["golden/photographs.bin"])
    first, second = verify(copied, runtimes=["litert"]).failures
    assert "other answers for the golden photographs" in first
    assert "scaled by Pillow, differ by" in second


def test_a_threshold_that_does_not_fit_the_model_is_refused(copied):
    facts = json.loads((copied / "bundle.json").read_text()) | {"threshold": 0.5}
    (copied / "bundle.json").write_text(json.dumps(facts))
    sign_again(copied, [])
    with pytest.raises(ValueError, match="has no use for a threshold"):
        verify(copied, runtimes=["litert"])


@pytest.mark.parametrize(
    ("head", "threshold", "reason"),
    [
        ("a softmax", 0.5, "predicts the most probable class: leave the threshold out"),
        ("one logit", 1.0, "a probability between 0 and 1"),
        ("one logit", float("nan"), "a probability between 0 and 1"),
    ],
)
def test_a_threshold_without_a_use_is_refused(head, threshold, reason, tmp_path):
    with pytest.raises(ValueError, match=reason):
        write_bundle(
            made(head), tmp_path / "new", calibration=PIXELS, golden=GOLDEN, threshold=threshold
        )
    assert [*tmp_path.iterdir()] == []


def test_a_bundle_of_two_classes_is_scored_by_its_threshold(tmp_path):
    model = made("one sigmoid")
    shares = kcnn.predict(model, PIXELS).probabilities[:, 1]
    labels = (shares >= THRESHOLD).astype(int)
    data = kcnn.data.from_arrays(
        PIXELS, labels, test=(PIXELS, labels), class_names=["cold", "warm"], batch_size=10
    )
    manifest = write_bundle(model, tmp_path / "bundle", data=data, threshold=THRESHOLD)
    assert manifest.test_accuracy >= 0.95 > np.mean((shares >= 0.5) == labels)
    assert manifest.labels == ("cold", "warm")
    card = (tmp_path / "bundle/MODEL_CARD.md").read_text()
    assert f"classifies {manifest.test_accuracy:.2%} of 60 test images correctly" in card


def test_a_threshold_without_a_bundle_is_refused(tmp_path):
    from kcnn.cli.export import export

    with pytest.raises(ValueError, match="--threshold is a part of a bundle"):
        export(Path("model.keras"), threshold=0.3)
    with pytest.raises(ValueError, match="--license is a part of a bundle"):
        export(Path("model.keras"), license="MIT")


def test_the_card_says_what_the_model_predicts(bundle):
    folder, _, head = bundle
    card = (folder / "MODEL_CARD.md").read_text()
    assert f": {', '.join(HEADS[head][1])} |" in card and "none was stated" in card
    limit = {
        "a sigmoid each": f"each class whose probability is at least {THRESHOLD}, or none",
        "a softmax": "for any other image it predicts one of them",
    }.get(head, f"the second one from a probability of {THRESHOLD} on")
    assert limit in card and "Its accuracy was not measured" in card
