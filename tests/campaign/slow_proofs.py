"""Tests that take minutes, of which CI has a shorter form.

pytest -n 0 -o faulthandler_timeout=0 tests/campaign/slow_proofs.py
"""

import pytest

from kcnn.models import names
from tests.test_models import check_learns
from tests.test_resume import EVERY_MOMENT, check_kills


@pytest.mark.parametrize("name", names())
def test_every_network_learns_32_images(name):
    check_learns(name)


@pytest.mark.parametrize("backend", EVERY_MOMENT)
def test_a_run_that_was_killed_at_every_moment_ends_as_if_it_had_not_been(backend, tmp_path):
    check_kills(backend, EVERY_MOMENT[backend], tmp_path)
