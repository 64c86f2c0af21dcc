"""The classes that a model predicts for some images, each with its probability."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kcnn.checks import check_count
from kcnn.notebook import html_picture, html_table

_PICTURES = 20  # in a notebook


class Prediction(NamedTuple):
    """One class of one image.

    Attributes:
        class_name: the name of the class.
        probability: what the model gives it, 0-1.
        class_index: its number.
    """

    class_name: str
    probability: float
    class_index: int


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model predicts for N images; print it for the most likely classes of each.

    Attributes:
        images: uint8 [N, H, W, C], as the model saw them.
        probabilities: float32 [N, classes], 0-1. Each row adds up to 1, but for a model that ends
            in sigmoids, whose classes do not exclude each other.
        class_names: the name of each class.
        sources: for each image, the file that it was read from, or "image" and its index.
        shown: how many classes of an image `top` and printing show.

    >>> predictions = Predictions(
    ...     images=np.zeros((1, 8, 8, 3), "uint8"),
    ...     probabilities=np.array([[0.2, 0.7, 0.1]], "float32"),
    ...     class_names=("bird", "cat", "dog"),
    ...     sources=("pet.jpg",),
    ...     shown=2,
    ... )
    >>> predictions.classes, predictions.class_index
    (('cat',), array([1]))
    >>> print(predictions)
    pet.jpg
      cat    70.00%
      bird   20.00%
    """

    images: np.ndarray
    probabilities: np.ndarray
    class_names: tuple[str, ...]
    sources: tuple[str, ...]
    shown: int = 5

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.probabilities)

    @property
    def class_index(self) -> np.ndarray:
        """Int64 [N], the most likely class of each image; the first of equally likely ones."""
        return self.probabilities.argmax(axis=1)

    @property
    def classes(self) -> tuple[str, ...]:
        """The name of the most likely class of each image."""
        return tuple(self.class_names[index] for index in self.class_index)

    def top(self, count: int | None = None) -> tuple[tuple[Prediction, ...], ...]:
        """Return the most likely classes of each image, the most likely one first.

        Args:
            count: how many of each, at most all of them; `shown` by default.

        Raises:
            ValueError: `count` is not an integer of at least 1.
        """
        count = self.shown if count is None else count
        check_count("count", count)
        ranked = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :count]
        rows = zip(self.probabilities, ranked, strict=True)
        return tuple(
            tuple(Prediction(self.class_names[i], float(row[i]), int(i)) for i in likely)
            for row, likely in rows
        )

    def _repr_html_(self) -> str:
        rows = [
            [
                html_picture(image),
                source,
                *(f"{each.class_name} {each.probability:.1%}" for each in likely),
            ]
            for image, source, likely in zip(
                self.images[:_PICTURES], self.sources, self.top(), strict=False
            )
        ]
        more = len(self) - len(rows)
        return html_table((), rows, note=f"and {more:,} more images" if more else "")

    def __str__(self) -> str:
        """Return each image's source and, below it, its most likely classes as lines of text."""
        lines: list[str] = []
        for source, rows in zip(self.sources, self.top(), strict=True):
            longest = max(len(row.class_name) for row in rows)
            lines.append(source)
            lines += [f"  {row.class_name:<{longest}}  {row.probability:7.2%}" for row in rows]
        return "\n".join(lines)
