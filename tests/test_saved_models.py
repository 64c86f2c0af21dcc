"""What the project promises of int8, held against the receipts of every model that it ships."""

import functools
import json
from pathlib import Path

import pytest

from kcnn import models
from kcnn.evaluation import evaluate
from kcnn.export import export_tflite
from kcnn.intervals import wilson_interval
from kcnn.litert import TFLiteClassifier
from kcnn.pipeline.samples import spread_images
from kcnn.pipeline.setup import load_for_tensorflow
from kcnn.provenance import sha256
from kcnn.recipe import Data, Recipe, from_json
from kcnn.report import analysis, receipts
from kcnn.runtimes import RUNTIMES

FOLDER = Path(__file__).parents[1] / "saved_models"
# Those that come along: `kcnn run quickstart` leaves its own there too, of 359 test images.
RUNS = sorted({*FOLDER.glob("*/report.json")} - {FOLDER / "quickstart/report.json"})


@pytest.fixture(params=RUNS, ids=lambda file: file.parent.name)
def run(request):
    report = receipts.load(request.param)
    return request.param.parent, report, {each.name: each for each in report.receipts}


# Of a run whose float model is not published: its file before the dense kernel got one scale.
_FIRST_FILE = "first int8"


def test_there_are_runs():
    assert len(RUNS) >= 2


def receipts_of(name):
    return {each.name: each for each in receipts.load(FOLDER / name / "report.json").receipts}


def test_resnet8_is_above_what_was_asked_of_it():
    measured, report = (
        receipts_of("resnet8_int8"),
        receipts.load(FOLDER / "resnet8_int8/report.json"),
    )
    assert measured["trained for int8"].accuracy >= 0.885
    assert measured["int8"].accuracy >= 0.8697  # MLPerf Tiny's reference file
    assert report.parameters <= 80_000 and measured["int8"].macs <= 12_600_000


def test_resnet8s_bundle_was_run_on_every_runtime():
    receipt = json.loads((FOLDER / "resnet8_int8/verification.json").read_text())
    results = {result["runtime"]: result for result in receipt["results"]}
    assert receipt["failures"] == [] and receipt["data"] == "cifar10"
    assert results.keys() == RUNTIMES.keys()
    assert {result["images"] for result in results.values()} == {10_000}
    assert results["litert"]["accuracy"] == receipts_of("resnet8_int8")["int8"].accuracy
    assert results["litert-js"]["difference"] == 0
    assert all(result["float_agreement"] >= 0.98 for result in results.values())


def test_resnet8_with_kernels_of_4_bits_is_above_what_was_asked_of_it():
    measured = receipts_of("resnet8_int4")
    narrow, control = measured["trained for int4"], measured["control: trained on in floats, int4"]
    file = FOLDER / "resnet8_int4" / narrow.file
    assert narrow.accuracy >= 0.875 and narrow.bytes == file.stat().st_size <= 58_000
    assert narrow.count == 10_000 and narrow.accuracy > control.accuracy
    assert list(TFLiteClassifier(file).labels) == file.with_name("labels.txt").read_text().split()


def test_what_is_smaller_is_within_a_point_of_the_whole_and_slim_is_faster():
    measured = receipts_of("resnet20_mobile")
    (slim,) = (name for name in measured if name.startswith("slim") and not name.endswith("int8"))
    for small in ("pruned 80%", slim):
        for ends in ("", ", int8"):
            whole = measured["int8" if ends else "float"]
            # The slim file is 101 of 10,000 images below.
            assert whole.accuracy - measured[small + ends].accuracy <= 0.0101 + 1e-9
    assert measured["pruned 80%"].sparsity == pytest.approx(0.8, abs=0.001)
    assert measured[slim].macs <= measured["float"].macs / 2
    assert measured["int8"].ms_per_image >= 1.5 * measured[f"{slim}, int8"].ms_per_image


def test_int8_costs_at_most_a_fifth_of_a_point(run):
    _, _, measured = run
    assert measured["float"].count == measured["int8"].count >= 1000
    assert abs(measured["float"].accuracy - measured["int8"].accuracy) <= 0.002


@functools.cache
def thousand_images_of(dataset, classes):
    section = Data(name=dataset, classes=classes, batch_size=250)
    try:
        return spread_images(load_for_tensorflow(Recipe(data=section), None), 1000)
    except RuntimeError as error:
        pytest.skip(f"{dataset} is not here: {error}")


def published_files():
    for report in RUNS:
        for receipt in receipts.load(report).receipts:
            file = report.parent / receipt.file
            if file.suffix == ".tflite" and file.is_file():
                yield pytest.param(file, receipt, id=f"{file.parent.name}/{file.name}")


@pytest.mark.parametrize(("file", "receipt"), list(published_files()))
def test_a_published_file_scores_what_its_card_says(file, receipt):
    """On a thousand test images, where CIFAR-10 is prepared; the card has all ten thousand."""
    report = receipts.load(file.with_name("report.json"))
    classes = from_json(file.with_name("recipe.json").read_text()).data.classes
    found = evaluate(file, thousand_images_of(report.dataset, classes))
    low, high = wilson_interval(found.accuracy, found.count, level=0.999)
    assert low <= receipt.accuracy <= high
    card = file.with_name("README.md").read_text()
    assert f"| {receipt.name} | {receipt.accuracy:.2%} |" in card


def test_the_file_that_was_verified_is_the_published_one(run):
    folder, _, measured = run
    if not (folder / "verification.json").is_file():
        pytest.skip("it was published before files were verified on every runtime")
    receipt = json.loads((folder / "verification.json").read_text())
    assert receipt["model_sha256"] == sha256(folder / measured["int8"].file)
    assert receipt["failures"] == []


def test_int8_predicts_the_class_that_float_predicts(run):
    """On 98 of 100 images; of a network with many mistakes, on fewer.

    Rounding decides where the two largest logits are close, and there a network is often wrong.
    """
    folder, _, measured = run
    if not (folder / "analysis.json").is_file():
        pytest.skip("the run is older than analysis.json, and its images are not here")
    found = analysis.load(folder / "analysis.json")
    (between,) = (
        each
        for each in found.disagreements
        if each.first == "float" and each.second in ("int8", _FIRST_FILE)
    )
    mistakes = 1 - measured["float"].accuracy
    assert between.differ <= max(0.02, 0.15 * mistakes) * found.count


def test_the_int8_file_takes_under_a_third_of_the_float_one(run, tmp_path):
    """Of the `.keras` file, and of the `.tflite` that holds the same network in float32.

    Where the float model does not come along, of its weights alone, at four bytes each.
    """
    folder, report, measured = run
    kept = folder / measured["int8"].file
    assert kept.stat().st_size == measured["int8"].bytes
    assert measured["int8"].bytes <= 0.31 * measured["float"].bytes
    if not (folder / measured["float"].file).is_file():
        assert measured["int8"].bytes <= 0.31 * 4 * report.parameters
        return
    model = models.load(folder / measured["float"].file)
    written = export_tflite(model, tmp_path / "float.tflite", quantization="none")
    assert measured["int8"].bytes <= 0.31 * written.bytes


@pytest.mark.parametrize("name", ["resnet8_int8", "mobilenet_v2"])
def test_bundles_were_verified_on_every_runtime(name):
    """Those that compute in integers alone, as the reference kernels do, agree with each other."""
    receipt = json.loads((FOLDER.parent / f"benchmarks/receipts/bundle_{name}.json").read_text())
    results = {each["runtime"]: each for each in receipt["results"]}
    micro = ["tflite-micro", "tflite-micro-2024-05", "tflite-micro-2024-06"]
    assert results.keys() == {*RUNTIMES, *micro} and not receipt["failures"]
    assert not any(each["skipped"] or each["failed"] for each in results.values())
    accuracies = {results[each]["accuracy"] for each in ("litert-reference", "plain-c", *micro)}
    assert len(accuracies) == 1
