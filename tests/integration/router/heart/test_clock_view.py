"""The sla-timer's clocks are shown as it announced them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from leadpact.events import (
    SlaBreached,
    SlaCancelled,
    SlaMet,
    SlaMoved,
    SlaOwnerLeft,
    SlaPaused,
    SlaStarted,
    SlaWarned,
)
from leadpact.ids import EventId, new_id
from leadpact_router.clock_view import show_warned
from leadpact_router.news import News
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
    assert await router.value("SELECT warned_percent FROM clock_view") == 80
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


async def test_a_second_warning_that_comes_later_leaves_the_time_of_the_first(router: Router) -> None:
    clock = _clock()
    at = [TUESDAY_MORNING + timedelta(minutes=minutes) for minutes in (60, 96)]
    await router.hear(_started(clock), SlaWarned(**clock, occurred_at=at[0], percent=50))
    await router.hear(SlaWarned(**clock, occurred_at=at[1], percent=80))
    assert await router.rows("SELECT warned_at, warned_percent FROM clock_view") == [(at[0], 80)]


async def test_each_warning_is_kept_with_its_time_and_its_share(router: Router) -> None:
    clock = _clock()
    first, second, last = (TUESDAY_MORNING + timedelta(minutes=minutes) for minutes in (60, 96, 110))
    await router.hear(
        _started(clock),
        SlaWarned(**clock, occurred_at=first, percent=50),
        SlaWarned(**clock, occurred_at=second, percent=80),
    )
    await router.hear(SlaWarned(**clock, occurred_at=last, percent=91, left="10 business minutes left"))
    assert await _warnings(router) == [
        (first, 50, None),
        (second, 80, None),
        (last, 91, "10 business minutes left"),
    ]


async def test_a_share_that_is_warned_about_again_after_the_clock_moved_is_kept_again(router: Router) -> None:
    clock, later = _clock(), DUE_AT + timedelta(days=1)
    await router.hear(_started(clock), SlaWarned(**clock, occurred_at=TUESDAY_MORNING, percent=50))
    moved = clock | {"due_at": later}
    await router.hear(_moved(moved), SlaWarned(**moved, occurred_at=DUE_AT, percent=50))
    assert await _warnings(router) == [(TUESDAY_MORNING, 50, None), (DUE_AT, 50, None)]


async def test_a_warning_that_is_heard_of_again_is_one(router: Router) -> None:
    """The inbox knows an event only for its retention; a dead letter keeps its id for ever."""
    clock = _clock()
    warned = [SlaWarned(**clock, occurred_at=TUESDAY_MORNING, percent=percent) for percent in (50, 80)]
    heard = [News(EventId(new_id()), one) for one in warned]
    await router.hear(_started(clock))
    for batch in (heard, heard[:1], [*heard, *heard]):
        async with router.uow.transaction() as tx:
            await show_warned(tx, batch)
        assert await _warnings(router) == [(TUESDAY_MORNING, 50, None), (TUESDAY_MORNING, 80, None)]
        assert await router.value("SELECT warned_percent FROM clock_view") == 80


async def test_a_warning_that_is_heard_of_late_is_not_lost_and_takes_nothing_back(router: Router) -> None:
    clock = _clock()
    first, second = (TUESDAY_MORNING + timedelta(minutes=minutes) for minutes in (60, 96))
    await router.hear(_started(clock), SlaWarned(**clock, occurred_at=second, percent=80))
    await router.hear(SlaWarned(**clock, occurred_at=first, percent=50))
    assert await router.rows("SELECT warned_at, warned_percent FROM clock_view") == [(first, 80)]
    await router.hear(
        SlaMet(
            **clock,
            occurred_at=second,
            met_at=second,
            recorded_at=second,
            business_seconds_used=5760,
        )
    )
    early = clock | {"due_at": DUE_AT - timedelta(hours=1)}
    await router.hear(SlaWarned(**early, occurred_at=TUESDAY_MORNING, percent=10))
    assert [at for at, _, _ in await _warnings(router)] == [TUESDAY_MORNING, first, second]
    assert (await _state(router))[:2] == ("met", DUE_AT)


async def test_a_warning_that_is_heard_of_after_a_pause_lets_the_clock_stand_still(router: Router) -> None:
    clock, later = _clock(), DUE_AT + timedelta(days=1)
    await router.hear(
        _started(clock),
        SlaPaused(**clock, occurred_at=TUESDAY_MORNING + timedelta(hours=1), because="waiting_for_customer"),
    )
    await router.hear(SlaWarned(**clock, occurred_at=TUESDAY_MORNING, percent=50))
    assert await _state(router) == ("paused", DUE_AT, "waiting_for_customer")
    assert await router.rows("SELECT warned_at, warned_percent FROM clock_view") == [(TUESDAY_MORNING, 50)]
    await router.hear(_moved(clock | {"due_at": later}))
    assert (await _state(router))[:2] == ("warned", later)


async def test_a_warning_that_is_heard_of_after_the_clock_moved_does_not_move_it_back(router: Router) -> None:
    clock, later = _clock(), DUE_AT + timedelta(days=1)
    await router.hear(_started(clock), _moved(clock | {"due_at": later}))
    await router.hear(SlaWarned(**clock, occurred_at=TUESDAY_MORNING, percent=50))
    assert (await _state(router))[:2] == ("warned", later)


async def test_a_clock_that_is_warned_about_after_it_went_on_is_warned(router: Router) -> None:
    clock, later = _clock(), DUE_AT + timedelta(days=1)
    moved = clock | {"due_at": later}
    await router.hear(
        _started(clock),
        SlaPaused(**clock, occurred_at=TUESDAY_MORNING, because="waiting_for_customer"),
        _moved(moved),
        SlaWarned(**moved, occurred_at=DUE_AT, percent=50),
    )
    assert (await _state(router))[:2] == ("warned", later)


async def test_a_clock_pauses_and_goes_on_with_another_due_time(router: Router) -> None:
    clock, later = _clock(), DUE_AT + timedelta(days=1)
    await router.hear(_started(clock))
    await router.hear(SlaPaused(**clock, occurred_at=TUESDAY_MORNING, because="waiting_for_customer"))
    assert await _state(router) == ("paused", DUE_AT, "waiting_for_customer")
    moved = clock | {"due_at": later}
    await router.hear(_moved(moved))
    assert (await _state(router))[:2] == ("running", later)
    await router.hear(SlaWarned(**moved, occurred_at=later, percent=50))
    await router.hear(SlaPaused(**moved, occurred_at=later, because="waiting_for_customer"))
    last = later + timedelta(days=1)
    await router.hear(_moved(clock | {"due_at": last}))
    assert (await _state(router))[:2] == ("warned", last)


async def test_a_clock_that_is_moved_while_it_stands_still_stands_still(router: Router) -> None:
    clock, later = _clock(), DUE_AT + timedelta(days=1)
    await router.hear(_started(clock))
    await router.hear(SlaPaused(**clock, occurred_at=TUESDAY_MORNING, because="waiting_for_customer"))
    await router.hear(_moved(clock | {"due_at": later}, target="1 business day", is_paused=True))
    assert await router.rows("SELECT state, due_at, target FROM clock_view") == [
        ("paused", later, "1 business day")
    ]


@pytest.mark.parametrize("whose", ["team", "customer"])
async def test_a_clock_that_is_nobodys_in_particular_goes_through_all_its_states(
    router: Router, whose: str
) -> None:
    clock = _clock() | {"assignment_id": None, "rep_id": None, "whose": whose}
    at = {"occurred_at": TUESDAY_MORNING}
    for event, state in (
        (_started(clock), "running"),
        (SlaWarned(**clock, **at, percent=50), "warned"),
        (SlaPaused(**clock, **at, because="snoozed"), "paused"),
        (_moved(clock), "warned"),
        (SlaBreached(**clock, **at, pact_version=1), "breached"),
        (
            SlaMet(
                **clock,
                **at,
                met_at=TUESDAY_MORNING,
                recorded_at=DUE_AT,
                business_seconds_used=1,
                was_breached=True,
                give_back=True,
            ),
            "met",
        ),
        (SlaCancelled(**clock, **at, reason="lead rejected"), "cancelled"),
    ):
        await router.hear(event)
        assert await router.rows("SELECT state, whose, assignment_id, rep_id FROM clock_view") == [
            (state, whose, None, None)
        ]


async def test_a_clock_whose_owner_left_is_cancelled(router: Router) -> None:
    clock = _clock()
    left = SlaOwnerLeft(**clock, occurred_at=TUESDAY_MORNING, away_until=DUE_AT, pact_version=1)
    await router.hear(_started(clock), left)
    assert (await _state(router))[0] == "cancelled"


async def test_every_event_that_can_move_a_clock_tells_when_it_is_due(router: Router) -> None:
    for event, more in (
        (SlaStarted, {"started_at": TUESDAY_MORNING, "target": "2 business hours", "pact_version": 1}),
        (SlaPaused, {"because": "snoozed"}),
        (
            SlaMoved,
            {"due_before": DUE_AT, "because": "resumed", "target": "2 business hours", "pact_version": 1},
        ),
        (SlaBreached, {"pact_version": 1}),
        (SlaOwnerLeft, {"away_until": DUE_AT, "pact_version": 1}),
        (SlaCancelled, {"reason": "lead rejected"}),
        (SlaMet, {"met_at": DUE_AT, "recorded_at": DUE_AT, "business_seconds_used": 1}),
    ):
        clock, later = _clock(), DUE_AT + timedelta(hours=1)
        if event is not SlaStarted:
            await router.hear(_started(clock))
        await router.hear(event(**clock | {"due_at": later}, occurred_at=TUESDAY_MORNING, **more))
        due_at = await router.value(
            "SELECT due_at FROM clock_view WHERE clock_id = :id", id=clock["clock_id"]
        )
        assert due_at == later, event


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


def _moved(clock: dict[str, Any], *, target: str = "2 business hours", is_paused: bool = False) -> SlaMoved:
    return SlaMoved(
        **clock,
        occurred_at=TUESDAY_MORNING,
        due_before=DUE_AT,
        because="lead resumed",
        target=target,
        pact_version=1,
        is_paused=is_paused,
    )


async def _state(router: Router) -> tuple[Any, ...]:
    (row,) = await router.rows("SELECT state, due_at, paused_because FROM clock_view")
    return tuple(row)


async def _warnings(router: Router) -> list[tuple[Any, ...]]:
    rows = await router.rows(
        'SELECT warned_at, percent, "left" FROM clock_warning ORDER BY warned_at, percent'
    )
    return [tuple(row) for row in rows]


async def _view(router: Router) -> list[tuple[Any, ...]]:
    rows = await router.rows("SELECT state, target, warned_at, ended_at, was_breached FROM clock_view")
    return [tuple(row) for row in rows]
