"""Run models in a process of its own: `child.py FOLDER`, where the folder holds `job.json`.

This file imports nothing of kcnn, because the environments of the runtimes have no kcnn. A
model that crashes native code ends this process, and not that of the user.
"""

import json
import os
import stat
import statistics
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np

WARM_UPS = 3
TIMED = 100  # images, so that a percentile is one; the same ones again if there are fewer
LONGEST = 1.0  # seconds for such repetitions
ALIGNMENT = 16
LARGEST_ARENA = 2**28


def main(folder: Path) -> None:
    """Do the job in a folder, and write `report.json` there: the results, or the error."""
    end_with_parent()
    job = json.loads((folder / "job.json").read_text())
    try:
        tasks = {"classify": classify, "time": take_turns, "compress": compress}
        report = tasks[job["task"]](folder, job)
    except Exception as error:  # a runtime may raise anything on a damaged file
        report = {"error": f"{type(error).__name__}: {error}"}
    (folder / "report.json").write_text(json.dumps(report))


def end_with_parent() -> None:
    """End this process at the end of its standard input, if that is a pipe that the parent holds.

    On Linux it is none: there the kernel ends this process with its parent.
    """

    def wait() -> None:
        os.read(0, 1)
        os._exit(1)

    if stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=wait, daemon=True).start()


def classify(folder: Path, job: dict) -> dict:
    """Classify all images, write `outputs.npy`, and return the times of single images."""
    images = np.load(folder / "images.npy", mmap_mode="r")
    run, facts = OPENERS[job["runtime"]]((folder / "model.tflite").read_bytes(), job)
    _, first = timed(run, images[:1])
    for _ in range(WARM_UPS - 1):
        run(images[:1])
    facts["peak_memory_bytes"] = peak_memory()  # before it grows by the images themselves
    answers = [timed(run, image[None]) for image in images]
    np.save(folder / "outputs.npy", np.concatenate([output for output, _ in answers]))
    milliseconds = [taken for _, taken in answers]
    end = time.perf_counter() + LONGEST
    while len(milliseconds) < TIMED and time.perf_counter() < end:
        image = images[len(milliseconds) % len(images)]
        milliseconds.append(timed(run, image[None])[1])
    facts["version"] = metadata.version(job["package"])
    return {"first": first, "milliseconds": milliseconds, "details": facts}


def timed(run: Callable[[np.ndarray], np.ndarray], image: np.ndarray) -> tuple[np.ndarray, float]:
    """Return what a runtime answers to an image, and the milliseconds that it takes."""
    started = time.perf_counter()
    output = run(image)
    return output, 1000 * (time.perf_counter() - started)


def peak_memory() -> int | None:
    """Return the largest memory of this process so far, in bytes; None where nothing tells.

    On Linux `ru_maxrss` counts the process that started this one, too: that of a user with
    TensorFlow.
    """
    if sys.platform == "linux":
        words = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()
        return 1024 * int(words[0]) if words else None
    if sys.platform == "darwin":
        return import_module("resource").getrusage(0).ru_maxrss  # of RUSAGE_SELF
    return None


def take_turns(folder: Path, job: dict) -> dict:
    """Time all models in turn, so that other work of the machine slows all of them equally."""
    runs, images = [], []
    for index in range(job["models"]):
        runs.append(open_litert((folder / f"{index}.tflite").read_bytes(), job)[0])
        images.append(np.load(folder / f"{index}.npy"))
    seconds = [[] for _ in runs]
    for turn in range(-WARM_UPS, job["rounds"]):
        for run, image, taken in zip(runs, images, seconds, strict=True):
            run(image)  # untimed: the caches still hold the previous model's weights
            started = time.perf_counter()
            run(image)
            if turn >= 0:
                taken.append(time.perf_counter() - started)
    return {"milliseconds": [1000 * statistics.median(taken) for taken in seconds]}


def compress(folder: Path, job: dict) -> dict:
    """Compress tensors with TFLite Micro's own tool, and write `compressed.tflite`."""
    package = "tflite_micro.tensorflow.lite.micro.compression."
    spec, tool = (import_module(package + name) for name in ("spec", "compress"))
    tables = [
        spec.Tensor(
            subgraph=0,
            tensor=tensor,
            compression=[
                spec.LookUpTableCompression(
                    index_bitwidth=bits,
                    mode=spec.PerTensor() if axis is None else spec.PerChannel(axis=axis),
                )
            ],
        )
        for tensor, bits, axis in job["tables"]
    ]
    small = tool.compress((folder / "model.tflite").read_bytes(), tables)
    (folder / "compressed.tflite").write_bytes(small)
    return {}


def open_litert(model: bytes, job: dict) -> tuple[Callable[[np.ndarray], np.ndarray], dict]:
    """Return a function that classifies one image in LiteRT, and an empty dict of extra facts."""
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


def open_compiled(model: bytes, job: dict) -> tuple[Callable[[np.ndarray], np.ndarray], dict]:
    """Return a function that classifies one image in LiteRT's CompiledModel."""
    from ai_edge_litert.compiled_model import CompiledModel

    compiled = CompiledModel.from_buffer(model)
    sources, targets = compiled.create_input_buffers(0), compiled.create_output_buffers(0)

    def run(image: np.ndarray) -> np.ndarray:
        sources[0].write(image)
        compiled.run_by_index(0, sources, targets)
        return targets[0].read(job["classes"], np.dtype(job["dtype"]).type).reshape(1, -1)

    return run, {}


def open_mediapipe(model: bytes, job: dict) -> tuple[Callable[[np.ndarray], np.ndarray], dict]:
    """Return a function that classifies one RGB image in MediaPipe's image classifier.

    MediaPipe returns real scores; the function returns what the model stored for them.
    """
    mediapipe = import_module("mediapipe")
    tasks, vision = mediapipe.tasks, mediapipe.tasks.vision
    base = tasks.BaseOptions(model_asset_buffer=model)
    options = vision.ImageClassifierOptions(base_options=base, max_results=-1)
    classifier = vision.ImageClassifier.create_from_options(options)
    kind = mediapipe.ImageFormat.SRGB

    def run(image: np.ndarray) -> np.ndarray:
        pixels = np.ascontiguousarray(image[0].astype(np.uint8))
        found = classifier.classify(mediapipe.Image(image_format=kind, data=pixels))
        scores = np.zeros((1, job["classes"]))
        for category in found.classifications[0].categories:
            scores[0, category.index] = category.score
        if job["dtype"] == "float32":
            return scores.astype(np.float32)
        return np.rint(scores / job["scale"] + job["zero_point"]).astype(job["dtype"])

    return run, {}


def open_micro(model: bytes, job: dict) -> tuple[Callable[[np.ndarray], np.ndarray], dict]:
    """Return a function that classifies one image in TFLite Micro, and the memory that it needs."""
    runtime = import_module("tflite_micro.python.tflite_micro.runtime")

    def load(arena: int) -> Any:
        return runtime.Interpreter.from_bytes(model, arena_size=arena)

    arena = smallest_arena(load)
    interpreter = load(arena)

    def run(image: np.ndarray) -> np.ndarray:
        interpreter.set_input(image, 0)
        interpreter.invoke()
        return interpreter.get_output(0).copy()

    return run, {"arena_bytes": arena}


def smallest_arena(load: Callable[[int], Any]) -> int:
    """Return the smallest arena, in bytes, in which a model loads; `LARGEST_ARENA` if none does.

    The function tries sizes out. The size that the interpreter itself prints leaves out memory that
    is needed only while the model loads.
    """
    high = ALIGNMENT
    while not survives(load, high) and high < LARGEST_ARENA:
        high *= 2
    low = high // 2  # too small
    while high - low > ALIGNMENT and high < LARGEST_ARENA:
        middle = (low + high) // 2 // ALIGNMENT * ALIGNMENT
        low, high = (low, middle) if survives(load, middle) else (middle, high)
    return high


def survives(call: Callable[[int], Any], argument: int) -> bool:
    """Return whether a call succeeds in a copy of this process: too small an arena crashes it."""
    copy = os.fork()
    if copy == 0:
        try:
            call(argument)
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(copy, 0)[1] == 0


OPENERS = {
    "litert": open_litert,
    "compiled": open_compiled,
    "micro": open_micro,
    "mediapipe": open_mediapipe,
}

if __name__ == "__main__":
    main(Path(sys.argv[1]))
