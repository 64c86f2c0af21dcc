"""What RandAugment draws from, and how strong it is at most, for TensorFlow and JAX."""

NAMES = (
    *("nothing", "shear_x", "shear_y", "shift_x", "shift_y", "rotate", "brightness", "color"),
    *("contrast", "sharpness", "posterize", "solarize", "autocontrast", "equalize"),
)
"""What is drawn from. Where an operation has no direction, only the size of a strength counts."""

# At a strength of 1.
SHEAR = 0.3
SHIFT = 150 / 331  # of a side, as in torchvision
DEGREES = 30.0
COLOR = 0.9
BITS = 4

SMOOTH = tuple(weight / 13 for weight in (1, 1, 1, 1, 5, 1, 1, 1, 1))
"""Pillow's filter of 3 x 3 pixels, row by row."""
