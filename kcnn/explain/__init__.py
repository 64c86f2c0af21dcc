"""What a model sees: where the evidence for a class lies, what its layers answer, what they seek.

What a function is about (a model, its images, their classes) is given by position; how it does it
(a layer, a method, a number of steps) by keyword.
"""

from kcnn.explain.checks import Check, check
from kcnn.explain.drift import Drift, drift
from kcnn.explain.feature_maps import FeatureMaps, feature_maps
from kcnn.explain.filters import (
    VERTICAL_EDGE,
    Filters,
    edge_response,
    filters,
    plot_edge_response,
)
from kcnn.explain.grad_cam import grad_cam
from kcnn.explain.heatmaps import Heatmaps
from kcnn.explain.maximize import Maximized, maximize
from kcnn.explain.methods import METHODS
from kcnn.explain.tflite_cam import tflite_cam

__all__ = [
    "METHODS",
    "VERTICAL_EDGE",
    "Check",
    "Drift",
    "FeatureMaps",
    "Filters",
    "Heatmaps",
    "Maximized",
    "check",
    "drift",
    "edge_response",
    "feature_maps",
    "filters",
    "grad_cam",
    "maximize",
    "plot_edge_response",
    "tflite_cam",
]
