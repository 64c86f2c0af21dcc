"""Which part of an image speaks for a class."""

from kcnn.explain.grad_cam import grad_cam
from kcnn.explain.heatmaps import Heatmaps

__all__ = ["Heatmaps", "grad_cam"]
