"""The short form of the kill campaign; the long one is ``make torture``."""

import random

from tests.end_to_end.torture import Campaign, is_good

KILLS = 10


def test_a_node_that_is_killed_at_random_instants_loses_and_doubles_nothing(tmp_path):
    """Every acknowledged instance is there, every study has each result in Orthanc once."""
    seed = random.SystemRandom().randrange(2**32)

    found = Campaign(tmp_path, seed).run(KILLS)

    assert is_good(found), f"again with: python -m tests.end_to_end.torture --seed {seed}\n{found}"
