"""Webhooks reach their receiver at least once, signed, in order per lead, and stop when they should."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from leadpact.errors import Conflict
from leadpact.events import (
    LeadAccepted,
    LeadAssigned,
    LeadHeld,
    RepAbsencesChanged,
    RepReturned,
    RepTakenOffline,
    SlaBreached,
)
from leadpact_router.webhooks.claim import AT_ONCE_PER_ENDPOINT, ORDERED_ATTEMPTS
from leadpact_router.webhooks.http import webhook_client
from leadpact_router.webhooks.read import read_endpoint
from leadpact_router.webhooks.registry import (
    disable_endpoint,
    enable_endpoint,
    replay_one,
    replay_since,
    rotate_secret,
    send_test,
)
from leadpact_router.webhooks.schedule import STANDARD_STEPS
from tests.integration.router.webhooks.conftest import Webhooks
from tests.support.event_examples import EXAMPLES
from tests.support.webhook_receiver import Received

ASSIGNED = EXAMPLES[LeadAssigned]
HELD = EXAMPLES[LeadHeld]
BREACHED = EXAMPLES[SlaBreached]
ACCEPTED = EXAMPLES[LeadAccepted]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
NO = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
LONG = timedelta(days=2)


def assigned(lead: UUID) -> LeadAssigned:
    assert isinstance(ASSIGNED, LeadAssigned)
    return ASSIGNED.model_copy(update={"lead_id": lead})


def kinds(received: list[Received]) -> list[str]:
    return [json.loads(one.body)["type"] for one in received]


# ---- what is sent ----------------------------------------------------------------------------------------------------


async def test_news_of_a_rep_are_sent_as_well(webhooks: Webhooks) -> None:
    """They are keyed by the rep; only one of them is about a lead."""
    await webhooks.endpoint(events=("rep.absences_changed", "rep.returned", "rep.taken_offline"))
    news = [EXAMPLES[kind] for kind in (RepTakenOffline, RepReturned, RepAbsencesChanged)]
    await webhooks.announce(*news)
    await webhooks.deliver()
    assert sorted(kinds(webhooks.zoo.received)) == [
        "rep.absences_changed",
        "rep.returned",
        "rep.taken_offline",
    ]
    assert {json.loads(one.body)["data"]["rep_id"] for one in webhooks.zoo.received} == {"ana"}


async def test_the_reference_library_accepts_what_a_receiver_gets(webhooks: Webhooks) -> None:
    endpoint = await webhooks.endpoint()
    await webhooks.announce(ASSIGNED)
    await webhooks.deliver()
    [request] = webhooks.zoo.received
    data = Webhook(webhooks.secrets[endpoint]).verify(request.body, request.headers)
    assert data["type"] == "lead.assigned"
    assert data["data"]["rep_name"] == "Ana Ruiz"
    assert await webhooks.states() == ["delivered"]


async def test_only_the_events_that_an_endpoint_asked_for_reach_it(webhooks: Webhooks) -> None:
    await webhooks.endpoint("/200", events=("sla.breached",))
    await webhooks.endpoint("/204", events=("lead.held", "lead.assigned"))
    await webhooks.announce(ASSIGNED, HELD, BREACHED, ACCEPTED)
    await webhooks.deliver()
    reached = Counter((one.path, json.loads(one.body)["type"]) for one in webhooks.zoo.received)
    assert reached == {("/200", "sla.breached"): 1, ("/204", "lead.held"): 1, ("/204", "lead.assigned"): 1}


async def test_an_event_that_arrives_twice_is_queued_and_sent_once(webhooks: Webhooks) -> None:
    await webhooks.endpoint()
    await webhooks.announce(ASSIGNED)
    # The group is read again from the start, and its memory of what it saw is lost.
    await webhooks.change("DELETE FROM log_cursor")
    await webhooks.change("DELETE FROM inbox")
    await webhooks.fan_out()
    await webhooks.deliver()
    assert len(webhooks.zoo.received) == 1
    assert await webhooks.rows("SELECT reason FROM dead_letter") == []


async def test_every_endpoint_and_every_retry_gets_the_same_id_and_bytes(webhooks: Webhooks) -> None:
    await webhooks.endpoint("/200")
    await webhooks.endpoint("/500")
    await webhooks.announce(ASSIGNED)
    await webhooks.deliver()
    webhooks.clock.advance(LONG)
    await webhooks.deliver()
    assert len(webhooks.zoo.received) == 3
    assert len({(one.headers["webhook-id"], one.body) for one in webhooks.zoo.received}) == 1


async def test_the_signature_carries_real_time_whatever_the_products_clock_shows(webhooks: Webhooks) -> None:
    webhooks.clock.set(datetime(2031, 1, 1, tzinfo=UTC))
    await webhooks.endpoint()
    await webhooks.announce(ASSIGNED)
    await webhooks.deliver()
    signed_at = int(webhooks.zoo.received[0].headers["webhook-timestamp"])
    assert abs(signed_at - datetime.now(UTC).timestamp()) < 60


async def test_both_secrets_sign_for_a_day_after_a_rotation_and_then_only_the_new_one(
    webhooks: Webhooks,
) -> None:
    endpoint = await webhooks.endpoint()
    async with webhooks.uow.transaction() as tx:
        fresh = await rotate_secret(tx, endpoint, webhooks.clock.now())
    await webhooks.announce(assigned(uuid4()))
    await webhooks.deliver()
    webhooks.clock.advance(timedelta(hours=25))
    await webhooks.announce(assigned(uuid4()))
    await webhooks.deliver()
    during, after = webhooks.zoo.received
    for secret in (webhooks.secrets[endpoint], fresh):
        Webhook(secret).verify(during.body, during.headers)
    Webhook(fresh).verify(after.body, after.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(webhooks.secrets[endpoint]).verify(after.body, after.headers)


# ---- retries ---------------------------------------------------------------------------------------------------------


async def test_a_failed_call_is_recorded_and_made_again_when_its_step_has_passed(webhooks: Webhooks) -> None:
    await webhooks.endpoint("/scripted")
    webhooks.zoo.answer = NO
    await webhooks.announce(ASSIGNED)
    await webhooks.deliver()
    webhooks.clock.advance(STANDARD_STEPS[1] - timedelta(milliseconds=1))
    await webhooks.deliver()
    assert len(webhooks.zoo.received) == 1
    webhooks.zoo.answer = OK
    webhooks.clock.advance(timedelta(milliseconds=1))
    await webhooks.deliver()
    attempts = await webhooks.rows("SELECT number, status FROM delivery_attempt ORDER BY number")
    assert [tuple(row) for row in attempts] == [(1, 500), (2, 200)]
    assert await webhooks.states() == ["delivered"]


async def test_a_receiver_that_does_not_answer_properly_leaves_a_record_that_says_why(
    webhooks: Webhooks,
) -> None:
    await webhooks.endpoint("/reset")
    await webhooks.announce(ASSIGNED)
    await webhooks.deliver()
    [row] = await webhooks.rows("SELECT status, fault, detail FROM delivery_attempt")
    assert (row.status, row.fault) == (None, "broken_answer")
    assert row.detail
    assert await webhooks.states() == ["pending"]


async def test_retry_after_puts_the_next_attempt_off(webhooks: Webhooks) -> None:
    await webhooks.endpoint("/scripted")
    await webhooks.announce(ASSIGNED)
    webhooks.zoo.answer = b"HTTP/1.1 429 Slow\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n"
    await webhooks.deliver()
    webhooks.clock.advance(timedelta(seconds=8))
    await webhooks.deliver()
    assert len(webhooks.zoo.received) == 1
    webhooks.clock.advance(timedelta(seconds=1))
    await webhooks.deliver()
    assert len(webhooks.zoo.received) == 2


async def test_after_the_last_step_a_delivery_is_dead_and_a_replay_sends_it_again(webhooks: Webhooks) -> None:
    await webhooks.endpoint("/scripted")
    await webhooks.announce(ASSIGNED)
    webhooks.zoo.answer = NO
    for step in STANDARD_STEPS:
        webhooks.clock.advance(step)
        await webhooks.deliver()
    assert len(webhooks.zoo.received) == len(STANDARD_STEPS)
    webhooks.clock.advance(LONG)
    await webhooks.deliver()
    assert len(webhooks.zoo.received) == len(STANDARD_STEPS)
    [row] = await webhooks.rows("SELECT id, state, outcome FROM delivery")
    assert row.state == "dead"
    assert "10 attempts have failed; the last: status 500" in row.outcome

    webhooks.zoo.answer = OK
    async with webhooks.uow.transaction() as tx:
        await replay_one(tx, row.id, webhooks.clock.now())
    await webhooks.deliver()
    last = webhooks.zoo.received[-1]
    assert last.headers["x-leadpact-replay"] == "1"
    assert last.headers["webhook-id"] == webhooks.received_ids()[0]
    assert await webhooks.states() == ["delivered"]


async def test_a_replay_of_what_waits_for_its_next_step_is_sent_now_and_in_its_turn(
    webhooks: Webhooks,
) -> None:
    await webhooks.endpoint("/scripted")
    webhooks.zoo.answer = NO
    await webhooks.announce(ASSIGNED, HELD)
    await webhooks.deliver()
    webhooks.zoo.answer = OK
    first, second = [row.id for row in await webhooks.rows("SELECT id FROM delivery ORDER BY place")]
    async with webhooks.uow.transaction() as tx:
        await replay_one(tx, second, webhooks.clock.now())
    await webhooks.deliver()
    assert kinds(webhooks.zoo.received) == ["lead.assigned"], "the later event still waits for the earlier"
    async with webhooks.uow.transaction() as tx:
        await replay_one(tx, first, webhooks.clock.now())
    await webhooks.deliver()
    assert kinds(webhooks.zoo.received) == ["lead.assigned", "lead.assigned", "lead.held"]
    assert await webhooks.states() == ["delivered", "delivered"]
    [row] = await webhooks.rows("SELECT attempts, is_replay FROM delivery WHERE id = :id", id=first)
    assert tuple(row) == (2, False), "it is the next attempt, and no new series of them"


async def test_a_replay_of_what_is_being_sent_is_refused_and_sends_nothing_twice(webhooks: Webhooks) -> None:
    endpoint = await webhooks.endpoint()
    await webhooks.announce(ASSIGNED)
    [row] = await webhooks.rows("SELECT id FROM delivery")
    slow = webhooks.deliverer()
    await slow.turn()
    await webhooks.reached(1)  # and it has not been recorded yet
    with pytest.raises(Conflict, match="being sent at this moment"):
        async with webhooks.uow.transaction() as tx:
            await replay_one(tx, row.id, webhooks.clock.now())
    async with webhooks.uow.transaction() as tx:
        since = webhooks.clock.now() - timedelta(days=1)
        assert await replay_since(tx, endpoint, since, webhooks.clock.now()) == 0
        await enable_endpoint(tx, endpoint, webhooks.clock.now())
    await webhooks.deliver()
    await slow.finish()
    await webhooks.deliver()
    assert len(webhooks.zoo.received) == 1
    assert await webhooks.states() == ["delivered"]


async def test_what_waits_for_its_next_step_is_replayed_with_what_was_given_up(webhooks: Webhooks) -> None:
    endpoint = await webhooks.endpoint("/scripted")
    webhooks.zoo.answer = NO
    await webhooks.announce(assigned(uuid4()))
    webhooks.clock.advance(timedelta(hours=1))
    since = webhooks.clock.now()
    await webhooks.announce(assigned(uuid4()), assigned(uuid4()))
    await webhooks.deliver()
    await webhooks.change(
        "UPDATE delivery SET state = 'dead' WHERE place = (SELECT max(place) FROM delivery)"
    )
    webhooks.zoo.answer = OK
    async with webhooks.uow.transaction() as tx:
        assert await replay_since(tx, endpoint, since, webhooks.clock.now()) == 2
    await webhooks.deliver()
    assert await webhooks.states() == ["pending", "delivered", "delivered"]


async def test_all_that_was_given_up_since_a_moment_is_replayed_at_once(webhooks: Webhooks) -> None:
    endpoint = await webhooks.endpoint()
    await webhooks.announce(assigned(uuid4()))
    webhooks.clock.advance(timedelta(hours=1))
    since = webhooks.clock.now()
    await webhooks.announce(*(assigned(uuid4()) for _ in range(3)))
    await webhooks.change("UPDATE delivery SET state = 'dead'")
    async with webhooks.uow.transaction() as tx:
        assert await replay_since(tx, endpoint, since, webhooks.clock.now()) == 3
    await webhooks.deliver()
    assert Counter(await webhooks.states()) == {"delivered": 3, "dead": 1}


async def test_an_endpoint_shows_its_latest_attempt_whichever_delivery_it_was_for(webhooks: Webhooks) -> None:
    endpoint = await webhooks.endpoint("/scripted")

    async def latest() -> tuple[str | None, datetime | None]:
        async with webhooks.uow.transaction() as tx:
            shown = await read_endpoint(tx, endpoint)
        return shown.last_outcome, shown.last_attempt_at

    assert await latest() == (None, None)
    webhooks.zoo.answer = NO
    await webhooks.announce(assigned(uuid4()))
    await webhooks.deliver()
    webhooks.zoo.answer = OK
    await webhooks.announce(assigned(uuid4()))
    await webhooks.deliver()
    assert await latest() == ("status 200", webhooks.clock.now())
    webhooks.zoo.answer = NO
    webhooks.clock.advance(STANDARD_STEPS[1])  # the earlier delivery is tried again
    await webhooks.deliver()
    assert await latest() == ("status 500", webhooks.clock.now())


# ---- crashes and company ---------------------------------------------------------------------------------------------


async def test_a_crash_between_the_call_and_its_record_repeats_the_call_under_the_same_id(
    webhooks: Webhooks,
) -> None:
    await webhooks.endpoint()
    await webhooks.announce(ASSIGNED)
    crashed = webhooks.deliverer()
    await crashed.turn()
    await webhooks.reached(1)  # and then nothing is recorded

    await webhooks.deliver()
    assert len(webhooks.zoo.received) == 1, "the lease of the crashed one still runs"
    await webhooks.change("UPDATE delivery SET leased_until = statement_timestamp() - interval '1 second'")
    await webhooks.deliver()
    first, second = webhooks.received_ids()
    assert first == second
    assert await webhooks.states() == ["delivered"]
    attempts = await webhooks.rows("SELECT number FROM delivery_attempt")
    assert [row.number for row in attempts] == [2], "the attempt that nobody recorded leaves a gap"


async def test_who_has_outlived_its_lease_changes_nothing_but_leaves_its_attempt(webhooks: Webhooks) -> None:
    await webhooks.endpoint("/scripted")
    await webhooks.announce(ASSIGNED)
    webhooks.zoo.answer = NO
    slow = webhooks.deliverer()
    await slow.turn()
    await webhooks.reached(1)
    await webhooks.change("UPDATE delivery SET leased_until = statement_timestamp() - interval '1 second'")
    webhooks.zoo.answer = OK
    await webhooks.deliver()
    await slow.finish()  # records its failure after the other one's success
    assert await webhooks.states() == ["delivered"]
    attempts = await webhooks.rows("SELECT number, status FROM delivery_attempt ORDER BY number")
    assert [tuple(row) for row in attempts] == [(1, 500), (2, 200)]


async def test_two_deliverers_side_by_side_make_each_call_once(webhooks: Webhooks) -> None:
    for path in ("/200", "/201", "/202", "/204"):
        await webhooks.endpoint(path)
    await webhooks.announce(*(assigned(uuid4()) for _ in range(40)))
    deliverers = [webhooks.deliverer() for _ in range(4)]
    while "pending" in await webhooks.states():
        await asyncio.gather(*(deliverer.turn() for deliverer in deliverers))
        await asyncio.gather(*(deliverer.finish() for deliverer in deliverers))
    calls = Counter((one.path, one.headers["webhook-id"]) for one in webhooks.zoo.received)
    assert len(calls) == 160
    assert set(calls.values()) == {1}


async def test_the_loop_delivers_what_is_queued_while_it_runs_and_records_before_it_stops(
    webhooks: Webhooks,
) -> None:
    await webhooks.endpoint()
    stop = asyncio.Event()
    running = asyncio.create_task(webhooks.deliverer().run(stop))
    await webhooks.announce(*(assigned(uuid4()) for _ in range(5)))
    await webhooks.reached(5)
    stop.set()
    await running
    assert Counter(await webhooks.states()) == {"delivered": 5}


# ---- one receiver and the others -------------------------------------------------------------------------------------


async def test_a_silent_receiver_holds_only_its_own_connections(webhooks: Webhooks) -> None:
    await webhooks.endpoint("/silent")
    await webhooks.endpoint("/200")
    await webhooks.announce(*(assigned(uuid4()) for _ in range(20)))
    deliverer = webhooks.deliverer()
    stop = asyncio.Event()
    running = asyncio.create_task(deliverer.run(stop))
    await webhooks.reached(20 + AT_ONCE_PER_ENDPOINT)
    assert Counter(one.path for one in webhooks.zoo.received) == {"/200": 20, "/silent": AT_ONCE_PER_ENDPOINT}
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_receiver_that_fails_on_and_on_is_probed_with_one_call_at_a_time(webhooks: Webhooks) -> None:
    await webhooks.endpoint("/scripted")
    webhooks.zoo.answer = NO
    await webhooks.announce(*(assigned(uuid4()) for _ in range(20)))
    await webhooks.deliver()
    tried = len(webhooks.zoo.received)
    assert tried == AT_ONCE_PER_ENDPOINT, "it pauses before every delivery has been tried"
    webhooks.clock.advance(timedelta(seconds=30))
    await webhooks.deliver()
    assert len(webhooks.zoo.received) == tried + 1
    webhooks.zoo.answer = OK
    webhooks.clock.advance(timedelta(minutes=6))
    await webhooks.deliver()
    assert set(await webhooks.states()) == {"delivered"}


async def test_the_events_of_one_lead_wait_for_each_other(webhooks: Webhooks) -> None:
    await webhooks.endpoint("/scripted")
    webhooks.zoo.answer = NO
    await webhooks.announce(ASSIGNED, HELD)
    await webhooks.deliver()
    assert kinds(webhooks.zoo.received) == ["lead.assigned"]
    webhooks.zoo.answer = OK
    webhooks.clock.advance(STANDARD_STEPS[1])
    await webhooks.deliver()
    assert kinds(webhooks.zoo.received) == ["lead.assigned", "lead.assigned", "lead.held"]


async def test_an_event_that_the_receiver_will_not_take_does_not_hold_up_its_lead_for_ever(
    webhooks: Webhooks,
) -> None:
    await webhooks.endpoint("/scripted")
    webhooks.zoo.answer = b"HTTP/1.1 400 What\r\nContent-Length: 0\r\n\r\n"
    await webhooks.announce(ASSIGNED, HELD)
    for step in STANDARD_STEPS[:ORDERED_ATTEMPTS]:
        assert "lead.held" not in kinds(webhooks.zoo.received)
        webhooks.clock.advance(step)
        await webhooks.deliver()
    assert kinds(webhooks.zoo.received)[-1] == "lead.held"


# ---- switching off ---------------------------------------------------------------------------------------------------


async def test_410_switches_the_endpoint_off_and_says_so(webhooks: Webhooks) -> None:
    await webhooks.endpoint("/410")
    await webhooks.announce(assigned(uuid4()))
    await webhooks.deliver()
    [row] = await webhooks.rows("SELECT disabled_at, disabled_because FROM webhook_endpoint")
    assert row.disabled_at is not None
    assert "410 Gone" in row.disabled_because
    await webhooks.announce(assigned(uuid4()))
    await webhooks.deliver()
    assert len(webhooks.zoo.received) == 1


async def test_five_days_of_failures_switch_the_endpoint_off(webhooks: Webhooks) -> None:
    await webhooks.endpoint("/500")
    await webhooks.announce(assigned(uuid4()))
    await webhooks.deliver()
    webhooks.clock.advance(timedelta(days=5))
    await webhooks.deliver()
    [row] = await webhooks.rows("SELECT disabled_because FROM webhook_endpoint")
    assert "every call has failed since 2026-03-03" in row.disabled_because


async def test_what_happened_while_an_endpoint_was_off_is_sent_when_it_is_on_again(
    webhooks: Webhooks,
) -> None:
    endpoint = await webhooks.endpoint()
    async with webhooks.uow.transaction() as tx:
        await disable_endpoint(tx, endpoint, webhooks.clock.now(), because="maintenance")
    await webhooks.announce(assigned(uuid4()), assigned(uuid4()))
    await webhooks.deliver()
    assert webhooks.zoo.received == []
    async with webhooks.uow.transaction() as tx:
        await enable_endpoint(tx, endpoint, webhooks.clock.now())
    await webhooks.deliver()
    assert len(webhooks.zoo.received) == 2


async def test_what_waits_for_its_next_step_is_sent_at_once_when_its_endpoint_is_on_again(
    webhooks: Webhooks,
) -> None:
    endpoint = await webhooks.endpoint("/scripted")
    webhooks.zoo.answer = NO
    await webhooks.announce(ASSIGNED, HELD)
    await webhooks.deliver()
    async with webhooks.uow.transaction() as tx:
        await disable_endpoint(tx, endpoint, webhooks.clock.now(), because="maintenance")
    webhooks.zoo.answer = OK
    async with webhooks.uow.transaction() as tx:
        await enable_endpoint(tx, endpoint, webhooks.clock.now())
    await webhooks.deliver()
    assert kinds(webhooks.zoo.received) == ["lead.assigned", "lead.assigned", "lead.held"]


async def test_a_test_event_reaches_the_one_endpoint_it_is_meant_for(webhooks: Webhooks) -> None:
    await webhooks.endpoint("/204")
    endpoint = await webhooks.endpoint("/200")
    async with webhooks.uow.transaction() as tx:
        await send_test(tx, endpoint, webhooks.clock.now())
    await webhooks.deliver()
    [request] = webhooks.zoo.received
    assert request.path == "/200"
    assert Webhook(webhooks.secrets[endpoint]).verify(request.body, request.headers)["type"] == "webhook.test"


async def test_a_private_address_is_not_called_where_the_operator_did_not_allow_it(
    webhooks: Webhooks,
) -> None:
    await webhooks.endpoint()
    await webhooks.announce(ASSIGNED)
    async with webhook_client(allow_private=False) as guarded:
        webhooks.client = guarded
        await webhooks.deliver()
    assert webhooks.zoo.connections == 0
    [row] = await webhooks.rows("SELECT fault FROM delivery_attempt")
    assert row.fault == "refused_address"
