"""Figures need no screen, TensorFlow logs no details, and the tests have their own data cache."""

import os
import shutil
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")

_CACHE = tempfile.mkdtemp(prefix="kcnn-test-cache-")
os.environ["KCNN_DATA_CACHE"] = _CACHE

import kcnn  # noqa: E402,F401 - before the tests import Keras, as its documents ask for


def pytest_unconfigure() -> None:
    """Remove the data cache of the tests."""
    shutil.rmtree(_CACHE, ignore_errors=True)
