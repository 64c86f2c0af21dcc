"""The steps of a training on JAX whose images are read batch by batch: more than fit in memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import jax
import keras
import numpy as np

from kcnn.data.jax_data import JaxData
from kcnn.data.labelled import ImageReader, LabelledImages
from kcnn.training.jax_steps import added, batch_step, measured_batch, no_sums
from kcnn.training.loop_jax import JaxSteps, means, watching_batches, write_values
from kcnn.training.running import Logs, Training

_AHEAD = 2  # batches that are read while the devices compute

Part = ImageReader | LabelledImages
Item = TypeVar("Item")
Result = TypeVar("Result")


class StreamedSteps(JaxSteps):
    """The steps of a compiled model on `JaxData` whose images stay on the disk.

    They take the same batches as those of a set in memory. Two batches are read ahead. In several
    processes each reads the images of its own devices, so that together they read each image once.
    """

    look_after = 10  # in several processes: steps of large images take long

    def _hold(self, data: JaxData) -> None:
        """Hold the labels; the images are read when they are needed."""
        everywhere = self._placement.everywhere
        self._data, self._batch_size = data.arrays, data.batch_size
        self._labels = everywhere(data.arrays.train.labels.astype(np.int32))
        self._measure = jax.jit(measured_batch(self._model))

    def rebuild(self) -> None:
        """Trace the step again."""
        self._once = jax.jit(batch_step(*self._given))

    def run(self, training: Training) -> Logs:
        """Take the steps that are left of the epoch."""
        order, keys, turned = self._draw(self._labels, training.epoch)
        watching = watching_batches(training.callbacks)
        places = np.asarray(order)[training.step :]
        done = training.step
        for images, labels in self._read_ahead(self._data.train, places):
            for each in watching:
                each.on_train_batch_begin(done, logs={})
            before, carry = self._sums, (self._read(), self._sums)
            state, self._sums = self._once(carry, images, labels, keys[done], turned[done])
            jax.block_until_ready(before)  # or Python would queue steps, each with its images
            write_values(self._model, state)
            done += 1
            logs = means(self._sums, done) if watching else {}
            for each in watching:
                each.on_train_batch_end(done - 1, logs=logs)
                training.note_stop(each)
            stopped = training.count(done)
            if training.interrupted or (watching and stopped):
                break
        return means(self._sums, done)

    def validate(self, callbacks: keras.callbacks.CallbackList) -> Logs:
        """Return loss and accuracy on the validation images."""
        callbacks.on_test_begin()
        part, state, sums = self._data.validation, self._read(), self._placed(no_sums())
        places = np.arange(len(part))
        batches = [places[at : at + self._batch_size] for at in places[:: self._batch_size]]
        for images, labels in self._read_ahead(part, batches):
            sums = added(sums, self._measure(state, images, labels))
        logs = {name: float(value) / len(part) for name, value in sums.items()}
        callbacks.on_test_end(logs)
        return logs

    def _read_ahead(
        self, part: Part, batches: Iterable[np.ndarray]
    ) -> Iterator[tuple[jax.Array, jax.Array]]:
        """Yield images uint8 [B, H, W, C] and labels int32 [B] of these places in the part."""

        def read(places: np.ndarray) -> tuple[jax.Array, jax.Array]:
            shape = (len(places), *part.image_shape)
            images = self._placement.rows(lambda rows: part.read(places[rows]), shape)
            return images, self._placement.everywhere(part.labels[places].astype(np.int32))

        return ahead(read, batches)


def ahead(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield the work on each item, in order, with some of it done ahead in other threads.

    >>> list(ahead(abs, [-1, 2, -3]))
    [1, 2, 3]
    """
    with ThreadPoolExecutor(_AHEAD) as pool:
        waiting = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
