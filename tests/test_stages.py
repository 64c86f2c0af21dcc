"""The table of stages, and what follows from it."""

import dataclasses
import subprocess
import sys

import pytest

from kcnn.comparison import TRAINING_SECTIONS
from kcnn.pipeline import STAGES, run, smoke
from kcnn.pipeline.backend import split_plan
from kcnn.pipeline.plan import plan_of, stage_files
from kcnn.recipe import (
    Cluster,
    Data,
    Model,
    OwnStage,
    Quantize,
    QuantizeAware,
    Recipe,
    Slim,
    Train,
    from_json,
    to_json,
)
from kcnn.run_dir import RunDir


def test_every_section_of_a_recipe_is_of_the_training_or_of_a_stage():
    fields = {field.name: field for field in dataclasses.fields(Recipe)}
    names = [stage.name for stage in STAGES]
    assert len(set(names)) == len(names)
    assert {*TRAINING_SECTIONS, *names} | {"own_stages", "tta", "seed"} == fields.keys()
    full = Recipe(slim=Slim(), cluster=Cluster(), quantize_aware=QuantizeAware())
    for stage in STAGES:
        section = getattr(full, stage.name)
        assert type(section) is stage.section
        assert type(stage.shorten(section)) is stage.section
        assert set(stage.needs) <= set(names)


def test_a_smoke_run_is_of_the_same_stages_in_one_epoch():
    full = Recipe(slim=Slim(), cluster=Cluster(clusters=8), quantize_aware=QuantizeAware())
    short = smoke(full)
    assert (short.slim.epochs, short.cluster.epochs, short.quantize_aware.epochs) == (1, 1, 1)
    assert short.cluster.clusters == 8 and short.prune.sparsities == full.prune.sparsities
    assert short.quantize.samples == 20 and short.explain.images == 4
    none = dict.fromkeys(stage.name for stage in STAGES)
    assert smoke(dataclasses.replace(full, **none)) == dataclasses.replace(short, **none)


def test_the_table_is_read_without_keras():
    code = (
        "import sys; from kcnn.pipeline import STAGES; print(len(STAGES), "
        "{'keras', 'tensorflow', 'numpy', 'matplotlib'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == f"{len(STAGES)} set()", run.stderr


# A stage from outside the package

HALVE = '''
"""A technique of somebody else: the smaller half of all weights becomes zero, untrained."""

from dataclasses import dataclass

from kcnn.pipeline import Stage


@dataclass(frozen=True)
class Halve:
    share: float = 0.5
    epochs: int = 3


def make(section, context):
    import keras
    import numpy as np

    model = keras.models.clone_model(context.trained.model)
    model.set_weights(
        [
            np.where(np.abs(weight) < np.quantile(np.abs(weight), section.share), 0, weight)
            if weight.ndim > 1
            else weight
            for weight in context.trained.model.get_weights()
        ]
    )
    return [context.save(f"halved in {section.epochs} epochs", model, "halved")]


def check(section, model, data):
    if section.share > 0.9:
        raise ValueError(f"{section.share} of the {model.count_params()} weights are too many.")


options = {"name": "halve", "section": Halve, "make": make, "check": check, "not_on_jax": None}
files = ("model_halved.keras", "model_halved_int8.tflite")
stage = Stage(files=files, **options)
greedy = Stage(files=("*",), **options)
taken = Stage(files=files, **options | {"name": "prune"})
bound = Stage(files=files, needs=("cluster",), **options | {"not_on_jax": "it is of TensorFlow"})
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    (tmp_path / "their_halving.py").write_text(HALVE)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("their_halving", None)


def halving(attribute="stage", **options):
    return Recipe(
        data=Data(name="digits", limit=60, batch_size=16, validation=0.2),
        model=Model(name="lenet5"),
        train=Train(epochs=1, precision="float32"),
        prune=None,
        quantize=Quantize(samples=20),
        explain=None,
        own_stages=(OwnStage(name=f"their_halving:{attribute}", options=options),),
    )


def test_a_recipe_runs_a_stage_from_outside_the_package(package):
    recipe = smoke(halving(share=0.6))
    assert recipe.own_stages[0].options == {"share": 0.6, "epochs": 1}
    assert from_json(to_json(recipe)) == recipe
    report = run(recipe, "halved", package / "run")
    name = "halved in 1 epochs"
    assert [each.name for each in report.receipts] == ["float", name, "int8", f"{name}, int8"]
    assert report.receipts[1].sparsity >= 0.55 and report.receipts[1].count == 359
    assert from_json((package / "run/recipe.json").read_text()) == recipe.resolved()
    page = (package / "run/report.html").read_text()
    assert name in page and 'href="model_halved.keras"' in page
    (package / "run/model_mine.keras").write_text("my own")
    plain = dataclasses.replace(recipe, own_stages=(), quantize=None)
    run(plain, "plain", package / "run", overwrite=True)
    kept = {path.name for path in (package / "run").glob("model*")}
    assert kept == {"model.keras", "model_mine.keras"}


@pytest.mark.parametrize(
    ("attribute", "options", "reason"),
    [
        ("stage", {"shares": 0.5}, "Unknown option of their_halving:stage 'shares'.*'share'"),
        ("stage", {"share": "much"}, "their_halving:stage: share must be a number.*'much'"),
        ("stage", {"share": 0.95}, "0.95 of the .* weights are too many"),
        ("stages", {}, "no 'stages'. Did you mean 'stage'"),
        ("make", {}, "must be a kcnn.pipeline.Stage. Received: function"),
        ("greedy", {}, "must begin with model_"),
        ("taken", {}, "another stage is called 'prune'"),
        ("bound", {}, "'halve' needs the section 'cluster'"),
    ],
)
def test_a_stage_that_cannot_run_is_refused_before_the_training(
    attribute, options, reason, package
):
    with pytest.raises(ValueError, match=reason) as caught:
        run(halving(attribute, **options), "x", package / "x")
    assert "\n" not in str(caught.value)
    assert not (package / "x").exists()


def test_a_stage_of_ones_own_says_whether_it_runs_on_jax(package, monkeypatch):
    bound = dataclasses.replace(halving("bound"), cluster=Cluster())
    for recipe, expected in (
        (halving(), (["halve"], ["quantize"])),
        (bound, ([], ["cluster", "halve", "quantize"])),
    ):
        monkeypatch.setattr("keras.config.backend", lambda: "jax")
        done, left_out = split_plan(plan_of(recipe))
        assert tuple([each.stage.name for each in part] for part in (done, left_out)) == expected
        monkeypatch.undo()
        monkeypatch.chdir(package)
        assert split_plan(plan_of(recipe)) == (plan_of(recipe), [])


def test_files_stay_if_the_code_of_an_earlier_run_is_gone(package, caplog):
    run_dir = RunDir(package)
    gone = dataclasses.replace(halving(), own_stages=(OwnStage(name="not_here:stage"),))
    run_dir.recipe.write_text(to_json(gone))
    patterns = stage_files(Recipe(), run_dir)
    assert patterns == [pattern for stage in STAGES for pattern in stage.files]
    assert "no module 'not_here'" in caplog.text
    run_dir.recipe.write_text("{")
    assert stage_files(halving(), run_dir)[-1] == "model_halved_int8.tflite"
