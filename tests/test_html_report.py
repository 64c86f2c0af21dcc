"""The page of a run, in a browser: it works, asks for nothing, and can be read by everyone."""

import dataclasses
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from browser import Browser
from PIL import Image

from kcnn.cli import report as cli
from kcnn.recipe import Recipe, Train, override, to_json
from kcnn.recipe_files import load as load_recipe
from kcnn.report import receipts
from kcnn.report.analysis import HeatmapDrift, Interval
from kcnn.report.calibration_plot import plot_reliability
from kcnn.report.confusion_plot import plot_confusion
from kcnn.report.galleries import Gallery, plot_galleries
from kcnn.report.mistakes import analyze
from kcnn.report.receipts import Receipt, Report
from kcnn.report.repeat_command import repeat_command
from kcnn.report.run_files import RunFiles, read_run
from kcnn.report.run_page import write_page
from kcnn.report.side_by_side_page import write_side_by_side
from kcnn.report.training_events import training_events
from kcnn.run_dir import RunDir

NAMES = ("airplane", "<b>cat</b>", "dog & frog")
RECIPE = Recipe(train=Train(epochs=30, patience=4))
RATES = (1e-3,) * 5 + (2e-4,) * 3 + (4e-5,)


def make_report(**changes):
    sizes = {
        "float": ("model.keras", 1_090_000, 0.25),
        "int8": ("model_int8.tflite", 90_000, 0.125),
    }
    return Report(
        **{
            "recipe": "simple_cnn",
            "model": "simple_cnn",
            "parameters": 1234,
            "dataset": "cifar10",
            "train_images": 45_000,
            "receipts": tuple(
                Receipt(name, file, 0.9 - 0.1 * place, 1.0, 0.4, 200, size, size // 2, ms, 0.0)
                for place, (name, (file, size, ms)) in enumerate(sizes.items())
            ),
            "training": {
                "epochs": 9,
                "best_epoch": 4,
                "seconds": 75.0,
                "stop_reason": "val_loss was no better for 5 epochs",
            },
            "seed": 0,
            "git_commit": "0123abc+",
        }
        | changes
    )


def write_history(path):
    lines = ["epoch,accuracy,learning_rate,loss,val_accuracy,val_loss"]
    lines += [
        f"{epoch},{0.5 + epoch / 20},{rate},{2 - epoch / 9},{0.6 + epoch / 30},{1 + epoch / 90}"
        for epoch, rate in enumerate(RATES)
    ]
    path.write_text("\n".join(lines) + "\n")


def make_run(folder, **changes):
    """A run's folder with every file that a page is made of."""
    folder.mkdir(parents=True)
    run_dir, rng = RunDir(folder), np.random.default_rng(0)
    make_report(**changes).save(run_dir.report)
    run_dir.recipe.write_text(to_json(RECIPE))
    write_history(run_dir.history)
    run_dir.model.write_bytes(b"model")
    labels = rng.integers(0, 3, 200)
    logits = rng.normal(size=(2, 200, 3)) + 2 * np.eye(3)[labels]
    logits = dict(zip(("float", "int8"), logits, strict=True))
    found = analyze(logits, labels, NAMES, compared=[("float", "int8")], shown=4)
    found.save(run_dir.analysis)
    plot_confusion(np.full((3, 3), 7), NAMES, run_dir.picture("confusion"))
    plot_reliability({"float": found.variants[0].calibration}, run_dir.picture("reliability"))
    images = rng.integers(0, 256, (4, 32, 32, 3), np.uint8)
    gallery = Gallery("Four images", (images, images), ["one"] * 4, ("image", "float"))
    for name in ("mistakes", "disagreements", "heatmaps", "grad_cam"):
        plot_galleries([gallery], run_dir.picture(name), heat=True)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = make_run(tmp_path_factory.mktemp("runs") / "my run #1")
    write_page(folder)
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.driver.quit()


@pytest.fixture(scope="module")
def pages(folder, tmp_path_factory):
    """Every kind of page: of a whole run, of a bare one, and of two runs."""
    bare = tmp_path_factory.mktemp("bare")
    make_report(training={}, git_commit=None).save(bare / "report.json")
    out = tmp_path_factory.mktemp("out") / "compare.html"
    return {
        "run": folder / "report.html",
        "bare": write_page(bare),
        "compare": write_side_by_side([folder, bare], out),
    }


KINDS = ("run", "bare", "compare")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [1280, 390, 360])
def test_a_page_opens_without_complaint_and_without_asking_anybody(browser, pages, kind, width):
    browser.open(pages[kind], width=width)
    assert browser.complaints() == []
    asked = [url for url in browser.requests() if not url.startswith("data:")]
    assert asked == [pages[kind].as_uri()]
    assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.run("return document.title") and len(browser.all("h1")) == 1


def test_the_policy_stops_what_a_page_could_ask_for(browser, pages, tmp_path):
    text = pages["run"].read_text().replace("<body>", '<body><img src="https://example.org/a.png">')
    (tmp_path / "report.html").write_text(text)
    browser.open(tmp_path / "report.html")
    (complaint,) = browser.complaints()
    assert "https://example.org/a.png" in complaint and "Content Security Policy" in complaint


@pytest.mark.parametrize("kind", ["run", "compare"])
def test_every_picture_has_its_natural_size_and_says_what_is_seen(browser, pages, kind):
    browser.open(pages[kind])
    pictures = browser.run(
        "return [...document.images].map(i => [i.complete, i.naturalWidth, i.naturalHeight,"
        " +i.getAttribute('width'), +i.getAttribute('height'), i.clientWidth, i.clientHeight,"
        " i.alt, i.src.slice(0, 5)])"
    )
    assert len(pictures) == {"run": 7, "compare": 1}[kind]
    for complete, natural_width, natural_height, width, height, *shown, alt, source in pictures:
        assert complete and source == "data:"
        assert max(abs(natural_width - width), abs(natural_height - height)) <= 1
        assert width > 300
        assert shown[0] / shown[1] == pytest.approx(width / height, rel=0.02)
        assert len(alt) > 40
    assert len({each[7] for each in pictures}) == len(pictures)


def columns(browser, table):
    """Return the table's columns as they stand, by heading."""
    return browser.run(
        "const t = arguments[0]; return Object.fromEntries([...t.tHead.rows[0].cells].map((h, c) =>"
        " [h.textContent, [...t.tBodies[0].rows].map(r => r.cells[c].textContent)]))",
        table,
    )


def test_a_table_is_sorted_by_click_and_by_keyboard(browser, pages):
    browser.open(pages["run"])
    (table,) = browser.all("#receipts table")
    before = columns(browser, table)
    assert before["variant"] == ["float", "int8"]
    size, time, name = (browser.all(f"#receipts th:nth-child({place})")[0] for place in (5, 7, 1))
    size.find_element("tag name", "button").click()
    assert columns(browser, table)["bytes"] == ["90,000", "1,090,000"]  # not as letters
    assert columns(browser, table)["variant"] == ["int8", "float"]
    assert size.get_attribute("aria-sort") == "ascending"
    time.find_element("tag name", "button").click()
    assert columns(browser, table)["ms/image"] == ["0.125", "0.250"]
    assert (size.get_attribute("aria-sort"), time.get_attribute("aria-sort")) == (None, "ascending")
    button = name.find_element("tag name", "button")
    button.send_keys("\ue007")  # Enter
    assert columns(browser, table) == before
    assert (time.get_attribute("aria-sort"), name.get_attribute("aria-sort")) == (None, "ascending")
    button.send_keys(" ")
    assert name.get_attribute("aria-sort") == "descending"
    assert columns(browser, table)["variant"] == ["int8", "float"]
    assert browser.run("return document.activeElement === arguments[0]", button)


CONTRAST = """
const luminance = (rgb) => rgb.map(v => v / 255)
  .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
const ground = (element) => {
  for (; element; element = element.parentElement) {
    const color = numbers(getComputedStyle(element).backgroundColor);
    if (color.length === 3) return color;
  }
  throw new Error("nothing behind the text");
};
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const found = [];
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  if (!texts.currentNode.data.trim() || element.tagName === "SCRIPT") continue;
  const one = luminance(numbers(getComputedStyle(element).color).slice(0, 3));
  const other = luminance(ground(element));
  const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  found.push([ratio, texts.currentNode.data.trim()]);
}
return found;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(browser, pages, scheme):
    browser.open(pages["run"], scheme=scheme)
    found = browser.run(CONTRAST)
    assert len(found) > 50
    assert [each for each in found if each[0] < 4.5] == []
    ground = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")


def test_links_go_to_files_that_are_there_and_names_are_text(browser, pages, folder):
    browser.open(pages["run"])
    links = browser.run("return [...document.links].map(a => a.getAttribute('href'))")
    files = [link for link in links if not link.startswith("#")]
    assert {"model.keras", "history.csv", "analysis.json"} <= set(files)
    assert "model_int8.tflite" not in files and "report.html" not in files
    assert all((folder / file).is_file() for file in files)
    for link in links:
        assert not link.startswith("#") or browser.all(link)
    assert not browser.all("b")
    assert "<b>cat</b>" in browser.all("#mistakes")[0].text


def test_a_page_tells_the_run(pages):
    text = re.sub(r"<[^>]+>", "", pages["run"].read_text())
    low, high = 0.8506, 0.9343  # Wilson, 180 of 200
    for words in (
        "kcnn run simple_cnn",
        f"{low:.2%} – {high:.2%}",
        "0123abc, with uncommitted changes",
        "1 min 15 s",
        "Epoch 4: the best epoch (validation loss 1.0333)",
        "Epoch 6: learning rate 0.001 → 0.0002: the validation loss stalled",
        "Epoch 9: stopped early: val_loss was no better for 5 epochs",
        "Epoch 9: learning rate 0.0002 → 4e-05",
    ):
        assert words in text, words


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("epochs", "the last epoch of the recipe"),
        ("finished", "the last epoch of the recipe"),  # of earlier versions
        ("early_stopping", "stopped early: the validation loss was no better for 4 epochs"),
        ("diverged", "diverged: the loss exploded, and the model is no better than guessing"),
        ("TerminateOnNaN", "stopped early: by the callback TerminateOnNaN"),
    ],
)
def test_the_events_of_a_training_tell_why_it_ended(reason, words, tmp_path):
    back = {"name": "loss", "value": "nan", "epoch": 3, "step": 2, "factor": 0.5}
    training = {"epochs": 9, "stop_reason": reason, "rollbacks": [back]}
    make_report(training=training).save(tmp_path / "report.json")
    report = receipts.load(tmp_path / "report.json")
    events = training_events(RunFiles(RunDir(tmp_path), report, RECIPE))
    assert [(event.epoch, event.text) for event in events] == [
        (3, "loss became nan: back to an earlier state, with 0.5 times the learning rate"),
        (9, words),
    ]


def test_what_is_not_there_is_left_out(pages):
    text = pages["bare"].read_text()
    for section in ("run", "receipts", "files"):
        assert f'id="{section}"' in text
    for section in ("curves", "mistakes", "robustness", "heatmaps"):
        assert f'"#{section}"' not in text and f'id="{section}"' not in text
    assert text.count("<img") == 1  # what its accuracy costs, which its receipts say


def test_the_same_files_give_the_same_page(folder):
    before = (folder / "report.html").read_bytes()
    write_page(folder)
    assert (folder / "report.html").read_bytes() == before


def test_a_page_of_photographs_stays_below_3_mb(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "run")
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    pictures = [RunDir(tmp_path / "run").picture(name) for name in ("mistakes", "disagreements")]
    for picture in pictures:
        Image.fromarray(noise).resize((1300, 1300)).save(picture, compress_level=1)
        assert picture.stat().st_size > 1_500_000
    assert write_page(tmp_path / "run").stat().st_size < 3_000_000


def test_events_of_a_schedule_are_its_steps_only(tmp_path):
    run = RunFiles(RunDir(tmp_path), make_report(training={"epochs": 9}))
    history = {"loss": RATES, "learning_rate": RATES}
    kinds = {}
    for schedule, section in (
        ("plateau", Train()),
        ("cosine", Train(schedule="cosine")),
        ("step", Train(schedule="step", step_epochs=5)),
    ):
        files = RunFiles(run.run_dir, run.report, Recipe(train=section), history)
        kinds[schedule] = [(event.epoch, event.kind) for event in training_events(files)]
    assert kinds["plateau"] == kinds["step"] == [(6, "rate"), (9, "rate"), (9, "finished")]
    assert kinds["cosine"] == [(9, "finished")]


@pytest.mark.parametrize(
    "assignments",
    [
        [],
        ["seed=3", "train.epochs=2", "prune=none"],
        ['model.options={"units": 32}', "data.name=folder:my pictures", "train.optimizer=adamw"],
        ["prune.sparsities=[0.3]", "data.image_size=[64, 48]", "explain=none"],
        ['distill={"teacher": "runs/big one"}'],
        ["data.name=folder:pictures", "data.validation=0.02"],
        ["data.folds=5", "data.fold=2", "data.sampling=balanced"],
    ],
)
def test_the_command_repeats_the_run(assignments):
    shipped = load_recipe("simple_cnn").recipe
    recipe = override(shipped, assignments)
    words = shlex.split(repeat_command(make_report(), recipe))
    assert words[:3] == ["kcnn", "run", "simple_cnn"]
    assert words[3::2] == ["--set"] * len(words[4::2])
    assert override(shipped, words[4::2]) == recipe
    assert len(words[4::2]) == len(assignments)


def test_a_recipe_of_the_users_own_has_no_command():
    assert repeat_command(make_report(recipe="mine"), RECIPE) is None
    assert repeat_command(make_report(recipe="compare_optimizers"), RECIPE) is None


def test_runs_are_compared_by_their_names_and_what_differed(folder, tmp_path):
    other = make_run(tmp_path / "a" / "my run #1", seed=5, dataset="digits")
    RunDir(other).recipe.write_text(to_json(override(RECIPE, ["train.epochs=7"])))
    text = re.sub(
        r"<[^>]+>", "|", write_side_by_side([folder, other], tmp_path / "c.html").read_text()
    )
    text = re.sub(r"[|\s]+", "|", text)
    assert "|train.epochs|30|7|" in text and "|train.patience|" not in text
    assert "different|test|images" in text
    assert str(other).replace(" ", "|") in text  # both folders have the same name


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("report.json", None, "report.json"),
        ("report.json", "{", "report.json"),
        ("report.json", '{"receipts": [5]}', "report.json"),
        ("recipe.json", "{}}", "recipe.json"),
        ("recipe.json", '{"train": {"epochs": "many"}}', "epochs"),
        ("history.csv", "epoch,loss\n0,low\n", "history.csv"),
        ("history.csv", "epoch,loss,val_loss\n0,1.0\n", "history.csv"),
        ("history.csv", b"\xff\xfe\x00", "history.csv"),
        ("analysis.json", "[]", "analysis.json"),
        ("mistakes.png", "GIF", "mistakes.png"),
    ],
)
def test_a_damaged_run_is_refused_in_one_line_and_keeps_its_page(
    folder, tmp_path, name, text, word
):
    run = tmp_path / "run"
    shutil.copytree(folder, run)
    before = (run / "report.html").read_bytes()
    (run / name).unlink()
    if text is not None:
        (run / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    files = sorted(os.listdir(run))
    with pytest.raises(ValueError, match=word) as caught:
        write_page(run)
    assert "\n" not in str(caught.value)
    assert (run / "report.html").read_bytes() == before and sorted(os.listdir(run)) == files


def kcnn(*arguments, cwd):
    """Run the command line, and say at its end what it imported."""
    code = (
        "import sys\nfrom kcnn.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n    assert not {'tensorflow', 'keras', 'sklearn'} & set(sys.modules)\n"
    )
    words = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=600)


def test_the_commands_do_without_tensorflow(folder, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(folder, tmp_path / name)
        (tmp_path / name / "report.html").unlink()
    result = kcnn("report", "one", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "one/report.html\n"), result.stderr
    assert (tmp_path / "one" / "report.html").read_bytes() == (folder / "report.html").read_bytes()
    result = kcnn("compare", "one", "two", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "compare.html\n"), result.stderr
    text = (tmp_path / "compare.html").read_text()
    assert 'href="one/report.html"' in text and "two/report.html" not in text


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nowhere"], "report.json"),
        (["comparison"], "holds a comparison"),
        (["run", "run"], "two different runs"),
        (["run", "comparison"], "holds a comparison"),
        (["run", "nowhere"], "report.json"),
    ],
)
def test_what_is_no_run_is_refused_and_nothing_written(
    folder, tmp_path, monkeypatch, arguments, word
):
    shutil.copytree(folder, tmp_path / "run")
    (tmp_path / "comparison").mkdir()
    (tmp_path / "comparison" / "results.json").write_text("{}")
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    runs = [Path(argument) for argument in arguments]
    with pytest.raises(ValueError, match=word) as caught:
        cli.report(runs[0]) if len(runs) == 1 else cli.compare(runs)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_how_far_heat_maps_moved_and_how_many_images_say_nothing(folder, tmp_path):
    run = RunDir(shutil.copytree(folder, tmp_path / "run"))
    assert "How much int8 changed the heat maps was not measured" in run.page.read_text()
    interval = Interval(0.5, 0.25, 0.75)
    drift = HeatmapDrift("float", "int8", 150, interval, None, interval, interval, left_out=37)
    dataclasses.replace(read_run(run.path).analysis, drifts=(drift,)).save(run.analysis)
    text = write_page(run.path).read_text()
    assert '<td data-value="37">37</td>' in text and "on 150 test images" in text
    assert "was not measured" not in text and "then the heat map of int8" in text
    old = json.loads(run.analysis.read_text())
    del old["drifts"][0]["left_out"]  # as older versions wrote it
    run.analysis.write_text(json.dumps(old))
    assert read_run(run.path).analysis.drifts[0].left_out == 0


def test_a_single_run_is_no_comparison_and_a_file_is_not_overwritten(folder, tmp_path):
    with pytest.raises(ValueError, match="two different runs"):
        write_side_by_side([folder], tmp_path / "new.html")
    (tmp_path / "there.html").write_text("mine")
    with pytest.raises(ValueError, match="there.html' exists"):
        write_side_by_side([folder, tmp_path], tmp_path / "there.html")
    assert [each.name for each in tmp_path.iterdir()] == ["there.html"]


@pytest.mark.parametrize("name", ["resnet20", "simple_cnn"])
def test_a_page_of_an_older_run(name, tmp_path):
    committed = Path(__file__).parent.parent / "saved_models" / name
    shutil.copytree(committed, tmp_path / name)
    assert read_run(tmp_path / name).history
    text = write_page(tmp_path / name).read_text()
    assert f"kcnn run {name}" in text and 'id="curves"' in text and 'id="mistakes"' in text
    assert len(text) < 3_000_000
