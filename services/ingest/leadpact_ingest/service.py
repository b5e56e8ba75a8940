"""Put the ingest service together from the shared parts."""

from __future__ import annotations

import asyncio

from leadpact.bus.consume import run_consumer
from leadpact.runtime.parts import Built, Parts
from leadpact.runtime.service import Loop, rounds
from leadpact_ingest.accept import PostWriter
from leadpact_ingest.endpoints import create_form_keys_router, create_form_router, create_receipts_router
from leadpact_ingest.form_door import FormDoor, Writer
from leadpact_ingest.housekeeping import clean_once
from leadpact_ingest.metrics import InFlightGauges, IngestMetrics
from leadpact_ingest.process_upload import UploadProcessor
from leadpact_ingest.receipts import CONSUMER, TOPICS, receipts_consumer
from leadpact_ingest.source_book import SourceBook
from leadpact_ingest.uploads import UploadDoor, create_uploads_router

SERVICE = "ingest"


def build(parts: Parts) -> Built:
    """Its routes and loops."""
    uow = parts.uow(SERVICE)
    metrics = IngestMetrics(parts.metrics)
    sources = SourceBook(uow, parts.pact_book)
    writer = Writer(PostWriter(uow, parts.clock.now).write)
    door = FormDoor(sources, writer, parts.clock, metrics)
    uploads = UploadDoor(uow, sources, parts.clock, parts.wake, at_most_bytes=parts.settings.upload_max_bytes)
    processor = UploadProcessor(uow, sources, parts.clock, parts.wake, metrics)

    async def follow_leads(stop: asyncio.Event) -> None:
        reader = parts.carrier.reader(CONSUMER, TOPICS)
        await run_consumer(reader, receipts_consumer(parts.clock), stop)

    async def clean() -> bool:
        async with uow.transaction() as tx:
            return await clean_once(tx, parts.clock.now())

    return Built(
        name=SERVICE,
        routers=[
            create_form_router(door),
            create_form_keys_router(uow, sources, parts.clock),
            create_receipts_router(uow),
            create_uploads_router(uploads),
        ],
        loops=[
            Loop("ingest.receipts", follow_leads),
            Loop("ingest.uploads", processor.run),
            rounds("ingest.gauges", InFlightGauges(uow, parts.clock, metrics).run_once, every_seconds=5),
            rounds("ingest.housekeeping", clean, every_seconds=60),
        ],
        on_stop=[writer.close],
    )
