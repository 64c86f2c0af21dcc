"""The files of runs and trainings: a small valid one of each kind, and its loader."""

import hashlib
import json
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.campaign.mutators import mutate_bytes, mutate_json, mutate_members

SAVED = Path(__file__).parents[2] / "saved_models"


def state(folder: Path) -> list[Path]:
    from kcnn.callbacks.state import Memory, TrainingState

    arrays = [np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(3, np.int32)]
    memory = Memory("EarlyStopping", {"best": 0.5, "best_weights": arrays, "wait": 2})
    state = TrainingState(
        *(2, 3, 0, False, arrays, arrays, arrays[:1]), memories=[memory], settings={"seed": 1}
    )
    state.save(folder / "last.state")
    return [folder / "last.state"]


def load_state(path: Path) -> bytes:
    from kcnn.callbacks.state import TrainingState

    return pickle.dumps(TrainingState.load(path))


def with_its_digest(content: bytes, draw: random.Random) -> bytes:
    """Damage what a state holds, and give it the digest that fits."""
    start = content.index(b"\n") + 1
    how = draw.choice((mutate_bytes, mutate_members(mutate_bytes), mutate_members(index)))
    body = how(content[start + 32 :], draw)
    return content[:start] + hashlib.sha256(body).digest() + body


def index(member: bytes, draw: random.Random) -> bytes:
    """Damage the JSON in an array of a state, and the header of other arrays."""
    start = member.find(b'{"epoch"')
    if start < 0:
        return mutate_bytes(member[:128], draw) + member[128:]
    text = np.frombuffer(mutate_json(member[start:], draw), np.uint8)
    return member[:10] + _header(len(text)) + text.tobytes()


def _header(length: int) -> bytes:
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({length},), }}"
    return text.ljust(117).encode() + b"\n"


def journal(folder: Path) -> list[Path]:
    from kcnn.pipeline.journal import Journal
    from kcnn.recipe import Recipe, to_json
    from kcnn.run_dir import RunDir

    run_dir = RunDir(folder)
    run_dir.recipe.write_text(to_json(Recipe()))
    run_dir.history.write_text("epoch,loss\n0,1.5\n")
    journal = Journal(run_dir)
    journal.save()
    facts = {"history": {"loss": [1.5]}, "best_epoch": 1, "seconds": 2.5, "stop_reason": "epochs"}
    journal.record("train", [run_dir.history], **facts)
    return [run_dir.journal]


def load_journal(path: Path) -> Any:
    from kcnn.pipeline.journal import Journal
    from kcnn.pipeline.unfinished import find_unfinished
    from kcnn.recipe import Recipe
    from kcnn.run_dir import RunDir

    run_dir = RunDir(path.parent)
    journal = Journal.read(run_dir)
    if journal is None or not journal.finished:
        find_unfinished(Recipe(), run_dir)
    return journal


def recipe(folder: Path) -> list[Path]:
    journal(folder)
    return [folder / "recipe.json"]


def load_recipe(path: Path) -> Any:
    from kcnn.pipeline.unfinished import find_unfinished
    from kcnn.recipe import Recipe
    from kcnn.run_dir import RunDir

    return find_unfinished(Recipe(), RunDir(path.parent))


def run(name: str) -> Callable[[Path], list[Path]]:
    def make(folder: Path) -> list[Path]:
        for each in ("recipe.json", "report.json", "history.csv", "analysis.json", "labels.txt"):
            shutil.copy(SAVED / "resnet20" / each, folder / each)
        report = json.loads((folder / "report.json").read_text())
        rollback = {"name": "loss", "value": "nan", "epoch": 3, "step": 7, "factor": 0.5}
        report["training"]["rollbacks"] = [rollback]
        (folder / "report.json").write_text(json.dumps(report, indent=2))
        return [folder / name]

    return make


def finished(folder: Path) -> list[Path]:
    """Write the files of a finished run, whose journal has their digests."""
    from kcnn.pipeline.journal import Journal
    from kcnn.run_dir import RunDir

    run("report.json")(folder)
    journal = Journal(RunDir(folder))
    journal.save()
    journal.finish()
    return [file for file in sorted(folder.iterdir()) if file.name != "labels.txt"]


def load_run(path: Path) -> Any:
    from kcnn.report.run_files import read_run

    return read_run(path.parent)


def load_page(path: Path) -> Any:
    from kcnn.report.run_page import write_page

    return write_page(path.parent)


def labels(folder: Path) -> list[Path]:
    (folder / "labels.txt").write_text("cat\ndog\nça va\n\U0001f600\n", encoding="utf-8")
    return [folder / "labels.txt"]


def load_labels(path: Path) -> Any:
    from kcnn.run_dir import RunDir

    return RunDir(path.parent).class_names()


def comparison(folder: Path) -> list[Path]:
    return [Path(shutil.copy(SAVED / "mlp_vs_cnn" / "results.json", folder))]


def load_comparison(path: Path) -> Any:
    from kcnn.report import comparison_report
    from kcnn.report.comparison_table import document

    return document(comparison_report.load(path), "comparison.png")
