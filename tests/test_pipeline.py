"""Runs with more than the plain story: a control, a pretrained base, TTA, every compression."""

import dataclasses
import os
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kcnn import models
from kcnn.pipeline import run
from kcnn.pipeline.plan import stage_files
from kcnn.pipeline.setup import build, load
from kcnn.pipeline.training_setup import training_for
from kcnn.provenance import sha256
from kcnn.recipe import (
    Cluster,
    Data,
    Distill,
    Model,
    Prune,
    Quantize,
    QuantizeAware,
    Recipe,
    Slim,
    Train,
    Transfer,
    from_json,
)
from kcnn.run_dir import RunDir
from kcnn.training.precision import known_precision

DIGITS = Data(name="digits", limit=60, batch_size=16, validation=0.2)


def recipe(**sections):
    small = Model(name="mlp", options={"units": 8, "depth": 1})
    if "transfer" in sections:
        small = Model(name="lenet5")
    kept = {"model": small, "prune": None, "quantize": None, "explain": None, **sections}
    return Recipe(data=DIGITS, train=Train(epochs=1), **kept)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    path = tmp_path_factory.mktemp("base") / "base.keras"
    keras.utils.set_random_seed(1)
    models.build("lenet5", variant="modern").save(path)
    return str(path)


def test_a_control_is_the_same_training_without_teacher(base, tmp_path):
    taught = recipe(distill=Distill(teacher=base), tta="flip")
    report = run(taught, "taught", tmp_path / "taught", control=True)
    assert [receipt.name for receipt in report.receipts] == [
        *["float", "float, TTA flip", "control, no teacher"]
    ]
    alone = run(dataclasses.replace(taught, distill=None), "alone", tmp_path / "alone")
    control = models.load(tmp_path / "taught/model_control.keras")
    for ours, theirs in zip(
        control.get_weights(),
        models.load(tmp_path / "alone/model.keras").get_weights(),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert report.receipts[2].accuracy == alone.receipts[0].accuracy
    plain, flipped, _ = report.receipts
    for field in ("ms_per_image", "ms_two_threads"):
        assert getattr(flipped, field) == 2 * getattr(plain, field) > 0


@pytest.mark.parametrize("asked", ["float32", "mixed_bfloat16", "auto"])
def test_a_report_names_its_precision(asked, tmp_path):
    given = recipe()
    report = run(
        dataclasses.replace(given, train=dataclasses.replace(given.train, precision=asked)),
        asked,
        tmp_path / "run",
    )
    done = (known_precision() or "float32") if asked == "auto" else asked  # too short to measure
    assert report.training["precision"] == done
    assert from_json((tmp_path / "run/recipe.json").read_text()).train.precision == done
    kept = models.load(tmp_path / "run/model.keras")
    assert {layer.compute_dtype for layer in kept.layers} == {"float32"}


def test_a_checkpoint_in_bfloat16_is_a_base_in_float32(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    models.build("lenet5", variant="modern").save(tmp_path / "last.keras")
    keras.config.set_dtype_policy("float32")
    pretrained = recipe(transfer=Transfer(base=str(tmp_path / "last.keras"), trainable_from="f6"))
    model = build(pretrained, load(pretrained, None))
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}


def test_a_control_needs_a_teacher(tmp_path):
    with pytest.raises(ValueError, match="no distill section"):
        run(recipe(), "alone", tmp_path / "run", control=True)
    assert not (tmp_path / "run").exists()


def test_transfer_trains_the_head_and_then_the_end_of_the_body(base):
    pretrained = recipe(transfer=Transfer(base=base, trainable_from="f6", head_epochs=1))
    data = load(pretrained, None)
    model = build(pretrained, data)
    before = {weight.path: weight.numpy() for weight in model.weights}
    training_for(pretrained, model, data)(callbacks=[])
    moved = {path.split("/")[0] for path, old in before.items() if _moved(model, path, old)}
    assert moved == {"f6", "logits"}
    assert not _moved(models.load(base), "c5/kernel", before["c5/kernel"])


def _moved(model, path, old):
    new = next(weight.numpy() for weight in model.weights if weight.path == path)
    return not np.array_equal(new, old)


def test_a_missing_base_is_named(tmp_path):
    with pytest.raises(ValueError, match="no trained model 'nowhere.keras' to be the base"):
        run(recipe(transfer=Transfer(base="nowhere.keras")), "x", tmp_path / "x")


def test_a_wrong_layer_is_named_before_anything_is_written(base, tmp_path):
    pretrained = recipe(transfer=Transfer(base=base, trainable_from="f7", head_epochs=1))
    with pytest.raises(ValueError, match="Unknown layer 'f7'"):
        run(pretrained, "x", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_trained_model_is_taken_as_it_is_and_shrunk_in_every_way(base, tmp_path):
    shrink = Recipe(
        data=DIGITS,
        model=Model(name="lenet5"),
        trained=base,
        prune=Prune(sparsities=(0.5,), epochs=1, distill=True),
        slim=Slim(macs=0.8, epochs=1),
        cluster=Cluster(clusters=8, epochs=1),
        quantize=Quantize(samples=20),
        quantize_aware=QuantizeAware(epochs=1),
        explain=None,
    )
    report = run(shrink, "shrunk", tmp_path / "run")
    receipts = {receipt.name: receipt for receipt in report.receipts}
    slim = next(name for name in receipts if name.startswith("slim"))
    assert [*receipts] == [
        *("float", "pruned 50%", slim, "pruned 50%, 8 clusters"),
        *("int8", "pruned 50%, int8", f"{slim}, int8", "pruned 50%, 8 clusters, int8"),
        *("trained for int8", "control: trained on in floats, int8"),
    ]
    kept = models.load(tmp_path / "run/model.keras")
    for ours, theirs in zip(kept.get_weights(), models.load(base).get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert report.training == {"taken_from": base, "model_sha256": sha256(Path(base))}
    assert receipts[slim].macs < 0.85 * receipts["float"].macs == 0.85 * receipts["int8"].macs
    assert receipts[slim].bytes < 0.95 * receipts["float"].bytes
    assert receipts["pruned 50%, 8 clusters"].sparsity == receipts["pruned 50%"].sparsity > 0.49
    assert receipts["pruned 50%, 8 clusters"].gzip_bytes < receipts["pruned 50%"].gzip_bytes
    assert not (tmp_path / "run/curves.png").exists()
    page = (tmp_path / "run/report.html").read_text()
    assert "MACs" in page
    assert "none: the run began with the trained model of" in page
    run_dir = RunDir(tmp_path / "run")  # whose files an overwriting run knows, all of them
    run_dir.start(stage_files(shrink, run_dir))
    assert os.listdir(run_dir.path) == ["run.json"]  # which the new run's replaces


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        ({"prune": Prune(exclude=("f7",))}, "Unknown layer 'f7'. Did you mean"),
        ({"cluster": Cluster(exclude=("f7",))}, "Unknown layer 'f7'. Did you mean"),
        ({"slim": Slim(exclude=("f7",))}, "Unknown layer 'f7'. Did you mean"),
        ({"slim": Slim(macs=0.01, multiple_of=4)}, "macs=0.01"),
        ({"quantize_aware": QuantizeAware(engine="tfmot")}, "'c1_slope'.*by TF-MOT"),
    ],
    ids=("prune", "cluster", "slim", "macs", "tfmot"),
)
def test_what_cannot_be_shrunk_is_refused_before_the_training(sections, reason, tmp_path):
    lenet = recipe(model=Model(name="lenet5"), quantize=Quantize(samples=20), **sections)
    with pytest.raises(ValueError, match=reason):
        run(lenet, "x", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_runtime_that_refuses_a_file_costs_its_number_alone(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("KCNN_TFLITE_MICRO_PYTHON", sys.executable)  # which has no TFLite Micro
    report = run(recipe(quantize=Quantize(samples=20)), "x", tmp_path / "run")
    assert [receipt.arena_bytes for receipt in report.receipts] == [None, None]
    assert "no arena size of model_int8.tflite: TFLite Micro cannot run the model" in caplog.text


def test_what_a_taken_model_would_ignore_is_refused(base):
    with pytest.raises(ValueError, match="nothing is built or trained"):
        recipe(trained=base, distill=Distill(teacher=base))
    with pytest.raises(ValueError, match="keep both"):
        recipe(quantize_aware=QuantizeAware())
