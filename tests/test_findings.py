"""What a run leaves of its mistakes, from a real model and its int8 file."""

import keras
import numpy as np
import pytest
from matplotlib.image import imread

import kcnn
from kcnn import models
from kcnn.export import export_tflite
from kcnn.litert import TFLiteClassifier
from kcnn.pipeline.findings import write_findings
from kcnn.pipeline.forms import Form, receipt, score, with_tta
from kcnn.report import analysis
from kcnn.report.stages import Report
from kcnn.run_dir import RunDir

PICTURES = ("reliability", "mistakes", "disagreements", "heatmaps")


@pytest.fixture(scope="module")
def data():
    return kcnn.data.load("digits", limit=300, augment="none")


@pytest.fixture(scope="module")
def forms(data, tmp_path_factory):
    """An untrained network: it is wrong in every way there is."""
    folder = tmp_path_factory.mktemp("run")
    model = models.simple_cnn(input_shape=data.image_shape)
    file = models.save(model, folder / "model.keras")
    exported = export_tflite(
        model, folder / "model_int8.tflite", calibration=data.calibration, samples=20
    )
    return [Form("float", file, model, 1), Form("int8", exported.path, model, 1)]


@pytest.fixture(scope="module")
def found(data, forms):
    run_dir = RunDir(forms[0].file.parent)
    evaluations = [score(form, data) for form in forms]
    stages = tuple(receipt(*pair, data) for pair in zip(forms, evaluations, strict=True))
    Report("mine", "simple_cnn", 9, "digits", 200, stages, {}, 0).save(run_dir.report)
    write_findings(run_dir, data, forms, evaluations, explained=3)
    return run_dir, evaluations


def test_the_mistakes_are_those_of_the_scores(found, data):
    run_dir, evaluations = found
    labels = np.concatenate([labels for _, labels in data.test.as_numpy_iterator()])
    np.testing.assert_array_equal(evaluations[0].labels, labels)
    told = [each.logits.argmax(axis=1) for each in evaluations]
    read = analysis.load(run_dir.analysis)
    assert read.count == data.num_test
    for form, evaluation in zip(read.forms, evaluations, strict=True):
        right = sum(each.recall * each.support for each in form.classes)
        assert right / read.count == pytest.approx(evaluation.accuracy)
    (between,) = read.disagreements
    assert (between.first, between.second) == ("float", "int8")
    assert between.differ == (told[0] != told[1]).sum()
    for case in read.mistakes:
        assert data.class_names[labels[case.index]] == case.truth
        assert data.class_names[told[0][case.index]] == case.answers[0].told != case.truth


def test_every_picture_is_there_and_on_the_page(found):
    run_dir, _ = found
    for name in PICTURES[:2] + PICTURES[3:]:
        assert imread(run_dir.picture(name)).std() > 0.01
    page = run_dir.page.read_text()
    between = analysis.load(run_dir.analysis).disagreements[0]
    assert page.count("<img") == 3 + bool(between.lost or between.gained)
    assert {run_dir.page, run_dir.analysis} <= set(run_dir.files())


@pytest.fixture(scope="module")
def pooled(data, tmp_path_factory):
    """A network that ends in global average pooling, so that its files have heat maps too."""
    folder = tmp_path_factory.mktemp("pooled")
    keras.utils.set_random_seed(0)
    model = models.build("resnet8", input_shape=data.image_shape, width=4)
    form = Form("float", models.save(model, folder / "model.keras"), model, 1)
    exported = export_tflite(
        model, folder / "model_int8.tflite", calibration=data.calibration, samples=20
    )
    forms = [form, Form("int8", exported.path, model, 1), with_tta(form, "flip")]
    run_dir = RunDir(folder)
    evaluations = [score(form, data) for form in forms]
    stages = tuple(receipt(*pair, data) for pair in zip(forms, evaluations, strict=True))
    Report("mine", "resnet8", 9, "digits", 200, stages, {}, 0).save(run_dir.report)
    write_findings(run_dir, data, forms, evaluations, explained=3)
    return run_dir, forms


def test_float_and_int8_side_by_side_and_how_far_they_are_apart(pooled, found, data):
    run_dir, forms = pooled
    (moved,) = analysis.load(run_dir.analysis).drifts
    images, _ = next(data.test.unbatch().batch(200).as_numpy_iterator())
    (again,) = kcnn.explain.drift(forms[0].model, forms[1].file, images=images)
    assert (moved.reference, moved.form, moved.count) == ("float", "int8", 200)
    for name in ("correlation", "overlap", "shift", "changed"):
        stored, measured = getattr(moved, name), getattr(again, name)
        assert stored.mean == pytest.approx(measured.mean)
        assert (stored.low, stored.high) == pytest.approx((measured.low, measured.high))
    assert moved.correlation.mean > 0.9
    assert f"{moved.correlation.mean:.3f} " in run_dir.page.read_text()
    # With two maps beside each image three of them need two rows; with one map they need one.
    two, one = (imread(each.picture("heatmaps")).shape[0] for each in (run_dir, found[0]))
    assert two > 1.5 * one
    assert not analysis.load(found[0].analysis).drifts
    assert "How far compression moved" not in found[0].page.read_text()
    assert "model_int8.tflite" in run_dir.page.read_text()
    assert TFLiteClassifier(forms[1].file).feature_map_shape is None  # the run's file stays plain


def test_without_heat_maps_and_without_an_exported_form(found, data, forms, tmp_path):
    run_dir, evaluations = found
    other = RunDir(tmp_path)
    other.report.write_bytes(run_dir.report.read_bytes())
    write_findings(other, data, forms[:1], evaluations[:1])
    assert {file.name for file in other.files()} == {
        "report.json",
        "analysis.json",
        "reliability.png",
        "mistakes.png",
        "report.html",
    }


def test_a_model_without_mistakes(found, data, forms, tmp_path):
    run_dir, evaluations = found
    other = RunDir(tmp_path)
    other.report.write_bytes(run_dir.report.read_bytes())
    labels = evaluations[0].labels
    perfect = type(evaluations[0])(
        1.0,
        1.0,
        0.0,
        (1.0,) * 10,
        np.eye(10, dtype=int),
        len(labels),
        9 * np.eye(10)[labels],
        labels,
    )
    write_findings(other, data, forms, [perfect, perfect], explained=1)
    assert not other.picture("mistakes").exists() and not other.picture("disagreements").exists()
    assert "different classes on 0 of" in other.page.read_text()
