"""What has served its time is forgotten, and nothing before."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from sqlalchemy import text

from leadpact_router.endpoints.repeats import _FORGET, REMEMBERED_FOR
from leadpact_router.housekeeping import WEBHOOKS_KEPT_FOR, clean_once
from tests.integration.router.webhooks.conftest import Webhooks
from tests.integration.router.webhooks.test_deliver import assigned


async def clean(webhooks: Webhooks, *, limit: int = 5_000) -> bool:
    async with webhooks.uow.transaction() as tx:
        return await clean_once(tx, webhooks.clock.now(), limit=limit)


async def test_webhooks_are_kept_for_a_month_with_what_came_of_them(webhooks: Webhooks) -> None:
    await webhooks.endpoint()
    await webhooks.announce(assigned(uuid4()))
    await webhooks.deliver()
    webhooks.clock.advance(timedelta(days=1))
    await webhooks.announce(assigned(uuid4()))
    await webhooks.deliver()

    webhooks.clock.advance(WEBHOOKS_KEPT_FOR - timedelta(hours=1))
    await clean(webhooks)
    kept = await webhooks.rows(
        "SELECT (SELECT count(*) FROM webhook_message), (SELECT count(*) FROM delivery), (SELECT count(*) FROM delivery_attempt)"
    )
    assert [tuple(row) for row in kept] == [(1, 1, 1)]


async def test_a_large_heap_is_cleared_in_bounded_steps(webhooks: Webhooks) -> None:
    await webhooks.endpoint()
    await webhooks.announce(*(assigned(uuid4()) for _ in range(5)))
    webhooks.clock.advance(2 * WEBHOOKS_KEPT_FOR)
    assert [await clean(webhooks, limit=3) for _ in range(3)] == [True, False, False]
    assert await webhooks.rows("SELECT id FROM delivery") == []


async def test_of_several_processes_one_tidies_up_at_a_time(webhooks: Webhooks) -> None:
    await webhooks.endpoint()
    await webhooks.announce(*(assigned(uuid4()) for _ in range(5)))
    webhooks.clock.advance(2 * WEBHOOKS_KEPT_FOR)
    async with webhooks.uow.transaction() as busy:
        assert await clean_once(busy, webhooks.clock.now(), limit=3) is True
        assert await clean(webhooks, limit=2) is False, "it neither waits for the other nor deletes beside it"
    assert len(await webhooks.rows("SELECT id FROM delivery")) == 2


async def test_old_answers_are_found_without_reading_all_of_them(webhooks: Webhooks) -> None:
    async with webhooks.uow.transaction() as tx:
        await tx.execute(text("SET LOCAL enable_seqscan = off"))
        plan = await tx.execute(
            text("EXPLAIN " + str(_FORGET)), {"remembered_for": REMEMBERED_FOR, "limit": 10}
        )
        assert "ix_idempotent_answer_at" in "\n".join(row[0] for row in plan)


async def test_answers_to_repeated_commands_are_forgotten_after_a_day(webhooks: Webhooks) -> None:
    await webhooks.change(
        "INSERT INTO idempotent_answer (key, fingerprint, status, body, at) VALUES "
        "('old', '', 200, '{}', statement_timestamp() - interval '25 hours'), "
        "('new', '', 200, '{}', statement_timestamp() - interval '23 hours')"
    )
    await clean(webhooks)
    assert [row.key for row in await webhooks.rows("SELECT key FROM idempotent_answer")] == ["new"]
