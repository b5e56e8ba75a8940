"""Take the rows of uploaded files in, each once, in batches so small that no visitor's post ever waits for a file.

An upload is first read to its end: a file that turns out unreadable is refused with nothing taken from it. Then its rows go
through the same ``accept`` as posts. One transaction settles one batch: the leads and their announcements, the rejected rows,
the counts, and ``last_row``, from which whoever comes next goes on. A killed process costs the batch it was in, which was not
committed. A lease says who works on an upload; it only saves double work, since ``last_row`` is compared when it
moves: of two who work on one upload, the slower one's batch changes nothing.

Two things keep a file from getting in the way. Between any two rows the event loop is free for others. And the router's queue
is kept short: while too many of the file's leads wait there, the next batch waits too (for a second at the most, so
that a router that is down does not hold files up for ever).

One file that cannot be worked on stops no other. After a passing fault it waits for its lease to run out; a file that
trips over a fault of ours is set aside as refused, like a message that cannot be applied.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy import text

from leadpact.bus.consume import backoff_seconds
from leadpact.clock import Clock, wait_for
from leadpact.errors import LeadpactError, Transient
from leadpact.events import UploadCompleted
from leadpact.runtime.problems import Problem
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_ingest.files.child import RemoteTable, rows_of
from leadpact_ingest.files.limits import FileRefused
from leadpact_ingest.files.table import SkippedRow
from leadpact_ingest.headers import HeaderMap, map_headers
from leadpact_ingest.metrics import IngestMetrics
from leadpact_ingest.source import UploadedSource
from leadpact_ingest.source_book import SourceBook
from leadpact_ingest.upload_rows import FileOfRows, TableRow, judge, settle
from leadpact_ingest.upload_store import stored_file

log = structlog.get_logger(__name__)

_OUR_FAULT = (
    "A fault of ours stopped the reading of this file; it has been logged. The rows counted here are settled.",
    "Report it with the upload's id. Then upload the file again without the row that comes next.",
)

UPLOADS = "ingest.uploads"
"""What is poked when there is a new upload."""

_POLL_SECONDS = 2.0
_CATCH_UP_POLL_SECONDS = 0.05
_CATCH_UP_AT_MOST_SECONDS = 1.0


class TakenOver(LeadpactError):
    """Another instance has settled rows of this upload meanwhile; it goes on with it."""


@dataclass(frozen=True, slots=True)
class Work:
    """An upload that this instance works on."""

    id: UUID
    source: str
    filename: str
    encoding: str | None
    sha256: str
    received_at: datetime
    status: str
    last_row: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How gently files are taken in."""

    rows_in_batch: int = 50
    in_flight: int = 200
    """A file's leads that may wait for the router at a time."""
    lease_seconds: float = 30.0


class UploadProcessor:
    """Works on one upload after the other."""

    def __init__(
        self,
        uow: UnitOfWork,
        sources: SourceBook,
        clock: Clock,
        wake: Wake,
        metrics: IngestMetrics,
        pace: Pace = Pace(),
    ) -> None:
        self._uow = uow
        self._sources = sources
        self._clock = clock
        self._wake = wake
        self._metrics = metrics
        self._pace = pace

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop``. Passing faults are survived; the upload goes on where it stood."""
        new = self._wake.sleeper([UPLOADS])
        failures = 0
        while not stop.is_set():
            try:
                worked = await self.run_once(stop)
                failures = 0
            except Transient as error:
                failures += 1
                log.warning("ingest.upload_interrupted", failures=failures, reason=str(error))
                await wait_for(stop, backoff_seconds(failures))
                continue
            if not worked:
                await new.wait(stop, _POLL_SECONDS)

    async def run_once(self, stop: asyncio.Event) -> bool:
        """Work on the oldest upload that nobody works on, to its end or to ``stop``. False if there is none."""
        work = await self._lease()
        if work is None:
            return False
        try:
            await self._process(work, stop)
        except TakenOver:
            log.info("ingest.upload_taken_over", upload_id=str(work.id))
        except Transient:
            raise  # the lease stays until it runs out: meanwhile other files have their turn
        except Exception as bug:
            log.error("ingest.upload_set_aside", upload_id=str(work.id), source=work.source, exc_info=bug)
            await self._refuse(work, *_OUR_FAULT)
        else:
            await self._release(work)
        return True

    async def _process(self, work: Work, stop: asyncio.Event) -> None:
        source = await self._source(work)
        if source is None:
            return
        async with stored_file(self._uow, work.id) as path:
            if work.status == "received" and not await self._found_readable(work, path):
                return
            async with _opened(path, work) as table:
                finished = await self._take_rows(work, source, table, stop)
        if finished:
            await self._complete(work)

    async def _source(self, work: Work) -> UploadedSource | None:
        try:
            return (await self._sources.current()).uploaded(work.source)
        except Problem as gone:
            fix = "Name the source that the file belongs to and upload it again."
            await self._refuse(work, gone.detail, fix)
            return None

    async def _found_readable(self, work: Work, path: Path) -> bool:
        """Read the file to its end before anything is taken from it."""
        rows = skipped = 0
        try:
            async with rows_of(path, work.filename, work.encoding) as table:
                async for row in table.rows:
                    is_outside = isinstance(row, SkippedRow)
                    rows, skipped = rows + (not is_outside), skipped + is_outside
        except FileRefused as refused:
            await self._refuse(work, refused.what, refused.fix)
            return False
        async with self._uow.transaction() as tx:
            await tx.execute(_READABLE, {"id": work.id, "rows": rows, "skipped": skipped})
        return True

    async def _take_rows(
        self, work: Work, source: UploadedSource, table: RemoteTable, stop: asyncio.Event
    ) -> bool:
        """Settle every row after ``last_row``. False if it was time to stop before the end."""
        columns = map_headers(table.facts.columns, table.facts.samples)
        last_row = work.last_row
        async for batch in _batches(table, after=last_row, size=self._pace.rows_in_batch):
            if stop.is_set():
                return False
            await self._settle(replace(work, last_row=last_row), source, columns, batch)
            last_row = batch[-1].number
            await self._let_the_router_catch_up(work, stop)
        return True

    async def _settle(
        self, work: Work, source: UploadedSource, columns: HeaderMap, rows: Sequence[TableRow]
    ) -> None:
        """Settle one batch, in one transaction that first makes sure that nobody else has."""
        file = FileOfRows(work.id, work.sha256, source, columns, work.received_at)
        judged = []
        for row in rows:
            judged.append(judge(file, row))
            await asyncio.sleep(0)  # a visitor's post goes first
        async with self._uow.transaction() as tx:
            await _hold(tx, work)
            counts = await settle(tx, file, judged, now=self._clock.now())
            lease = self._pace.lease_seconds
            await tx.execute(_ADVANCE, {"id": work.id, "row": rows[-1].number, "lease": lease, **counts})
        for result, count in counts.items():
            self._metrics.upload_rows.labels(source.name, result).inc(count)

    async def _let_the_router_catch_up(self, work: Work, stop: asyncio.Event) -> None:
        """Wait while too many of this file's leads are queued, so that a visitor's lead finds a short queue."""
        for _ in range(round(_CATCH_UP_AT_MOST_SECONDS / _CATCH_UP_POLL_SECONDS)):
            async with self._uow.transaction() as tx:
                waiting = (
                    await tx.execute(_IN_FLIGHT, {"id": work.id, "most": self._pace.in_flight})
                ).scalar_one()
            if waiting < self._pace.in_flight or await wait_for(stop, _CATCH_UP_POLL_SECONDS):
                return

    async def _complete(self, work: Work) -> None:
        """Say once that every row has been settled."""
        now = self._clock.now()
        async with self._uow.transaction() as tx:
            row = (await tx.execute(_COMPLETE, {"id": work.id, "now": now})).mappings().first()
            if row is not None:
                tx.emit(UploadCompleted(upload_id=work.id, occurred_at=now, **row))
        if row is not None:
            counts = {name: row[name] for name in ("rows", "accepted", "duplicates", "rejected")}
            log.info("ingest.upload_completed", upload_id=str(work.id), source=work.source, **counts)

    async def _refuse(self, work: Work, because: str, fix: str) -> None:
        async with self._uow.transaction() as tx:
            await tx.execute(
                _REFUSE, {"id": work.id, "because": because, "fix": fix, "now": self._clock.now()}
            )
        log.info("ingest.upload_refused", upload_id=str(work.id), source=work.source, reason=because)

    async def _lease(self) -> Work | None:
        async with self._uow.transaction() as tx:
            row = (await tx.execute(_LEASE, {"lease": self._pace.lease_seconds})).mappings().first()
        return Work(**row) if row else None

    async def _release(self, work: Work) -> None:
        async with self._uow.transaction() as tx:
            await tx.execute(_RELEASE, {"id": work.id})


@asynccontextmanager
async def _opened(path: Path, work: Work) -> AsyncIterator[RemoteTable]:
    """The file's table. It was read to its end before: if it cannot be read now, memory or time was short, and that passes."""
    try:
        async with rows_of(path, work.filename, work.encoding) as table:
            yield table
    except FileRefused as refused:
        raise Transient(f"an upload that was readable could not be read: {refused.what}") from refused


async def _batches(table: RemoteTable, *, after: int, size: int) -> AsyncIterator[list[TableRow]]:
    batch: list[TableRow] = []
    async for row in table.rows:
        if not isinstance(row, SkippedRow) and row.number > after:
            batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


async def _hold(tx: Transaction, work: Work) -> None:
    """Lock the upload where this instance believes it to stand. Raises ``TakenOver`` if it stands elsewhere."""
    held = await tx.execute(_HOLD, {"id": work.id, "last_row": work.last_row})
    if held.first() is None:
        raise TakenOver(f"upload {work.id} is not at row {work.last_row} any more")


# Leases are the database's own time: a demo's faster clock does not shorten them.
_LEASE = text(
    """
    UPDATE upload SET leased_until = statement_timestamp() + make_interval(secs => :lease)
    WHERE id = (
        SELECT id FROM upload
        WHERE status IN ('received', 'processing')
          AND (leased_until IS NULL OR leased_until < statement_timestamp())
        ORDER BY received_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id, source, filename, encoding, sha256, received_at, status, last_row
    """
)
_RELEASE = text("UPDATE upload SET leased_until = NULL WHERE id = :id")
_READABLE = text(
    """
    UPDATE upload SET status = 'processing', rows = :rows, skipped = :skipped
    WHERE id = :id AND status = 'received'
    """
)
_HOLD = text(
    "SELECT id FROM upload WHERE id = :id AND last_row = :last_row AND status = 'processing' FOR UPDATE"
)
_ADVANCE = text(
    """
    UPDATE upload SET
        last_row = :row, accepted = accepted + :accepted, duplicates = duplicates + :duplicates,
        rejected = rejected + :rejected, leased_until = statement_timestamp() + make_interval(secs => :lease)
    WHERE id = :id
    """
)
_IN_FLIGHT = text(
    """
    SELECT count(*) FROM (
        SELECT FROM receipt WHERE upload_id = :id AND lead_id IS NULL AND dead_letter_id IS NULL LIMIT :most) waiting
    """
)
_COMPLETE = text(
    """
    UPDATE upload SET status = 'completed', completed_at = :now WHERE id = :id AND status = 'processing'
    RETURNING source, filename, rows, accepted, duplicates, rejected, late_by_business_seconds
    """
)
_REFUSE = text(
    """
    UPDATE upload SET status = 'refused', completed_at = :now, refused_because = :because, refused_fix = :fix
    WHERE id = :id AND status IN ('received', 'processing')
    """
)
