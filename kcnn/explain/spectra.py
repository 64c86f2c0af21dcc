"""Images as sums of waves with the statistics of photographs, to be changed by gradients.

A step on an image's pixels makes fine noise, to which a network's gradient gives too much weight;
the same step on its frequencies, each scaled as it is in photographs, makes shapes and colors.
"""

import numpy as np
import tensorflow as tf

# How the colors of natural images vary: most in brightness, then from blue to yellow, least from
# green to magenta. The principal axes of the pixels of photographs, as columns, by deviation.
_COLORS = np.array(
    [[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]], "float32"
) / np.float32(0.46)


def images_of(spectrum: tf.Variable, size: tuple[int, int]) -> tf.Tensor:
    """Return images [n, H, W, C] of 0-1 with spectra [n, C, H, W // 2 + 1, 2]."""
    rows, columns = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])
    # The amplitude in photographs falls as one over the frequency; the mean is no exception.
    scale = 1 / np.maximum(np.hypot(rows, columns), 1 / max(size))
    scale *= np.sqrt(size[0] * size[1]) / 4
    waves = tf.complex(spectrum[..., 0], spectrum[..., 1]) * scale.astype("complex64")
    pixels = tf.transpose(tf.signal.irfft2d(waves, size), (0, 2, 3, 1))
    if pixels.shape[-1] == 3:
        pixels = pixels @ _COLORS.T
    return tf.sigmoid(pixels)  # stays within 0-1, and starts at gray


def start_spectra(classes: np.ndarray, shape: tuple[int, int, int], seed: int) -> np.ndarray:
    """Return a faint spectrum for each class, of its own for each time that it is asked for."""
    height, width, channels = shape
    found = []
    for place, index in enumerate(classes):
        time = np.count_nonzero(classes[:place] == index)
        rng = np.random.default_rng([seed, index, time])
        found.append(rng.normal(0, 0.01, (channels, height, width // 2 + 1, 2)))
    return np.stack(found).astype("float32")


def draw_shifts(shape: tuple[int, int, int], steps: int, seed: int) -> np.ndarray:
    """Return how far to move the images down and to the right at each step, [steps, 2]."""
    reach = np.array(shape[:2]) // 8
    return np.random.default_rng(seed).integers(-reach, reach + 1, (steps, 2))


def shifted(images: tf.Tensor, shift: np.ndarray) -> tf.Tensor:
    """Move images, and mirror them where they leave a border bare."""
    before, after = np.maximum(shift, 0), np.maximum(-shift, 0)
    height, width = images.shape[1:3]
    margins = [(0, 0), *zip(before, after, strict=True), (0, 0)]
    wide = tf.pad(images, margins, mode="REFLECT")
    return wide[:, after[0] : after[0] + height, after[1] : after[1] + width]
