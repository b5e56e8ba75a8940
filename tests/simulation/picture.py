"""See what is stored and what was announced, past the code under test.

After each step one statement reads the tables that promises speak of, as JSON, so that a column more or less changes nothing here; another
reads what came to the log since the step before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic_core import from_json

Row = Mapping[str, Any]

# What is seen of each table; `*` is every column that it has.
_SEEN = {
    "receipt": "id, status, lead_id, dead_letter_id",
    "touch": "receipt_id, lead_id",
    "activity": "id, lead_id",
    "signal": "lead_id, kind, times",
    "lead": "id, email, stage, owner, assignment_id, hop, hops_by_breach, held_since, held_reason, held_pool, received_at, qualified_at, closed_at, "
    "escalated_at",
    "assignment": "id, lead_id, rep_id, pool, rule, hop, cause_id, assigned_at, pact_version, accepted_at, contacted_at, ended_at, "
    "ended_as, rejection, paused_state, paused_until",
    "hold": "*",
    "rep": "id, offline_since",
    "absence": "id, rep_id, starts_at, ends_at",
    "rep_load": "*",
    "turn": "*",
    "sla_clock": "*",
    "sla_request": "*",
    "sla_rep": "*",
    "clock_view": "*",
    "clock_warning": "*",
    "lead_progress": "*",
    "dead_letter": "consumer, type, reason, error, settled_at",
    "pact_version": "version, md5(text) AS text",
}
_LOOK = (
    "SELECT CAST(json_build_object("
    + ", ".join(
        f"'{table}', (SELECT coalesce(json_agg(x), '[]') FROM (SELECT {columns} FROM {table} ORDER BY 1, 2) x)"
        for table, columns in _SEEN.items()
    )
    + ") AS text)"
)
_NEWS = "SELECT id, event_id, type, source, topic, key, causation_id, CAST(data AS text) AS data FROM outbox WHERE id > $1 ORDER BY id"
_UNREAD = """
    SELECT c.consumer, count(*) AS messages FROM log_cursor c JOIN outbox o USING (topic, shard)
    WHERE (o.xid, o.id) > (c.xid, c.id) GROUP BY c.consumer
"""

_PASSED = """
    SELECT c.consumer, o.type, o.event_id FROM log_cursor c JOIN outbox o USING (topic, shard)
    WHERE (o.xid, o.id) <= (c.xid, c.id)
      AND NOT EXISTS (SELECT FROM inbox i WHERE i.consumer = c.consumer AND i.event_id = o.event_id)
    ORDER BY o.id, c.consumer
"""
_HEARD = """
    SELECT i.event_id FROM inbox i JOIN outbox o USING (event_id)
    WHERE i.consumer = 'sla-timer' AND o.type IN ('leadpact.lead.paused.v1', 'leadpact.lead.resumed.v1')
"""


class Said(dict[str, Any]):
    """An event's fields. Those with their usual value are not written, so what is not there is None: no, or nothing."""

    def __missing__(self, _: str) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Announced:
    """An event in the log. ``seen_at`` is the virtual time of the step that it came with."""

    place: int
    event_id: str
    type: str  # "sla.breached", without the project's name and the version
    key: str
    cause: str | None
    data: Mapping[str, Any]
    seen_at: datetime


@dataclass
class Log:
    """Everything that was announced, each event once, in the order of the log."""

    last_place: int = 0
    events: list[Announced] = field(default_factory=list)
    _ids: set[str] = field(default_factory=set)
    _by_type: dict[str, list[Announced]] = field(default_factory=lambda: defaultdict(list))

    def add(self, event: Announced) -> bool:
        """False if it is a repeat: the same event once more."""
        self.last_place = max(self.last_place, event.place)
        if event.event_id in self._ids:
            return False
        self._ids.add(event.event_id)
        self.events.append(event)
        self._by_type[event.type].append(event)
        return True

    def of(self, *types: str) -> list[Announced]:
        """The events of these types, in log order if it is one type."""
        return [event for type_ in types for event in self._by_type.get(type_, ())]

    def about_clocks(self) -> Iterable[Announced]:
        """Every event of a clock, also of kinds that are not known here."""
        return (event for event in self.events if event.type.startswith("sla."))


@dataclass
class Picture:
    """What is stored."""

    tables: Mapping[str, list[Row]] = field(default_factory=dict)
    text: str = ""
    passed: Sequence[tuple[str, str, str]] = ()
    """Messages that a group's position has passed and its inbox does not know: the group, the type, the event's id."""
    heard: frozenset[str] = frozenset()
    """The pauses and resumptions that the sla-timer has applied."""

    def __getitem__(self, table: str) -> list[Row]:
        return self.tables[table]


async def look(observer: Any) -> Picture:
    """What is stored now."""
    text = await observer.fetchval(_LOOK)
    passed = [(row["consumer"], row["type"], str(row["event_id"])) for row in await observer.fetch(_PASSED)]
    heard = frozenset(str(row["event_id"]) for row in await observer.fetch(_HEARD))
    return Picture(from_json(text), text, passed, heard)


async def hear(observer: Any, log: Log, now: datetime) -> list[Announced]:
    """What came to the log since the last time; it is added to ``log``. To be asked while no transaction is open."""
    rows = await observer.fetch(_NEWS, log.last_place)
    events = [
        Announced(
            place=row["id"],
            event_id=str(row["event_id"]),
            type=row["type"].removeprefix("leadpact.").rpartition(".v")[0],
            key=row["key"],
            cause=str(row["causation_id"]) if row["causation_id"] else None,
            data=Said(from_json(row["data"])),
            seen_at=now,
        )
        for row in rows
    ]
    return [event for event in events if log.add(event)]


async def unread(observer: Any) -> dict[str, int]:
    """How many messages wait for each group."""
    return {row["consumer"]: row["messages"] for row in await observer.fetch(_UNREAD)}
