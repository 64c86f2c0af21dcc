"""A `.keras` file that unpacks to far more than a model needs is refused before Keras reads it."""

import json
import re
import zipfile

import pytest

from kcnn import models
from kcnn.models.archive import check_archive
from kcnn.provenance import sha256_of_json


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


def test_weights_that_fill_the_memory_are_refused(model_file, tmp_path):
    """Terabytes of them, of which the files have nothing: a layer, or a network of kcnn."""

    def with_units(members):
        config = members["config.json"].decode()
        assert '"units": 120,' in config
        return config.replace('"units": 120,', '"units": 1200000000,')

    rewritten(model_file, config_json=with_units)
    assert re.search(r"it describes [\d,]{17,} bytes of weights, and there", refusal(model_file))
    options = {"num_classes": 10, "units": 8, "depth": 1}
    manifest = models.publish(models.mlp(**options), tmp_path, "mlp", options, "abcdefghij")
    values = json.loads(manifest.read_text())
    del values["digest"]
    values["arguments"]["units"] = 2**20
    values["arguments"]["depth"] = 3
    manifest.write_text(json.dumps(values | {"digest": sha256_of_json(values)}))
    with pytest.raises(ValueError, match=r"weights.json' is refused: it describes 8,8[\d,]+ bytes"):
        models.load(manifest)
