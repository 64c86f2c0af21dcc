"""The files of results that others read: a small valid one of each kind, and its loader."""

import random
from pathlib import Path
from typing import Any

import numpy as np

from tests.campaign.mutators import mutate_bytes, mutate_json
from tests.campaign.run_files import run


def study(folder: Path) -> list[Path]:
    from kcnn.report.study_report import StudyReport, Trial

    values = {"train.learning_rate": 0.01, "train.optimizer": "adam"}
    trials = (
        Trial(0, "complete", values, 0.9, 30_000, 0.5, test_accuracy=0.89, folder="trial-0000"),
        Trial(1, "pruned", values, 0.4, reason="worse than the median of the others"),
        Trial(2, "complete", values, 0.8, 20_000, 0.4, attempts=2, seconds=3.5),
    )
    space = {"train.learning_rate": "0.001 to 0.1", "train.optimizer": "adam or sgd"}
    report = StudyReport("mine", "lenet5", "digits", space, trials, max_bytes=40_000)
    report.save(folder / "study.json")
    return [folder / "study.json"]


def load_study(path: Path) -> Any:
    from kcnn.report import study_report
    from kcnn.report.study_page import summary

    report = study_report.load(path)
    rows = [study_report.row(report, trial) for trial in report.trials]
    return rows, study_report.caption(report), summary(report)


def trials(folder: Path) -> list[Path]:
    opened = _study_in(folder)
    for accuracy in (0.5, 0.75):
        trial = opened.ask()
        trial.suggest_float("train.learning_rate", 1e-3, 1e-1)
        opened.tell(trial, accuracy)
    return [folder / "trials.log"]


def mutate_lines(content: bytes, draw: random.Random) -> bytes:
    """Damage one line of JSON among several, or any bytes."""
    if draw.random() < 0.4:
        return mutate_bytes(content, draw)
    lines = content.splitlines(keepends=True)
    place = draw.randrange(len(lines))
    lines[place] = b" ".join(mutate_json(lines[place], draw).split()) + b"\n"
    return b"".join(lines)


def load_trials(path: Path) -> Any:
    return [(each.state, each.values, each.params) for each in _study_in(path.parent).trials]


def _study_in(folder: Path) -> Any:
    from optuna.distributions import FloatDistribution

    from kcnn.recipe import Recipe
    from kcnn.sweep import Sweep
    from kcnn.tune import Goal
    from kcnn.tune.storage import open_storage
    from kcnn.tune.study import open_study

    space = {"train.learning_rate": FloatDistribution(1e-3, 1e-1)}
    storage = open_storage(None, folder)
    return open_study(Sweep(recipe=Recipe(), space=space), Goal(), folder.name, storage)


def robustness(folder: Path) -> list[Path]:
    from kcnn.report.robustness import RobustnessReport, VariantRobustness

    run("report.json")(folder)
    scores = {"blur": (0.8, 0.7, 0.6), "noise": (0.85, 0.8, 0.5)}
    variants = (VariantRobustness("float", 0.9, scores), VariantRobustness("int8", 0.89, scores))
    RobustnessReport("cifar10", 10_000, 0, variants).save(folder / "robustness.json")
    return [folder / "robustness.json"]


def load_robustness(path: Path) -> Any:
    from kcnn.report.robustness import rows, summary
    from kcnn.report.run_files import read_run

    found = read_run(path.parent).robustness
    return found and [(rows(each), summary(each)) for each in found.variants]


def receipts(folder: Path) -> list[Path]:
    run("report.json")(folder)
    return [folder / "report.json"]


def load_receipts(path: Path) -> Any:
    from kcnn.report.receipts import load
    from kcnn.report.receipts_table import markdown

    return markdown(load(path))


def groups(folder: Path) -> list[Path]:
    lines = ["file,group", *(f"cat/{number}.png,anna {number // 3}" for number in range(9))]
    (folder / "groups.csv").write_text("\n".join(lines) + "\n")
    return [folder / "groups.csv"]


def load_groups(path: Path) -> Any:
    from kcnn.data.groups import group_numbers

    images = [str(path.parent / f"cat/{number}.png") for number in range(9)]
    return group_numbers(path, path.parent, {"train": images}).tolist()


def picture(folder: Path) -> list[Path]:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8)
    image = Image.fromarray(pixels)
    image.save(folder / "confusion.png", dpi=(100, 100))
    image.convert("P").save(folder / "mistakes.png", transparency=3)
    return sorted(folder.iterdir())


def load_picture(path: Path) -> Any:
    from kcnn.report.embed import embed_file

    return embed_file(path, "a picture")
