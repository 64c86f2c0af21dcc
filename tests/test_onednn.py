"""TensorFlow computes with oneDNN if kcnn comes first, and says so if it does not."""

import os
import platform
import subprocess
import sys

import pytest

from kcnn import onednn
from kcnn.onednn import VARIABLE, ask_for_onednn

SAID = "TensorFlow was imported before kcnn and computes without oneDNN"
# Two trainings, with what `import kcnn` has asked TensorFlow for.
TRAIN = f"""
import os
import numpy as np
print("asked for:", os.environ.get({VARIABLE!r}))
images, labels = np.zeros((40, 8, 8, 3), np.uint8), np.arange(40) % 2
data = kcnn.data.from_arrays(images, labels, batch_size=8)
layers = [keras.layers.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
model = keras.Sequential(layers)
for _ in range(2):
    kcnn.train(model, data, epochs=1, callbacks=[])
print("oneDNN:", kcnn.onednn.has_onednn())
"""
REMEDY = "Restart Python (in a notebook, its kernel) and import kcnn before keras"
KCNN_FIRST = "import kcnn, keras" + TRAIN
KERAS_FIRST = "import keras; import kcnn" + TRAIN
# As on a processor on which TensorFlow leaves oneDNN off.
LEFT_OFF = (
    f"import os; os.environ[{VARIABLE!r}] = '0'; import tensorflow; del os.environ[{VARIABLE!r}]; "
    + KERAS_FIRST
)

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="oneDNN is asked for on x86-64 only"
)


def run(program: str, **environment: str) -> tuple[str, str]:
    clean = {name: value for name, value in os.environ.items() if name != VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=clean | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, done.stderr


def test_tensorflow_computes_with_onednn_if_kcnn_is_imported_first():
    out, errors = run(KCNN_FIRST)
    assert "asked for: 1\n" in out
    assert "oneDNN: True" in out
    assert SAID not in errors


def test_a_training_without_onednn_says_so_once_and_how_to_change_it():
    out, errors = run(LEFT_OFF)
    assert "asked for: None\n" in out
    assert "oneDNN: False" in out
    assert errors.count(SAID) == 1
    assert REMEDY in errors


def test_it_cannot_be_turned_on_once_tensorflow_is_there():
    late = f"os.environ[{VARIABLE!r}] = '1'; "
    out, errors = run(LEFT_OFF.replace(KERAS_FIRST, late + KERAS_FIRST))
    assert "oneDNN: False" in out
    assert errors.count(SAID) == 1


@pytest.mark.parametrize(("here", "child"), [(True, "1"), (False, "0"), (None, None)])
def test_a_child_computes_as_its_parent(here, child, monkeypatch):
    monkeypatch.setattr(onednn, "has_onednn", lambda: here)
    assert onednn.same_onednn().get(VARIABLE) == child


def test_who_turns_it_off_is_not_told():
    for program in (KCNN_FIRST, KERAS_FIRST):
        out, errors = run(program, **{VARIABLE: "0"})
        assert "oneDNN: False" in out
        assert SAID not in errors


@pytest.mark.parametrize("decided", ["0", "1"])
def test_what_the_user_has_decided_stays(decided, monkeypatch):
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    environment = {VARIABLE: decided}
    ask_for_onednn(environment)
    assert environment == {VARIABLE: decided}


def test_it_is_asked_for_on_x86_only_and_not_once_tensorflow_is_there(monkeypatch):
    for machine, imported, expected in (
        ("x86_64", False, {VARIABLE: "1"}),
        ("AMD64", False, {VARIABLE: "1"}),
        ("aarch64", False, {}),
        ("x86_64", True, {}),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(platform, "machine", lambda machine=machine: machine)
            if imported:
                patched.setitem(sys.modules, "tensorflow", object())
            else:
                patched.delitem(sys.modules, "tensorflow", raising=False)
            environment = {}
            ask_for_onednn(environment)
        assert environment == expected, (machine, imported)
