"""Keep the sla-timer's clocks in view, as it announced them: who must act by when, and how it ended.

Every clock event carries what the clock is about, so each writes the whole row if it is the first to be heard
of that clock, and else only what it changes. Each warning is kept besides, under the id of its event, so that one that is heard of
again, or late, is neither doubled nor lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leadpact.events import (
    SlaBreached,
    SlaCancelled,
    SlaMet,
    SlaMoved,
    SlaOwnerLeft,
    SlaPaused,
    SlaStarted,
    SlaWarned,
)
from leadpact.events.sla import ClockEvent
from leadpact.storage.bulk import insert_rows
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.news import News
from leadpact_router.tables import clock_view, clock_warning


async def show_started(tx: Transaction, batch: Sequence[News[SlaStarted]]) -> None:
    """The clocks run. What has been heard of a clock before its start is later than the start, and stays."""
    rows = [
        _row(one.event, "running", target=one.event.target, started_at=one.event.started_at) for one in batch
    ]
    await _show(tx, rows, "target = excluded.target, started_at = excluded.started_at")


# The news of a warning may come after that of what happened later: a clock that stands still or has ended stays so, and one that was moved is
# due when it was moved to. A warning moves nothing; whatever does is an event of its own and tells the due time.
_WARNED = """
    state = CASE WHEN clock_view.state = 'running' THEN 'warned' ELSE clock_view.state END,
    warned_at = least(clock_view.warned_at, excluded.warned_at),
    warned_percent = (
        SELECT percent FROM clock_warning w WHERE w.clock_id = excluded.clock_id
        ORDER BY w.warned_at DESC, w.event_id DESC LIMIT 1)
"""


async def show_warned(tx: Transaction, batch: Sequence[News[SlaWarned]]) -> None:
    """Part of the time is used. Each warning stands for itself; of a clock the first one's time is shown, and the latest one's share."""
    await insert_rows(tx, clock_warning, [_warning(one) for one in batch], conflict="(event_id) DO NOTHING")
    in_order = sorted(batch, key=lambda one: one.event.occurred_at)
    first = {one.event.clock_id: one.event.occurred_at for one in reversed(in_order)}
    rows = [
        _row(
            one.event,
            "warned",
            warned_at=first[one.event.clock_id],
            warned_percent=one.event.percent,
        )
        for one in in_order
    ]
    await _show(tx, rows, _WARNED)


def _warning(one: News[SlaWarned]) -> dict[str, Any]:
    event = one.event
    return {
        "event_id": one.id,
        "clock_id": event.clock_id,
        "warned_at": event.occurred_at,
        "percent": event.percent,
        "left": event.left,
    }


async def show_paused(tx: Transaction, batch: Sequence[News[SlaPaused]]) -> None:
    """No time passes for these clocks."""
    rows = [_row(one.event, "paused", paused_because=one.event.because) for one in batch]
    await _change(tx, rows, "paused_because = excluded.paused_because")


async def show_moved(tx: Transaction, batch: Sequence[News[SlaMoved]]) -> None:
    """The clocks are due at another time; they run, or stand still as before. Who was warned has been."""
    rows = [
        _row(one.event, "paused" if one.event.is_paused else "running", target=one.event.target)
        for one in batch
    ]
    await _show(
        tx,
        rows,
        "due_at = excluded.due_at, target = excluded.target, state = CASE"
        " WHEN excluded.state = 'running' AND clock_view.warned_at IS NOT NULL THEN 'warned' ELSE excluded.state END",
    )


async def show_met(tx: Transaction, batch: Sequence[News[SlaMet]]) -> None:
    """The promise was kept, if ``was_breached`` only as learnt later."""
    rows = [
        _row(one.event, "met", ended_at=one.event.met_at, was_breached=one.event.was_breached)
        for one in batch
    ]
    await _change(tx, rows, "ended_at = excluded.ended_at, was_breached = excluded.was_breached")


async def show_breached(tx: Transaction, batch: Sequence[News[SlaBreached]]) -> None:
    """The time is up, since ``due_at``."""
    rows = [_row(one.event, "breached", ended_at=one.event.occurred_at, was_breached=True) for one in batch]
    await _change(tx, rows, "ended_at = excluded.ended_at, was_breached = true")


async def show_cancelled(tx: Transaction, batch: Sequence[News[SlaCancelled] | News[SlaOwnerLeft]]) -> None:
    """The clocks no longer matter."""
    rows = [_row(one.event, "cancelled", ended_at=one.event.occurred_at) for one in batch]
    await _change(tx, rows, "ended_at = excluded.ended_at")


def _row(event: ClockEvent, state: str, **changes: Any) -> dict[str, Any]:
    return {
        "clock_id": event.clock_id,
        "lead_id": event.lead_id,
        "whose": event.whose,
        "assignment_id": event.assignment_id,
        "policy": event.policy,
        "rep_id": event.rep_id,
        "due_at": event.due_at,
        "state": state,
        **changes,
    }


async def _change(tx: Transaction, rows: Sequence[dict[str, Any]], changes: str) -> None:
    await _show(tx, rows, f"due_at = excluded.due_at, state = excluded.state, {changes}")


async def _show(tx: Transaction, rows: Sequence[dict[str, Any]], changes: str) -> None:
    # One statement may write a row once: of several events of one clock, the last given stands for all.
    last = {row["clock_id"]: row for row in rows}
    await insert_rows(
        tx,
        clock_view,
        [last[clock_id] for clock_id in sorted(last)],
        conflict=f"(clock_id) DO UPDATE SET {changes}",
    )
