"""Let one of several processes do a thing, and fence off one that believes for too long that it is the one.

A lease is a row: who holds it, until when by the database's clock, and an *epoch* that grows with every change of hands. Whoever finds it
expired may take it. A holder that was suspended does not notice at once that it was succeeded; what it then does to the database
must therefore run behind ``confirm``, in the same transaction: the row lock and the epoch make it fail there.
"""

from __future__ import annotations

import asyncio
import os
import socket
from datetime import timedelta

from sqlalchemy import text

from leadpact.errors import Transient
from leadpact.ids import new_id
from leadpact.storage.unit_of_work import Transaction, UnitOfWork

# An expired lease that nobody has taken is renewed by its old holder under the old epoch: there was no other meanwhile.
_TAKE = text(
    """
    INSERT INTO relay_lease AS l (name, owner, epoch, held_until)
    VALUES (:name, :owner, 1, statement_timestamp() + CAST(:length AS interval))
    ON CONFLICT (name) DO UPDATE
    SET owner = excluded.owner,
        epoch = l.epoch + CASE WHEN l.owner = excluded.owner THEN 0 ELSE 1 END,
        held_until = excluded.held_until
    WHERE l.owner = excluded.owner OR l.held_until < statement_timestamp()
    RETURNING epoch
    """
)
_CONFIRM = text(
    """
    UPDATE relay_lease SET held_until = statement_timestamp() + CAST(:length AS interval)
    WHERE name = :name AND owner = :owner AND epoch = :epoch
    """
)
_RELEASE = text(
    "UPDATE relay_lease SET held_until = statement_timestamp() WHERE name = :name AND owner = :owner AND epoch = :epoch"
)


class LeaseLost(Transient):
    """Somebody else has taken the lease over."""


class Lease:
    """One process's claim to the lease ``name``. It is renewed by use; unused for ``seconds``, it is free for others."""

    def __init__(self, uow: UnitOfWork, name: str, *, seconds: float) -> None:
        self._uow = uow
        self._name = name
        self._seconds = seconds
        # The id makes it unique, host and process make it useful to whoever looks at the row.
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{new_id()}"
        self._epoch: int | None = None
        self._renewed_at = 0.0

    @property
    def epoch(self) -> int | None:
        """The number of this tenure; None while the lease is not ours."""
        return self._epoch

    async def hold(self) -> bool:
        """Take the lease if it is free, renew it in good time if it is ours. False while it is another's."""
        now = asyncio.get_running_loop().time()
        if self._epoch is not None and now - self._renewed_at < self._seconds / 3:
            return True
        async with self._uow.transaction() as tx:
            taken = await tx.execute(_TAKE, self._parameters())
            self._epoch = taken.scalar_one_or_none()
        self._renewed_at = now
        return self._epoch is not None

    async def confirm(self, tx: Transaction) -> None:
        """Renew the lease in ``tx`` and keep others from taking it until ``tx`` ends. Raises ``LeaseLost``."""
        now = asyncio.get_running_loop().time()
        renewed = await tx.execute(_CONFIRM, {**self._parameters(), "epoch": self._epoch})
        if renewed.rowcount == 0:
            self._epoch = None
            raise LeaseLost(f"the lease {self._name} was taken over")
        self._renewed_at = now

    async def release(self) -> None:
        """Give the lease back, so that the next holder need not wait until it expires."""
        if self._epoch is None:
            return
        async with self._uow.transaction() as tx:
            await tx.execute(_RELEASE, {**self._parameters(), "epoch": self._epoch})
        self._epoch = None

    def _parameters(self) -> dict[str, object]:
        return {"name": self._name, "owner": self._owner, "length": timedelta(seconds=self._seconds)}
