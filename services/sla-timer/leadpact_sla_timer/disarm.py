"""Write down what sales did with a lead, as of when that happened, and let its clocks follow.

Feedback is written down for its assignment whether or not the assignment has been heard of: what comes first waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from leadpact.bus.consume import Received
from leadpact.events import (
    LeadAccepted,
    LeadAttempted,
    LeadClosed,
    LeadContacted,
    LeadMeetingBooked,
    LeadPaused,
    LeadRejected,
    LeadResumed,
)
from leadpact.events.lead import Worked
from leadpact.pact.book import PactBook
from leadpact.storage.unit_of_work import Transaction
from leadpact_sla_timer.lead_file import LeadFile
from leadpact_sla_timer.record import Assignment, Heard, Paused, Request, earliest, reported, request_of

WORKED = (
    LeadContacted,
    LeadAccepted,
    LeadRejected,
    LeadAttempted,
    LeadMeetingBooked,
    LeadPaused,
    LeadResumed,
)
"""What a clock hears of from whoever has the lead."""


async def disarm(tx: Transaction, received: Sequence[Received], book: PactBook, now: datetime) -> None:
    """Apply a batch of the events that are `WORKED`."""
    events: list[Worked] = [one.event for one in received]  # type: ignore[misc]  # the consumer hands over events of these classes
    file = await LeadFile.read(tx, book, (event.lead_id for event in events), now)
    for event, one in zip(events, received, strict=True):
        file.note(_with(file.assignment(event.lead_id, event.assignment_id), event))
        file.judge(event.lead_id, one.message.id)
    await file.write(tx)


async def close(tx: Transaction, received: Sequence[Received], book: PactBook, now: datetime) -> None:
    """Apply a batch of `LeadClosed`: nothing is owed to the lead any more."""
    events: list[LeadClosed] = [one.event for one in received]  # type: ignore[misc]  # the consumer hands over events of this class
    file = await LeadFile.read(tx, book, (event.lead_id for event in events), now)
    for event, one in zip(events, received, strict=True):
        closed = reported(f"closed: {event.reason}", event.occurred_at, event.recorded_at)
        if request := _closed_request(file, event):
            file.note_request(replace(request, closed=earliest(request.closed, closed)))
        if event.assignment_id is not None:
            known = file.assignment(event.lead_id, event.assignment_id)
            file.note(known.ends(closed.what, closed.at, closed.recorded_at))
        file.judge(event.lead_id, one.message.id)
    await file.write(tx)


def _closed_request(file: LeadFile, event: LeadClosed) -> Request | None:
    """What the person had asked for when the lead was closed: the news may come again after they asked anew."""
    if event.assignment_id is not None:
        request_id = file.assignment(event.lead_id, event.assignment_id).request_id
        if request_id is not None:
            return file.request(event.lead_id, request_id)
    # Where it says what it is about: if the database's clock was set back since, no request came before the closing.
    if event.received_at is not None:
        return file.request(event.lead_id, request_of(event.lead_id, event.received_at))
    return file.request_at(event.lead_id, event.recorded_at)


def _with(known: Assignment, event: Worked) -> Assignment:
    """The assignment with one more fact."""
    match event:
        case LeadContacted():
            reached = known.did("contacted", _heard("contacted", event))
            return reached.tried(_heard(event.channel, event))
        case LeadAccepted():
            return known.did("accepted", _heard("accepted", event))
        case LeadMeetingBooked():
            return known.did("meeting_booked", _heard("meeting booked", event))
        case LeadRejected():
            given_back = _heard(f"rejected: {event.reason}", event)
            ended = known.ends(given_back.what, given_back.at, given_back.recorded_at)
            return ended.did("rejected", given_back)
        case LeadAttempted():
            return known if event.automatic else known.tried(_heard(event.channel, event))
        case LeadPaused():
            return known.paused(Paused(event.recorded_at, event.until, event.state))
        case LeadResumed():
            return known.resumed(event.recorded_at)
        case _:
            raise TypeError(f"{event.TYPE} is nothing that a clock hears of")


def _heard(what: str, event: Worked) -> Heard:
    return reported(what, event.occurred_at, event.recorded_at)
