"""A file's rows come in once each, whoever dies in the middle and however many work on it, and never in a visitor's way."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text

from leadpact.domain.lead import LeadDraft
from leadpact.errors import Transient
from leadpact.events import LeadCaptured, UploadCompleted
from leadpact.storage.unit_of_work import Transaction
from leadpact_ingest.accept import accept
from leadpact_ingest.canonical import Context, Unusable, canonicalise_row
from leadpact_ingest.headers import HeaderMap
from leadpact_ingest.process_upload import Pace
from tests.integration.ingest.conftest import Ingest, NewInstance
from tests.integration.ingest.test_uploads import counts, scans, shown, upload
from tests.support.announced import announced
from tests.support.eventually import eventually

# A process of its own that works on uploads in small batches until it is killed.
WORKER = """
    import asyncio, sys
    from prometheus_client import CollectorRegistry
    from leadpact.pact.book import PactBook
    from leadpact.storage.engine import create_engine
    from leadpact.storage.unit_of_work import UnitOfWork
    from leadpact.storage.wake import Wake
    from leadpact_ingest.metrics import IngestMetrics
    from leadpact_ingest.process_upload import Pace, UploadProcessor
    from leadpact_ingest.source_book import SourceBook
    from tests.support.fake_clock import FakeClock

    async def main():
        wake = Wake()
        uow = UnitOfWork(create_engine(sys.argv[1], application="worker"), source="ingest", wake=wake)
        pace = Pace(rows_in_batch=5, in_flight=1_000_000, lease_seconds=0.2)
        metrics = IngestMetrics(CollectorRegistry())
        await UploadProcessor(uow, SourceBook(uow, PactBook()), FakeClock(), wake, metrics, pace).run(asyncio.Event())

    asyncio.run(main())
"""


async def accepted(ingest: Ingest, upload_id: str) -> int:
    return int((await shown(ingest, upload_id))["accepted"])


async def accepts_more_than(ingest: Ingest, upload_id: str, leads: int) -> None:
    async def has_come() -> bool:
        return await accepted(ingest, upload_id) > leads

    await eventually(has_come)


async def each_row_once(ingest: Ingest, upload_id: str, rows: int) -> None:
    done = await shown(ingest, upload_id)
    assert (done["status"], counts(done)) == ("completed", (rows, rows, 0, 0))
    announced_rows = Counter(lead.row for lead in await announced(ingest.parts.engine, LeadCaptured))
    assert announced_rows == Counter(range(2, rows + 2))
    assert len(await announced(ingest.parts.engine, UploadCompleted)) == 1


async def test_killed_processes_cost_no_row_and_double_none(ingest: Ingest, database_url: str) -> None:
    upload_id = (await upload(ingest, scans(400))).json()["id"]
    stood_at = 0

    for _ in range(3):
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-c", textwrap.dedent(WORKER), database_url, cwd=os.getcwd()
        )
        await accepts_more_than(ingest, upload_id, stood_at + 40)
        worker.send_signal(signal.SIGKILL)
        await worker.wait()
        stood_at = await accepted(ingest, upload_id)
        assert stood_at < 400
    await asyncio.sleep(0.2)  # the dead process's lease
    await ingest.process_uploads()

    await each_row_once(ingest, upload_id, 400)


async def test_two_who_work_on_one_upload_settle_each_row_once(
    ingest: Ingest, new_instance: NewInstance
) -> None:
    upload_id = (await upload(ingest, scans(300))).json()["id"]
    # Leases that run out at once: every instance believes that nobody works on it.
    hasty = Pace(rows_in_batch=10, in_flight=1_000_000, lease_seconds=0.0)
    processors = [instance.processor(hasty) for instance in (ingest, new_instance(), new_instance())]

    async def work(number: int) -> None:
        while await processors[number].run_once(ingest.stop):
            pass

    await asyncio.gather(*map(work, range(3)))

    await each_row_once(ingest, upload_id, 300)


async def test_a_batch_that_the_database_did_not_take_is_taken_again(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = (await upload(ingest, scans(120))).json()["id"]
    processor = ingest.processor(Pace(in_flight=1_000_000, lease_seconds=0.0))
    faults = iter([False, True, False])

    async def failing_once(tx: Transaction, *arguments: object, **options: object) -> object:
        outcomes = await accept(tx, *arguments, **options)  # type: ignore[arg-type]  # passed through
        if next(faults, False):
            raise Transient("deadlock detected")
        return outcomes

    monkeypatch.setattr("leadpact_ingest.upload_rows.accept", failing_once)
    with pytest.raises(Transient):
        await processor.run_once(ingest.stop)
    assert await accepted(ingest, upload_id) == 50
    while await processor.run_once(ingest.stop):
        pass

    await each_row_once(ingest, upload_id, 120)


async def test_a_file_waits_while_the_disk_of_the_host_is_full(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = (await upload(ingest, scans(10))).json()["id"]
    processor = ingest.processor(Pace(in_flight=1_000_000, lease_seconds=0.0))
    with monkeypatch.context() as full:
        full.setattr("tempfile.NamedTemporaryFile", lambda **_: open("/dev/full", "wb", buffering=0))  # noqa: SIM115 - as the original
        with pytest.raises(Transient, match="did not take a copy of the upload: No space left on device"):
            await processor.run_once(ingest.stop)
    while await processor.run_once(ingest.stop):
        pass
    await each_row_once(ingest, upload_id, 10)


async def test_a_file_that_trips_over_a_fault_of_ours_is_set_aside_and_the_next_one_taken(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = (await upload(ingest, scans(60))).json()["id"]
    second = (await upload(ingest, scans(10, start=100))).json()["id"]

    def faulty(columns: HeaderMap, cells: Sequence[str], context: Context) -> LeadDraft | Unusable:
        if cells[2] == "ada55@drumbeat.example":
            raise ZeroDivisionError("a bug")
        return canonicalise_row(columns, cells, context)

    monkeypatch.setattr("leadpact_ingest.upload_rows.canonicalise_row", faulty)
    await ingest.process_uploads()

    refused = await shown(ingest, first)
    assert (refused["status"], refused["accepted"]) == ("refused", 50)
    assert "fault of ours" in refused["refusal"]["because"]
    assert (await shown(ingest, second))["status"] == "completed"


async def test_the_stop_is_obeyed_between_batches_and_the_next_start_goes_on(ingest: Ingest) -> None:
    upload_id = (await upload(ingest, scans(120))).json()["id"]
    slow = ingest.processor(Pace(in_flight=1))

    working = asyncio.create_task(slow.run(ingest.stop))
    await accepts_more_than(ingest, upload_id, 0)
    ingest.stop.set()
    async with asyncio.timeout(2):
        await working

    assert await accepted(ingest, upload_id) == 50
    ingest.stop.clear()
    await ingest.process_uploads()
    await each_row_once(ingest, upload_id, 120)


async def test_a_source_that_left_the_pact_refuses_its_waiting_files(ingest: Ingest) -> None:
    upload_id = (await upload(ingest, scans(3))).json()["id"]
    async with ingest.parts.uow("pact").transaction() as tx:
        pact = (await tx.execute(text("SELECT text FROM pact_version"))).scalar_one()
        await ingest.parts.pact_book.apply(tx, pact.replace("  fair:", "  messe:"), applied_by="test")

    await ingest.process_uploads()

    refused = await shown(ingest, upload_id)
    assert refused["status"] == "refused"
    assert "source" in refused["refusal"]["because"]


async def test_a_long_file_leaves_the_routers_queue_short(ingest: Ingest) -> None:
    """Nobody empties the queue here, so after its length has been reached each further batch waits a second."""
    upload_id = (await upload(ingest, scans(400))).json()["id"]

    working = asyncio.create_task(ingest.processor(Pace(in_flight=200)).run_once(ingest.stop))
    await accepts_more_than(ingest, upload_id, 199)
    queued = await accepted(ingest, upload_id)
    async with ingest.parts.uow("router").transaction() as tx:  # the router catches up
        await tx.execute(text("UPDATE receipt SET lead_id = id"))
    await accepts_more_than(ingest, upload_id, queued)
    ingest.stop.set()
    await working

    assert queued == 200


async def test_visitors_are_answered_while_a_file_is_taken_in(ingest: Ingest) -> None:
    upload_id = (await upload(ingest, scans(10_000))).json()["id"]
    working = asyncio.create_task(ingest.processor().run_once(ingest.stop))
    await accepts_more_than(ingest, upload_id, 0)

    for number in range(50):
        answer = await ingest.post(json={"email": f"visitor{number}@drumbeat.example"})
        assert answer.status_code == 202
    taken_in_meanwhile = await accepted(ingest, upload_id)
    ingest.stop.set()
    await working

    # All fifty were answered with most of the file still to come.
    assert taken_in_meanwhile < 5_000


async def test_between_any_two_rows_others_have_their_turn(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    await upload(ingest, scans(120))
    turns = 0
    turn_of_row: list[int] = []

    def next_turn() -> None:
        nonlocal turns
        turns += 1

    def noting(*arguments: Any) -> LeadDraft | Unusable:
        turn_of_row.append(turns)
        asyncio.get_running_loop().call_soon(next_turn)
        return canonicalise_row(*arguments)

    monkeypatch.setattr("leadpact_ingest.upload_rows.canonicalise_row", noting)
    await ingest.process_uploads()

    assert turn_of_row == list(range(120))
