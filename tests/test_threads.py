"""Several threads at once: the same answers as one thread, and standard error where it was."""

import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from kcnn.litert import TFLiteClassifier
from kcnn.litert.native_log import native_log

FILE = Path(__file__).parents[1] / "saved_models/resnet8_int8/model_int8.tflite"
CALLS, THREADS = 40, 8


@contextmanager
def on_terminal(capfd):
    """Check that afterwards what is written to descriptor 2 arrives where it did before.

    It is no fixture: pytest has another file in its place before and after a test.
    """
    before = os.fstat(2)
    yield
    assert (before.st_dev, before.st_ino) == (
        os.fstat(2).st_dev,
        os.fstat(2).st_ino,
    )
    os.write(2, b"still there")
    assert "still there" in capfd.readouterr().err


def test_threads_share_a_classifier(capfd):
    images = np.random.default_rng(0).integers(0, 256, (CALLS, 4, 32, 32, 3), np.uint8)
    with on_terminal(capfd), ThreadPoolExecutor(THREADS) as pool:
        classifier = TFLiteClassifier(FILE)
        expected = [classifier(each) for each in images]
        answers = [*pool.map(classifier, images)]
    np.testing.assert_array_equal(answers, expected)


def test_threads_open_classifiers_of_their_own(capfd):
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    expected = TFLiteClassifier(FILE)(images)
    with on_terminal(capfd), ThreadPoolExecutor(THREADS) as pool:
        answers = [*pool.map(lambda _: TFLiteClassifier(FILE)(images), range(CALLS))]
    np.testing.assert_array_equal(answers, [expected] * CALLS)


def test_each_thread_logs_what_it_wrote(capfd, caplog):
    def write(index):
        with native_log(), native_log():  # a thread may use it within itself
            os.write(2, f"message {index}".encode())

    caplog.set_level(logging.DEBUG, "kcnn")
    with on_terminal(capfd), ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(write, range(CALLS)))
    assert {record.getMessage() for record in caplog.records} == {
        f"message {index}" for index in range(CALLS)
    }


def test_a_program_without_standard_error_does_without_its_log():
    """As one of a desktop that has no terminal."""
    code = "import os, sys; os.close(2); sys.stderr = None\n"
    code += "from kcnn.litert.native_log import native_log\nwith native_log(): print('done')"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"done\n"
