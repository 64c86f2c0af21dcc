"""Figures need no screen, TensorFlow logs no details, and the tests have their own caches."""

import gc
import os
import shutil
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")

_CACHE = tempfile.mkdtemp(prefix="kcnn-test-cache-")
os.environ["KCNN_DATA_CACHE"] = _CACHE
# The processes on JAX compile equal programs many times: in each worker, one is compiled once.
os.environ["JAX_COMPILATION_CACHE_DIR"] = f"{_CACHE}/jax"
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

import kcnn  # noqa: E402,F401 - before the tests import Keras, as its documents ask for

gc.set_threshold(10_000)  # as `kcnn` does


def pytest_unconfigure() -> None:
    """Remove the caches of the tests."""
    shutil.rmtree(_CACHE, ignore_errors=True)
