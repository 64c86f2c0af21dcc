"""Runs models in a process of its own: `child.py FOLDER`, which holds `job.json` and its files.

It stands alone: the environment of TFLite Micro has NumPy and no kcnn. What a model breaks, be it
by a crash of native code, breaks here and not in the process of the user.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np

WARM_UPS = 3
ALIGNMENT = 16
LARGEST_ARENA = 2**28


def main(folder: Path) -> None:
    """Do the job in a folder, and leave `report.json` there: the answer, or the error."""
    job = json.loads((folder / "job.json").read_text())
    try:
        report = {"classify": classify, "time": take_turns}[job["task"]](folder, job)
    except Exception as error:  # whatever a runtime thinks of a damaged file
        report = {"error": f"{type(error).__name__}: {error}"}
    (folder / "report.json").write_text(json.dumps(report))


def classify(folder: Path, job: dict) -> dict:
    """Classify all images, write `outputs.npy`, and tell the median time of one."""
    images = np.load(folder / "images.npy", mmap_mode="r")
    run, facts = OPENERS[job["runtime"]]((folder / "model.tflite").read_bytes(), job)
    for _ in range(WARM_UPS):
        run(images[:1])
    outputs, seconds = [], []
    for index in range(len(images)):
        started = time.perf_counter()
        outputs.append(run(images[index : index + 1]))
        seconds.append(time.perf_counter() - started)
    np.save(folder / "outputs.npy", np.concatenate(outputs))
    return {
        "milliseconds": 1000 * statistics.median(seconds),
        "details": facts | {"version": metadata.version(job["package"])},
    }


def take_turns(folder: Path, job: dict) -> dict:
    """Time all models in turn, so that what else the machine does hits all of them alike."""
    runs, images = [], []
    for index in range(job["models"]):
        runs.append(open_litert((folder / f"{index}.tflite").read_bytes(), job)[0])
        images.append(np.load(folder / f"{index}.npy"))
    seconds = [[] for _ in runs]
    for turn in range(-WARM_UPS, job["rounds"]):
        for run, image, taken in zip(runs, images, seconds, strict=True):
            run(image)  # the caches hold the previous model's weights
            started = time.perf_counter()
            run(image)
            if turn >= 0:
                taken.append(time.perf_counter() - started)
    return {"milliseconds": [1000 * statistics.median(taken) for taken in seconds]}


def open_litert(model: bytes, job: dict) -> tuple[Callable[[np.ndarray], np.ndarray], dict]:
    """Return what classifies one image in LiteRT, and no more facts."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=model,
        num_threads=job["threads"],
        experimental_op_resolver_type=OpResolverType[job["kernels"]],
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]

    def run(image: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(source, image)
        interpreter.invoke()
        return interpreter.get_tensor(target)

    return run, {}


def open_micro(model: bytes, job: dict) -> tuple[Callable[[np.ndarray], np.ndarray], dict]:
    """Return what classifies one image in TFLite Micro, and the least memory it needs to do so."""
    from tflite_micro.python.tflite_micro import runtime

    def load(arena: int) -> runtime.Interpreter:
        return runtime.Interpreter.from_bytes(model, arena_size=arena)

    arena = smallest_arena(load)
    interpreter = load(arena)

    def run(image: np.ndarray) -> np.ndarray:
        interpreter.set_input(image, 0)
        interpreter.invoke()
        return interpreter.get_output(0).copy()

    return run, {"arena_bytes": arena}


def smallest_arena(load: Callable[[int], object]) -> int:
    """Return the least bytes with which a model loads, or a number of them with which none does.

    It is tried out: what the interpreter prints of itself leaves out what loading takes for a time.
    """
    high = ALIGNMENT
    while not survives(load, high) and high < LARGEST_ARENA:
        high *= 2
    low = high // 2  # too little
    while high - low > ALIGNMENT and high < LARGEST_ARENA:
        middle = (low + high) // 2 // ALIGNMENT * ALIGNMENT
        low, high = (low, middle) if survives(load, middle) else (middle, high)
    return high


def survives(call: Callable[[int], object], argument: int) -> bool:
    """Tell whether a call succeeds, in a copy of this process: too small an arena crashes it."""
    copy = os.fork()
    if copy == 0:
        try:
            call(argument)
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(copy, 0)[1] == 0


OPENERS = {"litert": open_litert, "micro": open_micro}

if __name__ == "__main__":
    main(Path(sys.argv[1]))
