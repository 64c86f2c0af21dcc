"""The comparison of the engines measures what it says."""

import gzip
import json
from pathlib import Path

import keras

import kcnn
from benchmarks import compressors
from kcnn.provenance import sha256

RECEIPT = Path(compressors.__file__).parent / "receipts/compressors.json"


def test_a_row_has_the_scores_and_bytes_of_the_compressed_model(tmp_path):
    data = kcnn.data.load("digits", limit=200, batch_size=20)
    keras.utils.set_random_seed(0)
    model = kcnn.models.build("mlp", units=16, depth=1)
    kcnn.train(model, data, epochs=3, learning_rate=3e-3)
    results = []

    def prune(*arguments, **settings):
        results.append(kcnn.prune(*arguments, **settings))
        return results[0]

    row = compressors.measure(prune, model, data, engine="keras", sparsity=0.9, epochs=1)
    (result,) = results
    path = tmp_path / "model.tflite"
    kcnn.export_tflite(result.model, path, calibration=data.calibration, samples=1000)
    assert row == {
        "engine": "keras",
        "sparsity": 0.9,
        "epochs": 1,
        "seconds": round(result.seconds, 1),
        "images": data.num_test,
        "accuracy": kcnn.evaluate(result.model, data.test).accuracy,
        "int8_accuracy": kcnn.evaluate(path, data.test).accuracy,
        "int8_gzip_bytes": len(gzip.compress(path.read_bytes(), mtime=0)),
    }
    assert row["accuracy"] != kcnn.evaluate(model, data.test).accuracy


def test_the_receipt_has_both_engines_with_the_settings_of_the_code():
    receipt = json.loads(RECEIPT.read_text())
    assert receipt["sha256"] == sha256(compressors.NETWORK)
    rows = receipt["rows"]
    expected = [(work, engine) for work in compressors.WORK for engine in compressors.ENGINES]
    assert [(row["work"], row["engine"]) for row in rows] == expected
    for row in rows:
        settings = compressors.WORK[row["work"]][1]
        assert {name: row[name] for name in settings} == settings
        assert row["images"] == 10_000
