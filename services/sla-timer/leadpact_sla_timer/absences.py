"""Keep in mind when reps are away, for the clocks that mind it, and move these clocks when that changes.

A rep's row is locked by whoever opens a clock for that rep and by whoever changes the absences: a clock that is being opened while
they change either sees them or is seen.

What is kept is the latest by the router's count of changes. Times only tell announcements of one revision apart: of an absence that has
passed the later one says nothing any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from leadpact.events import Away
from leadpact.storage.bulk import insert_rows
from leadpact.storage.unit_of_work import Transaction
from leadpact_sla_timer.tables import sla_rep

_AWAY = TypeAdapter(tuple[Away, ...])
_IS_LATER = "(EXCLUDED.revision, EXCLUDED.as_of) > (sla_rep.revision, sla_rep.as_of)"
_KEEP_THE_LATEST = "(rep_id) DO UPDATE SET " + ", ".join(
    f"{name} = CASE WHEN {_IS_LATER} THEN EXCLUDED.{name} ELSE sla_rep.{name} END"
    for name in ("away", "revision", "as_of")
)


@dataclass(frozen=True, slots=True)
class Announced:
    """The absences of a rep after so many changes, as of when the router said so."""

    rep_id: str
    away: tuple[Away, ...]
    revision: int
    as_of: datetime


async def learn(tx: Transaction, news: Iterable[Announced]) -> Mapping[str, tuple[Away, ...]]:
    """Write down what is news, and return what is known of these reps, whose rows stay locked until ``tx`` ends."""
    rows = await insert_rows(
        tx, sla_rep, _rows(news), conflict=_KEEP_THE_LATEST, returning="rep_id, CAST(away AS text) AS away"
    )
    return {row.rep_id: _AWAY.validate_json(row.away) for row in rows}


def _rows(news: Iterable[Announced]) -> Sequence[dict[str, Any]]:
    """One row for each rep, in the order of their ids, which is the order in which everybody locks them."""
    latest = {one.rep_id: one for one in sorted(news, key=lambda one: (one.revision, one.as_of))}
    return [
        {
            "rep_id": rep_id,
            "away": [away.model_dump(mode="json") for away in latest[rep_id].away],
            "revision": latest[rep_id].revision,
            "as_of": latest[rep_id].as_of,
        }
        for rep_id in sorted(latest)
    ]
