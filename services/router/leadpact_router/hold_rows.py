"""Keep why a lead waits: as it was when it began to, and as of the latest look that found it otherwise.

A row stands for one time that a lead began to wait, or changed lines. Those who wait are looked at every few seconds, and most looks
find what the one before found: then nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from leadpact.storage.bulk import JsonText, insert_rows
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.tables import hold as hold_table

# An explanation is compared by the database, which does not touch the rows of those that are the same. The leads are locked.
_LOOKED_AT_AGAIN = text(
    """
    UPDATE hold h
    SET latest_explanation = seen.explanation, latest_pact_version = seen.pact_version, latest_at = :now
    FROM (
        SELECT newest.id, CAST(r.explanation AS jsonb) AS explanation, r.pact_version
        FROM unnest(CAST(:leads AS uuid[]), CAST(:explanations AS text[]), CAST(:versions AS integer[]))
            AS r(lead_id, explanation, pact_version)
        CROSS JOIN LATERAL (
            SELECT id FROM hold WHERE lead_id = r.lead_id ORDER BY id DESC LIMIT 1) newest
    ) seen
    WHERE h.id = seen.id AND coalesce(h.latest_explanation, h.explanation) <> seen.explanation
    """
)


@dataclass(frozen=True, slots=True)
class _Look:
    lead_id: UUID
    explanation: JsonText
    pact_version: int


@dataclass(slots=True)
class Holds:
    """What a batch of decisions leaves to be written of leads that wait, once the leads themselves are."""

    _begun: list[dict[str, Any]] = field(default_factory=list)
    _looks: list[_Look] = field(default_factory=list)

    def begin(
        self, lead_id: UUID, pool: str, explanation: dict[str, Any], pact_version: int, at: datetime
    ) -> None:
        """From ``at`` on the lead waits for ``pool``."""
        self._begun.append(
            {
                "lead_id": lead_id,
                "held_at": at,
                "pool": pool,
                "explanation": JsonText.of(explanation),
                "pact_version": pact_version,
            }
        )

    def look(self, lead_id: UUID, explanation: dict[str, Any], pact_version: int) -> None:
        """The lead waits on in its line, and this is why."""
        self._looks.append(_Look(lead_id, JsonText.of(explanation), pact_version))

    async def save(self, tx: Transaction, now: datetime) -> None:
        """Write the waits that began, and what has changed for those that go on."""
        await insert_rows(tx, hold_table, self._begun)
        await _note(tx, self._looks, now)


async def _note(tx: Transaction, looks: Sequence[_Look], now: datetime) -> None:
    if not looks:
        return
    columns = {
        "leads": [one.lead_id for one in looks],
        "explanations": [one.explanation for one in looks],
        "versions": [one.pact_version for one in looks],
    }
    await tx.execute(_LOOKED_AT_AGAIN, {**columns, "now": now})
