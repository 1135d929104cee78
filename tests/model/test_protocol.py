"""Test the protocol of runs: every state that two runs over a changing lake can reach is sound, and the code agrees.

``SPARKIFY_EDGES=all`` replays every kind of edge of the model on the code, ``SPARKIFY_EDGES=200:400`` only 200 walks.
"""

from __future__ import annotations

import os
import random

import pytest

from tests.model import protocol
from tests.model.replay import Replay

EDGES = os.environ.get("SPARKIFY_EDGES", ":8").replace("all", ":")
FROM, TO = (int(number) if number else None for number in EDGES.split(":"))


@pytest.fixture(scope="module")
def graph():
    return protocol.explore(protocol.start(changes=1))


@pytest.mark.slow
def test_every_state_that_two_runs_can_reach_is_sound():
    """Twice, a file may be replaced, deleted or delivered again. Once, a run may die at any step."""
    found = protocol.explore(protocol.start())
    assert len(found) > 100_000


@pytest.mark.slow
@pytest.mark.parametrize("mutation", protocol.MUTATIONS)
def test_a_missing_guard_violates_an_invariant(mutation):
    """One change of the lake is enough for each mutation except the last, and leads to a tenth of the states."""
    with pytest.raises(protocol.Violated):
        protocol.explore(protocol.start(changes=1 + (mutation == protocol.MUTATIONS[-1])), mutation)


@pytest.mark.slow
def test_the_code_does_what_the_model_does(graph, make_world):
    first = protocol.start(changes=1)
    walks = list(protocol.walks(graph, first))
    random.Random(0).shuffle(walks)
    world = make_world(absent="warn", reject_threshold=0.0)
    world.create_tables()
    done = []
    for walk in walks[FROM:TO]:
        replay, state = Replay(world, first), first
        for number, edge in enumerate(walk, 1):
            told = replay.do(edge.action)
            expected = edge.outcome
            if edge.action[0] == "validate":
                expected = str(len(expected.split()) - 1)
            steps = [step.action for step in walk[:number]]
            assert told == expected, steps
            if edge.state[:6] != state[:6] or edge.action[0] == "maintain":
                replay.compare(edge.state)
            state = edge.state
        replay.compare(state)
        done.append(len(walk))
        print(f"{len(done)} of {len(walks)} walks, {sum(done)} steps")
