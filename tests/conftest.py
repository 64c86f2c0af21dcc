"""Nothing is drawn on a screen, TensorFlow keeps quiet, and no array is kept beyond the tests."""

import os
import shutil
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")

_CACHE = tempfile.mkdtemp(prefix="kcnn-test-cache-")
os.environ["KCNN_DATA_CACHE"] = _CACHE


def pytest_unconfigure() -> None:
    """Remove the arrays that were kept for the tests."""
    shutil.rmtree(_CACHE, ignore_errors=True)
