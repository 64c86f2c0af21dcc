"""A convolution in which every output map sees only some of the input maps."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, cast

import keras
import numpy as np

from kcnn.checks import check_count

# Any, because a type checker infers wrong types for Keras's operations from its many backends.
ops: Any = keras.ops


@keras.saving.register_keras_serializable(package="kcnn")
class PartiallyConnectedConv2D(keras.layers.Layer):
    """A convolution with a table that says which input maps each output map sees.

    Use it for LeNet-5's C3, whose table breaks the symmetry between the maps and saves weights, or
    for any other table. Grouped and depthwise convolutions are special cases, for which Keras has
    faster layers. Only the connections in the table have weights: `kernel` is
    `(size, size, connections)`, in the order of the table, and `bias` is `(maps,)`. There is no
    padding, and strides are 1.

    Input: floats `(batch, height, width, channels)`. Output: `(batch, height - size + 1,
    width - size + 1, maps)`.

    Paper: LeCun et al., "Gradient-Based Learning Applied to Document Recognition" (1998), table I.

    Args:
        connections: for each output map, the numbers of the input maps it sees, from 0.
        kernel_size: pixels along each side of the kernel.
        kernel_initializer: draws a kernel with all connections; those of the table are used.
        **options: further options of every Keras layer: `name`, `dtype`, ...

    Raises:
        ValueError: an argument is out of its range, or the input has too few channels.

    >>> layer = PartiallyConnectedConv2D([(0, 1), (1,), (0, 2)], 3)
    >>> layer(ops.ones((1, 8, 8, 3))).shape
    TensorShape([1, 6, 6, 3])
    >>> layer.kernel.shape
    TensorShape([3, 3, 5])
    """

    def __init__(
        self,
        connections: Sequence[Sequence[int]],
        kernel_size: int,
        *,
        kernel_initializer: keras.initializers.Initializer | str = "glorot_uniform",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.connections = _check_connections(connections)
        check_count("kernel_size", kernel_size)
        self.kernel_size = int(kernel_size)
        self.kernel_initializer: Any = keras.initializers.get(kernel_initializer)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Add the weights for inputs of this shape."""
        channels, maps = cast(int, input_shape[-1]), len(self.connections)
        highest = max(map(max, self.connections))
        if highest >= channels:
            raise ValueError(
                f"connections contain input map {highest}, counted from 0. Received: an input with "
                f"{channels} maps"
            )
        sources = np.concatenate(self.connections)
        targets = np.repeat(np.arange(maps), [len(seen) for seen in self.connections])
        # For each weight of the full kernel, which of the weights it is, from 1; 0 where the table
        # has no connection.
        self._link = np.zeros((channels, maps), "int32")
        self._link[sources, targets] = 1 + np.arange(len(sources))
        # For each weight, its place in the full kernel, with channels and maps as one axis.
        self._place = sources * maps + targets

        def initial(shape: tuple[int, ...], dtype: str) -> keras.KerasTensor:
            full = self.kernel_initializer((*shape[:2], channels, maps), dtype=dtype)
            return self.of_links(full)

        size = self.kernel_size
        self.kernel = self.add_weight((size, size, len(sources)), initial, name="kernel")
        self.bias = self.add_weight((maps,), "zeros", name="bias")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Convolve `inputs` `(batch, height, width, channels)`."""
        # One convolution with zeros where there is no connection: faster than one per map, and the
        # zeros never train because they are no weights.
        kernel = self.full_kernel()
        outputs = ops.conv(inputs, kernel, padding="valid", data_format="channels_last")
        return outputs + self.bias

    def full_kernel(self) -> keras.KerasTensor:
        """Return the kernel `(size, size, channels, maps)`, 0 where there is no connection."""
        links = ops.pad(self.kernel, ((0, 0), (0, 0), (1, 0)))
        return ops.take(links, self._link, axis=-1)

    def of_links(self, full: keras.KerasTensor) -> keras.KerasTensor:
        """Return the weights of a full kernel that the table has, in the layout of `kernel`."""
        flat = ops.reshape(full, (*full.shape[:2], len(self._link) * len(self.connections)))
        return ops.take(flat, self._place, axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the output maps."""
        height, width = (
            None if size is None else size - self.kernel_size + 1 for size in input_shape[1:3]
        )
        return (input_shape[0], height, width, len(self.connections))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of a copy of this layer."""
        return super().get_config() | {
            "connections": [list(seen) for seen in self.connections],
            "kernel_size": self.kernel_size,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def _check_connections(connections: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """Return `connections` as tuples of integers, or raise a ValueError."""
    try:
        table = tuple(tuple(seen) for seen in connections)
    except TypeError:
        table = ()
    if not table or not all(
        seen
        and len(set(seen)) == len(seen)
        and all(isinstance(source, Integral) and int(source) >= 0 for source in seen)
        for seen in table
    ):
        raise ValueError(
            "connections must hold, for each output map, the numbers of one or more input maps, "
            f"from 0, each once. Received: connections={connections!r}"
        )
    return tuple(tuple(map(int, seen)) for seen in table)
