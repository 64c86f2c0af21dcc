"""A convolution in which every output map sees some of the input maps only."""

from collections.abc import Sequence
from numbers import Integral

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="kcnn")
class PartiallyConnectedConv2D(keras.layers.Layer):
    """A convolution with a table of which input maps each output map is connected to.

    Use it for LeNet-5's C3, whose table breaks the symmetry between the maps and saves weights, or
    for any other table. Grouped and depthwise convolutions are special cases that run faster in
    layers of their own. Only links that exist have weights: `kernel` is `(size, size, links)`, in
    the order of `connections`, `bias` is `(maps,)`. No padding, strides of 1.

    Input: floats `(batch, height, width, channels)`. Output: `(batch, height - size + 1,
    width - size + 1, maps)`.

    Paper: LeCun et al., "Gradient-Based Learning Applied to Document Recognition" (1998), table I.

    Args:
        connections: for each output map, the numbers of the input maps it sees, from 0.
        kernel_size: pixels along each side of the kernel.
        kernel_initializer: draws a kernel with all links, of which those that exist are taken.
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
        **options,
    ) -> None:
        super().__init__(**options)
        self.connections = _checked(connections)
        if not isinstance(kernel_size, Integral) or kernel_size < 1:
            raise ValueError(
                "kernel_size must be an integer of at least 1. "
                f"Received: kernel_size={kernel_size!r}"
            )
        self.kernel_size = int(kernel_size)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights for inputs of this shape."""
        channels, maps = input_shape[-1], len(self.connections)
        highest = max(map(max, self.connections))
        if highest >= channels:
            raise ValueError(
                f"connections name input map {highest}, counted from 0. Received: an input with "
                f"{channels} maps"
            )
        sources = np.concatenate(self.connections)
        targets = np.repeat(np.arange(maps), [len(seen) for seen in self.connections])
        # Where each weight of the kernel with all links comes from; 0 stands for a missing link.
        self._link = np.zeros((channels, maps), "int32")
        self._link[sources, targets] = 1 + np.arange(len(sources))
        # And where it goes, once channels and maps are one axis.
        self._place = sources * maps + targets

        def initial(shape: tuple[int, ...], dtype: str) -> keras.KerasTensor:
            full = self.kernel_initializer((*shape[:2], channels, maps), dtype=dtype)
            return self.of_links(full)

        size = self.kernel_size
        self.kernel = self.add_weight((size, size, len(sources)), initial, name="kernel")
        self.bias = self.add_weight((maps,), "zeros", name="bias")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Convolve `inputs` `(batch, height, width, channels)`."""
        # One convolution with zeros for the missing links: faster than one for each map, and the
        # zeros never train because no weight stands behind them.
        kernel = self.full_kernel()
        outputs = ops.conv(inputs, kernel, padding="valid", data_format="channels_last")
        return outputs + self.bias

    def full_kernel(self) -> keras.KerasTensor:
        """Return the kernel `(size, size, channels, maps)`, 0 where there is no link."""
        links = ops.pad(self.kernel, ((0, 0), (0, 0), (1, 0)))
        return ops.take(links, self._link, axis=-1)

    def of_links(self, full: keras.KerasTensor) -> keras.KerasTensor:
        """Return from a full kernel the weights of the links alone, as `kernel` has them."""
        flat = ops.reshape(full, (*full.shape[:2], len(self._link) * len(self.connections)))
        return ops.take(flat, self._place, axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the output maps."""
        height, width = (size and size - self.kernel_size + 1 for size in input_shape[1:3])
        return (input_shape[0], height, width, len(self.connections))

    def get_config(self) -> dict:
        """Return the arguments that make this layer again."""
        return super().get_config() | {
            "connections": [list(seen) for seen in self.connections],
            "kernel_size": self.kernel_size,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def _checked(connections: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """Return `connections` as a tuple of tuples of different map numbers."""
    try:
        table = tuple(tuple(seen) for seen in connections)
    except TypeError:
        table = ()
    if not table or not all(
        seen
        and len(set(seen)) == len(seen)
        and all(isinstance(source, Integral) and source >= 0 for source in seen)
        for seen in table
    ):
        raise ValueError(
            "connections must hold, for each output map, at least one number of an input map, each "
            f"once, from 0. Received: connections={connections!r}"
        )
    return tuple(tuple(map(int, seen)) for seen in table)
