"""Which part of an image speaks for a class."""

from kcnn.explain.grad_cam import grad_cam
from kcnn.explain.heatmaps import Heatmaps
from kcnn.explain.methods import METHODS

__all__ = ["METHODS", "Heatmaps", "grad_cam"]
