"""One transaction for many posts: none of them can spoil another, and a lost answer is no lost or doubled lead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from leadpact.domain.lead import LeadDraft
from leadpact.errors import Transient
from leadpact.events import LeadCaptured
from leadpact.ids import new_id
from leadpact.pact.sources import FormSource
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact_ingest.accept import (
    Accepted,
    Duplicate,
    Outcome,
    PostWriter,
    RawPost,
    Submission,
    TrappedPost,
    accept,
    accept_up_to,
)
from leadpact_ingest.group_commit import GroupCommit
from leadpact_ingest.idempotency import claim_of_post
from leadpact_ingest.sources import PlainForm
from tests.conftest import Database
from tests.support.announced import announced
from tests.support.fake_clock import FakeClock

DEMO = PlainForm("website-demo", FormSource(kind="form", intent="demo_request"))
GOOD = RawPost("application/json", b"{}")
# No check looks at a Content-Type's characters, and PostgreSQL takes no NUL: a post that passes the door and cannot be stored.
UNSTORABLE = RawPost("application/json\0", b"{}")


def submission(clock: FakeClock, email: str, raw: RawPost = GOOD, key: str | None = None) -> Submission:
    draft = LeadDraft(email=email)
    return Submission(new_id(), DEMO, draft, claim_of_post(draft, key), clock.now(), raw)


class LostAnswers(UnitOfWork):
    """Commits, and then loses the connection before the answer arrives; the first ``times`` times."""

    times = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with super().transaction() as tx:
            yield tx
        if self.times:
            self.times -= 1
            raise Transient("the connection was lost during the commit")


async def test_a_post_that_cannot_be_stored_fails_alone(
    database: Database, clock: FakeClock, uow_for: Callable[[str], UnitOfWork]
) -> None:
    commits = GroupCommit[Submission | TrappedPost, Outcome](PostWriter(uow_for("ingest"), clock.now).write)
    posts = [submission(clock, f"p{number}@drumbeat.example") for number in range(20)]
    posts[7] = submission(clock, "p7@drumbeat.example", UNSTORABLE)

    outcomes = await asyncio.gather(*map(commits.submit, posts), return_exceptions=True)

    assert isinstance(outcomes.pop(7), DBAPIError)
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    leads = await announced(database.engine, LeadCaptured)
    assert {lead.lead.email for lead in leads} == {
        f"p{number}@drumbeat.example" for number in range(20) if number != 7
    }
    assert len(leads) == 19


async def test_posts_that_come_together_share_a_transaction(
    database: Database, clock: FakeClock, uow_for: Callable[[str], UnitOfWork]
) -> None:
    sizes: list[int] = []
    writer = PostWriter(uow_for("ingest"), clock.now)

    async def write(batch: list[Submission | TrappedPost]) -> list[Outcome]:
        sizes.append(len(batch))
        return await writer.write(batch)

    commits = GroupCommit[Submission | TrappedPost, Outcome](write, at_most=50)  # type: ignore[arg-type]  # a list is a sequence; the callback position is contravariant
    await asyncio.gather(*(commits.submit(submission(clock, f"p{n}@drumbeat.example")) for n in range(120)))

    assert sizes == [50, 50, 20]


@pytest.mark.parametrize(("trap", "key"), [(False, None), (False, "k-1"), (True, None)])
async def test_a_commit_whose_answer_was_lost_is_found_to_have_worked(
    database: Database,
    clock: FakeClock,
    uow_for: Callable[[str], UnitOfWork],
    trap: bool,
    key: str | None,
) -> None:
    plain = uow_for("ingest")
    uow = LostAnswers(database.engine, source="ingest", wake=plain._wake)
    uow.times = 1
    post = (
        TrappedPost(new_id(), DEMO, clock.now(), GOOD)
        if trap
        else submission(clock, "kaethe@groesse-soehne.example", key=key)
    )

    outcomes = await PostWriter(uow, clock.now).write([post])

    assert outcomes == [Accepted(post.receipt_id)]
    assert len(await announced(database.engine, LeadCaptured)) == (0 if trap else 1)


async def test_in_a_batch_the_first_lead_that_says_so_is_the_one_that_plain_posts_repeat(
    database: Database, clock: FakeClock, uow_for: Callable[[str], UnitOfWork]
) -> None:
    async def take(*keys: str | None) -> tuple[list[Submission], list[Outcome]]:
        posts = [submission(clock, "kaethe@groesse-soehne.example", key=key) for key in keys]
        return posts, await PostWriter(uow_for("ingest"), clock.now).write(posts)

    [first, _, other], outcomes = await take("k-1", None, "k-2")
    assert outcomes == [
        Accepted(first.receipt_id),
        Duplicate(first.receipt_id),
        Accepted(other.receipt_id),
    ]

    clock.advance(timedelta(minutes=10))  # the key is still known, what was said no longer
    [_, plain, _], outcomes = await take("k-1", None, None)
    assert outcomes == [
        Accepted(first.receipt_id, is_repeat=True),
        Accepted(plain.receipt_id),
        Duplicate(plain.receipt_id),
    ]


async def test_leads_that_there_is_no_room_for_leave_no_claim_and_take_none_away(
    database: Database, clock: FakeClock, uow_for: Callable[[str], UnitOfWork]
) -> None:
    async def take(room: int, key: str | None) -> list[Outcome | None]:
        async with uow_for("ingest").transaction() as tx:
            post = submission(clock, "kaethe@groesse-soehne.example", key=key)
            return await accept_up_to(tx, room, [post], now=clock.now())

    assert await take(0, "k-1") == [None]
    [taken] = await take(1, None)
    assert isinstance(taken, Accepted)
    assert await take(0, "k-1") == [None]
    assert await take(1, None) == [Duplicate(taken.receipt_id)]


async def test_two_batches_with_claims_in_common_never_wait_for_each_other_in_a_circle(
    database: Database, clock: FakeClock, uow_for: Callable[[str], UnitOfWork]
) -> None:
    uow = uow_for("ingest")

    async def take(numbers: Iterable[int], taken_at: datetime) -> None:
        people = [submission(clock, f"p{number}@drumbeat.example") for number in numbers]
        async with uow.transaction() as tx:  # no second try here: a deadlock would come out
            await accept(tx, people, now=taken_at)

    for day in range(10):
        taken_at = clock.now() + timedelta(days=day)
        await asyncio.gather(take(range(500), taken_at), take(reversed(range(500)), taken_at))

    assert len(await announced(database.engine, LeadCaptured)) == 5_000


async def test_neither_do_batches_of_posts_with_and_without_keys(
    database: Database, clock: FakeClock, uow_for: Callable[[str], UnitOfWork]
) -> None:
    uow = uow_for("ingest")

    async def take(day: int, keyed: int) -> None:
        people = [
            submission(
                clock, f"p{number}@drumbeat.example", key=f"{day} {number}" if number % 2 == keyed else None
            )
            for number in range(300)
        ]
        async with uow.transaction() as tx:
            await accept(tx, people, now=clock.now() + timedelta(days=day))

    for day in range(10):
        await asyncio.gather(take(day, keyed=0), take(day, keyed=1))

    # Whichever batch was first: its 300, and the other's 150 with new keys.
    assert len(await announced(database.engine, LeadCaptured)) == 4_500


async def test_a_database_that_stays_away_fails_everybody_and_keeps_nothing(
    database: Database, clock: FakeClock, uow_for: Callable[[str], UnitOfWork]
) -> None:
    async with database.engine.connect() as connection:
        await connection.exec_driver_sql("LOCK TABLE post_claim IN ACCESS EXCLUSIVE MODE")
        writer = PostWriter(
            Impatient(database.engine, source="ingest", wake=uow_for("ingest")._wake), clock.now
        )
        with pytest.raises(Transient):
            await writer.write([submission(clock, "kaethe@groesse-soehne.example")])

    assert await announced(database.engine, LeadCaptured) == []


class Impatient(UnitOfWork):
    """Waits a moment for a lock, not ten seconds."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with super().transaction() as tx:
            await tx.connection.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
            yield tx
