"""What an unfinished run shows of itself."""

import os
import sys

import numpy as np
import pytest

import kcnn
from kcnn import models
from kcnn.cli.commands import inspect
from kcnn.cli.shared import model_file
from kcnn.pipeline.records import begin
from kcnn.recipe import Data, Model, Recipe, Train
from kcnn.report.run_page import write_page
from kcnn.report.side_by_side_page import write_side_by_side
from kcnn.run_dir import RunDir

RECIPE = Recipe(
    data=Data(name="digits"), model=Model(name="lenet5"), train=Train(epochs=9, schedule="constant")
)


@pytest.fixture
def stopped(tmp_path):
    run = RunDir(tmp_path / "run")
    journal = begin(run, RECIPE, ["a", "b"], deterministic=False)
    run.history.write_text("epoch,loss,val_loss\n0,3.0,2.5\n1,2.0,1.25\n2,1.0,nan\n")
    models.save(models.lenet5(num_classes=2), run.best)
    run.state.mkdir()
    (run.state / "last.state").write_bytes(b"")
    journal.note_stop("interrupted")
    return run


def test_inspect_says_what_is_done_kept_and_missing(stopped, capsys):
    inspect(stopped.path)
    out = capsys.readouterr().out
    for said in (
        "done so far: no step",
        "why the training stopped: interrupted",
        "epochs: 3 of 9; the best is epoch 2 with val_loss 1.2500",
        f"best model so far: {stopped.best}",
        f"kept state: {stopped.state / 'last.state'}",
        "missing: model.keras, report.json",
        "the same command continues the run",
    ):
        assert f"{said}\n" in out
    for file in (stopped.state / "last.state", stopped.history, stopped.recipe):
        file.unlink()
    inspect(stopped.path)
    out = capsys.readouterr().out
    assert "epochs: 0\n" in out
    assert "kept state: none, so the training starts from epoch 1\n" in out
    assert "missing: recipe.json, model.keras, report.json\nput recipe.json back" in out


def test_the_page_shows_what_there_is_so_far(stopped, tmp_path):
    page = write_page(stopped.path).read_text()
    for said in (
        "<h1>run</h1>",
        "This run is not finished",
        "epochs: 3 of 9; the best is epoch 2",
        "missing: model.keras, report.json",
        "Curves over 3 epochs: training loss from 3.000 to 1.000",
        "&#34;lenet5&#34;",
        'href="history.csv"',
    ):
        assert said in page
    if sys.platform == "linux":  # a name in Latin-1, as of an old disk or archive
        other = stopped.path.with_name(os.fsdecode(b"caf\xe9"))
        assert "<h1>caf?</h1>" in write_page(stopped.path.rename(other)).read_text()
        other.rename(stopped.path)
    stopped.history.unlink()
    assert "Learning curves" not in write_page(stopped.path).read_text()
    with pytest.raises(ValueError, match="has no scores yet: .* `kcnn report .*run` show what"):
        write_side_by_side([stopped.path, tmp_path], tmp_path / "both.html")


def test_the_best_model_so_far_stands_for_an_unfinished_run(stopped, caplog):
    height, width, channels = models.load(stopped.best).input_shape[1:]
    found = kcnn.predict(stopped.path, np.zeros((1, height, width, channels), np.uint8))
    assert found.class_names == ("a", "b")
    assert "not trained to its end: best.keras is its best model so far" in caplog.text
    assert model_file(stopped.path) == stopped.best
    stopped.best.unlink()
    for read in (model_file, lambda folder: kcnn.predict(folder, np.zeros((1, 9, 9, 3), np.uint8))):
        with pytest.raises(ValueError, match=r"model.keras': the run is unfinished, and has no"):
            read(stopped.path)
