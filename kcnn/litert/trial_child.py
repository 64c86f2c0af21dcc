"""The program that tries a model: `python -m kcnn.litert.trial_child PATH USE MEMORY < MODEL`.

It ends with 0 if the model can be used, otherwise with 1 and the reason on standard output. What
native code prints stays on standard error.
"""

import sys
from pathlib import Path

import numpy as np

from kcnn.litert.loaded import LoadedModel, takes_pixels
from kcnn.litert.native_log import native_output
from kcnn.litert.structure import damaged
from kcnn.litert.tflite_file import summarize_bytes
from kcnn.pixel_scaling import NAMED


def main(path: Path, use: str, memory: int) -> str | None:
    """Use the model under the limit of memory; return why it is refused, None if it is not."""
    try:
        _limit(memory)
        data = sys.stdin.buffer.read()
        with native_output():
            if use == "read":
                summarize_bytes(data, path)
            else:
                raw = NAMED["0..255"]  # whatever the input takes, it is run
                _classify(LoadedModel(data, path, feature_map=use == "map", scaling=raw))
    except ValueError as error:
        return str(error)
    except MemoryError:
        return str(damaged(path, MemoryError("it needs too much memory")))
    except Exception as error:  # LiteRT may raise anything on a damaged file
        return str(damaged(path, error))
    return None


def _classify(model: LoadedModel) -> None:
    """Classify a black image, a white one and noise."""
    images = np.zeros((3, *model.summary.inputs[0].shape[1:]), np.uint8)
    images[1] = 255
    images[2] = np.random.default_rng(0).integers(0, 256, images.shape[1:], np.uint8)
    if not takes_pixels(model.summary.inputs[0]):
        images = images.astype(np.float32) - 128
    model.run(images, outputs=len(model.summary.outputs))


def _limit(memory: int) -> None:
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    refused = main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    if refused:
        sys.stdout.buffer.write(refused.encode(errors="replace"))
        sys.exit(1)
