"""The campaign in small: what it counts as a loss is found, and there is none."""

from tests.campaign import kills


def test_trainings_that_are_killed_lose_nothing():
    found = kills.run(kills=20, seconds=120)
    assert found.unreadable == 0
    assert found.different == 0
    assert found.kills >= 3
    assert found.in_saves > 0
