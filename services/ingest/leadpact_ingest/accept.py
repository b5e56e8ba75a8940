"""Take leads in: each submission is stored and announced once, or recognised as one that came before.

The one way in, for posts and for the rows of files. A batch is one transaction, with the same few statements however many
submissions there are: claims, receipts with their raw posts, and ``lead.captured`` for each lead that is new. When it has
committed, and not before, the sender may be told that the lead is safe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from leadpact.domain.lead import LeadDraft
from leadpact.errors import Transient
from leadpact.events import LeadCaptured
from leadpact.storage.bulk import Insert, insert_together
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact_ingest.idempotency import Claim, Claimant, Holder, release_claims, take_claims
from leadpact_ingest.source import Source
from leadpact_ingest.tables import raw_post, receipt


@dataclass(frozen=True, slots=True)
class RawPost:
    """What was sent, byte for byte."""

    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Submission:
    """A lead that wants to come in. ``raw`` is None for a row: its file is kept whole."""

    receipt_id: UUID
    source: Source
    draft: LeadDraft
    claim: Claim
    received_at: datetime
    raw: RawPost | None = None
    upload_id: UUID | None = None
    row: int | None = None


@dataclass(frozen=True, slots=True)
class TrappedPost:
    """What a robot sent: kept apart, never announced, so that a person who was mistaken for one can be found."""

    receipt_id: UUID
    source: Source
    received_at: datetime
    raw: RawPost


@dataclass(frozen=True, slots=True)
class Accepted:
    """The lead is stored and announced under this receipt. ``is_repeat``: it had been before."""

    receipt_id: UUID
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The same person said the same a short while ago; this is that receipt."""

    receipt_id: UUID


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The Idempotency-Key belongs to another lead: nothing was taken in."""


Outcome = Accepted | Duplicate | KeyReused


async def accept(tx: Transaction, submissions: Sequence[Submission], *, now: datetime) -> list[Outcome]:
    """Take in what is new; one outcome per submission, in order."""
    claimed = await _claimed(tx, submissions, now)
    await _store(tx, _new(claimed))
    return [_outcome(one, holder) for one, holder in claimed]


async def accept_up_to(
    tx: Transaction, room: int, submissions: Sequence[Submission], *, now: datetime
) -> list[Outcome | None]:
    """As ``accept``, but take in the first ``room`` new leads only; None for those that there is no room for."""
    claimed = await _claimed(tx, submissions, now)
    new = _new(claimed)
    left_out = new[room:]
    await release_claims(tx, [_claimant(one, now) for one in left_out])
    await _store(tx, new[:room])
    without = {one.receipt_id for one in left_out}
    return [None if holder.receipt_id in without else _outcome(one, holder) for one, holder in claimed]


async def _store(tx: Transaction, submissions: Sequence[Submission]) -> None:
    """Write receipts and raw posts, and announce the leads."""
    receipts = [_receipt_row(one) for one in submissions]
    posts = [_raw_row(one.receipt_id, one.raw) for one in submissions if one.raw is not None]
    await insert_together(tx, Insert(receipt, receipts), Insert(raw_post, posts))
    for one in submissions:
        tx.emit(_captured(one))


async def keep_apart(tx: Transaction, trapped: Sequence[TrappedPost]) -> None:
    """Keep what robots sent, with the raw post, under a receipt that no lead comes of."""
    rows = [
        {
            "id": one.receipt_id,
            "source": one.source.name,
            "status": "honeypot",
            "received_at": one.received_at,
        }
        for one in trapped
    ]
    # A second try after a lost answer meets its own row.
    posts = [_raw_row(one.receipt_id, one.raw) for one in trapped]
    await insert_together(tx, Insert(receipt, rows, "DO NOTHING"), Insert(raw_post, posts, "DO NOTHING"))


class PostWriter:
    """Writes batches of posts, each in a transaction of its own; what `GroupCommit` calls."""

    def __init__(self, uow: UnitOfWork, now: Callable[[], datetime]) -> None:
        self._uow = uow
        self._now = now

    async def write(self, posts: Sequence[Submission | TrappedPost]) -> list[Outcome]:
        """The outcome of each post, after the commit. A passing fault is tried once more: the claims make that harmless."""
        try:
            return await self._write(posts)
        except Transient:
            return await self._write(posts)

    async def _write(self, posts: Sequence[Submission | TrappedPost]) -> list[Outcome]:
        submissions = [post for post in posts if isinstance(post, Submission)]
        trapped = [post for post in posts if isinstance(post, TrappedPost)]
        async with self._uow.transaction() as tx:
            accepted = iter(await accept(tx, submissions, now=self._now()))
            await keep_apart(tx, trapped)
        return [
            next(accepted) if isinstance(post, Submission) else Accepted(post.receipt_id) for post in posts
        ]


_Claimed = tuple[Submission, Holder]


async def _claimed(tx: Transaction, submissions: Sequence[Submission], now: datetime) -> list[_Claimed]:
    holders = await take_claims(tx, [_claimant(one, now) for one in submissions])
    return list(zip(submissions, holders, strict=True))


def _claimant(submission: Submission, now: datetime) -> Claimant:
    return Claimant(submission.source.name, submission.claim, submission.receipt_id, now)


def _new(claimed: Sequence[_Claimed]) -> list[Submission]:
    """Those that hold a claim which was taken just now."""
    return [one for one, holder in claimed if holder.is_new_to(one.receipt_id)]


def _outcome(submission: Submission, holder: Holder) -> Outcome:
    if holder.fingerprint != submission.claim.fingerprint:
        return KeyReused()
    if holder.receipt_id == submission.receipt_id:
        return Accepted(submission.receipt_id)
    if submission.claim.is_keyed:
        return Accepted(holder.receipt_id, is_repeat=True)
    return Duplicate(holder.receipt_id)


def _receipt_row(submission: Submission) -> dict[str, object]:
    return {
        "id": submission.receipt_id,
        "source": submission.source.name,
        "status": "accepted",
        "received_at": submission.received_at,
        "upload_id": submission.upload_id,
        "row": submission.row,
    }


def _raw_row(receipt_id: UUID, raw: RawPost) -> dict[str, object]:
    return {"receipt_id": receipt_id, "content_type": raw.content_type, "body": raw.body}


def _captured(submission: Submission) -> LeadCaptured:
    """Whatever date it states, it happened at the latest when it came in."""
    stated, received_at = submission.draft.event_at, submission.received_at
    return LeadCaptured(
        occurred_at=min(stated, received_at) if stated else received_at,
        receipt_id=submission.receipt_id,
        source=submission.source.name,
        source_kind=submission.source.kind,
        intent=submission.source.intent,
        received_at=submission.received_at,
        lead=submission.draft,
        upload_id=submission.upload_id,
        row=submission.row,
    )
