"""Clocks as values, for the tests of the rules."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from leadpact.ids import ClockId
from leadpact.pact.model import Pact
from leadpact.pact.read import parse_pact
from leadpact_sla_timer.sla_clock import ClockState, SlaClock, Warn
from tests.support.assignments import PACT
from tests.support.fake_clock import TUESDAY_MORNING

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
DUE = TUESDAY_MORNING + 2 * HOUR
LEAD, OWN, EARLIER, CYCLE, REQUEST = (UUID(int=number) for number in range(5))
TWO_HOURS = parse_pact(PACT)


def promising(promise: str, *, alerts: str = "") -> Pact:
    """The pact with ``promise``, in YAML's flow style, as its only one."""
    text = f"{PACT[: PACT.index('sla:')]}sla:\n  first-touch: {{{promise}}}\n"
    return parse_pact(text + (f"alerts: {{{alerts}}}\n" if alerts else ""))


def clock(**changes: Any) -> SlaClock:
    """Two business hours from Tuesday 09:00, with warnings after 60 and 96 minutes."""
    fields: dict[str, Any] = {
        "id": ClockId(UUID(int=9)),
        "lead_id": LEAD,
        "subject_id": OWN,
        "request_id": REQUEST,
        "assignment_id": OWN,
        "whose": "owner",
        "kind": "first_touch",
        "policy": "first-touch",
        "pact_version": 1,
        "rep_id": "ana",
        "rep_name": "Ana",
        "rep_timezone": "UTC",
        "rep_calendar": None,
        "pool_calendar": "utc",
        "lead_timezone": None,
        "hop": 1,
        "target": "2 business hours",
        "target_seconds": 7200,
        "calendar": "utc",
        "timezone": "UTC",
        "shared_calendar": None,
        "shared_timezone": None,
        "warnings": (Warn(50, TUESDAY_MORNING + HOUR), Warn(80, TUESDAY_MORNING + 96 * MINUTE)),
        "reassign_at_most": 3,
        "escalate_to": "boss",
        "take_offline": False,
        "give_back": False,
        "released_at_pace": False,
        "started_at": TUESDAY_MORNING,
        "due_at": DUE,
        "state": ClockState.RUNNING,
        "next_at": TUESDAY_MORNING + HOUR,
    }
    return SlaClock(**fields | changes)
