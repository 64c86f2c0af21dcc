"""Recipes: overrides are typed and checked, and JSON brings the same recipe back."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from kcnn import recipe_files
from kcnn.pipeline import smoke
from kcnn.recipe import (
    Cluster,
    Distill,
    Model,
    Prune,
    Recipe,
    Train,
    Transfer,
    from_json,
    override,
    to_json,
)


@pytest.mark.parametrize("name", recipe_files.shipped())
def test_a_shipped_recipe_survives_json_and_smoke(name):
    content = recipe_files.load(name).content
    for recipe in [content] if isinstance(content, Recipe) else content.variants.values():
        assert from_json(to_json(recipe)) == recipe
        assert recipe.trained or smoke(recipe).train.epochs == 1
        assert smoke(smoke(recipe)) == smoke(recipe)
    assert recipe_files.title(recipe_files.shipped()[name])


@pytest.mark.parametrize(
    "file", sorted((Path(__file__).parents[1] / "saved_models").glob("*/recipe.json"))
)
def test_the_recipe_of_an_old_run_means_what_it_meant(file):
    stored, recipe = json.loads(file.read_text()), json.loads(to_json(from_json(file.read_text())))
    for section, values in stored.items():
        kept = recipe[section]
        assert kept == values if not isinstance(values, dict) else kept.items() >= values.items()
    # What a file of the first days does not say yet means what was done then.
    first = {"decay": "decoupled", "precision": "float32", "ema": None, "label_smoothing": 0.0}
    assert recipe["train"].items() >= (first | stored["train"]).items()


@pytest.mark.parametrize(
    "train",
    [
        Train(schedule="step", epochs=90, optimizer="sgd", decay="coupled", weight_decay=1e-4),
        Train(schedule="multi_step", epochs=164, milestones=(82, 123), factor=0.2),
        Train(schedule="one_cycle", ema=0.999, clip_norm=1.0, label_smoothing=0.1),
        Train(schedule="constant", optimizer="rmsprop", momentum=0.9),
        Train(schedule="cosine", warmup_epochs=5, precision="mixed_bfloat16"),
    ],
)
def test_every_schedule_fits_into_a_smoke_run(train):
    recipe = Recipe(train=train, distill=Distill(teacher="saved_models/resnet20"), tta="flip")
    assert from_json(to_json(recipe)) == recipe
    short = smoke(recipe).train
    assert short.epochs == 1
    stairs = train.schedule in ("step", "multi_step")  # for which a few steps have no room
    assert short.schedule == ("constant" if stairs else train.schedule)
    assert short.warmup_epochs * train.epochs == pytest.approx(train.warmup_epochs)


def test_an_initializer_is_described_in_the_options():
    described = {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.01}}
    recipe = Recipe(model=Model(options={"initializer": described, "width": 8}))
    assert from_json(to_json(recipe)) == recipe
    assert override(Recipe(), [f"model.options.initializer={json.dumps(described)}"]).model == (
        Model(options={"initializer": described})
    )


def test_a_teacher_is_given_to_a_recipe_that_has_none():
    assert Recipe().distill is None
    taught = override(Recipe(), ['distill={"teacher": "big.keras", "alpha": 0.9}'])
    assert taught.distill == Distill(teacher="big.keras", alpha=0.9)
    assert override(taught, ["distill.temperature=2"]).distill.temperature == 2.0


def test_overrides_are_typed():
    recipe = override(
        Recipe(),
        [
            "train.epochs=5",
            "train.learning_rate=1e-2",
            "data.augment=strong",
            "prune.sparsities=[0.3, 0.6]",
            "model.options.width=32",
            "quantize=none",
        ],
    )
    assert recipe.train.epochs == 5
    assert recipe.train.learning_rate == 0.01
    assert recipe.data.augment == "strong"
    assert recipe.prune == Prune(sparsities=(0.3, 0.6))
    assert recipe.model.options == {"width": 32}
    assert recipe.quantize is None
    assert recipe.seed == Recipe().seed


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("train.epocs=5", r"Unknown key 'train.epocs'. Did you mean 'train.epochs'\?"),
        ("epochs=5", r"Unknown key 'epochs'. Did you mean 'train.epochs'\?"),
        ("train.epochs.more=5", "Unknown key"),
        ("train.epochs=five", "train.epochs must be .*integer.*Received: 'five'"),
        ("train.epochs=2.5", "train.epochs must be .*integer"),
        ("train.epochs=0", "train.epochs must be .*at least 1.*Received: 0"),
        ("train.learning_rate=-1", "train.learning_rate must be .*above 0"),
        ("train.learning_rate=NaN", "train.learning_rate must be .*finite"),
        ("train.optimizer=adan", "train.optimizer must be .*'adam'"),
        ("data.validation=1", "data.validation must be .*below 1"),
        ("train.epochs=true", "train.epochs must be .*integer"),
        ("train.warmup_epochs=20", "train: warmup_epochs must be less than the 20 epochs"),
        ("prune.sparsities=[0.8, 0.5]", "prune: sparsities must rise"),
        ("train.patience=3.5", "train.patience must be .*integer"),
        ("train.factor=0.5", "train: factor means nothing with schedule='plateau', only with"),
        ("train.milestones=[3]", "with schedule='plateau', only with 'multi_step'"),
        ("train.schedule=multi_step", r"milestones must be epochs that rise.*Received: \[\]"),
        ("train.schedule=step", "step_epochs must be less than the 20 epochs"),
        ("train.momentum=0.9", "momentum means nothing with optimizer='adam', only with 'sgd' or"),
        ("train.decay=coupled_", "train.decay must be .*'coupled'"),
        ("train.label_smoothing=1", "label_smoothing must be .*below 1"),
        ("train.ema=0", "train.ema"),
        ("train.precision=float16", "train.precision must be .*'mixed_bfloat16'"),
        ("tta=flop", "tta must be .*'flip'"),
        ('distill={"teacher": "a", "alpha": 2}', "distill.alpha must be .*at most 1"),
        ("distill.alpha=0.5", "leaves the section 'distill' out.*distill={...}"),
        ("train.epochs", "Expected key=value"),
    ],
)
def test_a_wrong_override_is_refused_with_its_key(assignment, message):
    with pytest.raises(ValueError, match=message) as caught:
        override(Recipe(), [assignment])
    assert "\n" not in str(caught.value)


def test_a_key_of_a_section_that_is_left_out_says_so():
    with pytest.raises(ValueError, match="leaves the section 'prune' out"):
        override(Recipe(prune=None), ["prune.epochs=3"])


def test_a_recipe_file_of_ones_own(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("from kcnn.recipe import Recipe\nrecipe = Recipe(seed=7)\n")
    assert recipe_files.load(str(file)).recipe.seed == 7
    assert recipe_files.load(str(file)).name == "mine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "defines no `recipe"),
        ("recipe = (\n", "SyntaxError"),
        ("from kcnn.recipe import Train\nTrain(epochs=0)\n", "epochs must be at least 1"),
    ],
)
def test_a_broken_recipe_file_is_refused_in_one_line(tmp_path, text, message):
    file = tmp_path / "mine.py"
    file.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        recipe_files.load(str(file))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "train",
    [
        Train(epochs=200, schedule="constant"),
        Train(epochs=200, schedule="step", step_epochs=10),
        Train(epochs=200, schedule="multi_step", milestones=(150, 160, 170)),
        Train(epochs=200, schedule="cosine", warmup_epochs=5),
        Train(epochs=200, schedule="one_cycle"),
    ],
    ids=lambda train: train.schedule,
)
def test_a_smoke_run_has_a_rate_for_every_schedule(train):
    from kcnn.pipeline.training_setup import (
        optimizer_for,  # of Keras, which the other tests do without
    )

    short = smoke(Recipe(train=train)).train
    optimizer_for(short, SimpleNamespace(steps_per_epoch=6))
    assert short.epochs == 1 and short.learning_rate == train.learning_rate


def test_a_whole_model_refuses_what_it_would_ignore():
    taken = Recipe(trained="x.keras")
    assert smoke(taken).train == taken.train
    with pytest.raises(ValueError, match="leave train, transfer, distill and"):
        override(taken, ["train.epochs=5"])
    with pytest.raises(ValueError, match="leave train, transfer, distill and"):
        Recipe(trained="x.keras", model=Model(options={"width": 8}))


def test_zeros_need_a_cluster_of_their_own():
    with pytest.raises(ValueError, match="at least 3 with prune.*Received: 2"):
        Recipe(cluster=Cluster(clusters=2))
    assert Recipe(prune=None, cluster=Cluster(clusters=2)).cluster.clusters == 2


def test_a_pretrained_base_refuses_what_it_would_ignore():
    with pytest.raises(ValueError, match="model.options mean nothing with transfer"):
        Recipe(model=Model(options={"width": 8}), transfer=Transfer(base="x.keras"))
    with pytest.raises(ValueError, match="trains its base in float32"):
        Recipe(train=Train(precision="mixed_bfloat16"), transfer=Transfer(base="x.keras"))
    assert Recipe(transfer=Transfer(base="x.keras")).train.precision == "auto"
