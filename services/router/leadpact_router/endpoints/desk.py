"""Take in what sales and the CRM report, from the API and from the board: what may be sent, and doing it once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from leadpact.clock import Clock
from leadpact.pact.book import PactBook
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_router.endpoints.fields import Line, Moment, Note, happened_at
from leadpact_router.endpoints.repeats import answer_once
from leadpact_router.release_held import FLOOR_CHANGED
from leadpact_router.work import (
    Closed,
    Recorded,
    accept,
    attempt,
    book_meeting,
    close,
    contact,
    pause,
    reject,
    resume,
)


class Report(BaseModel):
    """Something that happened to an assignment."""

    model_config = ConfigDict(extra="forbid")

    occurred_at: Moment | None = Field(
        None,
        description="When it happened, now if left out. What happened in time counts, however late it is reported.",
        examples=["2026-03-03T09:12:00Z"],
    )


class Attempt(Report):
    """The owner tried to reach the person."""

    channel: Line = Field(examples=["call", "email", "linkedin"])
    automatic: bool = Field(False, description="A machine sent it: it is on record and keeps no promise.")


class Contact(Report):
    """The person was reached."""

    channel: Line = Field("call", examples=["call", "email", "meeting"])
    automatic: bool = Field(
        False,
        description="An auto-reply or out-of-office note is no contact: it is recorded as an automatic attempt.",
    )


class Meeting(Report):
    """A meeting was agreed; ``occurred_at`` is when, not for when."""

    meeting_at: Moment | None = Field(
        None, description="When they meet, if that is known.", examples=["2026-03-05T14:00:00+01:00"]
    )


class Rejection(Report):
    """The lead is given back."""

    reason: Line = Field(description="One of the pact's rejection reasons.", examples=["bad_data"])
    note: Note | None = Field(None, description="Required with some reasons.")


def _counts_from_now(value: object) -> object:
    if value is not None:
        raise ValueError("cannot be said here: a pause counts from when we hear of it; leave it out")
    return value


class Resumption(BaseModel):
    """It counts from now, so nothing is said."""

    model_config = ConfigDict(extra="forbid")

    # Known only to be refused in words that help.
    occurred_at: Annotated[SkipJsonSchema[None], BeforeValidator(_counts_from_now)] = None


class Pause(Resumption):
    """Nobody is expected to act, from now on."""

    state: Line = Field(
        description="A state that some promise of the pact names in `pause_while`.",
        examples=["waiting_for_customer"],
    )
    until: Moment | None = Field(
        None,
        description="When the pause ends by itself. Left out, it lasts until the lead is resumed.",
        examples=["2026-03-09T08:00:00Z"],
    )


class Closing(Report):
    """The lead is done with."""

    reason: Line = Field(description="In a word or a short line.", examples=["won", "lost", "duplicate"])


class Outcome(BaseModel):
    """What became of a report."""

    model_config = ConfigDict(from_attributes=True)

    assignment_id: UUID
    lead_id: UUID
    rep_id: str
    stage: str = Field(description="The lead's stage now.")
    changed: bool = Field(description="False if all of it was known before.")
    recorded_as: str = Field(
        description="The verb, except that an automatic contact is recorded as an `attempt`.",
        examples=["contact", "attempt"],
    )


class ClosingOutcome(BaseModel):
    """What became of closing a lead."""

    model_config = ConfigDict(from_attributes=True)

    lead_id: UUID
    stage: str = Field(description="The lead's stage now.", examples=["closed"])
    changed: bool = Field(description="False if it was closed before.")


Doing = Callable[[Transaction], Awaitable[Recorded | Closed]]
A = TypeVar("A", bound=BaseModel)


class Desk:
    """Takes reports in."""

    def __init__(self, uow: UnitOfWork, book: PactBook, clock: Clock, wake: Wake) -> None:
        self._uow = uow
        self._book = book
        self._clock = clock
        self._wake = wake

    async def accept(self, assignment_id: UUID, said: Report, key: str | None = None) -> Outcome:
        """The owner took the lead on."""
        now = self._clock.now()
        at = happened_at(said.occurred_at, now)

        async def doing(tx: Transaction) -> Recorded:
            return await accept(tx, assignment_id, occurred_at=at, now=now)

        return await self._once(f"accept {assignment_id}", said, key, doing, Outcome)

    async def attempt(self, assignment_id: UUID, said: Attempt, key: str | None = None) -> Outcome:
        """Somebody tried to reach the person."""
        now = self._clock.now()
        at = happened_at(said.occurred_at, now)

        async def doing(tx: Transaction) -> Recorded:
            return await attempt(
                tx,
                assignment_id,
                channel=said.channel,
                automatic=said.automatic,
                occurred_at=at,
                now=now,
            )

        return await self._once(f"attempt {assignment_id}", said, key, doing, Outcome)

    async def contact(self, assignment_id: UUID, said: Contact, key: str | None = None) -> Outcome:
        """A human reached the person."""
        now = self._clock.now()
        at = happened_at(said.occurred_at, now)

        async def doing(tx: Transaction) -> Recorded:
            return await contact(
                tx,
                assignment_id,
                channel=said.channel,
                automatic=said.automatic,
                occurred_at=at,
                now=now,
            )

        return await self._once(f"contact {assignment_id}", said, key, doing, Outcome)

    async def meeting(self, assignment_id: UUID, said: Meeting, key: str | None = None) -> Outcome:
        """A meeting was agreed."""
        now = self._clock.now()
        at = happened_at(said.occurred_at, now)

        async def doing(tx: Transaction) -> Recorded:
            return await book_meeting(tx, assignment_id, meeting_at=said.meeting_at, occurred_at=at, now=now)

        return await self._once(f"meeting {assignment_id}", said, key, doing, Outcome)

    async def pause(self, assignment_id: UUID, said: Pause, key: str | None = None) -> Outcome:
        """Nobody is expected to act."""
        now = self._clock.now()

        async def doing(tx: Transaction) -> Recorded:
            pact = (await self._book.current(tx)).pact
            return await pause(tx, assignment_id, state=said.state, until=said.until, now=now, pact=pact)

        return await self._once(f"pause {assignment_id}", said, key, doing, Outcome)

    async def resume(self, assignment_id: UUID, said: Resumption, key: str | None = None) -> Outcome:
        """Sales is expected to act again."""
        now = self._clock.now()

        async def doing(tx: Transaction) -> Recorded:
            return await resume(tx, assignment_id, now=now)

        return await self._once(f"resume {assignment_id}", said, key, doing, Outcome)

    async def reject(self, assignment_id: UUID, said: Rejection, key: str | None = None) -> Outcome:
        """The owner gave the lead back."""
        now = self._clock.now()
        at = happened_at(said.occurred_at, now)

        async def doing(tx: Transaction) -> Recorded:
            applied = await self._book.current(tx)
            return await reject(
                tx,
                assignment_id,
                reason=said.reason,
                note=said.note,
                occurred_at=at,
                now=now,
                applied=applied,
            )

        return await self._once(f"reject {assignment_id}", said, key, doing, Outcome)

    async def close(self, lead_id: UUID, said: Closing, key: str | None = None) -> ClosingOutcome:
        """The lead is done with."""
        now = self._clock.now()
        at = happened_at(said.occurred_at, now)

        async def doing(tx: Transaction) -> Closed:
            return await close(tx, lead_id, reason=said.reason, occurred_at=at, now=now)

        return await self._once(f"close {lead_id}", said, key, doing, ClosingOutcome)

    async def _once(self, command: str, said: BaseModel, key: str | None, doing: Doing, answer: type[A]) -> A:
        async with self._uow.transaction() as tx:

            async def work() -> dict[str, Any]:
                return answer.model_validate(await doing(tx)).model_dump(mode="json")

            answered = await answer_once(tx, key, command, said.model_dump(mode="json"), work)
        self._wake.poke([FLOOR_CHANGED])
        return answer.model_validate(answered)
