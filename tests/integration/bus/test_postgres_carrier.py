"""What PostgreSQL as the carrier promises beyond what every carrier does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from leadpact.bus.carrier import Delivery
from leadpact.bus.carriers.postgres import PostgresCarrier
from leadpact.events import Topic, UploadCompleted
from leadpact.ids import new_id
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact.storage.wake import Wake
from tests.support.carrying import announce, fact
from tests.support.fake_clock import TUESDAY_MORNING


async def test_a_backlog_of_one_topic_does_not_hold_up_another(
    uow_for: Callable[[str], UnitOfWork], wake: Wake
) -> None:
    uow = uow_for("test")
    reader = PostgresCarrier(uow, wake, batch_size=64).reader("both", [Topic.INBOUND, Topic.SLA])
    await reader.start()
    async with uow.transaction() as tx:
        for _ in range(3_000):
            tx.emit(_upload())
    await announce(uow, [fact(new_id(), "breach") for _ in range(16)])
    seen: Counter[str] = Counter()

    async def apply(_: Transaction, batch: Sequence[Delivery]) -> None:
        seen.update(delivery.topic for delivery in batch)

    for _ in range(30):
        assert await reader.run_once(apply)
    assert seen[Topic.SLA] == 16
    assert seen[Topic.INBOUND] < 3_000


def _upload() -> UploadCompleted:
    return UploadCompleted(
        occurred_at=TUESDAY_MORNING,
        upload_id=new_id(),
        source="fair",
        filename="scans.csv",
        rows=1,
        accepted=1,
        duplicates=0,
        rejected=0,
    )
