"""What "auto" decides, and where from: the hardware, a measurement, or what was decided before."""

import dataclasses
import json

import pytest

from kcnn.comparison import Comparison
from kcnn.pipeline.comparison_folder import stored_report
from kcnn.pipeline.precision import resolve_precision, resolve_shared_precision
from kcnn.pipeline.setup import load
from kcnn.recipe import Data, Model, Recipe, Train, Transfer
from kcnn.report.comparison_report import ComparisonReport
from kcnn.training.precision import known_precision

DIGITS = Data(name="digits", limit=200, batch_size=20)
LONG, SHORT = Train(epochs=10_000), Train(epochs=2)
HERE = known_precision()

measured_only = pytest.mark.skipif(HERE is not None, reason="here the hardware decides")


def of(train=LONG, **sections):
    return Recipe(data=DIGITS, model=Model(name="simple_cnn"), train=train, **sections)


def resolved(recipe):
    return resolve_precision(recipe, load(recipe, None))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of what was measured, empty at first."""
    monkeypatch.setenv("KCNN_PRECISION_CACHE", str(tmp_path))
    return tmp_path


@measured_only
def test_a_long_training_gets_the_precision_that_was_measured_to_be_faster(cache):
    recipe, facts = resolved(of())
    times = {name.removeprefix("step_ms_"): value for name, value in facts.items()}
    assert min(times.values()) > 0
    faster = times["float32"] > 1.05 * times["mixed_bfloat16"]
    assert recipe.train.precision == ("mixed_bfloat16" if faster else "float32")
    # It is measured once: what the cache says now is what counts.
    (file,) = cache.iterdir()
    content = json.loads(file.read_text())
    for slow, fast in (("float32", "mixed_bfloat16"), ("mixed_bfloat16", "float32")):
        file.write_text(json.dumps(content | {"seconds": {slow: 2.0, fast: 1.0}}))
        recipe, facts = resolved(of())
        assert recipe.train.precision == fast
        assert facts == {f"step_ms_{slow}": 2000.0, f"step_ms_{fast}": 1000.0}
    # A gain within the noise is none.
    file.write_text(json.dumps(content | {"seconds": {"float32": 1.03, "mixed_bfloat16": 1.0}}))
    assert resolved(of())[0].train.precision == "float32"
    # What cannot be used is measured again.
    file.write_text('{"seconds": {"float32": 1.0}}')
    assert resolved(of())[1].keys() == facts.keys()
    assert json.loads(file.read_text())["seconds"].keys() == times.keys()


def test_what_is_not_measured(cache):
    short = of(SHORT)
    assert resolved(short)[0].train.precision == (HERE or "float32")
    given = of(dataclasses.replace(LONG, precision="mixed_bfloat16"))
    assert resolved(given) == (given, {})
    pretrained = of(transfer=Transfer(base="x.keras"))
    assert resolved(pretrained)[0].train.precision == "float32"
    assert not list(cache.iterdir())


def test_a_comparison_has_one_precision_and_keeps_it(cache, tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("begun")

    def compared(**variants):
        return Comparison(question="Which?", variants=variants, seeds=(0,))

    new = compared(one=of(), two=of(SHORT))
    for precision in ("float32", "mixed_bfloat16"):
        same = [of(dataclasses.replace(train, precision=precision)) for train in (LONG, SHORT)]
        ComparisonReport("x", compared(one=same[0], two=same[1])).save(tmp_path / "results.json")
        begun = stored_report(new, tmp_path).comparison
        both = resolve_shared_precision(begun).variants.values()
        assert [each.train.precision for each in both] == [precision, precision]
    with_base = compared(one=of(), two=of(transfer=Transfer(base="x.keras")))
    both = resolve_shared_precision(with_base).variants.values()
    assert [each.train.precision for each in both] == ["float32", "float32"]
    assert not list(cache.iterdir())
