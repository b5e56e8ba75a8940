"""Settle a batch of a file's rows: each becomes a lead, is found to be one that came before, or is rejected with reasons.

Judging a row is pure. Settling a batch is one transaction with a handful of statements; it goes through the same ``accept`` as posts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from leadpact.storage.bulk import insert_rows
from leadpact.storage.unit_of_work import Transaction
from leadpact_ingest.accept import Accepted, Outcome, Submission, accept, accept_up_to
from leadpact_ingest.canonical import Context, Unusable, canonicalise_row
from leadpact_ingest.cap import count_used, over_the_cap, room_under
from leadpact_ingest.files.table import BadRow, Row
from leadpact_ingest.headers import HeaderMap
from leadpact_ingest.idempotency import claim_of_row
from leadpact_ingest.problem import FieldProblem
from leadpact_ingest.source import UploadedSource
from leadpact_ingest.tables import upload_reject

TableRow = Row | BadRow


@dataclass(frozen=True, slots=True)
class FileOfRows:
    """Where rows come from."""

    upload_id: UUID
    sha256: str
    source: UploadedSource
    columns: HeaderMap
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a row is not taken."""

    problems: tuple[FieldProblem, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """A row, and the lead in it or why there is none."""

    row: TableRow
    verdict: Submission | Rejected


def judge(file: FileOfRows, row: TableRow) -> Judged:
    """The lead in a row, unless it cannot be read or the contract does not take it."""
    return Judged(row, _verdict(file, row))


async def settle(
    tx: Transaction, file: FileOfRows, judged: Sequence[Judged], *, now: datetime
) -> dict[str, int]:
    """Take in what may be, keep what is rejected, and count what became of the rows."""
    submissions = [one.verdict for one in judged if isinstance(one.verdict, Submission)]
    of_submitted = iter(await _take_in(tx, file, submissions, now))
    results = [one.verdict if isinstance(one.verdict, Rejected) else next(of_submitted) for one in judged]
    rejects = [
        (one.row, result) for one, result in zip(judged, results, strict=True) if isinstance(result, Rejected)
    ]
    await insert_rows(tx, upload_reject, [_reject_row(file, row, rejected) for row, rejected in rejects])
    accepted = sum(isinstance(result, Accepted) for result in results)
    return {
        "accepted": accepted,
        "duplicates": len(results) - accepted - len(rejects),
        "rejected": len(rejects),
    }


def row_receipt(source: str, sha256: str, row: int) -> UUID:
    """The receipt of a file's row: always the same one, so that the row cannot come in twice."""
    return uuid5(_ROWS, f"{source} {sha256} {row}")


_ROWS = UUID("6f2a5b0e-6d8a-5f6e-9a54-0c6f6a3c1d77")  # a namespace of our own (RFC 9562 §5.5)


def _verdict(file: FileOfRows, row: TableRow) -> Submission | Rejected:
    if isinstance(row, BadRow):
        return Rejected((row.problem,))
    context = Context(file.received_at, file.source.default_country, file.source.timezone)
    draft = canonicalise_row(file.columns, row.cells, context)
    if isinstance(draft, Unusable):
        return Rejected(draft.problems)
    objection = file.source.objection(draft)
    if objection is not None:
        return Rejected((objection,))
    return Submission(
        receipt_id=row_receipt(file.source.name, file.sha256, row.number),
        source=file.source,
        draft=draft,
        claim=claim_of_row(draft),
        received_at=file.received_at,
        upload_id=file.upload_id,
        row=row.number,
    )


async def _take_in(
    tx: Transaction, file: FileOfRows, submissions: Sequence[Submission], now: datetime
) -> Sequence[Outcome | Rejected]:
    """What becomes of each submission; those that the source's cap has no room for are rejected."""
    cap = file.source.cap
    if cap is None:
        return await accept(tx, submissions, now=now)
    room = await room_under(tx, file.source.name, cap, file.received_at)
    outcomes = await accept_up_to(tx, room, submissions, now=now)
    taken = sum(isinstance(outcome, Accepted) for outcome in outcomes)
    await count_used(tx, file.source.name, cap, file.received_at, taken)
    over = Rejected((over_the_cap(cap),))
    return [over if outcome is None else outcome for outcome in outcomes]


def _reject_row(file: FileOfRows, row: TableRow, rejected: Rejected) -> dict[str, object]:
    return {
        "upload_id": file.upload_id,
        "row": row.number,
        "cells": row.cells,
        "problems": rejected.problems,
    }
