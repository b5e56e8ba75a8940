"""Say whether a known person's touch begins a new request, and begin it. Pure.

A request is one time that somebody asks for sales: its owners, its clocks and the customer's wait count from there.

Asking means a form or a visit at an event; a bought list that names the person asks nothing. A form is filled in when it
comes, whatever date it brings along: that may be when the CRM's record was made. A scan may reach us days after the visit.

* **Until sales has the lead** nobody owes it anything, so each time that the person asks begins the request anew: who signs up for a
  newsletter in March and wants a demo in May waits since May.
* **While sales has it** most touches only add to what is known. A touch that *raises a hand* begins a new request: it meets one of the pact's
  criteria of a qualified lead by what it asks for, or through what (`raised_hand`). Not if the present request does so too and nobody
  has answered it yet: who asks for a demo twice waits since the first time. And not if somebody spoke with them since they asked, or gave them up.
* **After sales gave it back** or was done with it (recycled, nurtured, disqualified, closed) the person asking again, for whatever, begins a new
  request, which has to qualify like any other.

What a request asks for, and through what, are those of the touch that began it: a demo request stays one, with its promises, when the person
downloads a paper while they wait. (A pact that does not mind what is asked for knows no raised hands; there it is the latest touch that tells.)
"""

from __future__ import annotations

from datetime import datetime

from leadpact.events import LeadCaptured
from leadpact_router.lead import CLOSED_STAGES, Lead, Stage
from leadpact_router.owner import Owner, Owners


def asks(event: LeadCaptured) -> bool:
    """Whether the person did something to be in touch."""
    return event.source_kind != "syndication"


def asked(event: LeadCaptured) -> datetime:
    """When they did."""
    return event.received_at if event.source_kind == "form" else min(event.occurred_at, event.received_at)


def may_raise_a_hand(lead: Lead, event: LeadCaptured) -> bool:
    """Whether the person does something, and sales has the lead."""
    return lead.is_with_sales and asks(event)


def comes_back(lead: Lead, event: LeadCaptured) -> bool:
    """Whether the person asks although sales gave the lead back or was done with it, and after that."""
    return (
        lead.stage in CLOSED_STAGES
        and asks(event)
        and lead.closed_at is not None
        and asked(event) > lead.closed_at
    )


def is_owed_an_answer(event: LeadCaptured, *, waits_already: bool, present: Owners, ever: Owners) -> bool:
    """Whether a raised hand has not been answered. ``waits_already``: the present request raises one too, and its first answer is this one's as well.

    ``present`` are the owners of the present request, ``ever`` all that the lead has had.
    """
    asked_at = asked(event)
    if any(at >= asked_at for owner in ever for at in _answers(owner)):
        return False
    return not waits_already or any(_answers(owner) for owner in present)


def _answers(owner: Owner) -> list[datetime]:
    """When they first spoke with the person, and when they gave them up."""
    return [at for at in (owner.answered_at, owner.gave_up_at) if at is not None]


def take_up(lead: Lead, event: LeadCaptured) -> None:
    """What the lead asks for is what this touch does."""
    lead.source, lead.source_kind, lead.intent = event.source, event.source_kind, event.intent


def reopen(lead: Lead, received_at: datetime) -> None:
    """Begin a request of a lead that nobody has; it has to qualify."""
    _begin(lead, received_at)
    lead.stage, lead.closed_at = Stage.NEW, None
    lead.qualified_at = lead.qualified_because = None


def begin_with_sales(lead: Lead, received_at: datetime, because: str, now: datetime) -> None:
    """Begin a request of a lead that sales has. Whoever has it or waits for it is decided anew.

    One that we read of late, after the present request, goes on as that one: requests follow each other in time.
    """
    _begin(lead, max(received_at, lead.received_at))
    lead.stage = Stage.MQL
    lead.qualified_at, lead.qualified_because = now, because
    # It keeps its place among those who wait, and they are told what it waits for now.
    lead.held_pool = lead.held_cause_id = None


def _begin(lead: Lead, received_at: datetime) -> None:
    lead.hop = lead.hops_by_breach = 0
    lead.escalated_to = lead.escalated_at = None
    lead.received_at = received_at
