"""Run files in TFLite Micro: `micro_child.py FOLDER`, by the Python that has it.

For each `NAME.tflite` it writes `NAME.out.npy`; none for a file that TFLite Micro refuses, or on
which it crashes.
"""

import os
import sys
from importlib import import_module
from pathlib import Path

import numpy as np


def main(folder: Path) -> None:
    """Run each file in a copy of this process, which may crash.

    In a process that ran other files, an operator that writes nothing could leave their answer.
    """
    runtime = import_module("tflite_micro.python.tflite_micro.runtime")
    for path in sorted(folder.glob("*.tflite")):
        copy = os.fork()
        if copy == 0:
            _run(runtime, path)
            os._exit(0)
        os.waitpid(copy, 0)


def _run(runtime, path: Path) -> None:
    try:
        interpreter = runtime.Interpreter.from_bytes(path.read_bytes(), arena_size=100_000)
        outputs = []
        for image in np.load(path.with_suffix(".npy")):
            interpreter.set_input(image, 0)
            interpreter.invoke()
            outputs.append(interpreter.get_output(0).copy())
        np.save(path.with_suffix(".out.npy"), outputs)
    except RuntimeError:
        pass  # it refuses the file


if __name__ == "__main__":
    main(Path(sys.argv[1]))
