"""The campaign in small: what it counts as a loss is found, and there is none."""

import zipfile

from tests.campaign import faults, kills, load
from tests.campaign.killed_training import digest_of
from tests.campaign.saved_files import has_best, is_readable


def test_trainings_that_are_killed_lose_nothing():
    found = kills.run(kills=5, seconds=90, backend="tensorflow")
    assert found.held, found
    assert found.kills >= 3
    assert found.in_saves > 0


def test_what_is_cut_off_is_counted_as_unreadable(tmp_path):
    for name, whole, half in (
        ("history.csv", b"epoch,loss\n0,1.5\n", b"epoch,loss\n0,1."),
        ("result.json", b"{}", b"{"),
        ("last.state", None, b"kcnn training state 1\n"),
    ):
        file = tmp_path / name
        if whole is not None:
            file.write_bytes(whole)
            assert is_readable(file)
        file.write_bytes(half)
        assert not is_readable(file), name
    best = tmp_path / "best.keras"
    with zipfile.ZipFile(best, "w") as archive:
        archive.writestr("model.weights.h5", b"weights")
    assert is_readable(best)
    best.write_bytes(best.read_bytes()[:-9])
    assert not is_readable(best)


def test_a_best_model_that_is_older_than_the_history_is_lost(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss\n0,1.5\n1,1.25\n")
    assert not has_best(tmp_path, [])
    with zipfile.ZipFile(tmp_path / "best.keras", "w") as archive:
        archive.writestr("model.weights.h5", b"weights")
    best = digest_of(tmp_path / "best.keras")
    assert has_best(tmp_path, ["first", best, "third"])
    assert has_best(tmp_path, ["first", "second", best])
    assert not has_best(tmp_path, [best, "second", "third"])


def test_every_fault_is_one_place_of_the_source_and_has_its_test():
    for name, fault in faults.FAULTS.items():
        assert (faults.ROOT / fault.file).read_text().count(fault.old) == 1, name
        file, test = fault.test.split("::")
        assert f"def {test}(" in (faults.ROOT / "tests" / file).read_text(), name


def test_a_fault_is_noticed():
    named = [
        "the file is not flushed",
        "the file is copied, not renamed",
        "a failed write stays",
        "the folder is not locked",
        "the scales of a .tflite file are not checked",
    ]
    found = faults.run(named)
    assert found.held, found
    assert set(found.noticed) == set(named)


def test_nothing_grows_with_predictions_from_several_threads():
    found = load.run(["predictions of TFLiteClassifier"], share=0.05)
    assert found.held, found
    assert found.count == {"predictions of TFLiteClassifier": 500}


def test_what_grows_beyond_what_keras_shows_is_found():
    keras, mine = {"memory": 5, "handles": 2, "threads": 0}, {"handles": 2, "threads": 0}
    within = mine | {"memory": 5 + load.SLACK}
    assert load.Load({"epochs": within, "Keras: epochs": keras}).held
    for more in ({"memory": 6 + load.SLACK}, {"handles": 3}, {"threads": 1}):
        assert not load.Load({"epochs": within | more, "Keras: epochs": keras}).held
