"""Write down what a call came to, for failures too, unless somebody else holds the delivery by now.

The attempt is kept whoever holds the delivery: it was made. The delivery's own state changes only under the epoch of the
lease that the call was made under, and only once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from leadpact.storage.bulk import columns_of, insert_rows, unnest
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.webhooks.call_result import CallResult
from leadpact_router.webhooks.claim import FAILURES_TO_PAUSE, Claimed
from leadpact_router.webhooks.schedule import Delivered, Disable, GiveUp, NextStep, Retry
from leadpact_router.webhooks.tables import delivery, delivery_attempt

PAUSE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Called:
    """A call that is over: what it came to and what follows."""

    claimed: Claimed
    began_at: datetime
    ended_at: datetime
    result: CallResult
    then: NextStep

    @property
    def outcome(self) -> str:
        """The result in a few words."""
        if self.result.status is not None:
            return f"status {self.result.status}"
        return self.result.detail

    @property
    def state(self) -> str:
        match self.then:
            case Delivered():
                return "delivered"
            case Retry():
                return "pending"
            case GiveUp() | Disable():
                return "dead"


_COLUMNS = ("id", "lease_epoch", "state", "next_at", "outcome", "ended_at")
# leased_until is set while a lease runs and cleared here: a record that comes twice (its commit's answer was lost) finds it gone.
_SETTLE = text(
    f"""
    UPDATE delivery d
    SET state = r.state, next_at = coalesce(r.next_at, d.next_at), outcome = r.outcome, ended_at = r.ended_at, leased_until = NULL
    FROM {unnest(delivery, _COLUMNS)}
    WHERE d.id = r.id AND d.lease_epoch = r.lease_epoch AND d.leased_until IS NOT NULL
    """
)
# Written for every change and else once a second: a thousand successes leave the endpoint's row alone, and whoever else records.
_HEARD = text(
    """
    UPDATE webhook_endpoint e SET last_attempt_at = r.at, last_outcome = r.outcome
    FROM unnest(CAST(:ids AS uuid[]), CAST(:at AS timestamptz[]), CAST(:outcomes AS text[])) AS r(id, at, outcome)
    WHERE e.id = r.id AND (e.last_attempt_at IS NULL OR r.at >= e.last_attempt_at
        AND (r.outcome IS DISTINCT FROM e.last_outcome OR r.at >= e.last_attempt_at + interval '1 second'))
    """
)
# An endpoint in good health has nothing to be forgiven.
_HEALTHY = text(
    """
    UPDATE webhook_endpoint SET failures = 0, failing_since = NULL, paused_until = NULL
    WHERE id = ANY(CAST(:ids AS uuid[])) AND failing_since IS NOT NULL
    """
)
_FAILING = text(
    """
    UPDATE webhook_endpoint e
    SET failures = e.failures + r.failures, failing_since = coalesce(e.failing_since, :now),
        paused_until = CASE WHEN e.failures + r.failures >= :failures_to_pause THEN :now + :pause END
    FROM (SELECT id, count(*) AS failures FROM unnest(CAST(:ids AS uuid[])) AS id GROUP BY id) r
    WHERE e.id = r.id
    """
)
_DISABLE = text(
    """
    UPDATE webhook_endpoint e SET disabled_at = :now, disabled_because = r.because
    FROM unnest(CAST(:ids AS uuid[]), CAST(:because AS text[])) AS r(id, because)
    WHERE e.id = r.id AND e.disabled_at IS NULL
    """
)


async def record(tx: Transaction, calls: Sequence[Called], now: datetime) -> None:
    """Write down ``calls``."""
    if not calls:
        return
    await tx.execute(_SETTLE, columns_of(delivery, _COLUMNS, [_settled(one) for one in calls]))
    await insert_rows(tx, delivery_attempt, [_attempt(one) for one in calls], conflict="DO NOTHING")
    await _judge_endpoints(tx, calls, now)


def _settled(one: Called) -> dict[str, Any]:
    return {
        "id": one.claimed.delivery_id,
        "lease_epoch": one.claimed.epoch,
        "state": one.state,
        "next_at": one.then.at if isinstance(one.then, Retry) else None,
        "outcome": one.then.reason if isinstance(one.then, GiveUp | Disable) else one.outcome,
        "ended_at": None if isinstance(one.then, Retry) else one.ended_at,
    }


def _attempt(one: Called) -> dict[str, Any]:
    return {
        "delivery_id": one.claimed.delivery_id,
        "number": one.claimed.epoch,
        "at": one.began_at,
        "elapsed_ms": one.result.elapsed_ms,
        "status": one.result.status,
        "fault": one.result.fault,
        "detail": one.result.detail,
        "body": one.result.body,
        "is_replay": one.claimed.request.is_replay,
    }


async def _judge_endpoints(tx: Transaction, calls: Sequence[Called], now: datetime) -> None:
    answered = {one.claimed.endpoint_id for one in calls if one.result.is_success}
    failures = [one.claimed.endpoint_id for one in calls if one.claimed.endpoint_id not in answered]
    gone = {one.claimed.endpoint_id: one.then.reason for one in calls if isinstance(one.then, Disable)}
    latest = {one.claimed.endpoint_id: one for one in sorted(calls, key=lambda one: one.began_at)}
    ids = sorted(latest)
    heard = {"at": [latest[id].began_at for id in ids], "outcomes": [latest[id].outcome for id in ids]}
    await tx.execute(_HEARD, {"ids": ids, **heard})
    if answered:
        await tx.execute(_HEALTHY, {"ids": sorted(answered)})
    if failures:
        limits = {"failures_to_pause": FAILURES_TO_PAUSE, "pause": PAUSE}
        await tx.execute(_FAILING, {"ids": sorted(failures), "now": now, **limits})
    if gone:
        await tx.execute(_DISABLE, {"ids": list(gone), "because": list(gone.values()), "now": now})
