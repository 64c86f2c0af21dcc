"""The comparison of the engines measures what it says."""

import json
from pathlib import Path

import keras
import pytest

import kcnn
from benchmarks import compressors

RECEIPT = Path(compressors.__file__).parent / "receipts/compressors.json"


def test_a_row_has_the_scores_of_the_compressed_model(monkeypatch):
    data = kcnn.data.load("digits", limit=200, batch_size=20)
    keras.utils.set_random_seed(0)
    model = kcnn.models.build("mlp", units=16, depth=1)
    made = {}

    def pruned(*arguments, **settings):
        made["result"] = kcnn.prune(*arguments, **settings)
        return made["result"]

    monkeypatch.setitem(compressors.WORK, "half", (pruned, {}))
    settings = {"sparsity": 0.5, "epochs": 1}
    row = compressors.measure(model, data, "half", "keras", settings)
    result = made["result"]
    assert row["accuracy"] == kcnn.evaluate(result.model, data.test).accuracy
    assert row["int8_accuracy"] == pytest.approx(row["accuracy"], abs=0.05)
    assert row["seconds"] == pytest.approx(result.seconds, abs=0.1)
    assert (row["engine"], row["images"]) == (result.engine, data.num_test) == ("keras", 200)
    assert (row["work"], row["sparsity"], row["epochs"]) == ("half", 0.5, 1)


def test_the_receipt_has_both_engines_with_the_settings_of_the_code():
    receipt = json.loads(RECEIPT.read_text())
    rows = receipt["rows"]
    expected = [(work, engine) for work in compressors.WORK for engine in compressors.ENGINES]
    assert [(row["work"], row["engine"]) for row in rows] == expected
    for row in rows:
        settings = compressors.WORK[row["work"]][1]
        assert {name: row[name] for name in settings} == settings
        assert row["images"] == 10_000
