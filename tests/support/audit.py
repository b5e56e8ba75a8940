"""Look for promises that were broken: leads that were lost, effects that came twice, deadlines that came early, news out of order.

The audit reads what is stored and what was announced, and holds one against the other. It is written against the tables and the log,
not with the code under test, so that a mistake there is not repeated here. An event counts once however often
the log or a carrier repeats it: a repeat has the id of the first, a second effect has a new one.

``audit`` is for a system at rest: what is still under way would look lost. ``take_balance`` holds at any moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

Fault = Literal["lost", "doubled", "early", "disorder"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken promise: what is wrong, of which thing, and when that thing came to be (None: not known)."""

    fault: Fault
    what: str
    subject: str
    at: datetime | None = None

    def __str__(self) -> str:
        return f"{self.fault}: {self.what} ({self.subject})"


@dataclass(frozen=True, slots=True)
class Rule:
    """A query for what breaks a promise: rows of (subject, time)."""

    fault: Fault
    what: str
    query: str


@dataclass(frozen=True, slots=True)
class Balance:
    """Where the accepted leads are. Each is in exactly one place."""

    accepted: int
    applied: int
    set_aside: int
    in_flight: int

    @property
    def holds(self) -> bool:
        return self.accepted == self.applied + self.set_aside + self.in_flight

    def __str__(self) -> str:
        return f"{self.accepted} accepted = {self.applied} applied + {self.set_aside} set aside + {self.in_flight} in flight"


async def audit(engine: AsyncEngine) -> list[Finding]:
    """Everything that is wrong in a system that has come to rest."""
    async with engine.connect() as connection:
        findings = await audit_through(connection)
        await connection.rollback()
    return findings


async def audit_through(connection: AsyncConnection) -> list[Finding]:
    """The audit as this connection's transaction sees things."""
    await connection.execute(_SAID)
    findings = []
    for rule in RULES:
        for subject, at in await connection.execute(text(rule.query)):
            findings.append(Finding(rule.fault, rule.what, str(subject), at))
    return findings


async def take_balance(engine: AsyncEngine) -> Balance:
    """The conservation of accepted leads, in one snapshot: it holds at every commit, also in the middle of a storm."""
    async with engine.connect() as connection:
        balance = await balance_through(connection)
        await connection.rollback()
    return balance


async def balance_through(connection: AsyncConnection) -> Balance:
    """The balance as this connection's transaction sees things."""
    row = (await connection.execute(_BALANCE)).one()
    return Balance(**row._mapping)


# Every event once, where it stood first.
_SAID = text(
    """
    CREATE TEMPORARY TABLE said ON COMMIT DROP AS
    SELECT DISTINCT ON (event_id)
           event_id, replace(replace(type, 'leadpact.', ''), '.v1', '') AS type, source, topic, key, causation_id, occurred_at, logged_at,
           CAST(data AS jsonb) AS data, xid, id
    FROM outbox ORDER BY event_id, xid, id
    """
)

_BALANCE = text(
    """
    SELECT
      (SELECT count(*) FROM receipt WHERE status = 'accepted') AS accepted,
      (SELECT count(*) FROM touch) AS applied,
      (SELECT count(DISTINCT event_id) FROM dead_letter
       WHERE consumer = 'router' AND type = 'leadpact.lead.captured.v1' AND settled_as IS DISTINCT FROM 'replayed') AS set_aside,
      (SELECT count(DISTINCT o.event_id) FROM outbox o
       WHERE o.topic = 'leadpact.inbound' AND o.type = 'leadpact.lead.captured.v1'
         AND NOT EXISTS (SELECT FROM inbox i WHERE i.consumer = 'router' AND i.event_id = o.event_id)) AS in_flight
    """
)


def _announced_once(thing: str, rows: str, types: str, field: str) -> Iterator[Rule]:
    """Each of ``rows`` (id, time) is announced as one of ``types``, once; and nothing is announced that is not there.

    Announcements without ``field`` are about something else: the clocks of the team and of the customer have no assignment.
    """
    counted = f"""
        SELECT x.id, x.at FROM ({rows}) AS x(id, at)
        LEFT JOIN said s ON s.type = ANY(string_to_array('{types}', ' ')) AND s.data ->> '{field}' = x.id::text
        GROUP BY x.id, x.at HAVING count(s.event_id)
    """
    yield Rule("lost", f"{thing} was never announced", f"{counted} = 0")
    yield Rule("doubled", f"{thing} was announced more than once", f"{counted} > 1")
    yield Rule(
        "doubled",
        f"{thing} was announced and is not there",
        f"""
        SELECT s.data ->> '{field}', s.logged_at FROM said s
        WHERE s.type = ANY(string_to_array('{types}', ' ')) AND s.data ->> '{field}' IS NOT NULL
          AND NOT EXISTS (SELECT FROM ({rows}) AS x(id, at) WHERE x.id::text = s.data ->> '{field}')
        """,
    )


def _announced_for_each_request(
    thing: str, rows: str, there: str, type_: str, *, once: str
) -> Iterator[Rule]:
    """Each of ``rows`` (lead's id, time) was announced, once for all that have the same ``once``, and of no lead that is not ``there``.

    What a lead tells of its present request only, was announced of the earlier ones as well.
    """
    yield Rule(
        "lost",
        f"{thing} was never announced",
        f"""
        SELECT x.id, x.at FROM ({rows}) AS x(id, at)
        WHERE NOT EXISTS (SELECT FROM said s WHERE s.type = '{type_}' AND s.data ->> 'lead_id' = x.id::text)
        """,
    )
    yield Rule(
        "doubled",
        f"{thing} was announced more than once",
        f"SELECT key, min(logged_at) FROM said WHERE type = '{type_}' GROUP BY key, {once} HAVING count(*) > 1",
    )
    yield Rule(
        "doubled",
        f"{thing} was announced and is not there",
        f"""
        SELECT s.data ->> 'lead_id', s.logged_at FROM said s
        WHERE s.type = '{type_}' AND NOT EXISTS (SELECT FROM ({there}) AS x(id) WHERE x.id::text = s.data ->> 'lead_id')
        """,
    )


_MISCOUNTS: tuple[tuple[Fault, str, str], ...] = (("lost", "too low", "<"), ("doubled", "too high", ">"))

RULES: tuple[Rule, ...] = (
    # ---- capture: every accepted lead is announced, applied, and told back to its receipt --------------------------------------
    *_announced_once(
        "an accepted lead",
        "SELECT id, received_at FROM receipt WHERE status = 'accepted'",
        "lead.captured",
        "receipt_id",
    ),
    *_announced_once(
        "an applied lead", "SELECT receipt_id, received_at FROM touch", "lead.matched", "receipt_id"
    ),
    Rule(
        "lost",
        "an accepted lead was never applied",
        """
        SELECT r.id, r.received_at FROM receipt r
        WHERE r.status = 'accepted' AND NOT EXISTS (SELECT FROM touch t WHERE t.receipt_id = r.id)
        """,
    ),
    Rule(
        "lost",
        "a receipt does not know its lead",
        "SELECT r.id, r.received_at FROM receipt r JOIN touch t ON t.receipt_id = r.id WHERE r.lead_id IS DISTINCT FROM t.lead_id",
    ),
    *_announced_once(
        "a finished upload",
        "SELECT id, completed_at FROM upload WHERE status = 'completed'",
        "upload.completed",
        "upload_id",
    ),
    Rule(
        "lost",
        "an upload was never finished",
        "SELECT id, received_at FROM upload WHERE status NOT IN ('completed', 'refused')",
    ),
    Rule(
        "lost",
        "a message was set aside",
        "SELECT reason, set_aside_at FROM dead_letter WHERE settled_at IS NULL",
    ),
    # ---- people: one address is one person, one person is one lead --------------------------------------------------------------
    Rule(
        "doubled",
        "one address has several leads",
        "SELECT email, min(received_at) FROM lead WHERE email IS NOT NULL GROUP BY email HAVING count(*) > 1",
    ),
    # ---- assignment: one owner at a time, once for each cause, nobody left lying ------------------------------------------------
    *_announced_once(
        "an assignment",
        "SELECT id, assigned_at FROM assignment",
        "lead.assigned lead.reassigned",
        "assignment_id",
    ),
    Rule(
        "doubled",
        "a lead was assigned twice for one cause",
        """
        SELECT key, min(logged_at) FROM said WHERE type IN ('lead.assigned', 'lead.reassigned')
        GROUP BY key, causation_id HAVING count(*) > 1
        """,
    ),
    Rule(
        "doubled",
        "a lead has two owners at a time",
        "SELECT lead_id, max(assigned_at) FROM assignment WHERE ended_at IS NULL GROUP BY lead_id HAVING count(*) > 1",
    ),
    Rule(
        "disorder",
        "a lead's owners were not announced one after the other",
        """
        SELECT key, max(logged_at) FROM (
            SELECT key, logged_at, CAST(data ->> 'owner_number' AS int) AS number,
                row_number() OVER (PARTITION BY key ORDER BY xid, id) AS place
            FROM said WHERE type IN ('lead.assigned', 'lead.reassigned')) one
        GROUP BY key HAVING bool_or(number <> place)
        """,
    ),
    Rule(
        "lost",
        "a qualified lead is nobody's and not held",
        """
        SELECT l.id, l.qualified_at FROM lead l
        WHERE l.qualified_at IS NOT NULL AND l.held_since IS NULL AND l.closed_at IS NULL
          AND NOT EXISTS (SELECT FROM assignment a WHERE a.lead_id = l.id AND a.id = l.assignment_id AND a.ended_at IS NULL)
        """,
    ),
    *_announced_for_each_request(
        "a qualified lead",
        "SELECT id, qualified_at FROM lead WHERE qualified_at IS NOT NULL",
        "SELECT id FROM lead WHERE qualified_at IS NOT NULL",
        "lead.qualified",
        once="causation_id",
    ),
    *_announced_for_each_request(
        "an escalation",
        "SELECT id, escalated_at FROM lead WHERE escalated_at IS NOT NULL",
        "SELECT id FROM lead",  # with the next request nobody need decide any longer
        "lead.escalated",
        once="data -> 'lead' ->> 'received_at', data ->> 'assignment_id'",
    ),
    *_announced_once(
        "a contact",
        # Of a lead that was given back, the contact stands at both of the rep's assignments and was made at the first.
        """
        SELECT id, contacted_at FROM assignment a
        WHERE contacted_at IS NOT NULL AND NOT EXISTS (
            SELECT FROM assignment e
            WHERE e.lead_id = a.lead_id AND e.rep_id = a.rep_id AND e.assigned_at < a.assigned_at AND e.contacted_at = a.contacted_at)
        """,
        "lead.contacted",
        "assignment_id",
    ),
    Rule(
        "lost",
        "a rep is offline and nobody was told",
        """
        SELECT r.id, r.offline_since FROM rep r
        WHERE r.offline_since IS NOT NULL AND NOT EXISTS (
            SELECT FROM said s WHERE s.type = 'rep.taken_offline' AND s.key = r.id AND s.occurred_at = r.offline_since)
        """,
    ),
    # ---- counters: equal to a recount ---------------------------------------------------------------------------------------------
    *(
        Rule(
            fault,
            f"a rep's open leads are counted {direction}",
            f"""
            SELECT l.rep_id, CAST(NULL AS timestamptz) FROM rep_load l
            LEFT JOIN assignment a ON a.rep_id = l.rep_id AND a.ended_at IS NULL AND a.contacted_at IS NULL
            GROUP BY l.rep_id, l.open HAVING l.open {sign} count(a.id)
            """,
        )
        for fault, direction, sign in _MISCOUNTS
    ),
    *(
        Rule(
            fault,
            f"a rep's turns are counted {direction}",
            f"""
            SELECT t.pool || ' ' || t.rep_id, CAST(NULL AS timestamptz) FROM turn t
            LEFT JOIN assignment a ON a.rep_id = t.rep_id AND a.pool = t.pool
            GROUP BY t.pool, t.rep_id, t.assigned HAVING t.assigned {sign} count(a.id)
            """,
        )
        for fault, direction, sign in _MISCOUNTS
    ),
    # ---- clocks: one for each assignment, fired once, never early, and acted upon ---------------------------------------------------
    *_announced_once(
        "an assignment's clock", "SELECT id, assigned_at FROM assignment", "sla.started", "assignment_id"
    ),
    *_announced_once("a started clock", "SELECT id, started_at FROM sla_clock", "sla.started", "clock_id"),
    *_announced_once(
        "a breach",
        "SELECT id, due_at FROM sla_clock WHERE breached_at IS NOT NULL",
        "sla.breached",
        "clock_id",
    ),
    *_announced_once(
        "a kept promise", "SELECT id, met_at FROM sla_clock WHERE state = 'met'", "sla.met", "clock_id"
    ),
    *_announced_once(
        "a cancelled clock",
        "SELECT id, ended_at FROM sla_clock WHERE state = 'cancelled'",
        "sla.cancelled",
        "clock_id",
    ),
    Rule(
        "lost",
        "a warning was never announced",
        """
        SELECT c.id, c.started_at FROM sla_clock c WHERE c.warned_percent IS NOT NULL AND NOT EXISTS (
            SELECT FROM said s WHERE s.type = 'sla.warned' AND s.data ->> 'clock_id' = c.id::text
              AND CAST(s.data ->> 'percent' AS int) = floor(c.warned_percent))
        """,
    ),
    Rule(
        "doubled",
        "a warning was announced more than once",
        """
        SELECT data ->> 'clock_id', min(logged_at) FROM said WHERE type = 'sla.warned'
        GROUP BY data ->> 'clock_id', data ->> 'percent' HAVING count(*) > 1
        """,
    ),
    Rule(
        "early",
        "a breach was announced before its time was up",
        "SELECT data ->> 'clock_id', logged_at FROM said WHERE type = 'sla.breached' AND logged_at < CAST(data ->> 'due_at' AS timestamptz)",
    ),
    Rule(
        "early",
        "a warning was announced before its share was used",
        "SELECT data ->> 'clock_id', logged_at FROM said WHERE type = 'sla.warned' AND logged_at < occurred_at",
    ),
    Rule(
        "lost",
        "a clock that is due has not fired",
        "SELECT id, due_at FROM sla_clock WHERE state = 'running' AND next_at < statement_timestamp() - interval '5 seconds'",
    ),
    Rule(
        "lost",
        "a breach led to nothing",
        """
        SELECT c.id, c.due_at FROM sla_clock c JOIN assignment a ON a.id = c.assignment_id JOIN lead l ON l.id = c.lead_id
        WHERE c.state = 'breached' AND c.reassign_at_most IS NOT NULL
          AND a.ended_at IS NULL AND a.contacted_at IS NULL AND l.escalated_at IS NULL
        """,
    ),
    Rule(
        "lost",
        "the router shows a clock otherwise than the sla-timer keeps it",
        """
        SELECT c.id, c.started_at FROM sla_clock c LEFT JOIN clock_view v ON v.clock_id = c.id
        WHERE CASE v.state WHEN 'warned' THEN 'running' ELSE v.state END IS DISTINCT FROM c.state
        """,
    ),
    # ---- order: what one service says of one lead stands in the log as it was said -------------------------------------------------
    Rule(
        "disorder",
        "a service's news of a lead stand in the log in another order than they were announced",
        """
        SELECT key, max(logged_at) FROM (
            SELECT key, logged_at, lag(logged_at) OVER (PARTITION BY source, topic, key ORDER BY xid, id) AS logged_before
            FROM said WHERE topic IN ('leadpact.leads', 'leadpact.sla')) one
        WHERE logged_at < logged_before GROUP BY key
        """,
    ),
    # ---- webhooks: everything that an endpoint asked for is queued for it and delivered ---------------------------------------------
    Rule(
        "lost",
        "an event was not queued for an endpoint that asked for it",
        """
        SELECT s.event_id, s.logged_at FROM said s JOIN webhook_endpoint e ON s.type = ANY(e.events)
        WHERE NOT EXISTS (SELECT FROM delivery d WHERE d.endpoint_id = e.id AND d.event_id = s.event_id)
        """,
    ),
    Rule(
        "lost",
        "a webhook was not delivered",
        "SELECT event_id, queued_at FROM delivery WHERE state <> 'delivered'",
    ),
)
