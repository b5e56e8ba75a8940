"""Write times, waits, scores and states the way people say them. Pure: the present is handed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

# A sign beside each word, so that nobody needs to tell colours apart.
SIGNS = {
    "new": "○",
    "mql": "◔",
    "held": "‖",
    "assigned": "◑",
    "accepted": "◕",
    "contacted": "✓",
    "recycled": "↻",
    "nurtured": "↻",
    "disqualified": "–",
    "closed": "■",
    "paused": "‖",
    "running": "●",
    "warned": "◆",
    "breached": "▲",
    "met": "✓",
    "cancelled": "–",
    "pending": "…",
    "delivered": "✓",
    "dead": "✕",
    "on": "●",
    "failing": "▲",
    "off": "‖",
    "offline": "‖",
}
_SAID = {
    "mql": "ready for sales",
    "held": "waits for an owner",
    "warned": "time is short",
    "dead": "given up",
}
# Whose clock it is, if it is not one owner's.
_WHOSE = {"team": "the team", "customer": "the customer’s wait"}


def said(state: str) -> str:
    """A state in words."""
    return _SAID.get(state, state).replace("_", " ")


def on_whom(whose: str, rep_name: str | None) -> str:
    """Whose clock it is: the owner by name, the team, or the customer."""
    return _WHOSE.get(whose) or rep_name or "–"


def span(length: timedelta) -> str:
    """How long, in at most two units: ``4 min``, ``1 h 12 min``, ``3 d 4 h``; seconds only below a minute."""
    if length < _MINUTE:
        return f"{int(length.total_seconds())} s"
    if length < _HOUR:
        return f"{length // _MINUTE} min"
    if length < _DAY:
        return _two(length // _HOUR, "h", length % _HOUR // _MINUTE, "min")
    return _two(length // _DAY, "d", length % _DAY // _HOUR, "h")


def left(due_at: datetime, now: datetime) -> str:
    """What is left until ``due_at``, or by how much it has passed."""
    return f"{span(due_at - now)} left" if due_at >= now else f"{span(now - due_at)} over"


def ago(at: datetime, now: datetime) -> str:
    """How long ago."""
    return f"{span(max(now - at, timedelta()))} ago"


def shown(at: datetime, now: datetime) -> str:
    """A time as it stands in a page before the browser puts it in its own zone: with the date unless it is today's."""
    in_utc = at.astimezone(UTC)
    same_day = in_utc.date() == now.astimezone(UTC).date()
    return f"{in_utc:%H:%M} UTC" if same_day else f"{in_utc.day} {in_utc:%b %H:%M} UTC"


def in_full(at: datetime, zone: str | None) -> str:
    """A time with its date and zone: in the zone of whoever has to act, if that is known."""
    local = at.astimezone(ZoneInfo(zone) if zone else UTC)
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M:%S} {zone or 'UTC'}"


def instant(at: datetime) -> str:
    """A time for machines."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def points(value: float) -> str:
    """A score without needless digits."""
    return f"{value:.1f}".removesuffix(".0").replace("-", "−")


def signed(value: float) -> str:
    """A part of a score."""
    return f"{'−' if value < 0 else '+'}{points(abs(value))}"


def spoken(word: str | None) -> str:
    """A name from the pact or an API as words."""
    return (word or "").replace("_", " ")


def field(where: str) -> str:
    """The field that a fault's place names: ``query:owner`` is the owner, ``#/assignment_id`` the assignment id."""
    return spoken(where.replace(":", "/").rpartition("/")[2])


def _two(many: int, unit: str, few: int, small_unit: str) -> str:
    return f"{many} {unit} {few} {small_unit}" if few else f"{many} {unit}"
