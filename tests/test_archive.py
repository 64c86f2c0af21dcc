"""A `.keras` file that unpacks to far more than a model needs is refused before Keras reads it."""

import json
import zipfile

import pytest

from kcnn import models
from kcnn.models.archive import check_archive


@pytest.fixture
def model_file(tmp_path):
    return models.save(models.lenet5(), tmp_path / "model.keras")


def rewritten(path, *, more=(), **changed):
    """Write a `.keras` file again, compressed, with other or more members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members |= {name.replace("_json", ".json"): change(members) for name, change in changed.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (*members.items(), *more):
            archive.writestr(name, content)
    return path


def refusal(path):
    with pytest.raises(ValueError, match=r"model.keras' is refused") as raised:
        models.load(path)
    assert len(str(raised.value).splitlines()) == 1
    return str(raised.value)


def test_a_configuration_that_fills_the_memory_is_refused(model_file):
    def with_lists(members):
        config = json.loads(members["config.json"])
        return json.dumps(config | {"x": [[]] * 6_000_000})

    rewritten(model_file, config_json=with_lists)
    assert model_file.stat().st_size < 1_000_000
    line = refusal(model_file)
    assert "'config.json' in it has 24,0" in line and " bytes; the limit is 2,097,152" in line


def test_zeros_that_fill_the_memory_are_refused(model_file):
    rewritten(model_file, more=[("assets/zeros", bytes(2**25))])
    assert "'assets/zeros' in it has 33,554,432 bytes, packed in 32," in refusal(model_file)


def test_a_thousand_members_are_refused(model_file):
    rewritten(model_file, more=[(f"assets/{index}", "") for index in range(1000)])
    assert "it has 1,00" in refusal(model_file)


def test_a_model_that_was_compressed_is_accepted(model_file):
    check_archive(rewritten(model_file))
    assert models.load(model_file).count_params() == models.lenet5().count_params()
