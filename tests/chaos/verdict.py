"""Judge a system that has come to rest: what is stored and announced, against itself and against what outsiders were told."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.chaos.load import Promises
from tests.chaos.receiver import Crm
from tests.chaos.site import Site
from tests.support.audit import Finding, audit


async def broken_promises(site: Site, promises: Promises) -> Sequence[Finding]:
    """Everything that is wrong."""
    return [
        *promises.broken,
        *await audit(site.engine),
        *await _against_promises(site.engine, promises),
        *await _against_webhooks(site.engine, site.crm),
    ]


async def _against_promises(engine: AsyncEngine, promises: Promises) -> list[Finding]:
    """Whatever was answered with 2xx is there; and nothing was accepted that no client was told about."""
    accepted = await _ids(engine, "SELECT id FROM receipt WHERE status = 'accepted' AND upload_id IS NULL")
    uploaded = await _ids(
        engine,
        "SELECT upload_id || ' ' || count(*) FROM receipt WHERE upload_id IS NOT NULL GROUP BY upload_id",
    )
    contacted = await _ids(engine, "SELECT id FROM assignment WHERE contacted_at IS NOT NULL")
    told = promises.receipts
    files = {f"{upload} {rows}" for upload, rows in promises.uploads.items()}
    return [
        *(
            Finding("lost", "an accepted lead is not stored", one, told[one])
            for one in told.keys() - accepted
        ),
        *(Finding("doubled", "a lead was accepted twice", one) for one in accepted - told.keys()),
        *(Finding("lost", "a file's rows were not all taken in, each once", one) for one in files ^ uploaded),
        *(
            Finding("lost", "a recorded contact is not stored", one, promises.contacts[one])
            for one in promises.contacts.keys() - contacted
        ),
    ]


async def _against_webhooks(engine: AsyncEngine, crm: Crm) -> list[Finding]:
    """Each event that the CRM asked for has reached it at least once, and nothing else has."""
    wanted = await _ids(
        engine,
        "SELECT DISTINCT event_id FROM outbox, webhook_endpoint e"
        " WHERE replace(replace(type, 'leadpact.', ''), '.v1', '') = ANY(e.events)",
    )
    return [
        *(Finding("lost", "a webhook never arrived", one) for one in wanted - crm.seen.keys()),
        *(
            Finding("doubled", "a webhook came that nobody announced", one)
            for one in crm.seen.keys() - wanted
        ),
        *(Finding("doubled", "a webhook was not genuine", "") for _ in range(crm.forged)),
    ]


async def _ids(engine: AsyncEngine, query: str) -> set[str]:
    async with engine.connect() as connection:
        return {str(one) for one in (await connection.execute(text(query))).scalars()}


_COUNTS = {
    "leads accepted": "SELECT count(*) FROM receipt WHERE status = 'accepted'",
    "of these from files": "SELECT count(*) FROM receipt WHERE upload_id IS NOT NULL",
    "people": "SELECT count(*) FROM person",
    "assignments": "SELECT count(*) FROM assignment",
    "contacts": "SELECT count(*) FROM assignment WHERE contacted_at IS NOT NULL",
    "breaches": "SELECT count(*) FROM sla_clock WHERE breached_at IS NOT NULL",
    "escalations": "SELECT count(*) FROM lead WHERE escalated_at IS NOT NULL",
    "events announced": "SELECT count(*) FROM outbox",
}


async def count(site: Site) -> dict[str, int]:
    """How much happened."""
    async with site.engine.connect() as connection:
        counts = {
            name: (await connection.execute(text(query))).scalar_one() for name, query in _COUNTS.items()
        }
    return {
        **counts,
        "webhooks delivered": len(site.crm.seen),
        "of these more than once": sum(times > 1 for times in site.crm.seen.values()),
    }
