"""The output of every layer of a `.tflite` model, for one image."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from kcnn.litert.every_map import with_every_map
from kcnn.litert.layers_apart import with_layers_apart
from kcnn.litert.loaded import look_up, stored_pixels, takes_pixels
from kcnn.litert.tflite_file import TensorSummary, open_interpreter, summarize_bytes

_NOTHING: Mapping[int, np.ndarray] = MappingProxyType({})


class LayerOutputs:
    """Runs a classifier in LiteRT and returns what each of its layers computes, in real numbers.

    Attributes:
        layers: in the order in which they are computed; their `output` is their key in the result.
        given: the outputs that a caller must pass, if the layers are apart; else empty.

    Args:
        data: a model that `try_model` has opened.
        path: the file, which errors name.
        apart: whether each layer reads what the caller gives instead of what others compute.

    Raises:
        ValueError: the bytes are damaged or hold no classifier.
    """

    def __init__(self, data: bytes, path: Path, *, apart: bool = False) -> None:
        every = with_every_map(data, path)
        self.source = summarize_bytes(data, path).inputs[0]
        self._table = _real_pixels(path, self.source) if takes_pixels(self.source) else None
        self.layers = every.layers
        model, self.given = with_layers_apart(every) if apart else (every.data, ())
        self._interpreter = open_interpreter(model, path)  # which the runner does not keep alive
        self._run = self._interpreter.get_signature_runner()

    def __call__(
        self, image: np.ndarray, given: Mapping[int, np.ndarray] = _NOTHING
    ) -> dict[int, np.ndarray]:
        """Return the float32 outputs by the numbers of their layers.

        Args:
            image: uint8 `(height, width, channels)`, raw pixels; other numbers for other inputs.
            given: for layers that are apart, the outputs named in `given`.
        """
        real = image if self._table is None else look_up(self._table, image)
        entries = {f"given{output}": given[output] for output in self.given}
        found = self._run(image=real[None].astype(np.float32), **entries)
        return {layer.output: found[f"map{layer.output}"] for layer in self.layers}


def _real_pixels(path: Path, source: TensorSummary) -> np.ndarray:
    """Return the real number that a file's input stores for each pixel value."""
    stored = stored_pixels(path, source).astype(np.float64)
    if source.scale is None or source.zero_point is None:
        return stored
    return (stored - source.zero_point) * source.scale
