"""Recipes: overrides are typed and checked, and JSON brings the same recipe back."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from kcnn import recipe_files
from kcnn.pipeline import smoke
from kcnn.recipe import (
    Cluster,
    Data,
    Distill,
    Model,
    Prune,
    Recipe,
    Train,
    Transfer,
    from_json,
    left_out,
    override,
    to_json,
)
from kcnn.recipe.dependent import has_effect


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
    stored, recipe = json.loads(file.read_text()), from_json(file.read_text())
    written = json.loads(to_json(recipe.resolved()))
    train, used = stored.pop("train", {}), written.pop("train", None)
    for section, values in stored.items():
        kept = written[section]
        assert kept == values if not isinstance(values, dict) else kept.items() >= values.items()
    assert (used is None) == bool(recipe.trained)  # nothing was trained there
    # What a file of the first days does not say yet means what was done then.
    first = {"decay": "decoupled", "precision": "float32", "ema": None, "label_smoothing": 0.0}
    for field, value in (first | train).items() if used else ():
        if value is None:
            assert used.get(field) == {"momentum": 0.9, "nesterov": True}.get(field)
        elif field in used:
            assert used[field] == value
        else:
            assert not has_effect(field, used)


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
    if train.warmup_epochs:
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


def test_none_is_a_name_where_it_is_one():
    changed = override(Recipe(tta="flip"), ["data.augment=none", "tta=none", "data.limit=none"])
    assert (changed.data.augment, changed.tta, changed.data.limit) == ("none", "none", None)


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
        ("train.warmup_epochs=20", "train: warmup_epochs means nothing with schedule='plateau'"),
        ("data.image_size=32", r"data.image_size must be a list in brackets, such as \[64, 64\]"),
        ("prune.sparsities=[0.8, 0.5]", "prune: sparsities must rise"),
        ("train.patience=3.5", "train.patience must be .*integer"),
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
        ("distill.alpha=0.5", "leaves the section 'distill' out.*'distill={\"alpha\": 0.5}'"),
        ("train.epochs", "Expected key=value"),
    ],
)
def test_a_wrong_override_is_refused_with_its_key(assignment, message):
    with pytest.raises(ValueError, match=message) as caught:
        override(Recipe(), [assignment])
    assert "\n" not in str(caught.value)


IDLE = [
    # (what the recipe has, what is given at its default value, what it is refused with)
    ([], "train.warmup_epochs=0.0", "schedule='plateau', only with 'cosine'"),
    ([], "train.step_epochs=30.0", "schedule='plateau', only with 'step'"),
    ([], "train.milestones=[]", "schedule='plateau', only with 'multi_step'"),
    (["train.schedule=cosine"], "train.factor=0.1", "schedule='cosine', only with 'step' or"),
    (["train.schedule=cosine"], "train.patience=10", "schedule='cosine', only with 'plateau'"),
    (["train.schedule=cosine"], "train.plateau_patience=5", "only with 'plateau'"),
    (["train.schedule=cosine"], "train.cooldown=0", "only with 'plateau'"),
    (["train.schedule=cosine"], "train.min_lr=0.0", "only with 'plateau'"),
    ([], "train.momentum=0.0", "optimizer='adam', only with 'sgd' or"),
    ([], "train.nesterov=false", "optimizer='adam', only with 'sgd' or"),
    ([], "train.norm_bias_rate=1.0", "optimizer='adam', only with 'sgd' or"),
    ([], "train.muon.rate=1.0", "optimizer='adam', only with 'muon'"),
    ([], "train.muon={}", "optimizer='adam', only with 'muon'"),
    ([], "train.decay=decoupled", "without weight_decay"),
    ([], "train.decay_everything=true", "without weight_decay"),
    ([], "train.lookahead=true", "with schedule='plateau'"),
    ([], "train.keep=best", "schedule='plateau', only with 'constant' or"),
    (["train.schedule=cosine", "train.lookahead=true"], "train.keep=last", "with lookahead, which"),
    (["train.optimizer=adamw"], "train.decay=decoupled", "optimizer='adamw', only with"),
    (['transfer={"base": "b"}'], "transfer.head_learning_rate=0.01", "without head_epochs"),
    (["train={}", "trained=b.keras"], "train.epochs=20", "with trained"),
    (["train={}", "trained=b.keras"], "train.schedule=plateau", "with trained"),
]


@pytest.mark.parametrize(("others", "idle", "message"), IDLE, ids=[each[1] for each in IDLE])
def test_a_setting_without_effect_is_refused_also_at_its_default(others, idle, message):
    key = idle.partition("=")[0].split(".")[1]
    with pytest.raises(ValueError, match=f"{key} means nothing .*{message}"):
        override(override(Recipe(), others), [idle])


def test_what_a_run_notes_is_what_it_uses():
    def noted(*assignments):
        return json.loads(to_json(override(Recipe(), assignments).resolved()))["train"]

    plateau = noted()
    assert {name: plateau[name] for name in ("patience", "plateau_patience", "factor")} == {
        "patience": 10,
        "plateau_patience": 5,
        "factor": 0.2,
    }
    assert not plateau.keys() & {"warmup_epochs", "milestones", "momentum", "muon", "decay"}
    assert (
        noted("train.plateau_patience=10", "train.factor=0.1", "train.min_lr=1e-4").items()
        >= {
            "patience": 20,
            "plateau_patience": 10,
            "factor": 0.1,
            "min_lr": 1e-4,
            "cooldown": 0,
        }.items()
    )
    cosine = noted("train.schedule=cosine", "train.optimizer=sgd", "train.momentum=0.0")
    assert cosine["warmup_epochs"] == 0.0 and not cosine["nesterov"]
    assert not cosine.keys() & {"patience", "plateau_patience", "factor", "min_lr", "muon"}
    recipe = override(Recipe(), ["train.plateau_patience=3"]).resolved()
    assert from_json(to_json(recipe)) == recipe == recipe.resolved()
    assert "train" not in json.loads(to_json(Recipe(trained="x.keras")))


def test_a_plateau_of_a_recipe_reaches_keras():
    from kcnn.pipeline.training_setup import callbacks_for

    train = Train(factor=0.1, plateau_patience=10, min_lr=1e-4, cooldown=2)
    stop, plateau = callbacks_for(train, SimpleNamespace(steps_per_epoch=6), None)[-2:]
    assert (plateau.factor, plateau.patience, plateau.min_lr) == (0.1, 10, 1e-4)
    assert (plateau.cooldown, stop.patience) == (2, 20)
    stop, plateau = callbacks_for(Train(), SimpleNamespace(steps_per_epoch=6), None)[-2:]
    assert (plateau.factor, plateau.patience, stop.patience) == (0.2, 5, 10)


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"patience": 5, "plateau_patience": 5}, "plateau_patience must be below patience=5"),
        ({"min_lr": 1e-3}, "min_lr must be below learning_rate=0.001"),
    ],
)
def test_a_rate_that_would_never_fall_is_refused(train, message):
    with pytest.raises(ValueError, match=message):
        Train(**train)


def test_another_schedule_leaves_out_what_the_recipes_own_used():
    recipe = Recipe(
        train=Train(
            schedule="cosine",
            warmup_epochs=2,
            optimizer="sgd",
            momentum=0.8,
            nesterov=False,
            lookahead=True,
        )
    )
    changed = override(recipe, ["train.schedule=plateau", "train.optimizer=adam"])
    assert changed.train == Train(schedule="plateau", optimizer="adam")
    assert left_out(recipe, changed) == {
        "train.warmup_epochs": 2.0,
        "train.momentum": 0.8,
        "train.lookahead": True,
    }
    assert override(recipe, ["train.epochs=9"]).train.warmup_epochs == 2


@pytest.mark.parametrize("given", ["data.name=folder:x", "data.name=arrays:x.npz", "data.folds=5"])
def test_the_share_of_validation_images_is_that_of_the_recipes_own_images(given):
    """A fiftieth of CIFAR-10 is 1,000 images, of a folder of 100 photographs it is two."""
    recipe = Recipe(data=Data(validation=0.02), model=Model(name="resnet20"))
    changed = override(recipe, [given])
    assert changed.data.validation == 0.1
    assert left_out(recipe, changed) == {"data.validation": 0.02}
    if "folds" not in given:
        assert override(recipe, [given, "data.validation=0.02"]).data.validation == 0.02
    kept = override(recipe, ["data.name=mnist", "train.epochs=3"])
    assert kept.data.validation == 0.02 and left_out(recipe, kept) == {}


def test_the_name_of_a_network_is_left_out_beside_another_pretrained_one():
    recipe = Recipe(model=Model(name="resnet20"), trained="saved_models/resnet20", prune=None)
    changed = override(recipe, ["trained=runs/mine"])
    assert changed.model.name is None and left_out(recipe, changed) == {"model.name": "resnet20"}
    assert override(recipe, ["seed=1"]).model.name == "resnet20"
    assert override(recipe, ["trained=x", "model.name=mine"]).model.name == "mine"


def test_the_idle_fields_of_older_files_are_not_taken_for_given():
    idle = {"factor": 0.1, "step_epochs": 30.0, "milestones": [], "warmup_epochs": 0.0}
    idle |= {"norm_bias_rate": 1.0, "momentum": None, "decay": "decoupled", "patience": 10}
    idle |= {"muon": {"rate": 1.0, "momentum": 0.6, "iterations": 5, "normalize": False}}
    base = {"optimizer": "adam", "precision": "auto"}
    for schedule, factor in (("plateau", 0.2), ("step", 0.1)):
        older = {"train": {"schedule": schedule, "epochs": 50} | base | idle}
        assert from_json(json.dumps(older)).train.resolved().factor == factor
    newer = {"train": {"schedule": "plateau", "factor": 0.1} | base}
    assert from_json(json.dumps(newer)).train.resolved().factor == 0.1
    strange = {"train": {"schedule": "cosine", "factor": 0.3} | base}
    with pytest.raises(ValueError, match="factor means nothing with schedule='cosine'"):
        from_json(json.dumps(strange))


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
