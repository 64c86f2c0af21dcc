"""What is checked, a method at one layer of a model, and the maps that it is compared with."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kcnn.explain.grad_cam import heatmaps_at
from kcnn.explain.heads import logits, probabilities
from kcnn.explain.heatmaps import Heatmaps
from kcnn.explain.observation import Site, parts


@dataclass(frozen=True, eq=False)
class Subject:
    """A method of explanation at one layer of a model.

    Attributes:
        site: the model and the layer.
        method: a key of `kcnn.explain.METHODS`.
        size: (h, w) of the maps.
    """

    site: Site
    method: str
    size: tuple[int, ...]

    def explain(self, images: np.ndarray, class_index: np.ndarray) -> Heatmaps:
        """Return the heat maps of images [N, H, W, C] for the classes [N].

        They are those of `grad_cam`, but empty maps are not logged: the scores take them in.
        """
        if not len(images):
            maps, scores = np.zeros((0, *self.size), "float32"), np.zeros(0, "float32")
            return Heatmaps(maps, class_index, scores, self.site.layer, self.method)
        return heatmaps_at(self.site, images, class_index, self.method)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Return the logits [N, classes] of images [N, H, W, C]."""
        return np.concatenate(
            [logits(self.site.model, tf.constant(images[part])).numpy() for part in parts(images)]
        )

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities [N, classes] of images [N, H, W, C]."""
        return np.concatenate(
            [probabilities(self.site.model, tf.constant(images[part])) for part in parts(images)]
        )

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the classes [N] that the model predicts for images [N, H, W, C]."""
        return self.logits(images).argmax(axis=-1)


def with_baselines(
    raw: np.ndarray, images: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return the maps to compare, [N, h, w] each: "own", "random" and "edges".

    The last two ignore the model. They have the resolution of its own maps, because deleting
    scattered pixels disturbs a model more than deleting regions, whatever these show.

    >>> image = np.zeros((1, 8, 8, 3), "float32")
    >>> image[:, :, 4:] = 255  # the edge lies between the columns 3 and 4
    >>> maps = with_baselines(np.zeros((1, 4, 4)), image, np.random.default_rng(0))
    >>> maps["edges"][0, 0].round(), maps["random"].shape
    (array([  0., 510., 510.,   0.], dtype=float32), (1, 4, 4))
    """
    return {"own": raw, "random": rng.random(raw.shape), "edges": edges(images, raw.shape[1:])}


def edges(images: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Return the Sobel magnitude of the images' mean channel, averaged to maps [N, h, w]."""
    if not len(images):
        return np.zeros((0, *size), "float32")
    gray = images.mean(axis=-1, keepdims=True)
    slopes = tf.image.sobel_edges(tf.constant(gray, "float32"))
    magnitude = tf.norm(slopes, axis=-1)
    return tf.image.resize(magnitude, size, method="area").numpy()[..., 0]
