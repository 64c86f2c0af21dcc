"""Several workers of one study on this machine, each in a process of its own."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from kcnn.child_process import die_with_parent
from kcnn.provenance import hardware
from kcnn.tune.results import trials_of
from kcnn.tune.study_search import Search

_POLL = 1.0  # seconds between two looks at the workers
_LAST = 10_000  # bytes of a worker's log that its last lines are in

logger = logging.getLogger("kcnn")


def check_workers(workers: int) -> None:
    """Refuse more workers than the machine has cores.

    Raises:
        ValueError: There are more, or none.
    """
    cores = int(hardware()["cores"])
    if not 1 <= workers <= cores:
        raise ValueError(
            f"--workers must be 1 to {cores}, the cores of this machine; other machines take part "
            f"by the same command with the same --storage. Received: {workers}"
        )


def run_workers(opened: Search, command: Sequence[str], workers: int) -> None:
    """Run the command of one worker in several processes until the study has enough trials.

    Each writes its log to `worker-N.log` in the study's folder. A worker that dies leaves its trial
    to the others. Ctrl-C and SIGTERM are passed on, and every worker keeps its state.

    Raises:
        RuntimeError: All workers have ended before the study has enough trials; the message has
            the last line of one of them.
        KeyboardInterrupt: It was stopped.
    """
    logs = [opened.folder / f"worker-{number}.log" for number in range(1, workers + 1)]
    running = [_start(command, log, workers) for log in logs]
    logger.info("%d workers, whose logs are %s ...", workers, logs[0])
    shown: set[int] = set()
    try:
        while any(each.poll() is None for each in running):
            _log_done(opened, shown)
            time.sleep(_POLL)
    except BaseException:
        for each in running:
            if each.poll() is None:
                each.send_signal(signal.SIGTERM)
        for each in running:
            each.wait()
        raise
    finally:
        _log_done(opened, shown)
    failed = [log for each, log in zip(running, logs, strict=True) if each.returncode]
    if opened.done() < opened.trials:
        log = (failed or logs)[0]
        raise RuntimeError(
            f"All workers have ended after {opened.done()} of {opened.trials} trials: "
            f"{_last_line(log)} The same command goes on; {log} is the log."
        )
    for log in failed:
        logger.warning("a worker has failed: %s", _last_line(log))


def _start(command: Sequence[str], log: Path, workers: int) -> subprocess.Popen:
    threads = max(1, int(hardware()["cores"]) // workers)
    shares = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    # Or the first worker on a GPU would take all of its memory.
    memory = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    environment = dict.fromkeys(shares, str(threads)) | memory | dict(os.environ)
    program = [sys.executable, "-c", "from kcnn.cli import main; main()", *command]
    with open(log, "ab") as file:
        return subprocess.Popen(
            die_with_parent(program),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C comes through this process, once
        )


def _log_done(opened: Search, shown: set[int]) -> None:
    for trial in trials_of(opened.study, opened.goal):
        if trial.state == "running" or trial.number in shown:
            continue
        shown.add(trial.number)
        accuracy = "" if trial.accuracy is None else f", validation accuracy {trial.accuracy:.2%}"
        reason = f": {trial.reason}" if trial.reason else ""
        logger.info("trial %d: %s%s%s", trial.number, trial.state, accuracy, reason)


def _last_line(log: Path) -> str:
    lines = log.read_bytes()[-_LAST:].decode(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it says nothing.")
