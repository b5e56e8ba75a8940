"""Clocks open on assignment, close on feedback, warn, breach once, and believe what happened over when it was heard."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leadpact.events import LeadAssigned, SlaBreached, SlaCancelled, SlaMet, SlaStarted, SlaWarned
from leadpact.ids import new_id
from leadpact_sla_timer.sla_clock import ClockState
from tests.integration.sla_timer.conftest import Timer
from tests.support.announced import announced_messages
from tests.support.assignments import (
    PACT,
    TWO_PROMISES,
    accepted,
    assigned,
    contacted,
    facts,
    held,
    reassigned,
    rejected,
)
from tests.support.fake_clock import TUESDAY_MORNING

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
DUE = TUESDAY_MORNING + 2 * HOUR


async def test_an_assignment_opens_a_clock_and_says_until_when(timer: Timer) -> None:
    lead = assigned()
    await timer.hear(lead)

    clock = await timer.only_clock()
    assert (clock.state, clock.started_at, clock.due_at) == (ClockState.RUNNING, TUESDAY_MORNING, DUE)
    assert clock.next_at == TUESDAY_MORNING + HOUR  # the warning at 50 %
    (started,) = await timer.said(SlaStarted)
    assert (started.due_at, started.target, started.pact_version) == (DUE, "2 business hours", 1)
    assert (started.lead_id, started.assignment_id, started.rep_id) == (
        lead.lead_id,
        lead.assignment_id,
        "ana",
    )


async def test_what_the_timer_says_names_the_event_that_caused_it(timer: Timer) -> None:
    await timer.hear(assigned())

    heard, said = await announced_messages(timer.database.engine)
    assert said.causation_id == heard.id


async def test_a_lead_that_no_promise_speaks_of_has_no_clock(timer: Timer) -> None:
    await timer.hear(assigned(lead=facts(intent="whitepaper")))

    assert await timer.clocks() == []
    assert await timer.said(SlaStarted) == []


async def test_contact_in_time_meets_the_clock_and_says_how_long_it_took(timer: Timer) -> None:
    lead = assigned()
    await timer.hear(lead, contacted(lead, TUESDAY_MORNING + 45 * MINUTE))

    clock = await timer.only_clock()
    assert (clock.state, clock.met_by, clock.next_at) == (ClockState.MET, "contacted", None)
    (met,) = await timer.said(SlaMet)
    assert (met.business_seconds_used, met.was_breached) == (45 * 60, False)
    timer.clock.set(DUE + HOUR)
    await timer.sweep()
    assert await timer.said(SlaBreached) == []


async def test_contact_at_the_very_moment_that_is_due_is_in_time(timer: Timer) -> None:
    lead = assigned()
    await timer.hear(lead, contacted(lead, DUE))

    assert (await timer.only_clock()).state is ClockState.MET


async def test_warnings_come_when_their_share_is_used_and_the_breach_at_the_end(timer: Timer) -> None:
    await timer.hear(assigned())

    said = []
    for minutes in (59, 60, 61, 96, 119):
        timer.clock.set(TUESDAY_MORNING + minutes * MINUTE)
        await timer.sweep()
        said.append([warning.percent for warning in await timer.said(SlaWarned)])
    assert said == [[], [50], [50], [50, 80], [50, 80]]
    assert await timer.said(SlaBreached) == []

    timer.clock.set(DUE)
    await timer.sweep()
    (breached,) = await timer.said(SlaBreached)
    assert (breached.due_at, breached.occurred_at) == (DUE, DUE)
    assert (breached.reassign_at_most, breached.escalate_to, breached.pact_version) == (3, "boss", 1)


async def test_after_an_outage_the_breach_is_announced_without_the_warnings_it_overtook(timer: Timer) -> None:
    await timer.hear(assigned())

    timer.clock.set(DUE + 5 * HOUR)
    await timer.sweep()
    await timer.sweep()

    assert [breach.due_at for breach in await timer.said(SlaBreached)] == [DUE]
    assert await timer.said(SlaWarned) == []


async def test_late_news_of_a_contact_in_time_voids_the_breach_and_keeps_both_times(timer: Timer) -> None:
    lead = assigned()
    await timer.hear(lead)
    timer.clock.set(DUE + SECOND)
    await timer.sweep()

    touched_at, heard_at = DUE - MINUTE, DUE + 30 * MINUTE
    timer.clock.set(heard_at)
    await timer.hear(contacted(lead, touched_at, recorded_at=heard_at))

    clock = await timer.only_clock()
    assert (clock.state, clock.was_breached, clock.breached_at) == (ClockState.MET, True, DUE + SECOND)
    assert (clock.met_at, clock.recorded_at) == (touched_at, heard_at)
    (met,) = await timer.said(SlaMet)
    assert (met.was_breached, met.met_at, met.recorded_at) == (True, touched_at, heard_at)
    assert len(await timer.said(SlaBreached)) == 1


async def test_a_breached_clock_is_measured_until_the_lead_is_really_touched(timer: Timer) -> None:
    lead = assigned()
    await timer.hear(lead)
    timer.clock.set(DUE)
    await timer.sweep()

    await timer.hear(
        contacted(lead, TUESDAY_MORNING + 24 * HOUR)
    )  # Wednesday 09:00: eight business hours later

    clock = await timer.only_clock()
    assert (clock.state, clock.met_at) == (ClockState.BREACHED, TUESDAY_MORNING + 24 * HOUR)
    assert (clock.business_seconds, clock.elapsed_seconds) == (8 * 3600, 24 * 3600)
    assert await timer.said(SlaMet) == []
    assert len(await timer.said(SlaBreached)) == 1


async def test_contact_too_late_is_a_breach_even_when_no_sweep_came_before_it(timer: Timer) -> None:
    lead = assigned()
    await timer.hear(lead)
    timer.clock.set(DUE + HOUR)
    await timer.hear(contacted(lead, DUE + MINUTE))
    await timer.sweep()

    clock = await timer.only_clock()
    assert (clock.state, clock.met_at) == (ClockState.BREACHED, DUE + MINUTE)
    assert len(await timer.said(SlaBreached)) == 1


async def test_two_reports_of_a_touch_count_as_the_earlier(timer: Timer) -> None:
    lead = assigned()
    await timer.hear(lead)
    timer.clock.set(DUE)
    await timer.sweep()
    await timer.hear(contacted(lead, DUE + HOUR), contacted(lead, DUE + 2 * HOUR))

    assert (await timer.only_clock()).met_at == DUE + HOUR


async def test_a_contact_dated_ahead_counts_from_when_it_was_heard(timer: Timer) -> None:
    lead = assigned()
    heard_at = TUESDAY_MORNING + HOUR
    await timer.hear(lead, contacted(lead, DUE + HOUR, recorded_at=heard_at))

    clock = await timer.only_clock()
    assert (clock.state, clock.met_at) == (ClockState.MET, heard_at)


async def test_feedback_heard_before_the_assignment_waits_for_it(timer: Timer) -> None:
    lead = assigned()
    await timer.hear(contacted(lead, TUESDAY_MORNING + MINUTE))
    assert await timer.clocks() == []

    await timer.hear(lead)
    clock = await timer.only_clock()
    assert (clock.state, clock.business_seconds) == (ClockState.MET, 60)
    assert len(await timer.said(SlaMet)) == 1


async def test_a_lead_that_was_contacted_before_it_was_assigned_is_met_at_once(timer: Timer) -> None:
    lead = assigned()
    await timer.hear(contacted(lead, TUESDAY_MORNING - HOUR), lead)

    (met,) = await timer.said(SlaMet)
    assert (met.business_seconds_used, met.met_at) == (0, TUESDAY_MORNING)
    assert len(await timer.said(SlaStarted)) == 1


async def test_a_rejection_stops_every_clock_of_the_lead(timer: Timer) -> None:
    version = await timer.apply_pact(TWO_PROMISES)
    lead = assigned(pact_version=version)
    await timer.hear(lead, rejected(lead, TUESDAY_MORNING + MINUTE))
    timer.clock.set(DUE + HOUR)
    await timer.sweep()

    assert [clock.state for clock in await timer.clocks()] == [ClockState.CANCELLED] * 2
    cancelled = await timer.said(SlaCancelled)
    assert [(one.policy, one.reason) for one in cancelled] == [
        ("first-touch", "rejected: no_budget"),
        ("acceptance", "rejected: no_budget"),
    ]
    assert await timer.said(SlaBreached) == []


async def test_a_rejection_in_time_that_is_heard_late_voids_the_breach(timer: Timer) -> None:
    lead = assigned()
    await timer.hear(lead)
    timer.clock.set(DUE)
    await timer.sweep()
    await timer.hear(rejected(lead, DUE - MINUTE, recorded_at=DUE + HOUR))

    (cancelled,) = await timer.said(SlaCancelled)
    assert cancelled.was_breached


async def test_a_rejection_after_the_time_was_up_leaves_the_breach(timer: Timer) -> None:
    lead = assigned()
    await timer.hear(lead)
    timer.clock.set(DUE + HOUR)
    await timer.hear(rejected(lead, DUE + MINUTE))
    await timer.sweep()

    assert (await timer.only_clock()).state is ClockState.BREACHED
    assert len(await timer.said(SlaBreached)) == 1
    assert await timer.said(SlaCancelled) == []


async def test_acceptance_stops_only_the_promise_that_asks_for_it(timer: Timer) -> None:
    version = await timer.apply_pact(TWO_PROMISES)
    lead = assigned(pact_version=version)
    await timer.hear(lead, accepted(lead, TUESDAY_MORNING + MINUTE))

    states = {clock.policy: clock.state for clock in await timer.clocks()}
    assert states == {"first-touch": ClockState.RUNNING, "acceptance": ClockState.MET}


async def test_several_promises_are_met_and_missed_each_on_its_own(timer: Timer) -> None:
    version = await timer.apply_pact(TWO_PROMISES)
    lead = assigned(pact_version=version)
    await timer.hear(lead)
    timer.clock.set(TUESDAY_MORNING + HOUR)
    await timer.sweep()
    await timer.hear(contacted(lead, TUESDAY_MORNING + 90 * MINUTE))

    states = {clock.policy: clock.state for clock in await timer.clocks()}
    assert states == {"first-touch": ClockState.MET, "acceptance": ClockState.BREACHED}
    assert [breach.policy for breach in await timer.said(SlaBreached)] == ["acceptance"]


async def test_an_owner_who_lost_the_lead_while_nobody_was_free_misses_nothing_more(timer: Timer) -> None:
    version = await timer.apply_pact(TWO_PROMISES)
    lead = assigned(pact_version=version)
    await timer.hear(lead)
    timer.clock.set(TUESDAY_MORNING + HOUR)
    await timer.sweep()
    await timer.hear(held(TUESDAY_MORNING + HOUR + SECOND, lead))
    timer.clock.set(DUE + HOUR)
    await timer.sweep()

    states = {clock.policy: clock.state for clock in await timer.clocks()}
    assert states == {"first-touch": ClockState.CANCELLED, "acceptance": ClockState.BREACHED}
    assert [breach.policy for breach in await timer.said(SlaBreached)] == ["acceptance"]


async def test_a_new_owner_gets_a_fresh_clock_and_the_old_one_ends(timer: Timer) -> None:
    first = assigned()
    second = reassigned(TUESDAY_MORNING + HOUR, first, reason="Ana is ill")
    await timer.hear(first, second)

    old, new = await timer.clocks()
    assert (old.state, old.ended_because) == (ClockState.CANCELLED, "reassigned: Ana is ill")
    assert (new.state, new.rep_id, new.due_at) == (ClockState.RUNNING, "ben", TUESDAY_MORNING + 3 * HOUR)


async def test_a_breach_and_the_reassignment_it_caused_are_both_on_record(timer: Timer) -> None:
    first = assigned()
    await timer.hear(first)
    timer.clock.set(DUE)
    await timer.sweep()
    await timer.hear(reassigned(DUE + SECOND, first))

    old, new = await timer.clocks()
    assert (old.state, new.state) == (ClockState.BREACHED, ClockState.RUNNING)
    assert new.due_at == DUE + SECOND + 2 * HOUR


async def test_an_earlier_owner_who_had_called_in_time_meets_the_clocks_of_all_who_came_after(
    timer: Timer,
) -> None:
    first = assigned()
    await timer.hear(first)
    timer.clock.set(DUE)
    await timer.sweep()
    second = reassigned(DUE + SECOND, first)
    await timer.hear(second)
    timer.clock.set(DUE + 3 * HOUR)
    await timer.sweep()
    third = reassigned(DUE + 3 * HOUR, second, rep_id="cem")
    await timer.hear(third)

    await timer.hear(contacted(first, DUE - MINUTE, recorded_at=DUE + 4 * HOUR))

    assert [(clock.state, clock.was_breached) for clock in await timer.clocks()] == [
        (ClockState.MET, True),
        (ClockState.MET, True),
        (ClockState.MET, False),
    ]
    used = [met.business_seconds_used for met in await timer.said(SlaMet)]
    assert used == [119 * 60, 0, 0]


async def test_what_an_earlier_owner_does_after_losing_the_lead_does_not_count_for_the_new_one(
    timer: Timer,
) -> None:
    first = assigned()
    second = reassigned(TUESDAY_MORNING + HOUR, first)
    await timer.hear(first, second, contacted(first, TUESDAY_MORNING + 2 * HOUR))

    assert (await timer.clocks())[1].state is ClockState.RUNNING


async def test_a_lead_that_is_assigned_anew_is_not_met_by_the_contact_of_an_earlier_cycle(
    timer: Timer,
) -> None:
    first = assigned()
    await timer.hear(first, contacted(first, TUESDAY_MORNING + MINUTE))
    again = assigned(TUESDAY_MORNING + HOUR, lead=first.lead)
    await timer.hear(again)

    assert [clock.state for clock in await timer.clocks()] == [ClockState.MET, ClockState.RUNNING]


async def test_the_next_owner_has_a_clock_though_the_database_s_clock_was_set_back_before_they_were(
    timer: Timer,
) -> None:
    first = assigned(owner_number=1)
    set_back_to = TUESDAY_MORNING - HOUR
    again = assigned(
        set_back_to, lead=first.lead.model_copy(update={"received_at": set_back_to}), owner_number=2
    )
    await timer.hear(first, rejected(first, TUESDAY_MORNING + MINUTE))
    await timer.hear(again)
    assert {clock.assignment_id: clock.state for clock in await timer.clocks()} == {
        first.assignment_id: ClockState.CANCELLED,
        again.assignment_id: ClockState.RUNNING,
    }
    assert [said.reason for said in await timer.said(SlaCancelled)] == ["rejected: no_budget"]


async def test_who_is_handed_the_lead_after_the_clock_was_set_back_has_a_clock_and_who_had_it_has_none(
    timer: Timer,
) -> None:
    first = assigned(owner_number=1)
    await timer.hear(first)
    await timer.hear(reassigned(TUESDAY_MORNING - HOUR, first, owner_number=2))
    assert {clock.rep_id: clock.state for clock in await timer.clocks()} == {
        "ana": ClockState.CANCELLED,
        "ben": ClockState.RUNNING,
    }


async def test_an_assignment_that_is_replayed_after_the_next_one_does_not_end_it(timer: Timer) -> None:
    first = assigned()
    second = reassigned(TUESDAY_MORNING + HOUR, first)
    await timer.hear(second)
    await timer.hear(first)

    states = {clock.rep_id: clock.state for clock in await timer.clocks()}
    assert states == {"ben": ClockState.RUNNING, "ana": ClockState.CANCELLED}


async def test_events_that_are_delivered_twice_change_nothing(timer: Timer) -> None:
    lead = assigned()
    await timer.hear(lead, contacted(lead, TUESDAY_MORNING + MINUTE))
    before = await announced_messages(timer.database.engine)
    clocks = await timer.clocks()

    await timer.hear(lead, contacted(lead, TUESDAY_MORNING + MINUTE))  # other events with the same content
    async with timer.uow.transaction() as tx:
        await tx.connection.exec_driver_sql(
            "UPDATE log_cursor SET xid = '0', id = 0"
        )  # and all of them once more
    await timer.read()

    said = (await announced_messages(timer.database.engine))[len(before) :]
    assert [message.type for message in said if message.topic == "leadpact.sla"] == []
    assert await timer.clocks() == clocks


async def test_a_burst_of_leads_in_one_transaction_opens_one_clock_each(timer: Timer) -> None:
    leads = [assigned() for _ in range(500)]
    touched = [contacted(lead, TUESDAY_MORNING + MINUTE) for lead in leads[::2]]
    await timer.hear(*leads, *touched)

    states = [clock.state for clock in await timer.clocks()]
    assert (states.count(ClockState.RUNNING), states.count(ClockState.MET)) == (250, 250)
    assert (len(await timer.said(SlaStarted)), len(await timer.said(SlaMet))) == (500, 250)


async def test_a_running_clock_keeps_the_pact_version_it_started_under(timer: Timer) -> None:
    lead = assigned()
    await timer.hear(lead)
    version = await timer.apply_pact(PACT.replace("2 business hours", "4 business hours"))
    await timer.hear(assigned(pact_version=version))
    await timer.hear(contacted(lead, TUESDAY_MORNING + HOUR))

    old, new = await timer.clocks()
    assert (old.target, old.due_at, old.business_seconds) == ("2 business hours", DUE, 3600)
    assert (new.target, new.due_at) == ("4 business hours", TUESDAY_MORNING + 4 * HOUR)


async def test_one_event_of_an_unknown_pact_version_does_not_sink_the_others(timer: Timer) -> None:
    leads = [assigned(), assigned(pact_version=99), assigned()]
    await timer.hear(*leads)

    assert {clock.lead_id for clock in await timer.clocks()} == {leads[0].lead_id, leads[2].lead_id}


@pytest.mark.parametrize(
    ("calendar", "given_at", "due_at"),
    [
        # Friday evening before Europe's clocks go forward: Monday 09:00 is two UTC hours before, not one.
        ("berlin", datetime(2026, 3, 27, 20, tzinfo=UTC), datetime(2026, 3, 30, 9, tzinfo=UTC)),
        ("berlin", datetime(2026, 10, 23, 20, tzinfo=UTC), datetime(2026, 10, 26, 10, tzinfo=UTC)),
        ("new-york", datetime(2026, 3, 6, 23, tzinfo=UTC), datetime(2026, 3, 9, 15, tzinfo=UTC)),
        ("new-york", datetime(2026, 10, 30, 22, tzinfo=UTC), datetime(2026, 11, 2, 16, tzinfo=UTC)),
    ],
)
async def test_a_clock_over_the_weekend_on_which_the_clocks_change_is_due_by_the_wall_of_its_zone(
    timer: Timer, calendar: str, given_at: datetime, due_at: datetime
) -> None:
    timer.clock.set(given_at)
    await timer.hear(assigned(given_at, pool_calendar=calendar))
    assert (await timer.only_clock()).due_at == due_at

    timer.clock.set(due_at - SECOND)
    await timer.sweep()
    assert await timer.said(SlaBreached) == []
    timer.clock.set(due_at)
    await timer.sweep()
    assert len(await timer.said(SlaBreached)) == 1


async def test_a_reassignment_within_one_batch_finds_the_chain_it_belongs_to(timer: Timer) -> None:
    first = assigned()
    chain: list[LeadAssigned] = [first]
    for hop in range(1, 4):
        chain.append(reassigned(TUESDAY_MORNING + hop * MINUTE, chain[-1], rep_id=f"rep{hop}"))
    await timer.hear(*chain, contacted(first, TUESDAY_MORNING))

    assert {clock.state for clock in await timer.clocks()} == {ClockState.MET}


async def test_feedback_on_an_assignment_nobody_knows_is_kept_and_harms_nobody(timer: Timer) -> None:
    lead = assigned()
    stranger = lead.model_copy(update={"assignment_id": new_id(), "lead_id": new_id()})
    await timer.hear(lead, contacted(stranger, TUESDAY_MORNING + MINUTE))

    assert (await timer.only_clock()).state is ClockState.RUNNING
