"""What a run leaves of its mistakes, from a real model and its int8 file."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from matplotlib.image import imread
from small_models import gap_model

import kcnn
from kcnn import models
from kcnn.export import export_tflite
from kcnn.litert import TFLiteClassifier
from kcnn.pipeline import analysis_pictures
from kcnn.pipeline.findings import write_findings
from kcnn.pipeline.receipts import receipts, score
from kcnn.pipeline.samples import images_at, spread_images
from kcnn.pipeline.variants import Variant, with_tta
from kcnn.report import analysis
from kcnn.report.receipts import Report
from kcnn.run_dir import RunDir
from kcnn.runtimes import Latency

PICTURES = ("reliability", "mistakes", "disagreements", "heatmaps")


@pytest.fixture(scope="module")
def data():
    return kcnn.data.load("digits", limit=300, augment="none")


@pytest.fixture(scope="module")
def variants(data, tmp_path_factory):
    """An untrained network: it is wrong in every way there is."""
    folder = tmp_path_factory.mktemp("run")
    model = models.simple_cnn(input_shape=data.image_shape)
    file = models.save(model, folder / "model.keras")
    exported = export_tflite(
        model, folder / "model_int8.tflite", calibration=data.calibration, samples=20
    )
    return [Variant("float", file, model, 1), Variant("int8", exported.path, model, 1)]


@pytest.fixture(scope="module")
def found(data, variants):
    run_dir = RunDir(variants[0].file.parent)
    evaluations = [score(variant, data) for variant in variants]
    measured = receipts(variants, evaluations)
    Report("mine", "simple_cnn", 9, "digits", 200, measured, {}, 0).save(run_dir.report)
    write_findings(run_dir, data, variants, evaluations, explained=3)
    return run_dir, evaluations


def test_the_mistakes_are_those_of_the_scores(found, data):
    run_dir, evaluations = found
    labels = np.concatenate([labels for _, labels in data.test.as_numpy_iterator()])
    np.testing.assert_array_equal(evaluations[0].labels, labels)
    predicted = [each.logits.argmax(axis=1) for each in evaluations]
    read = analysis.load(run_dir.analysis)
    assert read.count == data.num_test
    for variant, evaluation in zip(read.variants, evaluations, strict=True):
        right = sum(each.recall * each.support for each in variant.classes)
        assert right / read.count == pytest.approx(evaluation.accuracy)
    (between,) = read.disagreements
    assert (between.first, between.second) == ("float", "int8")
    assert between.differ == (predicted[0] != predicted[1]).sum()
    for case in read.mistakes:
        assert data.class_names[labels[case.index]] == case.truth
        assert data.class_names[predicted[0][case.index]] == case.answers[0].predicted != case.truth


def test_every_picture_is_there_and_on_the_page(found):
    run_dir, _ = found
    for name in PICTURES[:2] + PICTURES[3:]:
        assert imread(run_dir.picture(name)).std() > 0.01
    page = run_dir.page.read_text()
    between = analysis.load(run_dir.analysis).disagreements[0]
    assert page.count("<img") == 4 + bool(between.lost or between.gained)
    assert {run_dir.page, run_dir.analysis} <= set(run_dir.files())


@pytest.mark.parametrize(
    ("tool", "doubled", "warns"), [(None, None, False), (0.09, 0.18, False), (0.4, 0.8, True)]
)
def test_times_of_tta_and_of_a_tool_too_coarse(
    found, variants, monkeypatch, caplog, tool, doubled, warns
):
    def measured(models, *, threads, **_):
        return [Latency(name, count, 0.1 / count, tool) for count in threads for name in models]

    monkeypatch.setattr("kcnn.pipeline.litert_times.latency", measured)
    evaluation = found[1][0]
    plain, flipped = receipts(
        [variants[0], with_tta(variants[0], "flip")], [evaluation, evaluation]
    )
    assert (plain.ms_per_image, plain.ms_two_threads, plain.tool_ms) == (0.1, 0.05, tool)
    assert (flipped.ms_per_image, flipped.ms_two_threads, flipped.tool_ms) == (0.2, 0.1, doubled)
    assert ("was the machine busy?" in caplog.text) == warns


@pytest.fixture(scope="module")
def pooled(data, tmp_path_factory):
    """A network that ends in global average pooling, so that its files have heat maps too."""
    folder = tmp_path_factory.mktemp("pooled")
    keras.utils.set_random_seed(0)
    model = models.build("resnet8", input_shape=data.image_shape, width=4)
    variant = Variant("float", models.save(model, folder / "model.keras"), model, 1)
    exported = export_tflite(
        model, folder / "model_int8.tflite", calibration=data.calibration, samples=20
    )
    variants = [variant, Variant("int8", exported.path, model, 1), with_tta(variant, "flip")]
    run_dir = RunDir(folder)
    evaluations = [score(variant, data) for variant in variants]
    measured = receipts(variants, evaluations)
    Report("mine", "resnet8", 9, "digits", 200, measured, {}, 0).save(run_dir.report)
    write_findings(run_dir, data, variants, evaluations, explained=3)
    return run_dir, variants


def test_float_and_int8_side_by_side_and_how_far_they_are_apart(pooled, found, data):
    run_dir, variants = pooled
    (moved,) = analysis.load(run_dir.analysis).drifts
    images, _ = spread_images(data, 200)
    (again,) = kcnn.explain.drift(variants[0].model, variants[1].file, images=images)
    assert (moved.reference, moved.variant, moved.count) == ("float", "int8", 200)
    for name in ("correlation", "overlap", "shift", "changed"):
        stored, measured = getattr(moved, name), getattr(again, name)
        assert stored.mean == pytest.approx(measured.mean)
        assert (stored.low, stored.high) == pytest.approx((measured.low, measured.high))
    assert moved.left_out == again.left_out
    assert moved.correlation.mean > 0.9
    assert f"{moved.correlation.mean:.3f} " in run_dir.page.read_text()
    # With two maps beside each image three of them need two rows; with one map they need one.
    two, one = (imread(each.picture("heatmaps")).shape[0] for each in (run_dir, found[0]))
    assert two > 1.5 * one
    assert not analysis.load(found[0].analysis).drifts
    assert "How much compression changed" not in found[0].page.read_text()
    for each, measured in ((run_dir, True), (found[0], False)):
        page = each.page.read_text()
        assert ("How much int8 changed the heat maps was not measured" in page) != measured
        assert ("then the heat map of int8" in page) == measured
    assert "model_int8.tflite" in run_dir.page.read_text()
    assert (
        TFLiteClassifier(variants[1].file).feature_map_shape is None
    )  # the run's file stays plain


def test_images_are_those_of_their_places(data):
    parts = zip(*data.test.as_numpy_iterator(), strict=True)
    everything, truth = map(np.concatenate, parts)
    assert data.num_test == len(everything) > 128  # more than one batch
    places = [200, 0, 127, 128, data.num_test - 1, 3]
    images, labels = images_at(data, places)
    np.testing.assert_array_equal(images, everything[places])
    np.testing.assert_array_equal(labels, truth[places])
    cases = [analysis.Case(place, "", ()) for place in places]
    np.testing.assert_array_equal(analysis_pictures._images(data, cases), everything[places])


@pytest.mark.parametrize(("count", "classes"), [(10, 10), (100, 10), (4, 4), (999, 10)])
def test_images_are_from_all_over_a_test_set_that_lies_class_by_class(data, count, classes):
    images = np.zeros((120, 1, 1, 3), np.uint8)
    test = tf.data.Dataset.from_tensor_slices((images, np.arange(120, dtype=np.int32) // 12))
    sorted_by_class = dataclasses.replace(data, test=test.batch(50), num_test=120)
    shown, labels = spread_images(sorted_by_class, count)
    assert len(shown) == len(labels) == min(count, 120)
    counts = np.bincount(labels)[np.bincount(labels) > 0]
    assert len(counts) == classes and counts.max() - counts.min() <= 1


def test_every_form_is_asked_about_the_class_that_the_first_one_tells(data, tmp_path, monkeypatch):
    model, other = (gap_model(classes=10, size=32) for _ in range(2))
    for weight in other.get_layer("logits").weights:
        weight.assign(-weight)
    file = export_tflite(other, tmp_path / "other.tflite", quantization="none").path
    variants = [Variant("float", tmp_path / "a.keras", model, 1), Variant("other", file, model, 1)]
    drawn = []
    monkeypatch.setattr(
        analysis_pictures, "plot_galleries", lambda galleries, *_, **__: drawn.extend(galleries)
    )
    analysis_pictures._draw_heatmaps(RunDir(tmp_path), data, variants, 5)
    images, labels = spread_images(data, 5)
    predicted = kcnn.grad_cam(model, images).class_index
    own = kcnn.explain.tflite_cam(file, images)
    asked = kcnn.explain.tflite_cam(file, images, predicted)
    assert (own.class_index != predicted).all()
    assert not np.array_equal(own.overlay(images), asked.overlay(images))
    (gallery,) = drawn
    np.testing.assert_array_equal(gallery.tiles[0], images)
    np.testing.assert_array_equal(gallery.tiles[2], asked.overlay(images))
    names = data.class_names
    pairs = zip(labels, predicted, strict=True)
    assert gallery.captions == [f"{names[truth]}\npredicted {names[seen]}" for truth, seen in pairs]


def test_without_heat_maps_and_without_an_exported_variant(found, data, variants, tmp_path):
    run_dir, evaluations = found
    other = RunDir(tmp_path)
    other.report.write_bytes(run_dir.report.read_bytes())
    write_findings(other, data, variants[:1], evaluations[:1])
    assert {file.name for file in other.files()} == {
        "report.json",
        "analysis.json",
        "reliability.png",
        "mistakes.png",
        "report.html",
    }


def test_a_model_without_mistakes(found, data, variants, tmp_path):
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
    write_findings(other, data, variants, [perfect, perfect], explained=1)
    assert not other.picture("mistakes").exists() and not other.picture("disagreements").exists()
    assert "different classes for 0 of" in other.page.read_text()
