"""Bytes changed at random in a `.tflite` file end in an answer or in one refusal, never in a crash.

Each file is opened and run in a process of its own, so that a crash is seen and counted.
"""

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

FILE = Path(__file__).parents[1] / "saved_models/resnet8_int8/model_int8.tflite"
COUNT, SECONDS = 90, 60
# The root and the list of buffers lie before the weights, the graph behind them.
HEAD, GRAPH = 900, 18_600


def mutated(content: bytes, seed: int) -> bytes:
    """Return the bytes with some of them changed: anywhere, or in one of the parts of the graph."""
    draw, changed = random.Random(seed), bytearray(content)
    part = (range(len(content)), range(HEAD), range(len(content) - GRAPH, len(content)))[seed % 3]
    for _ in range(draw.choice((1, 2, 8, 32))):
        changed[draw.choice(part)] = draw.randrange(256)
    return bytes(changed)


def outcome(path: Path, *, feature_map: bool) -> str:
    """Return how a process ends that runs the file: well, with a refusal, or otherwise."""
    child = os.fork()
    if not child:
        signal.alarm(SECONDS)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os._exit(_run(path, feature_map))
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return ("answered", "refused", "failed")[os.WEXITSTATUS(status)]


def _run(path: Path, feature_map: bool) -> int:
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    try:
        from kcnn.litert import TFLiteClassifier
        from kcnn.litert.trial import trust

        trust(path.read_bytes())  # what is tested is this process, not its trial in another one
        TFLiteClassifier(path, feature_map=feature_map)(images)
    except ValueError as error:
        return 1 if path.name in str(error) and len(str(error).splitlines()) == 1 else 2
    except BaseException:
        return 2
    return 0


def main() -> None:
    """Print how many files ended how."""
    folder, content, counts = Path(sys.argv[1]), FILE.read_bytes(), Counter()
    for seed in range(COUNT):
        path = folder / f"{seed}.tflite"
        path.write_bytes(mutated(content, seed))
        counts[outcome(path, feature_map=seed % 2 == 0)] += 1
    sys.stdout.write(json.dumps(counts))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")
def test_changed_bytes_never_crash(tmp_path):
    # Forked from a process without TensorFlow's threads.
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path)], capture_output=True, text=True, check=True
    )
    counts = Counter(json.loads(done.stdout))
    assert counts.keys() == {"answered", "refused"} and counts.total() == COUNT
    assert min(counts.values()) > 10


if __name__ == "__main__":
    main()
