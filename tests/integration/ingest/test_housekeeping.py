"""What has served its time is forgotten; what is still promised is not."""

from __future__ import annotations

from datetime import timedelta

from leadpact_ingest.housekeeping import TRAPPED_KEPT_FOR, clean_once
from tests.integration.ingest.conftest import Ingest
from tests.support.fake_clock import FakeClock

KAETHE = {"email": "kaethe@groesse-soehne.example"}


async def clean(ingest: Ingest, limit: int = 1_000) -> bool:
    async with ingest.parts.uow("ingest").transaction() as tx:
        return await clean_once(tx, ingest.parts.clock.now(), limit=limit)


async def test_claims_go_when_nobody_holds_them_any_more(ingest: Ingest, clock: FakeClock) -> None:
    await ingest.post(json=KAETHE, headers={"idempotency-key": "k-1"})
    assert await ingest.rows("post_claim") == 2  # and what it says
    clock.advance(timedelta(minutes=10, seconds=1))

    await clean(ingest)
    assert [row["claim"] for row in await ingest.fetch("SELECT claim FROM post_claim")] == ["key k-1"]

    clock.advance(timedelta(hours=24))
    await clean(ingest)
    assert await ingest.rows("post_claim") == 0
    assert await ingest.rows("receipt") == 1


async def test_what_robots_sent_is_kept_for_a_month_and_leads_for_good(
    ingest: Ingest, clock: FakeClock
) -> None:
    await ingest.post(data={**KAETHE, "_gotcha": "x"})
    await ingest.post(data=KAETHE)

    clock.advance(TRAPPED_KEPT_FOR)
    await clean(ingest)
    assert await ingest.rows("raw_post") == 2

    clock.advance(timedelta(seconds=1))
    await clean(ingest)
    assert [row["status"] for row in await ingest.fetch("SELECT status FROM receipt")] == ["accepted"]
    assert await ingest.rows("raw_post") == 1


async def test_a_backlog_is_cleaned_in_bounded_batches(ingest: Ingest, clock: FakeClock) -> None:
    for number in range(5):
        await ingest.post(json={"email": f"p{number}@drumbeat.example"})
    clock.advance(timedelta(hours=1))

    assert [await clean(ingest, limit=2) for _ in range(3)] == [True, True, False]
    assert await ingest.rows("post_claim") == 0
