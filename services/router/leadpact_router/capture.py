"""Take captured leads in: recognise the person, unite their answers, score, qualify, and give the lead away
if it is ready.

A person has one lead. Who posts again touches it again: answers are united, the score is brought up to date,
and the owner stays, with no second assignment while somebody works it. After sales gave it back (recycled,
nurtured, disqualified), the person asking again is a new request: it is qualified and routed anew, its owners
and the customer's wait count from there. Asking means a form or a visit at an event after the lead was
closed; a bought list that names the person again asks nothing. A form is filled in when it comes, whatever date it
brings along: that may be when the CRM's record was made. Until a lead is ready for sales nobody owes it
anything yet, so each time that the person asks begins the request anew: who signs up for a newsletter in March
and wants a demo in May waits since May.

A touch is an activity of the kind that its intent names, so a pact may give points for a `content_download`
or an `event_visit`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from leadpact.events import LeadCaptured, LeadMatched
from leadpact.ids import new_id
from leadpact.storage.bulk import Insert, JsonText
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.appraise import appraise
from leadpact_router.assign import Ready, assign_all, save_decided
from leadpact_router.identity_rows import recognise_all
from leadpact_router.lead import CLOSED_STAGES, Account, Lead, Stage
from leadpact_router.lead_rows import inserts_of_leads, lock_leads_of_people, read_accounts
from leadpact_router.news import News
from leadpact_router.recognise import Caller, MatchedBy, Recognition
from leadpact_router.tables import person as person_table
from leadpact_router.tables import touch as touch_table
from leadpact_router.terms import Terms
from leadpact_router.unite import unite

_KNOWN_TOUCHES = text("SELECT receipt_id FROM touch WHERE receipt_id = ANY(CAST(:receipts AS uuid[]))")


async def capture(
    tx: Transaction,
    batch: Sequence[News[LeadCaptured]],
    terms: Terms,
) -> None:
    """Apply captured leads in log order.

    A receipt that was applied before is passed over, whatever event brings it again.
    """
    fresh = await _not_applied_before(tx, batch)
    callers = [Caller(one.event.lead.email, one.event.lead.phone) for one in fresh]
    recognitions, new_people = await recognise_all(tx, callers)
    leads = await lock_leads_of_people(tx, {one.person_id for one in recognitions if one.matched_by != "new"})
    accounts = await _accounts(tx, fresh, leads.values())
    ready: list[Ready] = []
    touches = []
    for one, who in zip(fresh, recognitions, strict=True):
        event = one.event
        said = event.lead.to_json()
        lead, is_reopened = _touched(leads, who, event, said)
        lead.account = _account(lead, accounts)
        at = min(event.occurred_at, event.received_at)
        lead.hear(event.intent, at, terms.applied.pact.scoring.engagement)
        touches.append(_touch_row(lead, event, who.matched_by, said))
        tx.emit(_matched(lead, event, who, terms.now, reopened=is_reopened), caused_by=one.id)
        for result in appraise(lead, terms.applied, terms.now):
            tx.emit(result, caused_by=one.id)
        if lead.stage is Stage.MQL:
            ready.append(Ready.now(lead, one.id, terms))
    handover = await assign_all(tx, ready, terms)
    people = [{"id": person, "first_seen_at": terms.now} for person in new_people]
    written = [Insert(person_table, people), *inserts_of_leads(leads.values()), Insert(touch_table, touches)]
    await save_decided(tx, handover, *written)


async def _not_applied_before(
    tx: Transaction, batch: Sequence[News[LeadCaptured]]
) -> list[News[LeadCaptured]]:
    """The inbox forgets after its retention; the touches never do."""
    by_receipt = {one.event.receipt_id: one for one in reversed(batch)}
    known = await tx.execute(_KNOWN_TOUCHES, {"receipts": list(by_receipt)})
    for row in known:
        del by_receipt[row.receipt_id]
    return [one for one in batch if by_receipt.get(one.event.receipt_id) is one]


async def _accounts(
    tx: Transaction, fresh: Sequence[News[LeadCaptured]], known_leads: Iterable[Lead]
) -> dict[str, Account]:
    """The accounts that any of the touches can lead to, by domain."""
    domains = {one.event.lead.domain for one in fresh if one.event.lead.domain}
    accounts = {lead.account.domain: lead.account for lead in known_leads if lead.account}
    return accounts | await read_accounts(tx, domains)


def _touched(
    leads: dict[UUID, Lead], who: Recognition, event: LeadCaptured, said: dict[str, Any]
) -> tuple[Lead, bool]:
    """The person's lead after this touch, a new one if need be; and whether it was a closed one that is opened again."""
    lead = leads.get(who.person_id)
    is_reopened = lead is not None and _asks_again(lead, event)
    if lead is None:
        lead = leads[who.person_id] = Lead(
            id=new_id(),
            person_id=who.person_id,
            source=event.source,
            source_kind=event.source_kind,
            intent=event.intent,
            received_at=event.received_at,
            touched_at=event.received_at,
        )
    elif is_reopened:
        _reopen(lead, event.received_at)
    elif lead.stage is Stage.NEW and _asks(event):
        lead.received_at = max(lead.received_at, event.received_at)
    lead.draft = unite(lead.draft, said)
    lead.source, lead.source_kind, lead.intent = event.source, event.source_kind, event.intent
    lead.touched_at = max(lead.touched_at, event.received_at)
    return lead, is_reopened


def _asks(event: LeadCaptured) -> bool:
    return event.source_kind != "syndication"


def _asks_again(lead: Lead, event: LeadCaptured) -> bool:
    return (
        lead.stage in CLOSED_STAGES
        and _asks(event)
        and lead.closed_at is not None
        and _asked_at(event) > lead.closed_at
    )


def _asked_at(event: LeadCaptured) -> datetime:
    """A scan may reach us days after the visit; who fills in a form asks now."""
    return event.received_at if event.source_kind == "form" else min(event.occurred_at, event.received_at)


def _reopen(lead: Lead, received_at: datetime) -> None:
    """A new request of a known person: a new round of owners, a new wait."""
    lead.stage, lead.closed_at = Stage.NEW, None
    lead.hop = lead.hops_by_breach = 0
    lead.qualified_at = lead.qualified_because = None
    lead.escalated_to = lead.escalated_at = None
    lead.received_at = received_at


def _account(lead: Lead, accounts: Mapping[str, Account]) -> Account | None:
    """The account of the lead's registrable domain.

    The domain of a free mailbox is nobody's, even if an account claims it.
    """
    domain, email = lead.draft.get("domain"), lead.draft.get("email", "")
    if not domain or (
        "free_mail" in lead.draft.get("flags", ()) and email.endswith(("@" + domain, "." + domain))
    ):
        return None
    return accounts.get(domain)


def _touch_row(
    lead: Lead, event: LeadCaptured, matched_by: MatchedBy, said: dict[str, Any]
) -> dict[str, Any]:
    return {
        "receipt_id": event.receipt_id,
        "lead_id": lead.id,
        "source": event.source,
        "source_kind": event.source_kind,
        "intent": event.intent,
        "matched_by": matched_by,
        "occurred_at": event.occurred_at,
        "received_at": event.received_at,
        "draft": JsonText.of(said),
        "upload_id": event.upload_id,
        "row": event.row,
    }


def _matched(
    lead: Lead, event: LeadCaptured, who: Recognition, now: datetime, *, reopened: bool
) -> LeadMatched:
    return LeadMatched(
        occurred_at=now,
        lead_id=lead.id,
        person_id=lead.person_id,
        receipt_id=event.receipt_id,
        source=event.source,
        matched_by=who.matched_by,
        account_id=lead.account.id if lead.account else None,
        account_name=lead.account.name if lead.account else None,
        reopened=reopened,
    )
