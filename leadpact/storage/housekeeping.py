"""Forget what nobody will ask for again: log rows that every reader has passed, ids that cannot come back."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from sqlalchemy import text

from leadpact.storage.inbox import prune_inbox
from leadpact.storage.outbox import prune
from leadpact.storage.unit_of_work import Transaction, UnitOfWork

_TAKE_TURN = text("SELECT pg_try_advisory_xact_lock(hashtext(:name))")
_CONSUMERS = text("SELECT consumer FROM log_cursor UNION SELECT consumer FROM kafka_offset")


class Retention(Protocol):
    """How long things are kept."""

    @property
    def log_retention_hours(self) -> float: ...
    @property
    def inbox_retention_hours(self) -> float: ...


async def is_our_turn(tx: Transaction, whose: str) -> bool:
    """Whether this process may tidy up for ``whose`` until ``tx`` ends. Two at once would only wait for each other's rows."""
    taken = await tx.execute(_TAKE_TURN, {"name": f"leadpact housekeeping: {whose}"})
    return bool(taken.scalar_one())


async def prune_once(uow: UnitOfWork, retention: Retention) -> bool:
    """Delete one bounded batch of each; True if there is probably more. Of several processes one does it at a time."""
    async with uow.transaction() as tx:
        if not await is_our_turn(tx, "core"):
            return False
        # Rows are dated by the database's own clock, so its clock judges their age, also where the product's is scaled.
        now = (await tx.execute(text("SELECT statement_timestamp()"))).scalar_one()
        logged_before = now - timedelta(hours=retention.log_retention_hours)
        deleted = await prune(tx.connection, logged_before=logged_before)
        applied_before = now - timedelta(hours=retention.inbox_retention_hours)
        for (consumer,) in (await tx.execute(_CONSUMERS)).all():
            deleted += await prune_inbox(tx, consumer, applied_before)
    return deleted > 0
