"""Images as worse cameras and files give them: darker, blurred, noisy, compressed."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from kcnn.errors import unknown

_AT_ONCE = 256  # images, whose colors are in memory as floats

Change = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Corruption:
    """A change to images that leaves their class as it is.

    Attributes:
        does: One line.
        strengths: How much, for the severities 1 to 3.
        change: A function (images uint8 [N, H, W, C], strength, random numbers) -> images.
    """

    does: str
    strengths: tuple[float, float, float]
    change: Change


def brightness(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Raise the value of each pixel's color (of hue, saturation and value) by `strength`."""
    colors = images / 255
    value = colors.max(axis=3, keepdims=True)
    brighter = np.minimum(value + strength, 1)
    scaled = np.divide(colors * brighter, value, out=np.zeros_like(colors), where=value > 0)
    return _pixels(np.where(value > 0, scaled, brighter))


def contrast(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Leave the share `strength` of each pixel's distance from the mean color of its image."""
    colors = images / 255
    mean = colors.mean(axis=(1, 2), keepdims=True)
    return _pixels(mean + strength * (colors - mean))


def blur(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Blur by a Gaussian of `strength` pixels."""
    sigma = (0, strength, strength, 0)
    return _pixels(gaussian_filter(images / 255, sigma, mode="nearest"))


def noise(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Add normal noise with a standard deviation of `strength` times the range of the pixels."""
    return _pixels(images / 255 + strength * rng.standard_normal(images.shape))


def jpeg(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Compress as a JPEG file of the quality `strength`, of at most 100."""

    def compressed(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=int(strength))
        return Image.open(file)

    return _each(images, compressed)


def pixelation(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Make the sides `strength` times as long, and as long as before."""
    height, width = images.shape[1:3]
    small = max(1, int(width * strength)), max(1, int(height * strength))

    def pixelated(image: Image.Image) -> Image.Image:
        box = Image.Resampling.BOX
        return image.resize(small, box).resize((width, height), box)

    return _each(images, pixelated)


CORRUPTIONS = {
    "brightness": Corruption("brighter", (0.05, 0.15, 0.3), brightness),
    "contrast": Corruption("less contrast", (0.75, 0.4, 0.15), contrast),
    "blur": Corruption("Gaussian blur", (0.4, 0.7, 1.0), blur),
    "noise": Corruption("normal noise", (0.04, 0.08, 0.10), noise),
    "jpeg": Corruption("JPEG compression", (80, 58, 40), jpeg),
    "pixelation": Corruption("fewer pixels", (0.95, 0.85, 0.65), pixelation),
}
"""Six of the corruptions of CIFAR-10-C, with its strengths at the severities 1, 3 and 5.

Paper: Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations" (2019), https://arxiv.org/abs/1903.12261.
"""


def corrupt(images: np.ndarray, name: str, severity: int, *, seed: int = 0) -> np.ndarray:
    """Return corrupted copies of images.

    Use it to see what `robustness` scores, or to test an app with worse pictures.

    Args:
        images: gray or RGB, uint8 [N, H, W, 1 or 3].
        name: a key of `CORRUPTIONS`.
        severity: 1 to 3.
        seed: of the noise.

    Raises:
        ValueError: the name is unknown, the severity is out of its range, or the images are others.

    >>> black = np.zeros((1, 8, 8, 3), np.uint8)
    >>> corrupt(black, "brightness", 3).max()
    np.uint8(76)
    """
    if name not in CORRUPTIONS:
        raise unknown("corruption", name, CORRUPTIONS)
    corruption = CORRUPTIONS[name]
    if severity not in range(1, len(corruption.strengths) + 1):
        raise ValueError(f"severity must be 1, 2 or 3. Received: {severity!r}")
    if images.ndim != 4 or images.shape[3] not in (1, 3) or images.dtype != np.uint8:
        raise ValueError(
            "Only gray and RGB images, uint8 [N, H, W, 1 or 3], can be corrupted. "
            f"Received: {images.dtype} {images.shape}"
        )
    strength, rng = corruption.strengths[severity - 1], np.random.default_rng(seed)
    parts = [
        corruption.change(images[start : start + _AT_ONCE], strength, rng)
        for start in range(0, len(images), _AT_ONCE)
    ]
    return np.concatenate(parts) if parts else images


def _pixels(colors: np.ndarray) -> np.ndarray:
    """Return colors from 0 to 1 as pixels."""
    return np.clip(np.rint(255 * colors), 0, 255).astype(np.uint8)


def _each(images: np.ndarray, change: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    """Return what Pillow makes of each image."""
    gray = images.shape[3] == 1
    changed = [
        np.asarray(change(Image.fromarray(each[..., 0] if gray else each))) for each in images
    ]
    return np.stack(changed).reshape(images.shape)
