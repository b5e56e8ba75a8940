"""Take the product's guarantees away, one at a time, to see that a seed notices.

Each sabotage is one function and one line in `SABOTAGES`. Where a guarantee is kept twice, both go, and the description says so. `make simulate BREAK=inbox` applies one; the tests do so for all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from sqlalchemy import Table, select
from sqlalchemy.exc import DBAPIError

from leadpact.bus import consume
from leadpact.bus.carrier import ApplyBatch
from leadpact.bus.carriers import postgres
from leadpact.domain.working_calendar import WorkingCalendar
from leadpact.errors import Transient
from leadpact.events import LeadAttempted, SlaOwnerLeft
from leadpact.events.lead import Worked
from leadpact.ids import EventId
from leadpact.pact.alerts import Alerts
from leadpact.pact.book import AppliedPact, PactBook
from leadpact.pact.calendar_section import CalendarSection
from leadpact.storage import inbox, log
from leadpact.storage.bulk import insert_rows
from leadpact.storage.outbox import announce
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact_ingest import accept
from leadpact_ingest.idempotency import Claimant, Holder
from leadpact_router import assign, capture, clock_view, floor, owner_left, take_away
from leadpact_router.floor import Floor
from leadpact_router.hold_rows import Holds
from leadpact_router.lead import Lead
from leadpact_router.owner import Owner
from leadpact_router.tables import clock_warning
from leadpact_sla_timer import absences, disarm, judge, lead_file, recompute, record, release, sweep
from leadpact_sla_timer.record import Assignment, Paused, Request
from leadpact_sla_timer.release import Queued
from leadpact_sla_timer.sla_clock import SlaClock
from leadpact_sla_timer.tables import sla_release
from tests.simulation import agreement, commit_points, faults, steps

_OFTEN = 8


@dataclass(frozen=True)
class Sabotage:
    """What is taken away, how, and what is done to the database before."""

    name: str
    takes: str
    doing: Callable[[], AbstractContextManager[object]]
    statements: Sequence[str] = ()
    often: Collection[str] = ()
    """Steps and faults that come many times as often, for what a seed would else have to wait long for."""

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Until the block ends. Pacts that were read before are read anew: their calendars may be part of it."""
        agreement.parsed.cache_clear()
        try:
            with (
                self.doing(),
                patch.object(steps, "STEPS", self._tempted(steps.STEPS)),
                patch.object(faults, "FAULTS", self._tempted(faults.FAULTS)),
            ):
                yield
        finally:
            agreement.parsed.cache_clear()

    def _tempted(self, weighted: Sequence[tuple[float, Any]]) -> Sequence[tuple[float, Any]]:
        return [(weight * (_OFTEN if does.__name__ in self.often else 1), does) for weight, does in weighted]


def _rewriting(*parts: str, when: str = "") -> Callable[[], AbstractContextManager[object]]:
    """Leave these parts out of every statement that holds ``when``."""

    def rewrite(statement: str) -> str:
        if when not in statement:
            return statement
        for part in parts:
            statement = statement.replace(part, "")
        return statement

    return lambda: patch.object(commit_points, "REWRITES", [rewrite])


def _patching(target: Any, name: str, instead: Any) -> Callable[[], AbstractContextManager[object]]:
    return lambda: patch.object(target, name, instead)


# ---- the log --------------------------------------------------------------------------------------------------------------------


_record_new = inbox.record_new


async def _everything_is_new(tx: Transaction, consumer: str, event_ids: Sequence[EventId]) -> set[EventId]:
    await _record_new(tx, consumer, event_ids)
    return set(event_ids)


async def _move_first(self: postgres.PostgresReader, apply: ApplyBatch) -> bool:
    """As `PostgresReader.run_once`, with the position committed before the effect."""
    async with self._uow.transaction() as tx:
        entries, _ = await log.take(
            tx, self._consumer, self._topics, shards=self._shards, per_shard=self._per_shard
        )
    if entries:
        async with self._uow.transaction() as tx:
            await apply(tx, [postgres._delivery(entry) for entry in entries])
    return False


@asynccontextmanager
async def _announcing_afterwards(self: UnitOfWork) -> AsyncIterator[Transaction]:
    """As `UnitOfWork.transaction`, with the events in a transaction of their own."""
    try:
        async with self._engine.connect() as connection, connection.begin():
            tx = Transaction(connection)
            yield tx
        async with self._engine.connect() as connection, connection.begin():
            await announce(connection, self._source, tx.announcements)
    except DBAPIError as error:
        raise Transient("lost") from error


# ---- ingest and the router ------------------------------------------------------------------------------------------------------


async def _every_claim_is_free(_: Transaction, claimants: Sequence[Claimant]) -> list[Holder]:
    return [Holder(one.receipt_id, one.claim.fingerprint, is_new=True) for one in claimants]


@contextmanager
def _owners_forgotten() -> Iterator[None]:
    choose_for = assign.choose_for

    def choose(ready: assign.Ready, *others: Any) -> Any:
        return choose_for(replace(ready, owners=()), *others)

    with patch.object(assign, "choose_for", choose), patch.object(take_away, "choose_for", choose):
        yield


async def _nothing_ends(*_: object) -> None:
    return None


async def _all_but_warnings(
    tx: Transaction, table: Table, rows: Sequence[dict[str, Any]], *, conflict: str
) -> None:
    if table is not clock_warning:
        await insert_rows(tx, table, rows, conflict=conflict)


# ---- the sla-timer --------------------------------------------------------------------------------------------------------------


@contextmanager
def _sweeping_ahead() -> Iterator[None]:
    right = sweep.sweep

    async def early(tx: Transaction, pacts: PactBook, now: datetime, limit: int) -> sweep.Swept:
        return await right(tx, pacts, now + timedelta(seconds=1), limit)

    with patch.object(sweep, "sweep", early):
        yield


def _paused_an_hour_ago(at: datetime, until: datetime | None, because: str) -> Paused:
    return Paused(at - timedelta(hours=1), until, because)


async def _queues_unlocked(
    tx: Transaction, queues: set[tuple[str, str]]
) -> dict[tuple[str, str], datetime | None]:
    """As `release._lock`, which locks the ends of the queues that it reads."""
    rows = release._rows(dict.fromkeys(queues))
    await insert_rows(tx, sla_release, rows, conflict="(source, calendar) DO NOTHING")
    ends = {(row.source, row.calendar): row.last_at for row in await tx.execute(select(sla_release))}
    return {queue: ends.get(queue) for queue in queues}


@contextmanager
def _machines_trying() -> Iterator[None]:
    right = disarm._with

    def with_attempts(known: Assignment, event: Worked) -> Assignment:
        return right(
            known,
            event.model_copy(update={"automatic": False}) if isinstance(event, LeadAttempted) else event,
        )

    with patch.object(disarm, "_with", with_attempts):
        yield


@contextmanager
def _leaving_again_and_again() -> Iterator[None]:
    def has_an_owner(event: SlaOwnerLeft, lead: Lead, owners: tuple[Owner, ...]) -> bool:
        return lead.assignment_id is not None and lead.escalated_at is None

    def act(tx: Transaction, event: SlaOwnerLeft, ready: Any, handover: Any, terms: Any) -> None:
        if ready.lead.assignment_id is not None:
            take_away.take_away(tx, ready, handover, terms)

    with patch.object(owner_left, "_still_matters", has_an_owner), patch.object(owner_left, "_act", act):
        yield


_WHATEVER_COMES = (
    "(rep_id) DO UPDATE SET away = EXCLUDED.away, revision = greatest(EXCLUDED.revision, sla_rep.revision), "
    "as_of = greatest(EXCLUDED.as_of, sla_rep.as_of)"
)


def _only_its_own(
    request: Request, _: Iterable[Request], assignments: Iterable[Assignment]
) -> record.Answering:
    own = [one for one in assignments if one.request_id == request.id]
    return record.Answering(own, [request.closed] if request.closed else [])


async def _no_queues(*_: object) -> list[Queued]:
    return []


async def _nothing_is_written(_: Transaction, __: Sequence[SlaClock]) -> None:
    return None


@contextmanager
def _breaches_standing() -> Iterator[None]:
    right = judge.judge

    def stubborn(clock: SlaClock, *others: Any) -> SlaClock:
        return clock if clock.was_breached else right(clock, *others)

    with patch.object(lead_file, "judge", stubborn):
        yield


@contextmanager
def _newest_pact_for_all() -> Iterator[None]:
    at = PactBook.at

    async def newest(self: PactBook, tx: Transaction, version: int) -> AppliedPact:
        return await at(self, tx, max([version, *self._parsed]))

    with patch.object(PactBook, "at", newest):
        yield


@contextmanager
def _one_offset_for_ever() -> Iterator[None]:
    add = WorkingCalendar.add

    def add_by_the_first_offset(
        self: WorkingCalendar, start: datetime, duration: timedelta, **others: Any
    ) -> datetime:
        right = add(self, start, duration, **others)
        zone = self._zone
        before, after = start.astimezone(zone).utcoffset(), right.astimezone(zone).utcoffset()
        assert before is not None
        assert after is not None
        return right + (after - before)

    with patch.object(WorkingCalendar, "add", add_by_the_first_offset):
        yield


_NO_LEAD_LOCK = _rewriting(" FOR UPDATE SKIP LOCKED", " FOR UPDATE", when="FROM lead \nWHERE")

SABOTAGES: Sequence[Sabotage] = (
    Sabotage(
        "inbox",
        "consumers apply an event as often as it comes",
        _patching(consume, "record_new", _everything_is_new),
    ),
    Sabotage(
        "offset-early",
        "a group's position is committed before the effect",
        _patching(postgres.PostgresReader, "run_once", _move_first),
    ),
    Sabotage(
        "dual-write",
        "events are announced after the commit, in a transaction of their own",
        _patching(UnitOfWork, "transaction", _announcing_afterwards),
    ),
    Sabotage(
        "horizon",
        "readers read above the oldest running transaction",
        _rewriting("AND o.xid < pg_snapshot_xmin(pg_current_snapshot())"),
        often=("race",),
    ),
    Sabotage(
        "post-claim",
        "a post that is sent again is a new one",
        _patching(accept, "take_claims", _every_claim_is_free),
    ),
    Sabotage("lead-lock", "leads are not locked; the unique constraints still stand", _NO_LEAD_LOCK),
    Sabotage(
        "owner-index",
        "the former owner's assignment is not ended, and uq_assignment_open does not stand in the way",
        _patching(assign, "end_assignments", _nothing_ends),
        ("DROP INDEX uq_assignment_open",),
    ),
    Sabotage("floor-lock", "loads and turns are not locked", _rewriting(" FOR UPDATE", when="FROM rep_load")),
    Sabotage(
        "had-it-before", "a lead goes to whoever is next, whether or not they had it", _owners_forgotten
    ),
    Sabotage(
        "desk",
        "a lead that is taken away stays counted on its owner's desk",
        _patching(Floor, "take_away", lambda *_: None),
    ),
    Sabotage(
        "latest-look",
        "a look at a waiting lead is not noted",
        _patching(Holds, "look", lambda *_: None),
    ),
    Sabotage(
        "warning-kept",
        "a warning is not kept as a row of its own",
        _patching(clock_view, "insert_rows", _all_but_warnings),
    ),
    Sabotage(
        "sweep-lock",
        "two sweepers may claim one clock",
        _rewriting(" FOR UPDATE SKIP LOCKED", when="FROM sla_clock"),
    ),
    Sabotage(
        "clock-lock",
        "news of a clock does not wait for a sweep that holds it",
        _rewriting(" FOR UPDATE", when="ORDER BY sla_clock.id"),
    ),
    Sabotage(
        "fired-twice",
        "a sweep does not note down what it fired",
        _patching(sweep, "update_fired", _nothing_is_written),
    ),
    Sabotage(
        "hindsight",
        "a pause stops a clock an hour before anybody spoke of it",
        _patching(disarm, "Paused", _paused_an_hour_ago),
    ),
    Sabotage(
        "release-lock",
        "the ends of the queues of bulk leads are not locked",
        _patching(release, "_lock", _queues_unlocked),
        often=("rush",),
    ),
    Sabotage("automatic", "what a machine sent counts as an attempt", _machines_trying, often=("a_report",)),
    Sabotage(
        "left-twice",
        "whoever has a lead loses it when an earlier owner has left",
        _leaving_again_and_again,
        often=("an_absence",),
    ),
    Sabotage(
        "move-lock",
        "clocks are moved to another pact without locking them",
        _rewriting(" FOR UPDATE", when="sla_clock.request_id = ANY"),
        often=("moved_in_flight", "a_new_pact"),
    ),
    Sabotage(
        "turns-kept",
        "clocks that are moved to another pact keep the turns that the old one gave",
        _patching(recompute, "_queues", _no_queues),
        often=("a_burst", "a_new_pact", "a_recompute"),
    ),
    Sabotage(
        "absence-order",
        "of a rep's absences what comes last is believed, not what was said last",
        _patching(absences, "_KEEP_THE_LATEST", _WHATEVER_COMES),
        often=("an_absence", "a_return"),
    ),
    Sabotage(
        "hand-unseen",
        "who asks sales for something new is taken to ask for nothing",
        _patching(capture, "raised_hand", lambda *_: None),
    ),
    Sabotage(
        "answered-once",
        "the answer to a later request leaves the one before unanswered",
        _patching(record, "answering", _only_its_own),
    ),
    Sabotage("offline", "whoever is offline is given leads", _patching(floor, "offline", lambda _: None)),
    Sabotage("quiet", "people are warned at any hour", _patching(Alerts, "not_before", lambda _, at, __: at)),
    Sabotage("early", "a sweep fires a second ahead of time", _sweeping_ahead),
    Sabotage("late-news", "a breach stands, whatever is heard later", _breaches_standing),
    Sabotage(
        "pact-version", "clocks run by the newest pact, not by that of their assignment", _newest_pact_for_all
    ),
    Sabotage(
        "holidays",
        "public holidays are working days",
        _patching(CalendarSection, "holidays_in", lambda *_: {}),
    ),
    Sabotage("summer-time", "calendars know one offset for ever", _one_offset_for_ever),
)


def sabotage_called(name: str) -> Sabotage:
    """The one of that name. Raises ``LookupError``, which names them all."""
    for one in SABOTAGES:
        if one.name == name:
            return one
    raise LookupError(f"no sabotage is called {name}: {', '.join(one.name for one in SABOTAGES)}")
