"""A few seeds hold every promise, the same way each time; and for each guarantee that is taken away, a seed notices."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.ground import ground, server
from tests.simulation.live import live
from tests.simulation.sabotage import SABOTAGES, Sabotage
from tests.support.postgres import PostgresServer

SEEDS = range(1, 7)

# A seed that notices each sabotage. Whoever changes what the scheduler draws may have to look for another: `make simulate BREAK=inbox`.
NOTICED_BY = {
    "inbox": 27,
    "offset-early": 1,
    "dual-write": 7,
    "post-claim": 16,
    "lead-lock": 10,
    "owner-index": 1,
    "had-it-before": 1,
    "desk": 1,
    "offline": 3,
    "left-twice": 16,
    "latest-look": 2,
    "warning-kept": 1,
    "sweep-lock": 5,
    "fired-twice": 1,
    "quiet": 2,
    "hindsight": 1,
    "automatic": 7,
    "clock-lock": 10,
    "early": 5,
    "holidays": 7,
    "absence-order": 4,
    "late-news": 3,
    "pact-version": 3,
    "summer-time": 3,
    "horizon": 35,
    "floor-lock": 46,
    "release-lock": 56,
    "move-lock": 22,
    "turns-kept": 30,
    "hand-unseen": 10,
    "answered-once": 4,
}


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A server of the simulation's own: other tests' transactions would move the log's horizon by chance."""
    with server() as started:
        yield started


async def test_every_seed_holds_every_promise(postgres: PostgresServer) -> None:
    async with ground(postgres, "seeds") as place:
        for seed in SEEDS:
            life = await live(place, seed)
            assert not life.violations, f"make simulate SEED={seed}: {life.violations}"
            assert life.events > 20


async def test_a_seed_leaves_the_same_trace_whenever_it_is_lived(postgres: PostgresServer) -> None:
    async with ground(postgres, "once") as place:
        first = await live(place, 7)
        await live(place, 8)
        assert (await live(place, 7)).trace == first.trace
    async with ground(postgres, "elsewhere") as place:
        assert (await live(place, 7)).trace == first.trace


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda one: one.name)
async def test_a_seed_notices_what_is_taken_away(sabotage: Sabotage, postgres: PostgresServer) -> None:
    with sabotage.applied():
        async with ground(postgres, "sabotage", sabotage.statements) as place:
            life = await live(place, NOTICED_BY[sabotage.name])
    assert life.violations, f"seed {NOTICED_BY[sabotage.name]} did not notice that {sabotage.takes}"


def test_every_sabotage_is_pinned_to_a_seed() -> None:
    assert {one.name for one in SABOTAGES} == NOTICED_BY.keys()
