"""How much of a model's accuracy is left on corrupted images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kcnn.data.own_batches import class_numbers, read_batches
from kcnn.errors import unknown
from kcnn.evaluation.corruptions import CORRUPTIONS, corrupt
from kcnn.evaluation.scoring import Batches, Classifier, evaluate, predictor
from kcnn.notebook import html_table


@dataclass(frozen=True)
class Robustness:
    """The accuracy of a model on images as they are, and on the same images corrupted.

    Attributes:
        clean: on the images as they are, 0 to 1.
        corrupted: by the name of the corruption, at the severities 1 to 3.
        count: the number of images.
        seed: of the noise.
    """

    clean: float
    corrupted: dict[str, tuple[float, ...]]
    count: int
    seed: int = 0

    @property
    def mean(self) -> float:
        """The mean over all corruptions and severities, 0 to 1."""
        return float(np.mean([each for row in self.corrupted.values() for each in row]))

    def __str__(self) -> str:
        """Return a table of the accuracies, in percent."""
        lines = [f"{'clean':12}{self.clean:8.2%}"]
        for name, row in self.corrupted.items():
            lines.append(f"{name:12}" + "".join(f"{each:8.2%}" for each in row))
        return "\n".join([*lines, f"{'mean':12}{self.mean:8.2%}"])

    def _repr_html_(self) -> str:
        rows = [[name, *(f"{each:.2%}" for each in row)] for name, row in self.corrupted.items()]
        title = f"{self.clean:.2%} of {self.count:,} images as they are, {self.mean:.2%} corrupted"
        return html_table(["corruption", "1", "2", "3"], rows, title=title)


def robustness(
    model: Classifier,
    dataset: Batches,
    *,
    corruptions: Sequence[str] = tuple(CORRUPTIONS),
    seed: int = 0,
) -> Robustness:
    """Score a model on images that are corrupted in several ways, at three severities each.

    Use it on test images to see what blur, noise or compression of a real camera cost, and whether
    an int8 file loses more than its float model. The model is scored 19 times.

    Args:
        model: as in `kcnn.evaluate`.
        dataset: as in `kcnn.evaluate`; gray or RGB images, uint8. All of it is kept in memory.
        corruptions: names in `CORRUPTIONS`.
        seed: of the noise. It is the same for every model, and for batches of any size.

    Raises:
        ValueError: a name is unknown, the images are neither gray nor RGB, or as `kcnn.evaluate`
            says.

    >>> import kcnn
    >>> data = kcnn.data.load("digits", limit=300)
    >>> def bright(images):
    ...     return np.stack([images.mean(axis=(1, 2, 3)), np.full(len(images), 200.0)], axis=1)
    >>> images, labels = next(data.test.as_numpy_iterator())
    >>> found = robustness(bright, (images, np.ones(len(images), int)), corruptions=["brightness"])
    >>> found.clean, found.corrupted["brightness"][0]
    (1.0, 1.0)
    """
    if missing := [name for name in corruptions if name not in CORRUPTIONS]:
        raise unknown("corruption", missing[0], CORRUPTIONS)
    if not corruptions:
        raise ValueError(f"Name at least one corruption of {', '.join(CORRUPTIONS)}.")
    answer = predictor(model)
    images, labels = _all_of(dataset)
    found = {
        name: tuple(
            evaluate(answer, (corrupt(images, name, severity, seed=seed), labels)).accuracy
            for severity in (1, 2, 3)
        )
        for name in corruptions
    }
    return Robustness(evaluate(answer, (images, labels)).accuracy, found, len(labels), seed)


def _all_of(dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return all images and class numbers of a data set."""
    batches = list(read_batches(dataset))
    if not batches:
        raise RuntimeError("Scored 0 images, expected some.")
    images = np.concatenate([batch.images for batch in batches])
    return images, np.concatenate([class_numbers(batch.labels) for batch in batches])
