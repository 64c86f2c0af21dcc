"""Padding that mirrors a map at its border."""

from collections.abc import Sequence
from typing import Any

import keras

from kcnn.checks import check_count

# Any, because a type checker infers wrong types for Keras's operations from its many backends.
ops: Any = keras.ops

Padding = int | Sequence[int]


@keras.saving.register_keras_serializable(package="kcnn")
class ReflectionPadding(keras.layers.Layer):
    """Add rows and columns that mirror those inside the border, without doubling the outermost one.

    A zero beside a bright pixel is an edge to a convolution, a mirrored pixel is none. Use it where
    the border of a map should look like its inside. It has no weights and can be exported to int8.

    Input and output: `(batch, ..., channels)`: series, images or voxels.

    Args:
        padding: how many are added: a number for both ends of every axis, or (before, after).
        **options: further options of every Keras layer: `name`, `dtype`, ...

    Raises:
        ValueError: `padding` is none of these, or a map is too small to be mirrored so far.

    >>> layer = ReflectionPadding(1)
    >>> layer(ops.reshape(ops.arange(3.0), (1, 3, 1)))[0, :, 0].numpy()
    array([1., 0., 1., 2., 1.], dtype=float32)
    """

    def __init__(self, padding: Padding = 1, **options: Any) -> None:
        super().__init__(**options)
        ends = (padding, padding) if isinstance(padding, int) else tuple(padding)
        if len(ends) != 2:
            raise ValueError(
                f"padding must be a number or (before, after). Received: padding={padding!r}"
            )
        for end in ends:
            check_count("padding", end, minimum=0)
        self.padding = ends

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Check the sizes of the maps."""
        smallest = min((size for size in input_shape[1:-1] if size is not None), default=None)
        if smallest is not None and smallest <= max(self.padding):
            raise ValueError(
                f"A map of {smallest} pixels can be mirrored by {smallest - 1} at most. "
                f"Received: padding={self.padding}"
            )

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Pad `inputs` `(batch, ..., channels)`."""
        axes = len(inputs.shape) - 2
        return ops.pad(inputs, ((0, 0), *[self.padding] * axes, (0, 0)), mode="reflect")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape with all axes longer but the first and the last."""
        more = sum(self.padding)
        inner = (None if size is None else size + more for size in input_shape[1:-1])
        return (input_shape[0], *inner, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of a copy of this layer."""
        return super().get_config() | {"padding": self.padding}
