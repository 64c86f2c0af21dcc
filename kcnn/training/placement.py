"""Where the arrays of a training on JAX lie: on one device, or on several at once.

With several, every device has the whole model, and all images if they fit in memory, and computes
its share of each batch. XLA adds the shares up, so batch norms and losses are those of the whole
batch, and a training takes the steps that it would take on one device.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import keras
import numpy as np
from jax.experimental.multihost_utils import process_allgather
from jax.sharding import Mesh, NamedSharding, PartitionSpec


@dataclass(frozen=True)
class Placement:
    """The devices of a training.

    Attributes:
        mesh: The devices in one row; None for JAX's default device alone.
    """

    mesh: Mesh | None = None

    @classmethod
    def of_keras(cls) -> "Placement":
        """Return the placement that Keras's distribution asks for, one device without one."""
        distribution = keras.distribution.distribution()
        return cls(distribution.device_mesh.backend_mesh if distribution else None)

    @property
    def count(self) -> int:
        """How many devices there are, in all processes together."""
        return 1 if self.mesh is None else self.mesh.devices.size

    @property
    def processes(self) -> int:
        """How many processes the devices belong to."""
        devices = () if self.mesh is None else self.mesh.devices.flat
        return max(1, len({device.process_index for device in devices}))

    def highest(self, value: int) -> int:
        """Return the highest of the values that the processes have; each has to call this."""
        return int(process_allgather(np.int32(value)).max())

    def everywhere(self, value: Any) -> jax.Array:
        """Return a value as an array that every device has whole.

        In several processes, each has to pass the same value.
        """
        if self.mesh is None:
            return jax.device_put(value)
        sharding = NamedSharding(self.mesh, PartitionSpec())
        if isinstance(value, jax.Array) and value.sharding.is_equivalent_to(sharding, value.ndim):
            return value
        array = np.asarray(value)
        return jax.make_array_from_callback(array.shape, sharding, lambda place: array[place])

    def rows(self, read: Callable[[slice], np.ndarray], shape: tuple[int, ...]) -> jax.Array:
        """Return a uint8 array of which each device has its share of the rows.

        Args:
            read: Returns some rows. In several processes each reads only those of its devices.
            shape: Of the whole array. Rows that cannot be shared equally are read by all.
        """
        if self.mesh is None:
            return jax.device_put(read(slice(None)))
        equal = shape[0] % self.count == 0
        spec = PartitionSpec(self.mesh.axis_names[0]) if equal else PartitionSpec()
        sharding = NamedSharding(self.mesh, spec)

        def of_device(place: Any) -> np.ndarray:
            return read(place[0])

        return jax.make_array_from_callback(shape, sharding, of_device)

    def shared(self, batch: Any) -> Any:
        """Have each device compute its share of a batch; only inside a compiled function."""
        if self.mesh is None:
            return batch
        sharding = NamedSharding(self.mesh, PartitionSpec(self.mesh.axis_names[0]))
        return jax.lax.with_sharding_constraint(batch, sharding)
