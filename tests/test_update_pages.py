"""The pages of saved runs are drawn again from what is saved, if the models score as before."""

import importlib.util
import json
import shutil
from pathlib import Path

import keras
import pytest
from matplotlib.image import imread

import kcnn
from kcnn import models
from kcnn.export import export_tflite
from kcnn.pipeline.findings import write_findings
from kcnn.pipeline.receipts import receipts, score
from kcnn.pipeline.variants import Variant, with_tta
from kcnn.recipe import Data, Explain, Recipe, to_json
from kcnn.report import analysis
from kcnn.report.receipts import Report
from kcnn.run_dir import RunDir

ROOT = Path(__file__).parent.parent
RECIPE = Recipe(
    data=Data(name="digits", limit=300, augment="none"), explain=Explain(images=3), tta="flip"
)


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("update_pages", ROOT / "docs/update_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A run as an older version left it: other keys, no heat maps' picture but one."""
    run_dir = RunDir(tmp_path_factory.mktemp("saved") / "run")
    run_dir.path.mkdir()
    data = kcnn.data.load("digits", limit=300, augment="none")
    keras.utils.set_random_seed(0)
    model = models.build("resnet8", input_shape=data.image_shape, width=4)
    whole = Variant("float", models.save(model, run_dir.model), model, 1)
    file = run_dir.path / "model_int8.tflite"
    exported = export_tflite(model, file, calibration=data.calibration, samples=20)
    variants = [whole, Variant("int8", exported.path, model, 1), with_tta(whole, "flip")]
    evaluations = [score(variant, data) for variant in variants]
    scores = receipts(variants, evaluations)
    Report("mine", "resnet8", 9, "digits", 200, scores, {}, 0).save(run_dir.report)
    run_dir.recipe.write_text(to_json(RECIPE))
    write_findings(run_dir, data, variants, evaluations, explained=3)
    for path, words in (
        (run_dir.report, {"receipts": "stages"}),
        (run_dir.analysis, {"variants": "forms", "variant": "form", "predicted": "told"}),
    ):
        text = path.read_text()
        for new, old in words.items():
            text = text.replace(f'"{new}":', f'"{old}":')
        path.write_text(text)
    run_dir.picture("heatmaps").rename(run_dir.picture("grad_cam"))
    return run_dir


def test_everything_but_the_report_is_drawn_again(saved, script, tmp_path):
    run_dir = RunDir(shutil.copytree(saved.path, tmp_path / "run"))
    for name in ("reliability", "mistakes", "disagreements"):
        run_dir.picture(name).unlink(missing_ok=True)
    run_dir.page.unlink()
    script.update_run(run_dir.path)
    assert run_dir.report.read_bytes() == saved.report.read_bytes()
    assert analysis.load(run_dir.analysis) == analysis.load(saved.analysis)
    assert '"told"' in saved.analysis.read_text() and '"told"' not in run_dir.analysis.read_text()
    for name in ("confusion", "reliability", "mistakes", "heatmaps", "grad_cam"):
        assert imread(run_dir.picture(name)).std() > 0.01
    assert (imread(run_dir.picture("mistakes")) == imread(saved.picture("mistakes"))).all()
    assert "Most confident mistakes" in run_dir.page.read_text()


def test_without_its_model_a_run_keeps_the_pictures_that_need_it(saved, script, tmp_path):
    run_dir = RunDir(shutil.copytree(saved.path, tmp_path / "run"))
    run_dir.model.unlink()
    run_dir.picture("reliability").unlink()
    before = run_dir.picture("mistakes").stat().st_mtime_ns
    script.update_run(run_dir.path)
    assert run_dir.picture("mistakes").stat().st_mtime_ns == before
    assert run_dir.picture("reliability").is_file()
    assert not run_dir.picture("heatmaps").is_file()


def test_a_model_that_scores_otherwise_stops_before_anything_is_written(saved, script, tmp_path):
    run_dir = RunDir(shutil.copytree(saved.path, tmp_path / "run"))
    report = json.loads(run_dir.report.read_text())
    report["stages"][1]["accuracy"] += 1 / report["stages"][1]["count"]
    run_dir.report.write_text(json.dumps(report))
    before = {file: file.read_bytes() for file in run_dir.files()}
    with pytest.raises(ValueError, match="int8: .* must be equal"):
        script.update_run(run_dir.path)
    assert {file: file.read_bytes() for file in run_dir.files()} == before


def test_the_tables_of_comparisons_are_those_of_their_results(script, tmp_path):
    saved = ROOT / "saved_models/compare_depth"
    shutil.copy(saved / "results.json", tmp_path)
    script.update_comparison(tmp_path)
    assert (tmp_path / "table.md").read_text() == (saved / "table.md").read_text()
