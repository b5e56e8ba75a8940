"""What pauses, absences and quiet hours do to a clock: tables of spans and moments."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from leadpact.events import Away, SlaBreached, SlaMoved, SlaOwnerLeft, SlaPaused, SlaStarted, SlaWarned
from leadpact_sla_timer import announce
from leadpact_sla_timer.fire import fire
from leadpact_sla_timer.judge import judge
from leadpact_sla_timer.record import Heard, Known, Paused
from leadpact_sla_timer.schedule import OWNER_AWAY, with_absences
from leadpact_sla_timer.sla_clock import ClockState, SlaClock, Warn
from tests.support.clocks import DUE, HOUR, MINUTE, clock, promising
from tests.support.fake_clock import TUESDAY_MORNING as START

WAITING = "waiting_for_customer"
PACT = promising(
    f"first_touch_within: 2 business hours, calendar: pool, warn_at: [50%, 80%], pause_while: [{WAITING}]"
)
NOW = START + 30 * MINUTE


def pause(from_: timedelta, to: timedelta | None = None, because: str = WAITING) -> Paused:
    return Paused(START + from_, START + to if to is not None else None, because)


def judged(before: SlaClock, *pauses: Paused, **done: timedelta) -> SlaClock:
    facts = {what: Heard(what, START + at, START + at) for what, at in done.items()}
    return judge(before, Known(facts, (), pauses), NOW, PACT)  # type: ignore[arg-type]  # the tests name the words of `stops`


def test_a_clock_stands_still_until_it_is_resumed_and_then_has_what_was_left() -> None:
    stopped = judged(clock(), pause(30 * MINUTE))
    assert (stopped.state, stopped.next_at) == (ClockState.PAUSED, None)
    assert isinstance(announce.change(clock(), stopped, NOW, PACT), SlaPaused)

    resumed = judged(stopped, pause(30 * MINUTE, 5 * HOUR))
    assert (resumed.state, resumed.due_at) == (ClockState.RUNNING, START + 6.5 * HOUR)
    assert resumed.next_at == START + 5.5 * HOUR  # half of it is used
    said = announce.change(stopped, resumed, NOW, PACT)
    assert isinstance(said, SlaMoved)
    assert (said.due_before, said.due_at, said.because) == (DUE, START + 6.5 * HOUR, "resumed")


def test_a_pause_whose_end_is_known_moves_the_due_time_at_once() -> None:
    moved = judged(clock(), pause(30 * MINUTE, 2 * HOUR))
    assert (moved.state, moved.due_at) == (ClockState.RUNNING, DUE + 1.5 * HOUR)
    said = announce.change(clock(), moved, NOW, PACT)
    assert isinstance(said, SlaMoved)
    assert said.because == WAITING


def test_what_is_not_a_pause_of_this_promise_changes_nothing() -> None:
    assert judged(clock(), pause(30 * MINUTE, because="on_hold")) == clock()


def test_a_clock_that_had_been_due_before_the_pause_is_not_saved_by_it() -> None:
    overdue = judged(clock(), pause(3 * HOUR))
    assert (overdue.state, overdue.due_at) == (ClockState.RUNNING, DUE)


def test_a_breach_is_not_undone_by_a_pause_heard_of_later() -> None:
    breached = clock(state=ClockState.BREACHED, next_at=None, breached_at=DUE)
    assert judged(breached, pause(30 * MINUTE)) == breached


def test_what_is_done_while_the_clock_stands_still_is_in_time_and_stays_so() -> None:
    stopped = judged(clock(), pause(30 * MINUTE))
    met = judged(stopped, pause(30 * MINUTE), contacted=9 * HOUR)
    assert (met.state, met.met_at) == (ClockState.MET, START + 9 * HOUR)
    assert (met.elapsed_seconds, met.business_seconds) == (9 * 3600, 30 * 60)
    assert judged(met, pause(30 * MINUTE), contacted=9 * HOUR) == met
    assert judged(met, pause(30 * MINUTE), contacted=9 * HOUR, accepted=HOUR) == met


@pytest.mark.parametrize(
    ("away", "due_after"),
    [
        ((), 2 * HOUR),
        ((HOUR, 2 * HOUR), 3 * HOUR),
        ((timedelta(0), HOUR), 2.5 * HOUR),  # heard of at 09:30: the half hour before counts
        ((-5 * HOUR, 20 * MINUTE), 2 * HOUR),  # over before it was heard of
    ],
)
def test_an_absence_counts_from_when_it_is_heard_of(
    away: tuple[timedelta, timedelta] | tuple[()], due_after: timedelta
) -> None:
    pact = promising("first_touch_within: 2 business hours, calendar: pool, owner_away: pause")
    absences = [Away(starts_at=START + away[0], ends_at=START + away[1])] if away else []
    assert with_absences(clock(warnings=()), absences, pact, NOW).due_at == START + due_after


def test_who_comes_back_early_has_the_rest_of_the_time() -> None:
    pact = promising("first_touch_within: 2 business hours, calendar: pool, owner_away: pause")
    absence = Away(starts_at=START + HOUR, ends_at=START + 7 * HOUR)
    gone = with_absences(clock(warnings=()), [absence], pact, START + 30 * MINUTE)
    back = with_absences(gone, [], pact, START + 3 * HOUR)
    assert back.due_at == START + 4 * HOUR
    assert back.pauses == (Paused(START + HOUR, START + 3 * HOUR, OWNER_AWAY),)


def test_an_owner_who_leaves_before_the_clock_is_due_has_breached_nothing() -> None:
    leaving = clock(leaves_at=START + HOUR, away_until=START + 9 * HOUR, next_at=START + HOUR)
    fired = fire(leaving, START + 5 * HOUR, PACT)  # found late, after an outage
    assert isinstance(fired.event, SlaOwnerLeft)
    assert (fired.event.occurred_at, fired.event.away_until) == (START + HOUR, START + 9 * HOUR)
    assert (fired.clock.state, fired.clock.ended_because) == (ClockState.CANCELLED, OWNER_AWAY)
    # What the router then does with the lead ends the clock no second time, and a call made before counts.
    taken = Known({}, ended=Heard("reassigned", START + 5 * HOUR, START + 5 * HOUR))
    assert judge(fired.clock, taken, START + 5 * HOUR, PACT) == fired.clock
    called = Known({"contacted": Heard("contacted", START + 20 * MINUTE, START + 6 * HOUR)})
    assert judge(fired.clock, called, START + 6 * HOUR, PACT).state is ClockState.MET


def test_an_owner_who_leaves_after_the_clock_was_due_has_missed_it() -> None:
    late = clock(leaves_at=DUE + HOUR, away_until=DUE + 9 * HOUR)
    assert isinstance(fire(late, DUE + 2 * HOUR, PACT).event, SlaBreached)


def test_a_clock_starts_at_its_turn() -> None:
    waiting = clock(state=ClockState.WAITING, next_at=START, released_at_pace=True)
    fired = fire(waiting, START + MINUTE, PACT)
    assert isinstance(fired.event, SlaStarted)
    assert fired.event.released_at_pace
    assert (fired.clock.state, fired.clock.next_at) == (ClockState.RUNNING, START + HOUR)


def test_a_clock_whose_lead_was_paused_before_its_turn_starts_and_stands_still() -> None:
    waiting = clock(
        state=ClockState.WAITING,
        started_at=START + HOUR,
        due_at=DUE + HOUR,
        next_at=START + HOUR,
        pauses=(pause(MINUTE),),
    )
    started = fire(waiting, START + HOUR, PACT)
    assert isinstance(started.event, SlaStarted)
    assert started.clock.next_at == START + HOUR
    paused = fire(started.clock, START + HOUR, PACT)
    assert isinstance(paused.event, SlaPaused)
    assert paused.event.occurred_at == START + HOUR
    assert (paused.clock.state, paused.clock.next_at) == (ClockState.PAUSED, None)


def test_what_is_done_after_a_turn_that_no_sweep_has_seen_is_measured_from_the_turn() -> None:
    waiting = clock(state=ClockState.WAITING, next_at=START)
    met = judged(waiting, contacted=HOUR)
    assert (met.state, met.started_at, met.elapsed_seconds) == (ClockState.MET, START, 3600)
    late = judged(waiting, contacted=5 * HOUR)
    assert (late.state, late.started_at, late.elapsed_seconds) == (ClockState.BREACHED, START, 5 * 3600)


def test_what_is_done_before_its_turn_meets_a_clock_at_once() -> None:
    waiting = clock(state=ClockState.WAITING, started_at=START + 5 * HOUR, next_at=START + 5 * HOUR)
    met = judged(waiting, contacted=HOUR)
    assert (met.state, met.elapsed_seconds, met.met_at) == (ClockState.MET, 0, START + HOUR)
    assert judged(met, contacted=HOUR) == met


QUIET = promising(
    "first_touch_within: 24 hours, warn_at: [50%]",
    alerts='quiet: "20:00-07:00", quiet_days: [sun]',
)
NIGHT = START + 12 * HOUR  # Tuesday 21:00


def test_a_warning_in_quiet_hours_comes_when_they_end() -> None:
    day = clock(
        target="24 hours",
        target_seconds=86_400,
        due_at=START + 24 * HOUR,
        warnings=(Warn(50, NIGHT),),
        next_at=NIGHT,
    )
    held_back = fire(day, NIGHT, QUIET)
    assert held_back.event is None
    assert held_back.clock == replace(day, next_at=START + 22 * HOUR)  # Wednesday 07:00
    told = fire(held_back.clock, START + 22 * HOUR, QUIET)
    assert isinstance(told.event, SlaWarned)
    assert told.clock.next_at == day.due_at


def test_a_warning_is_dropped_if_the_clock_is_due_before_people_may_be_told() -> None:
    night = clock(due_at=NIGHT + HOUR, warnings=(Warn(50, NIGHT),), next_at=NIGHT)
    held_back = fire(night, NIGHT, QUIET)
    assert (held_back.event, held_back.clock.next_at) == (None, NIGHT + HOUR)
    assert isinstance(fire(held_back.clock, NIGHT + HOUR, QUIET).event, SlaBreached)


@pytest.mark.parametrize(
    ("now", "alert_at"),
    [
        (START + 3 * HOUR, None),
        (NIGHT, START + 22 * HOUR),
        (START + timedelta(days=4, hours=3), None),  # Saturday noon
        (
            START + timedelta(days=4, hours=12),
            START + timedelta(days=5, hours=22),
        ),  # Saturday night: Monday 07:00
    ],
)
def test_a_breach_is_announced_at_once_and_says_when_people_may_be_told(
    now: object, alert_at: object
) -> None:
    fired = fire(clock(), now, QUIET)  # type: ignore[arg-type]  # a parameter of the table
    assert isinstance(fired.event, SlaBreached)
    assert fired.event.alert_at == alert_at
