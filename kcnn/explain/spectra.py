"""Images as sums of waves with the statistics of photographs, to be changed by gradients.

A gradient step on the pixels of an image makes mostly fine noise, because the gradient of a network
favors high frequencies. The same step on the image's frequencies, each scaled as in photographs,
makes shapes and colors.
"""

import numpy as np
import tensorflow as tf

# How the colors of natural images vary: most in brightness, then from blue to yellow, least from
# green to magenta. The columns are the principal axes of the pixels of photographs, each as long as
# the standard deviation along it.
_COLORS = np.array(
    [[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]], "float32"
) / np.float32(0.46)


def images_of(spectrum: tf.Variable, size: tuple[int, int]) -> tf.Tensor:
    """Return the images [n, H, W, C], 0-1, of spectra [n, C, H, W // 2 + 1, 2]."""
    rows, columns = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])
    # In photographs the amplitude is proportional to one over the frequency. The mean, which has
    # frequency 0, gets the amplitude of the lowest other frequency.
    scale = 1 / np.maximum(np.hypot(rows, columns), 1 / max(size))
    scale *= np.sqrt(size[0] * size[1]) / 4
    waves = tf.complex(*tf.unstack(spectrum, axis=-1)) * scale.astype("complex64")
    pixels = tf.transpose(tf.signal.irfft2d(waves, size), (0, 2, 3, 1))
    if pixels.shape[-1] == 3:
        pixels = pixels @ _COLORS.T
    return tf.sigmoid(pixels)  # within 0-1; a spectrum of zeros is gray


def start_spectra(classes: np.ndarray, shape: tuple[int, int, int], seed: int) -> np.ndarray:
    """Return a faint spectrum for each class [n], different for each repetition of a class.

    Args:
        classes: int [n]; the spectrum of a class does not depend on the other classes.
        shape: (height, width, channels) of the images.
        seed: of the random numbers.
    """
    height, width, channels = shape
    found = []
    for place, index in enumerate(classes):
        repetition = np.count_nonzero(classes[:place] == index)
        rng = np.random.default_rng([seed, int(index), int(repetition)])
        found.append(rng.normal(0, 0.01, (channels, height, width // 2 + 1, 2)))
    return np.stack(found).astype("float32")


def draw_shifts(shape: tuple[int, int, int], steps: int, seed: int) -> np.ndarray:
    """Return by how many pixels to move the images down and right at each step, [steps, 2]."""
    reach = np.array(shape[:2]) // 8
    return np.random.default_rng(seed).integers(-reach, reach + 1, (steps, 2))


def shifted(images: tf.Tensor, shift: np.ndarray) -> tf.Tensor:
    """Move images [n, H, W, C], and fill the border that they leave with their mirror image."""
    before, after = np.maximum(shift, 0), np.maximum(-shift, 0)
    height, width = images.shape[1:3]
    margins = [(0, 0), *zip(before, after, strict=True), (0, 0)]
    wide = tf.pad(images, margins, mode="REFLECT")
    return wide[:, after[0] : after[0] + height, after[1] : after[1] + width]
