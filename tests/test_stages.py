"""The table of stages, and what follows from it."""

import dataclasses
import subprocess
import sys

from kcnn.comparison import _COMPARED
from kcnn.pipeline import STAGES, smoke
from kcnn.recipe import Cluster, QuantizeAware, Recipe, Slim


def test_every_section_of_a_recipe_is_of_the_training_or_of_a_stage():
    fields = {field.name: field for field in dataclasses.fields(Recipe)}
    names = [stage.name for stage in STAGES]
    assert len(set(names)) == len(names)
    assert {*_COMPARED, *names} | {"tta", "seed"} == fields.keys()
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
