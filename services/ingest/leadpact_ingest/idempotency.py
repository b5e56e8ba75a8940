"""Recognise a submission that came before, whoever sends it again and however many at once.

Every submission makes one *claim* in its source: its ``Idempotency-Key`` if it has one, else who it is from and what it says. The first
holds the claim for a while; the primary key of ``post_claim`` decides who that is, not this code. Whoever finds a claim held gets the
holder's receipt. Each claim also carries a fingerprint of the lead, so that one key with two different bodies is noticed.

A new lead that came with a key also holds the claim of what it says, if nobody does: a page whose script posts with a key and, when the
answer is slow, falls back to the plain form has sent one lead. The other way round a new key is the sender's word for a new lead.

A claim that names the submission's own receipt was made by an earlier try whose answer was lost on the way: it did work.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import text

from leadpact.domain.lead import LeadDraft
from leadpact.runtime.problems import Problem
from leadpact.storage.bulk import insert_rows, unnest
from leadpact.storage.unit_of_work import Transaction
from leadpact_ingest.tables import post_claim

KEY_HELD_FOR = timedelta(hours=24)
"""How long an Idempotency-Key is remembered."""
SAME_POST_WITHIN = timedelta(minutes=10)
"""A second click, a reload, a script's retry: the same answers of one person in this time are one lead."""
SAME_ROW_WITHIN = timedelta(days=365)
"""A row of one file that comes again in another one, corrected or not."""

# The draft's notes on itself, and spellings of what it also holds in its normal form.
_NOT_SAID = {"flags", "repairs", "email_as_written", "phone_as_written"}
# Structured-field strings are quoted (draft-ietf-httpapi-idempotency-key-header-07 §2.1), most clients send the bare key.
_KEY = re.compile(
    r'"(?P<quoted>[\x20-\x21\x23-\x5b\x5d-\x7e]{1,255})"|(?P<bare>[\x21\x23-\x7e][\x20-\x7e]{0,254})'
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What makes a submission the same as another one in its source."""

    name: str
    fingerprint: str
    held_for: timedelta
    is_keyed: bool = False
    """The sender named it: a repeat is the sender's own and gets the first answer again."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """A submission that makes a claim."""

    source: str
    claim: Claim
    receipt_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose claim it is, and whether it was taken just now."""

    receipt_id: UUID
    fingerprint: str
    is_new: bool

    def is_new_to(self, receipt_id: UUID) -> bool:
        """Whether the submission with this receipt has taken the claim just now."""
        return self.is_new and self.receipt_id == receipt_id


def fingerprint(draft: LeadDraft) -> str:
    """SHA-256 over what a lead says, in hex: spelling, field order and boundaries of the post do not change it."""
    return sha256(draft.model_dump_json(exclude=_NOT_SAID, exclude_defaults=True).encode()).hexdigest()


def claim_of_post(draft: LeadDraft, key: str | None) -> Claim:
    """The claim of a form post: by its key, else by person and answers."""
    print_ = fingerprint(draft)
    if key is not None:
        return Claim(f"key {key}", print_, KEY_HELD_FOR, is_keyed=True)
    return _claim_of_content(print_, SAME_POST_WITHIN)


def claim_of_row(draft: LeadDraft) -> Claim:
    """The claim of a file's row: by person and answers."""
    return _claim_of_content(fingerprint(draft), SAME_ROW_WITHIN)


def read_key(header: str | None) -> str | None:
    """The key in an ``Idempotency-Key`` header, quoted or bare. Raises ``Problem`` 400 for one that is none."""
    if header is None:
        return None
    found = _KEY.fullmatch(header.strip())
    if found is None:
        raise Problem(
            400,
            "invalid-idempotency-key",
            "The Idempotency-Key cannot be used: it has 1 to 255 printable ASCII characters, such as a UUID.",
        )
    return found["quoted"] or found["bare"]


async def take_claims(tx: Transaction, claimants: Sequence[Claimant]) -> list[Holder]:
    """Claim what is free and say for each claimant who holds its claim now. Of several in this batch the first is served."""
    # Keys first: one that came before is a repeat, and claims nothing beside. Every transaction takes them in this order,
    # so that two with claims in common wait for each other one way round only.
    holders = await _take(tx, [one for one in claimants if one.claim.is_keyed])
    new = [one for one in claimants if not one.claim.is_keyed or holders[_key(one)].is_new_to(one.receipt_id)]
    holders |= await _take(tx, [_by_content(one) for one in new])
    return [holders[_key(claimant)] for claimant in claimants]


async def release_claims(tx: Transaction, claimants: Sequence[Claimant]) -> None:
    """Give up claims that this transaction took for submissions it does not take in after all."""
    if claimants:
        rows = [(*_key(one), one.receipt_id) for one in [*claimants, *map(_by_content, claimants)]]
        source, claim, receipt_id = (list(column) for column in zip(*rows, strict=True))
        await tx.execute(_RELEASE, {"source": source, "claim": claim, "receipt_id": receipt_id})


async def forget_expired_claims(tx: Transaction, now: datetime, *, limit: int = 5_000) -> int:
    """Delete at most ``limit`` claims that nobody holds any more, and say how many there were."""
    result = await tx.execute(_FORGET, {"now": now, "limit": limit})
    return result.rowcount


def _claim_of_content(print_: str, held_for: timedelta) -> Claim:
    return Claim(f"content {print_}", print_, held_for)


def _by_content(claimant: Claimant) -> Claimant:
    """The claimant by what it says, whether or not it has a key."""
    if not claimant.claim.is_keyed:
        return claimant
    return replace(claimant, claim=_claim_of_content(claimant.claim.fingerprint, SAME_POST_WITHIN))


def _key(claimant: Claimant) -> tuple[str, str]:
    return claimant.source, claimant.claim.name


async def _take(tx: Transaction, claimants: Sequence[Claimant]) -> dict[tuple[str, str], Holder]:
    """Claim what is free; the holder of each claim that is wanted."""
    first: dict[tuple[str, str], Claimant] = {}
    for claimant in claimants:
        first.setdefault(_key(claimant), claimant)
    ordered = [first[key] for key in sorted(first)]
    won = await _claim(tx, ordered)
    holders = {key: Holder(first[key].receipt_id, first[key].claim.fingerprint, is_new=True) for key in won}
    if len(won) < len(ordered):
        holders |= await _held(tx, [key for key in sorted(first) if key not in won])
    return holders


async def _claim(tx: Transaction, claimants: Sequence[Claimant]) -> set[tuple[str, str]]:
    """Insert the claims. A conflicting insert waits for the other transaction, then takes over only what has expired."""
    rows = await insert_rows(
        tx,
        post_claim,
        [
            {
                "source": claimant.source,
                "claim": claimant.claim.name,
                "receipt_id": claimant.receipt_id,
                "fingerprint": claimant.claim.fingerprint,
                "claimed_at": claimant.at,
                "held_until": claimant.at + claimant.claim.held_for,
            }
            for claimant in claimants
        ],
        conflict=_TAKE_OVER,
        returning="source, claim",
    )
    return {(row.source, row.claim) for row in rows}


async def _held(tx: Transaction, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Holder]:
    wanted = {"source": [source for source, _ in keys], "claim": [claim for _, claim in keys]}
    rows = await tx.execute(_HELD, wanted)
    return {(row.source, row.claim): Holder(row.receipt_id, row.fingerprint, is_new=False) for row in rows}


_TAKE_OVER = """(source, claim) DO UPDATE
SET receipt_id = excluded.receipt_id, fingerprint = excluded.fingerprint,
    claimed_at = excluded.claimed_at, held_until = excluded.held_until
WHERE post_claim.held_until <= excluded.claimed_at"""

_HELD = text(
    f"""
    SELECT c.source, c.claim, c.receipt_id, c.fingerprint
    FROM {unnest(post_claim, ("source", "claim"))} JOIN post_claim c USING (source, claim)
    """
)

_RELEASE = text(
    f"""
    DELETE FROM post_claim c USING {unnest(post_claim, ("source", "claim", "receipt_id"))}
    WHERE (c.source, c.claim, c.receipt_id) = (r.source, r.claim, r.receipt_id)
    """
)

_FORGET = text(
    """
    DELETE FROM post_claim WHERE (source, claim) IN (
        SELECT source, claim FROM post_claim WHERE held_until < :now ORDER BY held_until LIMIT :limit)
    """
)
