"""Leads, reps and floors as values, for rules that need no database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from leadpact.ids import new_id
from leadpact.pact.model import Pact
from leadpact_router.availability import Load, Rep
from leadpact_router.calendars import RepCalendars
from leadpact_router.floor import Floor
from leadpact_router.lead import Lead
from tests.support.fake_clock import TUESDAY_MORNING


def lead(**changes: Any) -> Lead:
    """A demo request from Germany."""
    known: dict[str, Any] = {
        "id": new_id(),
        "person_id": new_id(),
        "source": "website-demo",
        "source_kind": "form",
        "intent": "demo_request",
        "received_at": TUESDAY_MORNING,
        "touched_at": TUESDAY_MORNING,
        "draft": {"email": "jo@globex.example", "country": "DE"},
    }
    return Lead(**{**known, **changes})


def rep(name: str, timezone: str = "UTC", **changes: Any) -> Rep:
    """Somebody at work."""
    return Rep(name, name.title(), f"{name}@acme.example", timezone, **changes)


def floor(
    pact: Pact,
    *reps: Rep,
    now: datetime = TUESDAY_MORNING,
    loads: Mapping[str, Load] | None = None,
    served: Mapping[tuple[str, str], float] | None = None,
) -> Floor:
    """A floor on which everybody stands at their share unless ``served`` says otherwise."""
    places = {(pool, one.id): 0.0 for pool in pact.routing.pools for one in reps}
    return Floor(now, RepCalendars(pact), reps, loads or {}, {**places, **(served or {})}, {})
