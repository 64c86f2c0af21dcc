"""The process of one contestant: `python -m benchmarks.child JOB`, started by `race`."""

import json
import os
import sys
import traceback
from importlib import import_module

from benchmarks.race import Spec
from benchmarks.turns import Finished, Timing, Turns
from kcnn.onednn import VARIABLE as ONEDNN


def main(job: str) -> None:
    """Run one loop until the parent has enough turns; if it fails, stderr ends with the reason."""
    received = json.loads(job)
    spec = Spec(**received["spec"])
    reports = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # so that what libraries print does not mix with the reports
    if spec.threads:
        _limit_cores(spec.threads)
    if backend := spec.options.get("backend"):
        os.environ["KERAS_BACKEND"] = str(backend)  # read when the loop imports Keras
    if "onednn" in spec.options:
        os.environ[ONEDNN] = str(spec.options["onednn"])  # and this, when it imports TensorFlow
    module, _, name = spec.loop.partition(":")
    turns = Turns(Timing(**received["timing"]), sys.stdin, reports)
    status = 0
    try:
        getattr(import_module(module), name)(spec, turns)
    except Finished:
        pass
    except Exception as error:
        traceback.print_exc()
        reason = (str(error).strip().splitlines() or ["no reason"])[0]
        sys.stderr.write(f"{type(error).__name__}: {reason}\n")
        status = 1
    sys.stderr.flush()
    os._exit(status)  # an orderly exit would wait for the threads of an input pipeline


def _limit_cores(count: int) -> None:
    """Let every framework and every thread of an input pipeline see only that many cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    os.environ["OMP_NUM_THREADS"] = str(count)


if __name__ == "__main__":
    main(sys.argv[1])
