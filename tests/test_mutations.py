"""Damaged files of every kind end as they were or in one line: the campaign in small."""

import pytest

pytest.importorskip("resource", reason="the processes have limits")

from tests.campaign import mutations
from tests.campaign.loaders import LOADERS


@pytest.mark.parametrize("imports", sorted({each.imports for each in LOADERS.values()}))
def test_a_damaged_file_is_refused_in_one_line_or_read_as_it_was(imports):
    names = [name for name, each in LOADERS.items() if each.imports == imports]
    found = mutations.run(None, 1000, names)
    assert {name: each.failures for name, each in found.items() if each.failed} == {}
    for name, each in found.items():
        assert each.files == LOADERS[name].files == each.refused + each.loaded
        assert each.refused
