"""What an integrator learns about a post: the lead that it became, its stage, its owner."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from leadpact.bus.consume import Consumer, Received
from leadpact.bus.settle_dead_letters import page_of_letters, replay
from leadpact.errors import Poison
from leadpact.events import (
    Event,
    LeadAccepted,
    LeadAssigned,
    LeadCaptured,
    LeadClosed,
    LeadContacted,
    LeadFacts,
    LeadHeld,
    LeadMatched,
    LeadQualified,
    LeadReassigned,
    LeadRejected,
    Topic,
)
from leadpact.ids import new_id
from leadpact.storage.unit_of_work import Transaction
from leadpact_ingest.metrics import InFlightGauges, IngestMetrics
from leadpact_ingest.receipts import CONSUMER, TOPICS, receipts_consumer
from tests.integration.ingest.conftest import Ingest
from tests.support.eventually import eventually
from tests.support.fake_clock import FakeClock


class Router:
    """Says what the router would say of one lead."""

    def __init__(self, ingest: Ingest) -> None:
        self.ingest = ingest
        self.lead_id = new_id()
        self.assignment_id = new_id()  # the latest
        now = ingest.parts.clock.now()
        self.facts = LeadFacts(
            lead_id=self.lead_id,
            person_id=new_id(),
            source="website-demo",
            source_kind="form",
            intent="demo_request",
            received_at=now,
        )

    @property
    def now(self) -> datetime:
        return self.ingest.parts.clock.now()

    def matched(self, receipt: str, *, reopened: bool = False) -> LeadMatched:
        return LeadMatched(
            occurred_at=self.now,
            lead_id=self.lead_id,
            person_id=self.facts.person_id,
            receipt_id=UUID(receipt),
            source="website-demo",
            matched_by="email" if reopened else "new",
            reopened=reopened,
        )

    def qualified(self) -> LeadQualified:
        return LeadQualified(occurred_at=self.now, lead_id=self.lead_id, because="demo", pact_version=1)

    def assigned(
        self, rep_id: str = "ana", kind: type[LeadAssigned] = LeadAssigned, **more: Any
    ) -> LeadAssigned:
        self.assignment_id = new_id()
        return kind(
            occurred_at=self.now,
            lead_id=self.lead_id,
            assignment_id=self.assignment_id,
            rep_id=rep_id,
            rep_name=rep_id.title(),
            rep_timezone="Europe/Berlin",
            rule="DACH",
            hop=1,
            lead=self.facts,
            explanation={},
            pact_version=1,
            **more,
        )

    def reassigned(self, rep_id: str, **more: Any) -> LeadAssigned:
        previous = self.assignment_id
        return self.assigned(
            rep_id,
            LeadReassigned,
            previous_assignment_id=previous,
            previous_rep_id="ana",
            reason="breach",
            **more,
        )

    def held(self) -> LeadHeld:
        return LeadHeld(
            occurred_at=self.now,
            lead_id=self.lead_id,
            reason="nobody",
            lead=self.facts,
            explanation={},
            pact_version=1,
        )

    def worked(self, kind: type[Any], **more: Any) -> Event:
        worked: Event = kind(
            occurred_at=self.now,
            recorded_at=self.now,
            lead_id=self.lead_id,
            **{"assignment_id": self.assignment_id, "rep_id": "ana", **more},
        )
        return worked

    def contacted(self, assigned: LeadAssigned) -> Event:
        """Somebody who had the lead, or has it, reached the person."""
        had = {"assignment_id": assigned.assignment_id, "rep_id": assigned.rep_id}
        return self.worked(LeadContacted, channel="call", **had)

    async def says(self, *events: Event) -> None:
        """Announce in one transaction, and let ingest hear it."""
        async with self.ingest.parts.uow("router").transaction() as tx:
            for event in events:
                tx.emit(event)
        await hear(self.ingest)


async def hear(ingest: Ingest) -> None:
    reader = ingest.parts.carrier.reader(CONSUMER, TOPICS)
    await reader.start()
    consumer = receipts_consumer(ingest.parts.clock)
    while await consumer.run_once(reader):
        pass
    await reader.stop()


@pytest.fixture
def router(ingest: Ingest) -> Router:
    return Router(ingest)


async def posted(ingest: Ingest, **fields: str) -> str:
    return str((await ingest.post(json={"email": "kofi@drumbeat.example", **fields})).json()["receipt"])


async def receipt(ingest: Ingest, receipt_id: str) -> dict[str, Any]:
    answer = await ingest.client.get(f"/v1/receipts/{receipt_id}")
    assert answer.status_code == 200
    return dict(answer.json())


async def stage_and_owner(ingest: Ingest, receipt_id: str) -> tuple[str, str | None]:
    lead = (await receipt(ingest, receipt_id))["lead"]
    return lead["stage"], lead["owner"]


async def test_before_the_router_has_seen_it_a_receipt_has_no_lead(ingest: Ingest) -> None:
    found = await receipt(ingest, await posted(ingest))

    assert (found["status"], found["source"], found["lead"]) == ("accepted", "website-demo", None)


async def test_a_receipt_follows_its_lead_from_step_to_step(ingest: Ingest, router: Router) -> None:
    one = await posted(ingest)
    steps: list[tuple[Event, tuple[str, str | None]]] = [
        (router.matched(one), ("new", None)),
        (router.qualified(), ("mql", None)),
        (router.assigned("ana"), ("assigned", "ana")),
        (router.worked(LeadAccepted), ("accepted", "ana")),
        (router.reassigned("ben"), ("assigned", "ben")),
        (router.held(), ("held", None)),
        (router.assigned("ana"), ("assigned", "ana")),
        (router.worked(LeadContacted, channel="call"), ("contacted", "ana")),
        (router.worked(LeadRejected, reason="bad_data", outcome="disqualify"), ("disqualified", None)),
        (router.matched(one, reopened=True), ("new", None)),
        (router.qualified(), ("mql", None)),
        (router.assigned("ana"), ("assigned", "ana")),
        (router.worked(LeadClosed, reason="won"), ("closed", None)),
    ]
    for event, expected in steps:
        await router.says(event)
        assert await stage_and_owner(ingest, one) == expected
    assert (await receipt(ingest, one))["lead"]["id"] == str(router.lead_id)


async def test_a_whole_story_heard_at_once_ends_where_it_ends(ingest: Ingest, router: Router) -> None:
    one = await posted(ingest)

    await router.says(
        router.matched(one),
        router.qualified(),
        router.assigned("ana"),
        router.reassigned("ben"),
        router.reassigned("cem"),
    )

    assert await stage_and_owner(ingest, one) == ("assigned", "cem")


async def test_two_posts_of_one_lead_show_the_same_lead(ingest: Ingest, router: Router) -> None:
    one, two = await posted(ingest), await posted(ingest, message="again")
    await router.says(router.matched(one), router.assigned("ana"))

    await router.says(router.matched(two))

    assert await stage_and_owner(ingest, one) == await stage_and_owner(ingest, two) == ("assigned", "ana")


async def test_who_accepts_after_the_contact_takes_no_step_back(ingest: Ingest, router: Router) -> None:
    one = await posted(ingest)
    anas = router.assigned("ana")
    await router.says(router.matched(one), router.qualified(), anas, router.contacted(anas))

    await router.says(router.worked(LeadAccepted))

    assert await stage_and_owner(ingest, one) == ("contacted", "ana")


@pytest.mark.parametrize("now_with", ["ben", "ana", None])
@pytest.mark.parametrize("at_once", [True, False])
async def test_a_late_contact_of_a_former_owner_moves_nothing(
    ingest: Ingest, router: Router, now_with: str | None, at_once: bool
) -> None:
    """Also if the same rep has it again, under another assignment."""
    one = await posted(ingest)
    anas = router.assigned("ana")
    story = [
        router.matched(one),
        router.qualified(),
        anas,
        router.reassigned(now_with) if now_with else router.held(),
        router.contacted(anas),
    ]

    for told in [story] if at_once else [[event] for event in story]:
        await router.says(*told)

    assert await stage_and_owner(ingest, one) == ("assigned" if now_with else "held", now_with)


@pytest.mark.parametrize(
    ("outcome", "stage"),
    [("recycle", "recycled"), ("nurture", "nurtured"), ("disqualify", "disqualified"), (None, "closed")],
)
async def test_who_asks_again_after_the_end_begins_anew(
    ingest: Ingest, router: Router, outcome: str | None, stage: str
) -> None:
    one, two, three = [await posted(ingest, message=message) for message in ("one", "two", "three")]
    anas = router.assigned("ana")
    end = (
        router.worked(LeadRejected, reason="no", outcome=outcome)
        if outcome
        else router.worked(LeadClosed, reason="won")
    )
    await router.says(router.matched(one), router.qualified(), anas, end)

    await router.says(router.matched(two))
    assert await stage_and_owner(ingest, two) == (stage, None)
    await router.says(router.matched(three, reopened=True), router.contacted(anas))
    assert await stage_and_owner(ingest, one) == await stage_and_owner(ingest, three) == ("new", None)

    await router.says(router.qualified(), router.assigned("ben"))
    assert await stage_and_owner(ingest, one) == ("assigned", "ben")


async def test_a_lead_that_returns_stands_where_its_owner_had_left_it(ingest: Ingest, router: Router) -> None:
    one = await posted(ingest)
    anas = router.assigned("ana")
    await router.says(router.matched(one), router.qualified(), anas, router.reassigned("ben"))

    await router.says(router.contacted(anas), router.reassigned("ana", stage="contacted"))

    assert await stage_and_owner(ingest, one) == ("contacted", "ana")


async def test_a_story_told_twice_changes_nothing(ingest: Ingest, router: Router) -> None:
    one = await posted(ingest)
    await router.says(router.matched(one), router.assigned("ana"), router.worked(LeadAccepted))
    async with ingest.parts.uow("ingest").transaction() as tx:
        await tx.connection.exec_driver_sql("DELETE FROM log_cursor")

    await hear(ingest)

    assert await stage_and_owner(ingest, one) == ("accepted", "ana")


async def test_the_services_own_loop_keeps_receipts_up_to_date(ingest: Ingest, router: Router) -> None:
    one = await posted(ingest)

    async def is_assigned() -> bool:
        lead = (await receipt(ingest, one))["lead"]
        return lead is not None and (lead["stage"], lead["owner"]) == ("assigned", "ana")

    async with ingest.running():
        async with ingest.parts.uow("router").transaction() as tx:
            tx.emit(router.matched(one))
            tx.emit(router.assigned("ana"))
        await eventually(is_assigned)


async def in_flight(ingest: Ingest) -> tuple[float | None, float | None]:
    """How many receipts are in flight, and for how many seconds the oldest has been."""
    registry = CollectorRegistry()
    await InFlightGauges(ingest.parts.uow("ingest"), ingest.parts.clock, IngestMetrics(registry)).run_once()
    return (
        registry.get_sample_value("leadpact_receipts_in_flight"),
        registry.get_sample_value("leadpact_oldest_receipt_in_flight_seconds"),
    )


async def test_an_accepted_post_is_in_flight_until_it_has_a_lead(
    ingest: Ingest, router: Router, clock: FakeClock
) -> None:
    assert await in_flight(ingest) == (0, 0)
    one = await posted(ingest)
    clock.advance(timedelta(seconds=40))
    two = await posted(ingest, email="ama@drumbeat.example")
    clock.advance(timedelta(seconds=2))

    assert await in_flight(ingest) == (2, 42)
    await router.says(router.matched(one))
    assert await in_flight(ingest) == (1, 2)
    await router.says(router.matched(two))
    assert await in_flight(ingest) == (0, 0)


async def test_a_robots_post_is_never_in_flight(ingest: Ingest) -> None:
    await posted(ingest, _gotcha="http://spam.example")

    assert await ingest.fetch("SELECT status FROM receipt") == [{"status": "honeypot"}]
    assert await in_flight(ingest) == (0, 0)


async def test_a_post_whose_message_is_set_aside_is_in_flight_no_longer_and_has_its_lead_after_a_replay(
    ingest: Ingest, router: Router
) -> None:
    one = await posted(ingest)
    uow = ingest.parts.uow("router")
    is_repaired = False

    async def route(tx: Transaction, received: Sequence[Received]) -> None:
        if not is_repaired:
            raise Poison("there is a bug")
        for item in received:
            tx.emit(router.matched(one), caused_by=item.message.id)

    async def run_the_router() -> None:
        reader = ingest.parts.carrier.reader("router", [Topic.INBOUND])
        await reader.start()
        consumer = Consumer("router", {LeadCaptured: route}, ingest.parts.clock)
        while await consumer.run_once(reader):
            pass
        await hear(ingest)

    await run_the_router()
    assert await in_flight(ingest) == (0, 0)
    assert (await receipt(ingest, one))["lead"] is None

    is_repaired = True
    async with uow.transaction() as tx:
        (letter,), _ = await page_of_letters(tx, limit=10)
        await replay(tx, letter.id)
    await run_the_router()
    assert (await receipt(ingest, one))["lead"]["id"] == str(router.lead_id)
    assert await in_flight(ingest) == (0, 0)


async def test_an_unknown_receipt_is_not_found(ingest: Ingest) -> None:
    assert (await ingest.client.get(f"/v1/receipts/{new_id()}")).status_code == 404
    assert (await ingest.client.get("/v1/receipts/nonsense")).status_code == 422
