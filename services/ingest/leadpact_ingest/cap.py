"""Count what a source delivers in a period, and take no more than its contract pays for.

Periods are calendar days, weeks (from Monday) and months in UTC, by the time the file was received.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import text

from leadpact.pact.phrases import Cap
from leadpact.storage.unit_of_work import Transaction
from leadpact_ingest.problem import FieldProblem


def period_start(cap: Cap, at: datetime) -> date:
    """The first day of the period that ``at`` lies in."""
    day = at.astimezone(UTC).date()
    match cap.per:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)


async def room_under(tx: Transaction, source: str, cap: Cap, at: datetime) -> int:
    """How many more leads the period takes. Nobody else counts for this source until the transaction ends."""
    used = await tx.execute(_LOCK, {"source": source, "start": period_start(cap, at)})
    return max(0, cap.count - int(used.scalar_one()))


async def count_used(tx: Transaction, source: str, cap: Cap, at: datetime, leads: int) -> None:
    """Add ``leads`` to the period. Call it after ``room_under``, in the same transaction."""
    await tx.execute(_COUNT, {"source": source, "start": period_start(cap, at), "leads": leads})


def over_the_cap(cap: Cap) -> FieldProblem:
    """What is said of a row that the period has no room for."""
    return FieldProblem(
        "row",
        f"The contract takes {cap}, and this {cap.per} has that many already.",
        f"Upload the row again in the next {cap.per}, or agree on a higher cap.",
    )


# The update changes nothing; it locks the row and returns it whether or not it was there.
_LOCK = text(
    """
    INSERT INTO cap_use (source, period_start, used) VALUES (:source, :start, 0)
    ON CONFLICT (source, period_start) DO UPDATE SET used = cap_use.used RETURNING used
    """
)
_COUNT = text("UPDATE cap_use SET used = used + :leads WHERE source = :source AND period_start = :start")
