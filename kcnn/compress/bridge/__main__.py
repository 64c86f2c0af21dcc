"""Do the jobs that `to_keras2.write_job` wrote: rebuild, compare, train, write the result."""

import gc
import json
import os
import sys
import traceback
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from kcnn.compress.bridge.cluster_job import cluster
from kcnn.compress.bridge.prune_job import prune
from kcnn.compress.bridge.qat_job import quantize
from kcnn.compress.bridge.rebuild import measure_difference, rebuild
from kcnn.compress.bridge.training import Report, Training, train

# A job takes the Keras 2 model, its own settings and `fit`, which trains a model on the batches
# that the parent sends. It returns the arrays of its result.
JOBS = {"clustering": cluster, "pruning": prune, "quantizing": quantize}

# TensorFlow, Keras and TF-MOT use these where they are installed, and work without them.
_UNUSED = ("jax", "matplotlib", "sklearn")


def main(folders: Sequence[str]) -> None:
    """Do the job of each folder; on failure, write the reason as the last line of stderr."""
    import_lightly()
    reports = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print to stdout, which is for the reports only

    def report(values: dict) -> None:
        reports.write(json.dumps(values) + "\n")
        reports.flush()

    try:
        for folder in folders:
            run(Path(folder), report)
    except Exception as error:
        traceback.print_exc()
        sys.stderr.write(f"{type(error).__name__}: {find_reason(error)}\n")
        sys.stderr.flush()
        os._exit(1)  # a normal exit would wait for the thread that waits for a batch


def import_lightly() -> None:
    """Shorten the imports that follow by a third, in this process, which has one task.

    Packages that it does not use are not found, and Python looks for cyclic garbage less often.
    """
    gc.set_threshold(10_000)
    cast(dict[str, Any], sys.modules).update(dict.fromkeys(_UNUSED))


def find_reason(error: Exception) -> str:
    """Return the line of an error's text that says what happened."""
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith("[[")] or ["no reason"]
    # TensorFlow writes a traceback of the whole graph before it.
    return lines[-1 if lines[0] == "Graph execution error:" else 0][:200]


def run(folder: Path, report: Report) -> None:
    """Rebuild the model of `folder`, report its error, and do the job if there is one."""
    written = json.loads((folder / "job.json").read_text())
    model = rebuild(written["layers"], np.load(folder / "weights.npz"))
    report({"difference": measure_difference(model, np.load(folder / "probe.npz"))})
    if job := written["job"]:
        fit = partial(train, Training(**job["training"]), report)
        result: dict[str, Any] = JOBS[job["name"]](model, job["settings"], fit)
        np.savez(folder / "result.npz", **result)
        report({"done": True})


if __name__ == "__main__":
    main(sys.argv[1:])
