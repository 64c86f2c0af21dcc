"""Every kind of file that kcnn reads: a small valid one, how to damage it, and its loader."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.campaign import model_files, result_files, run_files
from tests.campaign.mutators import Mutate, mutate_bytes, mutate_json, mutate_members


@dataclass(frozen=True)
class Loader:
    """One kind of file.

    Attributes:
        make: writes valid files into an empty folder and returns those to damage.
        load: reads one of them as the package does, and returns what is to be compared.
        mutate: damages the content of a file.
        protected: whether a digest or a checksum covers the content: every change must be found.
        imports: what the process imports before it limits its memory.
        files: how many damaged files CI tries.
    """

    make: Callable[[Path], list[Path]]
    load: Callable[[Path], Any]
    mutate: Mutate = mutate_bytes
    protected: bool = False
    imports: str = "kcnn.errors"
    files: int = 1000


_KERAS, _LITERT = "kcnn.training", "kcnn.litert.trial_child"
LOADERS = {
    "training state": Loader(run_files.state, run_files.load_state, protected=True, imports=_KERAS),
    "training state, digest renewed": Loader(
        run_files.state, run_files.load_state, run_files.with_its_digest, imports=_KERAS
    ),
    "run.json": Loader(run_files.journal, run_files.load_journal, mutate_json, protected=True),
    "recipe.json": Loader(run_files.recipe, run_files.load_recipe, mutate_json),
    "report.json": Loader(run_files.run("report.json"), run_files.load_run, mutate_json),
    "analysis.json": Loader(run_files.run("analysis.json"), run_files.load_run, mutate_json),
    "history.csv": Loader(run_files.run("history.csv"), run_files.load_run),
    "finished run": Loader(run_files.finished, run_files.load_run, protected=True),
    "results.json": Loader(run_files.comparison, run_files.load_comparison, mutate_json),
    "study.json": Loader(result_files.study, result_files.load_study, mutate_json),
    "trials.log": Loader(
        result_files.trials,
        result_files.load_trials,
        result_files.mutate_lines,
        imports="optuna",
        files=200,
    ),
    "robustness.json": Loader(
        result_files.robustness, result_files.load_robustness, mutate_json, files=400
    ),
    "report.json, table": Loader(
        result_files.receipts, result_files.load_receipts, mutate_json, files=400
    ),
    "groups.csv": Loader(result_files.groups, result_files.load_groups),
    "picture of a page": Loader(result_files.picture, result_files.load_picture),
    "labels.txt": Loader(run_files.labels, run_files.load_labels),
    "page, report.json": Loader(
        run_files.run("report.json"), run_files.load_page, mutate_json, files=30
    ),
    "page, history.csv": Loader(run_files.run("history.csv"), run_files.load_page, files=30),
    "page, analysis.json": Loader(
        run_files.run("analysis.json"), run_files.load_page, mutate_json, files=30
    ),
    "bundle": Loader(model_files.bundle, model_files.load_bundle, protected=True),
    "bundle.json": Loader(
        model_files.manifest, model_files.load_bundle, mutate_json, protected=True
    ),
    "image": Loader(model_files.images, model_files.load_image),
    "npz": Loader(model_files.npz, model_files.load_npz, protected=True),
    "npz, checksums renewed": Loader(
        model_files.npz, model_files.load_npz, mutate_members(run_files.index)
    ),
    "published weights": Loader(
        model_files.published,
        model_files.load_published,
        model_files.published_json,
        protected=True,
        imports=_KERAS,
        files=100,
    ),
    ".keras": Loader(
        model_files.keras, model_files.load_keras, protected=True, imports=_KERAS, files=100
    ),
    ".keras, checksums renewed": Loader(
        model_files.keras,
        model_files.load_keras,
        mutate_members(mutate_bytes),
        imports=_KERAS,
        files=60,
    ),
    "TFRecord": Loader(
        model_files.records, model_files.load_records, protected=True, imports=_KERAS, files=60
    ),
    "TFRecord, checksums renewed": Loader(
        model_files.records, model_files.load_records, model_files.renewed, imports=_KERAS, files=20
    ),
    "data set's description": Loader(
        model_files.descriptions, model_files.load_records, imports=_KERAS, files=10
    ),
    ".tflite": Loader(
        model_files.tflite, model_files.load_tflite, model_files.head, imports=_LITERT, files=120
    ),
    ".tflite, structure": Loader(
        model_files.tflite, model_files.load_tflite, model_files.fields, imports=_LITERT, files=120
    ),
}
