"""Stop the clocks of a lead that was contacted, accepted, rejected or taken away, as of when that happened.

Feedback is written down for its assignment whether or not the assignment has been heard of: what comes first waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from leadpact.bus.consume import Received
from leadpact.events import LeadAccepted, LeadContacted, LeadHeld, LeadRejected
from leadpact.events.lead import Worked
from leadpact.pact.book import PactBook
from leadpact.storage.unit_of_work import Transaction
from leadpact_sla_timer.judge import Assignment, Heard, earliest, reported
from leadpact_sla_timer.lead_file import LeadFile


async def disarm(tx: Transaction, received: Sequence[Received], book: PactBook, now: datetime) -> None:
    """Apply a batch of `LeadContacted`, `LeadAccepted` or `LeadRejected`."""
    events: list[Worked] = [one.event for one in received]  # type: ignore[misc]  # the consumer hands over events of this class
    file = await LeadFile.read(tx, book, (event.lead_id for event in events), now)
    for event, one in zip(events, received, strict=True):
        file.note(_with(file.assignment(event.lead_id, event.assignment_id), event))
        file.judge(event.lead_id, one.message.id)
    await file.write(tx)


async def release(tx: Transaction, received: Sequence[Received], book: PactBook, now: datetime) -> None:
    """Apply a batch of `LeadHeld`: an owner who lost the lead, with nobody to give it to yet, is timed no longer."""
    held = [(one, one.event) for one in received if isinstance(one.event, LeadHeld)]
    file = await LeadFile.read(tx, book, (event.lead_id for _, event in held), now)
    for one, event in held:
        if event.previous_assignment_id is not None:
            known = file.assignment(event.lead_id, event.previous_assignment_id)
            taken_away = Heard("taken away, nobody free", event.occurred_at, now)
            file.note(replace(known, ended=earliest(known.ended, taken_away)))
            file.judge(event.lead_id, one.message.id)
    await file.write(tx)


def _with(known: Assignment, event: Worked) -> Assignment:
    """The assignment with one more fact, if it is earlier than what is known."""
    match event:
        case LeadContacted():
            return replace(known, contacted=earliest(known.contacted, _heard("contacted", event)))
        case LeadAccepted():
            return replace(known, accepted=earliest(known.accepted, _heard("accepted", event)))
        case LeadRejected():
            return replace(known, ended=earliest(known.ended, _heard(f"rejected: {event.reason}", event)))
        case _:
            raise TypeError(f"{event.TYPE} is no feedback that stops a clock")


def _heard(what: str, event: Worked) -> Heard:
    return reported(what, event.occurred_at, event.recorded_at)
