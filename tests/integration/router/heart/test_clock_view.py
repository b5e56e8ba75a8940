"""The sla-timer's clocks are shown as it announced them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from leadpact.events import SlaBreached, SlaCancelled, SlaMet, SlaStarted, SlaWarned
from leadpact.ids import new_id
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.routing import Router

DUE_AT = TUESDAY_MORNING + timedelta(hours=2)


async def test_a_clock_is_started_warned_twice_and_met(router: Router) -> None:
    clock = _clock()
    warned = [
        SlaWarned(**clock, occurred_at=TUESDAY_MORNING + timedelta(minutes=at), percent=percent)
        for at, percent in ((60, 50), (96, 80))
    ]
    await router.hear(_started(clock), *warned)
    assert await _view(router) == [("warned", "2 business hours", warned[0].occurred_at, None, False)]
    met_at = TUESDAY_MORNING + timedelta(minutes=100)
    await router.hear(
        SlaMet(**clock, occurred_at=met_at, met_at=met_at, recorded_at=met_at, business_seconds_used=6000)
    )
    assert await _view(router) == [("met", "2 business hours", warned[0].occurred_at, met_at, False)]


async def test_news_that_came_late_turns_a_breach_into_met_and_shows_both(router: Router) -> None:
    clock = _clock()
    await router.hear(_started(clock), SlaBreached(**clock, occurred_at=DUE_AT, pact_version=1))
    assert (await _view(router))[0][0] == "breached"
    met_at = DUE_AT - timedelta(minutes=1)
    await router.hear(
        SlaMet(
            **clock,
            occurred_at=met_at,
            met_at=met_at,
            recorded_at=DUE_AT + timedelta(hours=1),
            business_seconds_used=7140,
            was_breached=True,
        )
    )
    assert await _view(router) == [("met", "2 business hours", None, met_at, True)]


async def test_a_clock_that_no_longer_matters_is_cancelled(router: Router) -> None:
    clock = _clock()
    await router.hear(
        _started(clock), SlaCancelled(**clock, occurred_at=TUESDAY_MORNING, reason="lead rejected")
    )
    assert (await _view(router))[0][0] == "cancelled"


async def test_many_clocks_are_shown_side_by_side(router: Router) -> None:
    clocks = [_clock() for _ in range(40)]
    await router.hear(*(_started(clock) for clock in clocks))
    await router.hear(*(SlaWarned(**clock, occurred_at=DUE_AT, percent=80) for clock in clocks[:10]))
    states = [row[0] for row in await _view(router)]
    assert (states.count("warned"), states.count("running")) == (10, 30)


def _clock() -> dict[str, Any]:
    ids = {name: new_id() for name in ("clock_id", "lead_id", "assignment_id")}
    return {**ids, "policy": "first-touch", "rep_id": "ana", "due_at": DUE_AT}


def _started(clock: dict[str, Any]) -> SlaStarted:
    return SlaStarted(
        **clock,
        occurred_at=TUESDAY_MORNING,
        started_at=TUESDAY_MORNING,
        target="2 business hours",
        pact_version=1,
    )


async def _view(router: Router) -> list[tuple[Any, ...]]:
    rows = await router.rows("SELECT state, target, warned_at, ended_at, was_breached FROM clock_view")
    return [tuple(row) for row in rows]
