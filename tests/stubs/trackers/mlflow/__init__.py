"""As much of MLflow as kcnn calls: a run is a file in the folder MLFLOW_TRACKING_URI."""

import json
import os
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

active = []


@contextmanager
def start_run(run_id=None, run_name=None):
    folder = Path(os.environ["MLFLOW_TRACKING_URI"])
    if not folder.is_dir():
        raise Exception("no server")  # as MLflow's own errors, which are no RuntimeErrors
    file = folder / f"{run_id or len(list(folder.iterdir()))}.json"
    run = json.loads(file.read_text()) if run_id else {"name": run_name, "epochs": []}
    active.append(run)
    try:
        yield SimpleNamespace(info=SimpleNamespace(run_id=file.stem))
        run["status"] = "FINISHED"
    except BaseException:
        run["status"] = "FAILED"
        raise
    finally:
        active.remove(run)
        file.write_text(json.dumps(run))
