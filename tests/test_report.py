"""Reports: what is saved is what is read, and tables come from them."""

import gzip
import json
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

from kcnn import provenance, recipe_files
from kcnn.evaluation import Evaluation
from kcnn.report import receipts, receipts_table
from kcnn.report.repeat_command import repeat_command


def evaluation():
    logits = np.zeros((8, 2), np.float32)
    confusion = np.array([[4, 0], [1, 3]])
    return Evaluation(0.875, 1.0, 0.4, (1.0, 0.75), confusion, 8, logits, np.zeros(8, int))


@pytest.fixture
def report(tmp_path):
    file = tmp_path / "model_int8.tflite"
    file.write_bytes(b"\0" * 5000 + bytes(range(200)))
    receipt = receipts.receipt("int8", file, evaluation(), ms_per_image=0.1234, sparsity=0.5)
    return receipts.Report(
        recipe="quickstart",
        model="simple_cnn",
        parameters=268746,
        dataset="digits",
        train_images=1000,
        receipts=(receipt,),
        training={"epochs": 3, "seconds": 1.5},
        seed=0,
    )


def test_a_receipt_weighs_the_file_itself(report, tmp_path):
    content = (tmp_path / "model_int8.tflite").read_bytes()
    (receipt,) = report.receipts
    assert receipt.bytes == len(content) == 5200
    assert receipt.gzip_bytes == len(gzip.compress(content, mtime=0)) < 400
    assert (receipt.accuracy, receipt.count) == (0.875, 8)


def test_a_report_is_read_as_it_was_written(report, tmp_path):
    report.save(tmp_path / "report.json")
    assert receipts.load(tmp_path / "report.json") == report
    assert {"keras", "tensorflow", "kcnn"} <= set(report.versions)
    assert report.hardware["cores"] >= 1


def test_a_report_that_calls_its_receipts_stages_is_read(report, tmp_path):
    report.save(tmp_path / "report.json")
    older = (tmp_path / "report.json").read_text().replace('"receipts"', '"stages"')
    (tmp_path / "report.json").write_text(older)
    assert '"stages"' in older and receipts.load(tmp_path / "report.json") == report


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"stages": [{"name": "float"}]}', "5"])
def test_a_file_that_is_no_report_is_refused(tmp_path, text):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(ValueError, match="no report of this version"):
        receipts.load(tmp_path / "report.json")


def test_the_tables_cells(report):
    assert receipts_table.row(report.receipts[0]) == (
        "int8",
        "87.50%",
        "50%",
        "5,200",
        *_last(report),
    )
    lines = receipts_table.markdown(report).splitlines()
    assert lines[0] == "| variant | accuracy | zeros | bytes | gzip bytes | ms/image |"
    assert len({line.count("|") for line in lines}) == 1
    assert "8 test images of digits" in receipts_table.caption(report)


def _last(report):
    return f"{report.receipts[0].gzip_bytes:,}", "0.123"


def test_a_report_is_plain_json(report, tmp_path):
    report.save(tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text())["receipts"][0]["file"].endswith(
        "tflite"
    )


def test_the_commit_is_of_the_checkout_that_holds_the_code(tmp_path):
    def git(*words):
        command = ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b.c", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    code, other = tmp_path / "package" / "code.py", tmp_path / "other.py"
    code.parent.mkdir()
    for file in (code, other):
        file.write_text("1")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    head = git("rev-parse", "HEAD")
    assert provenance.git_commit(code) == head
    (tmp_path / "notes.txt").write_text("untracked")
    assert provenance.git_commit(code) == head
    other.write_text("2")
    assert provenance.git_commit(code) == head + "+"
    # site-packages inside somebody's own repository
    installed = tmp_path / "venv" / "kcnn.py"
    installed.parent.mkdir()
    installed.write_text("1")
    assert provenance.git_commit(installed) is None


@pytest.mark.parametrize(
    ("variant", "asked"),
    [("control, no teacher", True), ("control: trained on in floats, int8", False)],
)
def test_the_command_asks_for_a_control_where_one_was_asked_for(variant, asked):
    shipped = recipe_files.load("quickstart").recipe
    receipts = [SimpleNamespace(name=variant)]
    run = SimpleNamespace(recipe="quickstart", receipts=receipts, training={})
    assert ("--control" in repeat_command(run, shipped)) == asked
