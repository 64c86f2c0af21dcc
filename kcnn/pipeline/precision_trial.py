"""How long a step of a recipe's training takes in each precision, measured on this machine.

It is measured in a process of its own, whose names, draws and memory are not those of the run, and
kept in the cache folder for each processor, network and version.
"""

import json
import logging
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from kcnn.cache_folder import cache_folder
from kcnn.child_process import die_with_parent, same_imports
from kcnn.onednn import has_onednn, same_onednn
from kcnn.provenance import hardware, versions
from kcnn.recipe import Recipe, from_json, override, to_json
from kcnn.run_dir import atomic
from kcnn.training.precision import PRECISIONS

if TYPE_CHECKING:
    from kcnn.data import Data, JaxData

_SECONDS = 300.0

logger = logging.getLogger("kcnn")


def seconds_a_step(
    recipe: Recipe, data: "Data | JaxData", data_dir: str | None
) -> dict[str, float] | None:
    """Return the seconds of a training step by precision, None if they cannot be measured.

    Args:
        recipe: What is to be trained.
        data: Its images.
        data_dir: Where prepared tfds data sets lie.
    """
    facts = _facts(recipe, data)
    digest = sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    file = cache_folder("precision", "KCNN_PRECISION_CACHE") / f"{digest[:32]}.json"
    try:
        return _read(file)
    except (OSError, ValueError, KeyError, TypeError):  # measured for the first time, or damaged
        pass
    logger.info("measuring whether bfloat16 trains this network faster here")
    seconds = _measure(recipe, data_dir)
    if seconds:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with atomic(file) as temporary:
                temporary.write_text(json.dumps({"seconds": seconds, "of": facts}, indent=2) + "\n")
        except OSError as error:
            logger.info("%s cannot be written, so it will be measured again: %s", file, error)
    return seconds


def _facts(recipe: Recipe, data: "Data | JaxData") -> dict[str, Any]:
    """Return all that the time of a step depends on, as plain JSON."""
    whole = json.loads(to_json(recipe))
    return {
        "model": whole["model"],
        "optimizer": whole["train"]["optimizer"],
        "image_shape": list(data.image_shape),
        "classes": len(data.class_names),
        "batch_size": recipe.data.batch_size,
        "hardware": hardware(),
        "onednn": has_onednn(),
        "versions": versions(("kcnn", "tensorflow", "keras", "numpy")),
    }


def _read(file: Path) -> dict[str, float]:
    seconds = json.loads(file.read_text(encoding="utf-8"))["seconds"]
    return {name: float(seconds[name]) for name in PRECISIONS}


def _measure(recipe: Recipe, data_dir: str | None) -> dict[str, float] | None:
    """Measure in a child process."""
    task = json.dumps({"recipe": to_json(recipe), "data_dir": data_dir})
    try:
        done = subprocess.run(
            die_with_parent([sys.executable, "-P", "-m", "kcnn.pipeline.precision_trial"]),
            input=task,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
            env=os.environ | same_imports() | same_onednn(),
        )
        return json.loads(done.stdout.splitlines()[-1])
    except (OSError, ValueError, IndexError, subprocess.SubprocessError) as error:
        logger.warning("the precision could not be measured: %s", error)
        return None


def main(task: str) -> str:
    """Measure what `task` describes; return the seconds as JSON."""
    from kcnn.pipeline.setup import build, load_for_tensorflow
    from kcnn.pipeline.training_setup import optimizer_for
    from kcnn.training.precision import step_seconds

    values = json.loads(task)
    recipe = from_json(values["recipe"])
    data = load_for_tensorflow(recipe, values["data_dir"])

    def optimizer() -> keras.optimizers.Optimizer:
        return optimizer_for(recipe.train, data)

    models = {
        name: build(override(recipe, [f"train.precision={name}"]), data) for name in PRECISIONS
    }
    return json.dumps(step_seconds(models, data, optimizer))


if __name__ == "__main__":
    sys.stdout.write(main(sys.stdin.read()) + "\n")
