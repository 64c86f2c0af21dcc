"""Several threads at once: the same answers as one thread, and standard error where it was."""

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from kcnn.litert import TFLiteClassifier
from kcnn.litert.native_log import native_log

FILE = Path(__file__).parents[1] / "saved_models/resnet8_int8/model_int8.tflite"
CALLS, THREADS = 40, 8


@pytest.fixture
def on_terminal(capfd):
    """Check that afterwards what is written to descriptor 2 arrives where it did before."""
    before = os.fstat(2)
    yield
    assert (before.st_dev, before.st_ino) == (
        os.fstat(2).st_dev,
        os.fstat(2).st_ino,
    )
    os.write(2, b"still there")
    assert "still there" in capfd.readouterr().err


def test_threads_share_a_classifier(on_terminal):
    classifier = TFLiteClassifier(FILE)
    images = np.random.default_rng(0).integers(0, 256, (CALLS, 4, 32, 32, 3), np.uint8)
    expected = [classifier(each) for each in images]
    with ThreadPoolExecutor(THREADS) as pool:
        answers = [*pool.map(classifier, images)]
    np.testing.assert_array_equal(answers, expected)


def test_threads_open_classifiers_of_their_own(on_terminal):
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    expected = TFLiteClassifier(FILE)(images)
    with ThreadPoolExecutor(THREADS) as pool:
        answers = [*pool.map(lambda _: TFLiteClassifier(FILE)(images), range(CALLS))]
    np.testing.assert_array_equal(answers, [expected] * CALLS)


def test_each_thread_logs_what_it_wrote(on_terminal, caplog):
    def write(index):
        with native_log(), native_log():  # a thread may use it within itself
            os.write(2, f"message {index}".encode())

    with caplog.at_level(logging.DEBUG, "kcnn"), ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(write, range(CALLS)))
    assert {record.getMessage() for record in caplog.records} == {
        f"message {index}" for index in range(CALLS)
    }
