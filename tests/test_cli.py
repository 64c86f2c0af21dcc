"""The command line as a person uses it: in a process of its own, from any folder."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kcnn as package
from kcnn.report.receipts_table import HEADER
from tests.command import run_command

KCNN = Path(sys.executable).with_name("kcnn")
RECIPES = Path(__file__).parent.parent / "recipes"
# Below a file, so that no data set can be there or be put there.
NOWHERE = {"TFDS_DATA_DIR": f"{KCNN}/nowhere", "KCNN_DATA_CACHE": f"{KCNN}/none"}


def kcnn(*arguments, cwd, command=(KCNN,)):
    return subprocess.run(
        [*map(str, command), *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | NOWHERE | {"COLUMNS": "200"},
    )


def refused(result, *words):
    """One line on stderr, no traceback, a non-zero exit."""
    assert result.returncode == 1, result.stdout + result.stderr
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("kcnn: ")
    for word in words:
        assert word in line
    return True


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """A whole run in seconds, through the recipe file itself."""
    folder = tmp_path_factory.mktemp("work")
    command = (sys.executable, RECIPES / "quickstart.py")
    result = kcnn("--smoke", cwd=folder, command=command)
    assert result.returncode == 0, result.stderr
    return folder / "runs" / "smoke" / "quickstart", result


def test_a_run_ends_with_the_table_and_the_folder(finished_run):
    folder, result = finished_run
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    for name in HEADER:
        assert name in result.stdout
    assert lines[-1] == "Everything is in runs/smoke/quickstart/"
    epochs = [line for line in lines if "epoch 1/1" in line]
    assert len(epochs) == 3  # training and two levels of pruning, a line each


def test_a_run_folder_holds_everything(finished_run):
    folder, _ = finished_run
    files = {path.name for path in folder.iterdir()}
    assert files >= {
        "recipe.json",
        "history.csv",
        "model.keras",
        "model_pruned.keras",
        "model_int8.tflite",
        "labels.txt",
        "report.json",
        "curves.png",
        "confusion.png",
        "grad_cam.png",
    }
    assert not [name for name in files if name.startswith(".")]
    report = json.loads((folder / "report.json").read_text())
    assert [receipt["name"] for receipt in report["receipts"]] == [
        "float",
        "pruned 50%",
        "pruned 80%",
        "int8",
        "pruned 50%, int8",
    ]
    for receipt in report["receipts"]:
        assert receipt["bytes"] == (folder / receipt["file"]).stat().st_size
        assert receipt["ms_per_image"] > 0
    zeros = [receipt["sparsity"] for receipt in report["receipts"]]
    assert zeros[1] == pytest.approx(0.5, abs=0.01)
    assert zeros[2] == pytest.approx(0.8, abs=0.01)
    assert len({receipt["count"] for receipt in report["receipts"]}) == 1


def test_a_second_run_needs_overwrite(finished_run):
    folder, _ = finished_run
    before = (folder / "report.json").read_text()
    result = kcnn("run", "quickstart", "--out", folder, cwd=folder.parent)
    assert refused(result, "--overwrite")
    assert (folder / "report.json").read_text() == before


def test_evaluate_knows_the_runs_own_data(finished_run):
    folder, _ = finished_run
    for path, tta in ((folder, "none"), (folder / "model_int8.tflite", "flip")):
        result = kcnn("evaluate", path, "--tta", tta, cwd=folder.parent)
        assert result.returncode == 0, result.stderr
        assert "on 359 images" in result.stdout
        assert ("test-time augmentation: flip" in result.stdout) == (tta == "flip")


def test_export_explain_and_inspect_a_run(finished_run, tmp_path):
    folder, _ = finished_run
    result = kcnn("export", folder, "--out", tmp_path / "mine.tflite", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "int8" in result.stdout
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    result = kcnn("explain", folder, "photo.png", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "grad_cam.png").stat().st_size > 1000
    for path, word in ((folder, "gzip bytes"), (tmp_path / "mine.tflite", "CONV_2D")):
        result = kcnn("inspect", path, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        assert word in result.stdout
    result = kcnn("inspect", folder / "model.keras", cwd=tmp_path)
    assert "block1_conv" in result.stdout


def test_a_run_is_exported_as_its_recipe_calibrates(finished_run, tmp_path):
    folder = shutil.copytree(finished_run[0], tmp_path / "run")
    recipe = json.loads((folder / "recipe.json").read_text())
    recipe["quantize"]["samples"] = 11
    (folder / "recipe.json").write_text(json.dumps(recipe))
    (folder / "run.json").unlink()  # which knows that the recipe has changed
    files = {}
    for name, flags in {
        "recipe": (),
        "eleven": ("--samples", 11),
        "more": ("--samples", 90),
    }.items():
        result = kcnn("export", folder, "--out", f"{name}.tflite", *flags, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        files[name] = (tmp_path / f"{name}.tflite").read_bytes()
    assert files["recipe"] == files["eleven"] != files["more"]


def test_the_heat_maps_of_a_run_are_checked(finished_run, tmp_path):
    folder, _ = finished_run
    result = kcnn("explain-check", folder, "--images", "12", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "12 images: mean [95 % interval]" in result.stdout
    for test in ("deletion", "insertion", "randomized weights", "planted patch", "mosaic"):
        assert test in result.stdout
    assert result.stdout.splitlines()[-1].startswith("check.png: ")
    with Image.open(tmp_path / "check.png") as picture:
        assert picture.width > 500


@pytest.mark.parametrize("arguments", [("--help",), ("list",), ("run", "--help")])
def test_help_and_lists_do_without_tensorflow(arguments, tmp_path):
    code = (
        "import sys\nfrom kcnn.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n    heavy = {'tensorflow', 'keras', 'matplotlib', 'numpy'} & set(sys.modules)\n"
        "    print('imported:', sorted(heavy))\n"
    )
    result = kcnn(*arguments, cwd=tmp_path, command=(sys.executable, "-c", code))
    assert result.returncode == 0, result.stderr
    assert result.stdout.rstrip().endswith("imported: []")


def test_every_summary_fits_80_columns(tmp_path):
    environment = {**os.environ, "COLUMNS": "80"}
    result = subprocess.run(
        [KCNN, "--help"], cwd=tmp_path, capture_output=True, text=True, env=environment
    )
    commands = result.stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in commands][:4] == ["run", "list", "models", "lr-find"]
    assert all(line.endswith(".") and not line.endswith("...") for line in commands)


def test_the_shell_completes_recipes(tmp_path):
    words = {"COMP_WORDS": "kcnn run resnet20", "COMP_CWORD": "2"}
    result = subprocess.run(
        [KCNN],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "_KCNN_COMPLETE": "complete_bash", **words},
    )
    assert result.stdout.split() == ["resnet20", "resnet20_flash", "resnet20_mobile"], result.stderr


def test_the_version_is_printed(tmp_path):
    assert kcnn("--version", cwd=tmp_path).stdout == f"kcnn {package.__version__}\n"


def test_a_learning_rate_is_suggested_and_drawn(tmp_path):
    result = kcnn(
        *["lr-find", "quickstart", "--set", "data.limit=300", "--steps", "12"], cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    assert "suggested learning rate: " in result.stdout
    assert (tmp_path / "lr_find.png").stat().st_size > 1000


def test_images_that_are_not_here_are_asked_for(tmp_path):
    """In a process of its own: TensorFlow Datasets reads TFDS_DATA_DIR when it is imported."""
    assert refused(kcnn("run", "resnet20", cwd=tmp_path), "--data-dir", "digits")
    assert not list(tmp_path.iterdir())


def test_the_list_names_what_there_is(tmp_path):
    result = kcnn("list", cwd=tmp_path)
    for word in ("quickstart", "resnet20", "vgg16", "digits", "folder:PATH"):
        assert word in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "quickstrat"), ("Did you mean 'quickstart'?",)),
        (("run", "nowhere.py"), ("no recipe file",)),
        (("run", "quickstart", "--set", "train.epoch=1"), ("'train.epochs'",)),
        (("run", "quickstart", "--set", "train.epochs=many"), ("train.epochs", "'many'")),
        (("run", "quickstart", "--set", "model.name=resnet2O"), ("'resnet20'",)),
        (("run", "quickstart", "--set", "model.options.depth=3"), ("depth",)),
        (("run", "quickstart", "--set", "data.augment=hard"), ("augment", "standard")),
        (("run", "quickstart", "--set", "data.batch_size=5000"), ("batch_size",)),
        (("run", "quickstart", "--set", "data.name=folder:empty"), ("empty",)),
        (("run", "resnet20", "--set", "data.name=cifra10"), ("cifra10",)),
        (("run", "quickstart", "--control"), ("no distill section",)),
        (("lr-find", "compare_depth"), ("comparison",)),
        (("lr-find", "quickstart", "--out", "rate.txt"), ("--out", "'rate.txt'", ".png")),
        (("lr-find", "quickstart", "--set", "train.learning_rate=0.1"), ("means nothing",)),
        (("lr-find", "quickstart", "--set", "prune.epochs=3"), ("prune.epochs means nothing",)),
        (("evaluate", "model.keras", "--data", "digits"), ("no file",)),
        (("evaluate", "text.tflite", "--data", "digits"), ("text.tflite",)),
        (("evaluate", "text.keras", "--data", "digits"), ("text.keras",)),
        (("evaluate", "text.keras"), ("--data",)),
        (("explain", "text.keras", "photo.png", "--out", "text.tflite"), ("exists", "--out")),
        (("explain-check", "text.keras", "--out", "text.txt"), ("--out", "'text.txt'", ".png")),
        (("explain-check", "text.keras", "--out", "text.tflite"), ("exists", "--out")),
        (("export", "text.keras", "--bundle", "new", "--feature-map"), ("bundle", "int8")),
        (("inspect", "text.tflite"), ("text.tflite",)),
        (("inspect", "empty"), ("report.json",)),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(arguments, words, tmp_path, monkeypatch, capsys):
    """In this process, which has everything imported; the other tests start one each."""
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.keras").write_text("words")
    (tmp_path / "text.tflite").write_text("words")
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    code = run_command(*arguments)
    written = capsys.readouterr()
    assert refused(subprocess.CompletedProcess((), code, written.out, written.err), *words)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_corrupt_image_is_named(finished_run, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 50)
    result = kcnn("explain", finished_run[0], "broken.png", cwd=tmp_path)
    assert refused(result, "broken.png")
    assert not (tmp_path / "grad_cam.png").exists()
