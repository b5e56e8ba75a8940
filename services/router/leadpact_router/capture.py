"""Take captured leads in: recognise the person, unite their answers, score, qualify, and give the lead away
if it is ready.

A person has one lead. Who posts again touches it again: answers are united and the score is brought up to date. Most touches of a
lead that sales has leave it at that; which ones begin a new request says `new_request.py`. Whoever has the lead keeps it under the new
request if they are there (`assign.py`).

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
from leadpact_router.appraise import appraise, qualified
from leadpact_router.assign import AskedAgain, Ready, assign_all, save_decided
from leadpact_router.assignment_rows import all_owners_of
from leadpact_router.identity_rows import recognise_all
from leadpact_router.lead import Account, Lead, Stage
from leadpact_router.lead_rows import inserts_of_leads, lock_leads_of_people, read_accounts
from leadpact_router.new_request import (
    asked,
    asks,
    begin_with_sales,
    comes_back,
    is_owed_an_answer,
    may_raise_a_hand,
    reopen,
    take_up,
)
from leadpact_router.news import News
from leadpact_router.owner import Owners, in_present_round
from leadpact_router.qualify import knows_raised_hands, raised_hand
from leadpact_router.recognise import Caller, MatchedBy, Recognition
from leadpact_router.score import score
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
    owners = await all_owners_of(tx, _asked_of_sales(leads, fresh, recognitions, terms))
    accounts = await _accounts(tx, fresh, leads.values())
    ready: dict[UUID, Ready] = {}
    touches = []
    for one, who in zip(fresh, recognitions, strict=True):
        event = one.event
        said = event.lead.to_json()
        lead = leads.get(who.person_id)
        if lead is None:
            lead = leads[who.person_id] = _new_lead(who, event)
        if is_reopened := comes_back(lead, event):
            reopen(lead, event.received_at)
        _touch(lead, event, said, accounts, terms)
        raised = _raises_a_hand(lead, event, owners.get(lead.id, ()), terms)
        if raised:
            take_up(lead, event)
            begin_with_sales(lead, event.received_at, raised, terms.now)
        touches.append(_touch_row(lead, event, who.matched_by, said))
        tx.emit(_matched(lead, event, who, terms.now, reopened=is_reopened), caused_by=one.id)
        for result in appraise(lead, terms.applied, terms.now):
            tx.emit(result, caused_by=one.id)
        if raised:
            tx.emit(qualified(lead, raised, terms.applied.version, terms.now), caused_by=one.id)
        if lead.stage is Stage.MQL and (raised or lead.id not in ready):
            present = AskedAgain(owners[lead.id][-1], asked(event)) if lead.owner else None
            ready[lead.id] = Ready.now(lead, one.id, terms, asked_again=present)
    handover = await assign_all(tx, list(ready.values()), terms)
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


def _asked_of_sales(
    leads: Mapping[UUID, Lead],
    fresh: Sequence[News[LeadCaptured]],
    recognitions: Sequence[Recognition],
    terms: Terms,
) -> list[Lead]:
    """The leads that sales has whose person asks for something, if the pact minds what."""
    if not knows_raised_hands(terms.applied.pact.qualification):
        return []
    touched = zip(fresh, recognitions, strict=True)
    known = ((leads.get(who.person_id), one.event) for one, who in touched)
    return list({lead.id: lead for lead, event in known if lead and may_raise_a_hand(lead, event)}.values())


def _new_lead(who: Recognition, event: LeadCaptured) -> Lead:
    return Lead(
        id=new_id(),
        person_id=who.person_id,
        source=event.source,
        source_kind=event.source_kind,
        intent=event.intent,
        received_at=event.received_at,
        touched_at=event.received_at,
    )


def _touch(
    lead: Lead, event: LeadCaptured, said: dict[str, Any], accounts: Mapping[str, Account], terms: Terms
) -> None:
    """Add to the lead what the touch says and is."""
    lead.touched_at = max(lead.touched_at, event.received_at)
    lead.draft = unite(lead.draft, said)
    lead.account = _account(lead, accounts)
    if lead.stage is Stage.NEW or not knows_raised_hands(terms.applied.pact.qualification):
        take_up(lead, event)
    if lead.stage is Stage.NEW and asks(event):
        lead.received_at = max(lead.received_at, event.received_at)
    at = min(event.occurred_at, event.received_at)
    lead.hear(event.intent, at, terms.applied.pact.scoring.engagement)


def _raises_a_hand(lead: Lead, event: LeadCaptured, ever: Owners, terms: Terms) -> str | None:
    """The criterion that the touch meets, if it begins a new request of a lead that sales has."""
    if not may_raise_a_hand(lead, event):
        return None
    raised = _criterion(lead, terms, source=event.source, kind=event.source_kind, intent=event.intent)
    if raised is None:
        return None
    # By all that is known by now, so that only what is asked for makes the difference.
    waits_already = _criterion(lead, terms) is not None
    present = in_present_round(lead, ever)
    return (
        raised if is_owed_an_answer(event, waits_already=waits_already, present=present, ever=ever) else None
    )


def _criterion(lead: Lead, terms: Terms, **asked_for: object) -> str | None:
    facts, pact = lead.condition_facts() | asked_for, terms.applied.pact
    points = score(facts, lead.signals, pact.scoring, terms.now).facts()
    return raised_hand(facts | points, pact.qualification)


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
