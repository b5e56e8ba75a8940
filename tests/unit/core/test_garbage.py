"""What a service holds for good is not looked through again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from leadpact.runtime.garbage import settle


@pytest.fixture(autouse=True)
def _usual_garbage_collection() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def test_what_exists_is_passed_over_from_then_on() -> None:
    held: list[object] = []
    settle()
    assert gc.get_freeze_count() > 0
    assert not any(one is held for one in gc.get_objects())


def test_a_batch_of_leads_does_not_set_off_one_look_after_the_other() -> None:
    settle()
    before = [generation["collections"] for generation in gc.get_stats()]
    batch = [[number] for number in range(100_000)]
    looks = [
        generation["collections"] - past for generation, past in zip(gc.get_stats(), before, strict=True)
    ]
    assert len(batch) == 100_000
    assert looks[0] <= 2
    assert looks[1:] == [0, 0]


def test_cycles_are_still_found() -> None:
    settle()
    cycle: list[object] = []
    cycle.append(cycle)
    collected = sum(generation["collected"] for generation in gc.get_stats())
    del cycle
    gc.collect()
    assert sum(generation["collected"] for generation in gc.get_stats()) > collected
