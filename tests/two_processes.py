"""One training in two processes: what tests/test_devices.py has both of them do."""

import json
import os
import signal
import sys
from pathlib import Path

import keras

import kcnn
from kcnn.callbacks.checkpoints import Checkpoints
from kcnn.pipeline.several_processes import join_processes
from kcnn.pipeline.shared_training import meet, part
from kcnn.training import Interrupted
from kcnn.training.loop_jax import JaxSteps
from tests.several_devices import data, said, train

NUMBER, ADDRESS = "KERAS_DISTRIBUTION_PROCESS_ID", "KERAS_DISTRIBUTION_JOB_ADDRESSES"


class SignalAfter(keras.callbacks.Callback):
    """Sends SIGTERM to its own process."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if batch + 1 == self.step:
            signal.raise_signal(signal.SIGTERM)


def main(folder):
    """Stop, go on, and compare; write what came of it."""
    number, done = int(os.environ[NUMBER]), {}
    os.environ[NUMBER] = "2"
    done["number"] = said(join_processes)
    os.environ[NUMBER] = str(number)
    address = os.environ[ADDRESS]
    os.environ[ADDRESS] = "localhost"
    done["address"] = said(join_processes)
    os.environ[ADDRESS] = address
    done["devices"] = said(lambda: join_processes(2))
    join_processes()
    state = folder / f"state-{number}"
    JaxSteps.look_after = 2
    with keras.distribution.DataParallel().scope():
        try:
            train(resume=state, callbacks=[SignalAfter(3)] if number == 1 else [])
        except Interrupted as stopped:
            kept = Checkpoints(state).load()
            done["stopped"] = [stopped.signal, kept.epoch, kept.step]
        done["gone on"] = train(resume=state)
    meet(data())
    seeded = kcnn.data.JaxData(data().arrays, 24, seed=number)
    done["other seed"] = said(lambda: meet(seeded))
    done["absent"] = said(lambda: meet(None if number == 1 else data()), RuntimeError)
    part()
    (folder / f"done-{number}.json").write_text(json.dumps(done))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
