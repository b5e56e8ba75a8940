"""Answer a repeated command as the first time, if its sender names it with an ``Idempotency-Key``.

The key is stored in the transaction that does the work, so there is an answer if and only if the work was done. Of two
senders of one key at once the second waits at the primary key until the first has committed or failed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Header
from sqlalchemy import text

from leadpact.runtime.problems import Problem
from leadpact.storage.unit_of_work import Transaction

REMEMBERED_FOR = timedelta(hours=24)

# Structured-field strings are quoted (draft-ietf-httpapi-idempotency-key-header-07 §2.1), most clients send the bare key.
_KEY = re.compile(r'"([\x20-\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x7e][\x20-\x7e]{0,254})')

IdempotencyKey = Annotated[
    str | None,
    Header(
        description="Names this command, such as a UUID. Sent again with the same body within 24 hours, it gets the same answer."
    ),
]

_TAKE = text(
    """
    INSERT INTO idempotent_answer (key, fingerprint, status, body) VALUES (:key, :fingerprint, 0, '{}')
    ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, at = excluded.at
    WHERE idempotent_answer.at <= statement_timestamp() - CAST(:remembered_for AS interval)
    RETURNING key
    """
)
_STORED = text("SELECT fingerprint, body FROM idempotent_answer WHERE key = :key")
_STORE = text("UPDATE idempotent_answer SET status = :status, body = CAST(:body AS jsonb) WHERE key = :key")
_FORGET = text(
    """
    DELETE FROM idempotent_answer WHERE key IN (
        SELECT key FROM idempotent_answer WHERE at <= statement_timestamp() - CAST(:remembered_for AS interval) LIMIT :limit)
    """
)


async def answer_once(
    tx: Transaction,
    key: str | None,
    command: str,
    said: Any,
    work: Callable[[], Awaitable[dict[str, Any]]],
    *,
    status: int = 200,
) -> dict[str, Any]:
    """The answer of ``work``, or the one it gave before. ``command`` is the route with its ids, ``said`` the JSON that was sent.

    Raises ``Problem`` 400 for a key that is none and 422 for one that came with something else before.
    """
    if key is None:
        return await work()
    name = f"{command} {_read(key)}"
    fingerprint = sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    taken = await tx.execute(
        _TAKE, {"key": name, "fingerprint": fingerprint, "remembered_for": REMEMBERED_FOR}
    )
    if taken.first() is None:
        return await _stored(tx, name, fingerprint)
    answer = await work()
    await tx.execute(_STORE, {"key": name, "status": status, "body": json.dumps(answer)})
    return answer


async def forget_answers(tx: Transaction, *, limit: int = 5_000) -> int:
    """Delete at most ``limit`` answers that nobody can ask for any more, and say how many there were."""
    return (await tx.execute(_FORGET, {"remembered_for": REMEMBERED_FOR, "limit": limit})).rowcount


async def _stored(tx: Transaction, name: str, fingerprint: str) -> dict[str, Any]:
    stored = (await tx.execute(_STORED, {"key": name})).one()
    if stored.fingerprint != fingerprint:
        raise Problem(
            422,
            "idempotency-key-reused",
            "This Idempotency-Key came before with another body. Use a new key for a new command.",
        )
    body: dict[str, Any] = stored.body
    return body


def _read(header: str) -> str:
    found = _KEY.fullmatch(header.strip())
    if found is None:
        raise Problem(
            400,
            "invalid-idempotency-key",
            "The Idempotency-Key cannot be used: it has 1 to 255 printable ASCII characters, such as a UUID.",
        )
    return found[1] or found[2]
