"""Say what must be true after every step, and at the end. One more is one function and one line in a list.

Each looks at the picture of what is stored, at the log of what was announced, and at what those outside were told, and says what is wrong. The
two ways round count: every announced fact follows from a stored one, and every stored one was announced. They are written against tables and events,
not with the code under test. What they do not know (another state of a clock, another event about it, a clock that is no
assignment's) they leave alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from tests.simulation.agreement import REPS
from tests.simulation.picture import Announced, Log, Picture, Row
from tests.simulation.world import World, parse

_REPS = {rep.id: rep for rep in REPS}
_FINAL = frozenset({"met", "breached", "cancelled"})
_MAY_STAY_OPEN = frozenset({"paused"})
# What an event of a clock makes of it. After events that are not listed here a clock is only asked what holds for every clock.
_STATE_AFTER = {
    "sla.started": "running",
    "sla.warned": "running",
    "sla.met": "met",
    "sla.breached": "breached",
    "sla.cancelled": "cancelled",
}


@dataclass(frozen=True)
class Evidence:
    """What an invariant may look at."""

    world: World
    picture: Picture
    log: Log
    news: Sequence[Announced]
    """What came to the log with this step."""

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    @cached_property
    def assignments(self) -> Mapping[str, Row]:
        return {row["id"]: row for row in self.picture["assignment"]}

    @cached_property
    def clocks(self) -> Mapping[str, Row]:
        return {row["id"]: row for row in self.picture["sla_clock"]}

    @cached_property
    def given(self) -> Mapping[str, Announced]:
        """The announcement of each assignment; the last, should there be several."""
        return {
            event.data["assignment_id"]: event for event in self.log.of("lead.assigned", "lead.reassigned")
        }

    @cached_property
    def said_of_clocks(self) -> Mapping[str, list[Announced]]:
        """What was announced of each clock, in order."""
        said: dict[str, list[Announced]] = defaultdict(list)
        for event in self.log.about_clocks():
            said[event.data.get("clock_id", "")].append(event)
        return said

    def is_plain(self, clock_id: str) -> bool:
        """Whether nothing happened to the clock but what this file knows of."""
        return all(event.type in _STATE_AFTER for event in self.said_of_clocks[clock_id])


Invariant = Callable[[Evidence], Iterator[str]]


def _one_to_one(
    thing: str, stored: Iterable[str], announced: Iterable[str], at_most: int = 1
) -> Iterator[str]:
    """Each thing is announced once, and nothing is announced that is not there."""
    known, counted = set(stored), Counter(announced)
    for id_ in sorted(known - counted.keys()):
        yield f"{thing} {id_} was never announced"
    for id_ in sorted(counted.keys() - known):
        yield f"{thing} {id_} was announced and is not there"
    for id_, times in sorted(counted.items()):
        if times > at_most:
            yield f"{thing} {id_} was announced {times} times"


# ---- leads ----------------------------------------------------------------------------------------------------------------------


def nothing_unexpected_was_raised(seen: Evidence) -> Iterator[str]:
    """Passing faults and refusals are answers; anything else is a bug that would end the process."""
    yield from seen.world.errors
    for row in seen.picture["dead_letter"]:
        yield f"{row['consumer']} set {row['type']} aside: {row['reason']}: {row['error'].strip().splitlines()[-1]}"


def no_accepted_lead_is_lost(seen: Evidence) -> Iterator[str]:
    """Whoever was told a receipt finds it stored; each stored one is announced once; a retry gets the first one's."""
    stored = {row["id"] for row in seen.picture["receipt"] if row["status"] == "accepted"}
    for key, receipt in seen.world.told.items():
        if receipt not in stored:
            yield f"the sender of {key} was told {receipt}, which is not stored"
    for key in seen.world.told_twice:
        yield f"the sender of {key} was told two different receipts"
    captured = (event.data["receipt_id"] for event in seen.log.of("lead.captured"))
    yield from _one_to_one("receipt", stored, captured)


def nothing_is_passed_over(seen: Evidence) -> Iterator[str]:
    """A group has applied every message behind which its position stands, of the types that it handles."""
    handled = {one.group: one.consumer._known for one in seen.world.instances}
    for group, type_, event_id in seen.picture.passed:
        if type_ in handled.get(group, ()):
            yield f"{group} has passed {type_} {event_id}, and never applied it"


def one_post_is_one_receipt(seen: Evidence) -> Iterator[str]:
    """However often a post is sent again."""
    said = Counter(event.data["lead"].get("message") for event in seen.log.of("lead.captured"))
    for message, times in said.items():
        if times > 1:
            yield f"the post {message} was taken in {times} times"


def every_touch_is_announced(seen: Evidence) -> Iterator[str]:
    """One `lead.matched` for each receipt that was applied."""
    touched = (row["receipt_id"] for row in seen.picture["touch"])
    yield from _one_to_one(
        "touch", touched, (event.data["receipt_id"] for event in seen.log.of("lead.matched"))
    )


def signals_count_what_happened(seen: Evidence) -> Iterator[str]:
    """Engagement hears each activity and each touch once."""
    intent_of = {event.data["receipt_id"]: event.data["intent"] for event in seen.log.of("lead.captured")}
    kind_of = {event.data["activity_id"]: event.data["kind"] for event in seen.log.of("activity.recorded")}
    counted = Counter((row["lead_id"], intent_of[row["receipt_id"]]) for row in seen.picture["touch"])
    counted += Counter((row["lead_id"], kind_of[row["id"]]) for row in seen.picture["activity"])
    for row in seen.picture["signal"]:
        if row["times"] != counted[row["lead_id"], row["kind"]]:
            yield f"{row['kind']} of lead {row['lead_id']} counts {row['times']}, happened {counted[row['lead_id'], row['kind']]} times"


# ---- ownership ------------------------------------------------------------------------------------------------------------------


def never_two_owners(seen: Evidence) -> Iterator[str]:
    """At most one open assignment, and it is the one that the lead names."""
    open_ones: dict[str, list[Row]] = defaultdict(list)
    for row in seen.picture["assignment"]:
        if row["ended_at"] is None:
            open_ones[row["lead_id"]].append(row)
    for lead in seen.picture["lead"]:
        has = open_ones[lead["id"]]
        if len(has) > 1:
            yield f"lead {lead['id']} has {len(has)} owners"
        elif (lead["assignment_id"], lead["owner"]) != (
            (has[0]["id"], has[0]["rep_id"]) if has else (None, None)
        ):
            yield f"lead {lead['id']} names {lead['owner']}, which its assignments do not"


def nobody_is_left_lying(seen: Evidence) -> Iterator[str]:
    """A qualified lead is somebody's, or held, or given back."""
    for lead in seen.picture["lead"]:
        if lead["qualified_at"] and not (lead["owner"] or lead["held_since"] or lead["closed_at"]):
            yield f"lead {lead['id']} is qualified, and neither anybody's nor held"


def every_assignment_is_announced(seen: Evidence) -> Iterator[str]:
    """One event for each, of the same rep, under the same pact."""
    announced = [event.data for event in seen.log.of("lead.assigned", "lead.reassigned")]
    yield from _one_to_one("assignment", seen.assignments, (data["assignment_id"] for data in announced))
    for data in announced:
        row = seen.assignments.get(data["assignment_id"])
        for name in ("lead_id", "rep_id", "hop", "pact_version"):
            if row and row[name] != data[name]:
                yield f"assignment {row['id']} was announced with {name} {data[name]}, stored {row[name]}"


def every_assignment_has_one_cause(seen: Evidence) -> Iterator[str]:
    """One event or command leads to one assignment of a lead, at most."""
    causes = Counter((row["lead_id"], row["cause_id"]) for row in seen.picture["assignment"])
    for (lead, cause), times in causes.items():
        if times > 1:
            yield f"lead {lead} was assigned {times} times because of {cause}"


def nobody_gets_a_lead_back(seen: Evidence) -> Iterator[str]:
    """In one round, from the first owner on, nobody has a lead twice. In order of the announcements."""
    had: dict[str, set[str]] = {}
    for event in seen.log.events:
        if event.type in ("lead.assigned", "lead.reassigned"):
            if event.data["hop"] == 1:
                had[event.key] = set()
            if event.data["rep_id"] in had.setdefault(event.key, set()):
                yield f"{event.data['rep_id']} got lead {event.key} back, having missed it"
            had[event.key].add(event.data["rep_id"])


def owners_follow_each_other(seen: Evidence) -> Iterator[str]:
    """What takes a lead away is a breach of the one who had it; and each end is one that was announced."""
    breached = {event.data.get("assignment_id") for event in seen.log.of("sla.breached")}
    handed_on = {event.data["previous_assignment_id"] for event in seen.log.of("lead.reassigned")}
    held = {event.data.get("previous_assignment_id") for event in seen.log.of("lead.held")}
    rejected = [event.data["assignment_id"] for event in seen.log.of("lead.rejected")]
    for row in seen.picture["assignment"]:
        if row["ended_as"] == "reassigned":
            if row["id"] not in handed_on | held:
                yield f"assignment {row['id']} ended, and nobody was told"
            if row["id"] not in breached:
                yield f"assignment {row['id']} was taken away without a breach"
    for id_ in handed_on:
        if id_ in seen.assignments and seen.assignments[id_]["ended_at"] is None:
            yield f"assignment {id_} was handed on and is still open"
    given_back = (row["id"] for row in seen.picture["assignment"] if row["ended_as"] == "rejected")
    yield from _one_to_one("rejection", given_back, rejected)


def every_report_is_announced(seen: Evidence) -> Iterator[str]:
    """Accepted once; contacted, and the earliest that was announced is the one that is kept."""
    accepted = (row["id"] for row in seen.picture["assignment"] if row["accepted_at"])
    yield from _one_to_one(
        "acceptance", accepted, (event.data["assignment_id"] for event in seen.log.of("lead.accepted"))
    )
    earliest: dict[str, datetime] = {}
    for event in seen.log.of("lead.contacted"):
        at, id_ = parse(event.data["occurred_at"]), event.data["assignment_id"]
        earliest[id_] = min(at, earliest.get(id_, at))
    for row in seen.picture["assignment"]:
        kept = parse(row["contacted_at"]) if row["contacted_at"] else None
        if kept != earliest.get(row["id"]):
            yield f"assignment {row['id']} was contacted at {kept}, announced for {earliest.get(row['id'])}"


def every_escalation_is_announced(seen: Evidence) -> Iterator[str]:
    """Each that stands was announced; nobody is escalated twice in a round."""
    said = Counter((event.key, event.data["assignment_id"]) for event in seen.log.of("lead.escalated"))
    for (lead_id, assignment), times in said.items():
        if times > 1:
            yield f"lead {lead_id} was escalated {times} times from assignment {assignment}"
    told = {event.key for event in seen.log.of("lead.escalated")}
    for lead in seen.picture["lead"]:
        if lead["escalated_at"] and lead["id"] not in told:
            yield f"lead {lead['id']} is escalated, and nobody was told"


# ---- counters -------------------------------------------------------------------------------------------------------------------


def counters_equal_recounts(seen: Evidence) -> Iterator[str]:
    """Open leads and today's leads of each rep, and turns in each pool."""
    untouched, turns = Counter[str](), Counter[tuple[str, str]]()
    days = Counter[tuple[str, str]]()
    for row in seen.picture["assignment"]:
        if row["ended_at"] is None and row["contacted_at"] is None:
            untouched[row["rep_id"]] += 1
        zone = ZoneInfo(_REPS[row["rep_id"]].timezone)
        days[row["rep_id"], parse(row["assigned_at"]).astimezone(zone).date().isoformat()] += 1
        was_none = row["ended_as"] == "rejected" and row["rejection"]["outcome"] == "disqualify"
        if row["pool"] and not was_none:
            turns[row["pool"], row["rep_id"]] += 1
    for load in seen.picture["rep_load"]:
        rep = str(load["rep_id"])
        if load["open"] != untouched[rep]:
            yield f"{rep} has {untouched[rep]} open leads, counted {load['open']}"
        if load["today"] != days[rep, load["day"]]:
            yield f"{rep} was given {days[rep, load['day']]} leads on {load['day']}, counted {load['today']}"
    for turn in seen.picture["turn"]:
        place = (turn["pool"], turn["rep_id"])
        if turn["assigned"] != turns[place]:
            yield f"{place[1]} had {turns[place]} turns in {place[0]}, counted {turn['assigned']}"


# ---- clocks ---------------------------------------------------------------------------------------------------------------------


def every_clock_is_announced(seen: Evidence) -> Iterator[str]:
    """One start for each clock, one breach for each that was breached, each warning once."""
    yield from _one_to_one(
        "clock", seen.clocks, (event.data["clock_id"] for event in seen.log.of("sla.started"))
    )
    breached = (id_ for id_, clock in seen.clocks.items() if clock["breached_at"])
    yield from _one_to_one(
        "breach", breached, (event.data["clock_id"] for event in seen.log.of("sla.breached"))
    )
    warned = Counter((event.data["clock_id"], event.data["percent"]) for event in seen.log.of("sla.warned"))
    for (clock_id, percent), times in warned.items():
        if times > 1:
            yield f"clock {clock_id} was announced to be at {percent} % {times} times"


def what_was_said_last_is_so(seen: Evidence) -> Iterator[str]:
    """A clock's state is what the last event about it says."""
    for id_, clock in seen.clocks.items():
        last = seen.said_of_clocks[id_][-1:]
        if last and (state := _STATE_AFTER.get(last[0].type)) and state != clock["state"]:
            yield f"clock {id_} is {clock['state']}, last announced {last[0].type}"


def one_clock_for_one_promise(seen: Evidence) -> Iterator[str]:
    """Of one assignment."""
    opened = Counter(
        (row["assignment_id"], row["policy"]) for row in seen.picture["sla_clock"] if row.get("assignment_id")
    )
    for (assignment, policy), times in opened.items():
        if times > 1:
            yield f"assignment {assignment} has {times} clocks for {policy}"


def nothing_fires_early(seen: Evidence) -> Iterator[str]:
    """A breach comes no earlier than the brute-force calendar has it, nor a warning before its time."""
    for event in seen.news:
        clock = seen.clocks.get(event.data.get("clock_id", ""))
        if clock is None:
            continue
        if (
            event.type == "sla.started"
            and (due := due_by_counting(seen, clock))
            and parse(event.data["due_at"]) != due
        ):
            yield f"clock {clock['id']} is due at {event.data['due_at']}; counting says {due}"
        latest = seen.world.latest or seen.now
        if event.type == "sla.breached":
            due = due_by_counting(seen, clock) if seen.is_plain(clock["id"]) else None
            if latest < (due or parse(event.data["due_at"])):
                yield f"clock {clock['id']} was breached at {latest}, due at {due or event.data['due_at']}"
        if event.type == "sla.warned" and latest < parse(event.data["occurred_at"]):
            yield f"clock {clock['id']} warned at {latest} of {event.data['occurred_at']}"


def due_by_counting(seen: Evidence, clock: Row) -> datetime | None:
    """When an assignment's clock is due, from what the router stored and the pact as the simulation wrote it; None for other clocks."""
    assignment = seen.assignments.get(clock.get("assignment_id") or "")
    if assignment is None or assignment["id"] not in seen.given:
        return None
    agreement = seen.world.agreements[assignment["pact_version"]]
    if clock["policy"] not in {promise.name for promise in agreement.promises}:
        return None
    country = seen.given[assignment["id"]].data["lead"].get("country")
    pool = assignment["pool"] or ("dach" if country in ("DE", "AT", "CH") else "rest")
    return agreement.due(clock["policy"], parse(assignment["assigned_at"]), _REPS[assignment["rep_id"]], pool)


# ---- at the end -----------------------------------------------------------------------------------------------------------------


def every_lead_was_applied(seen: Evidence) -> Iterator[str]:
    """Each accepted receipt is a touch of one lead, and knows which."""
    lead_of = {row["receipt_id"]: row["lead_id"] for row in seen.picture["touch"]}
    for row in seen.picture["receipt"]:
        if row["id"] not in lead_of:
            yield f"receipt {row['id']} was never applied"
        elif row["lead_id"] != lead_of[row["id"]]:
            yield f"receipt {row['id']} does not know its lead"
    for letter in seen.world.unanswered:
        yield f"the sender of {letter.key} never had an answer"


def every_clock_has_ended(seen: Evidence) -> Iterator[str]:
    """Met, breached or cancelled."""
    for id_, clock in seen.clocks.items():
        if clock["state"] not in _FINAL | _MAY_STAY_OPEN:
            yield f"clock {id_} is {clock['state']} at the end"


def every_promise_was_timed(seen: Evidence) -> Iterator[str]:
    """Each assignment of a demo request has a clock for each promise of its pact."""
    opened = {(row.get("assignment_id"), row["policy"]) for row in seen.picture["sla_clock"]}
    for id_, event in seen.given.items():
        if event.data["lead"]["intent"] != "demo_request":
            continue
        for promise in seen.world.agreements[event.data["pact_version"]].promises:
            if (id_, promise.name) not in opened:
                yield f"assignment {id_} has no clock for {promise.name}"


def facts_decide_every_clock(seen: Evidence) -> Iterator[str]:
    """What happened in time counts, whenever it was heard; what happened late does not."""
    contacted = _earliest(seen, "lead.contacted", "assignment_id")
    accepted = _earliest(seen, "lead.accepted", "assignment_id")
    ended = _earliest(seen, "lead.rejected", "assignment_id")
    for type_ in ("lead.reassigned", "lead.held"):
        for id_, at in _earliest(seen, type_, "previous_assignment_id").items():
            ended[id_] = min(at, ended.get(id_, at))
    for id_, clock in seen.clocks.items():
        own = clock.get("assignment_id")
        if not own or not seen.is_plain(id_):
            continue
        promise = seen.world.agreements[clock["pact_version"]].promise(clock["policy"])
        may_accept = promise is not None and "accepted" in promise.stops
        reached = [contacted.get(own), accepted.get(own) if may_accept else None]
        touch, end = min((at for at in reached if at), default=None), ended.get(own)
        expected = {_verdict(clock, touch, end)}
        if any(at for other, at in contacted.items() if other != own and _same_lead(seen, other, own)):
            expected.add("met")  # an earlier owner may have reached the person already
        if clock["state"] not in expected:
            yield f"clock {id_}, due {clock['due_at']}, is {clock['state']}; touched {touch}, ended {end}"


def _earliest(seen: Evidence, type_: str, of: str) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for event in seen.log.of(type_):
        if id_ := event.data.get(of):
            at = parse(event.data["occurred_at"])
            found[id_] = min(at, found.get(id_, at))
    return found


def _verdict(clock: Row, touch: datetime | None, end: datetime | None) -> str:
    start, due = parse(clock["started_at"]), parse(clock["due_at"])
    touch, end = touch and max(touch, start), end and max(end, start)
    if touch and touch <= due and not (end and end < touch):
        return "met"
    return "cancelled" if end and end <= due else "breached"


def _same_lead(seen: Evidence, one: str, other: str) -> bool:
    return bool(seen.assignments[one]["lead_id"] == seen.assignments[other]["lead_id"])


def every_breach_led_somewhere(seen: Evidence) -> Iterator[str]:
    """Away from the owner, to the person who decides, or nowhere because the person had been reached."""
    leads = {row["id"]: row for row in seen.picture["lead"]}
    for clock in seen.picture["sla_clock"]:
        if clock["state"] != "breached" or clock.get("reassign_at_most") is None:
            continue
        assignment = seen.assignments.get(clock.get("assignment_id") or "")
        if assignment is None or assignment["ended_at"] or assignment["contacted_at"]:
            continue
        if not leads[assignment["lead_id"]]["escalated_at"]:
            yield f"the breach of clock {clock['id']} led to nothing"


def the_views_agree(seen: Evidence) -> Iterator[str]:
    """What the router shows of clocks, and ingest of leads, is what their owners hold."""
    shown = {row["clock_id"]: row["state"] for row in seen.picture["clock_view"]}
    for id_, clock in seen.clocks.items():
        state = "running" if shown.get(id_) == "warned" else shown.get(id_)
        if state != clock["state"] and seen.is_plain(id_):
            yield f"clock {id_} is {clock['state']}, the router shows {shown.get(id_)}"
    progress = {row["lead_id"]: (row["stage"], row["owner"]) for row in seen.picture["lead_progress"]}
    said = _told_of_leads(seen.log)
    for lead_id in sorted(progress.keys() | said.keys()):
        if progress.get(lead_id) != said.get(lead_id):
            yield f"ingest shows lead {lead_id} as {progress.get(lead_id)}, the log says {said.get(lead_id)}"


_WITH_REP = {
    "lead.assigned": "assigned",
    "lead.reassigned": "assigned",
    "lead.accepted": "accepted",
    "lead.contacted": "contacted",
}
_WITH_NOBODY = {"recycle": "recycled", "nurture": "nurtured", "disqualify": "disqualified"}


def _told_of_leads(log: Log) -> dict[str, tuple[str, str | None]]:
    """Stage and owner of each lead, as whoever hears every event once and in order would note them down."""
    told: dict[str, tuple[str, str | None]] = {}
    for event in log.events:
        if event.type == "lead.matched":
            told.setdefault(event.key, ("new", None))
        elif event.type == "lead.qualified":
            told[event.key] = ("mql", told[event.key][1])
        elif event.type in _WITH_REP:
            told[event.key] = (_WITH_REP[event.type], event.data["rep_id"])
        elif event.type == "lead.held":
            told[event.key] = ("held", None)
        elif event.type == "lead.rejected":
            told[event.key] = (_WITH_NOBODY[event.data["outcome"]], None)
    return told


def a_receipt_tells_where_its_lead_is(seen: Evidence) -> Iterator[str]:
    """Ingest shows each lead at the stage and with the owner that the router has for it."""
    progress = {row["lead_id"]: (row["stage"], row["owner"]) for row in seen.picture["lead_progress"]}
    for lead in seen.picture["lead"]:
        if progress.get(lead["id"]) != (lead["stage"], lead["owner"]):
            yield f"lead {lead['id']} is {lead['stage']} with {lead['owner']}, ingest shows {progress.get(lead['id'])}"


EVERY_STEP: Sequence[Invariant] = (
    nothing_unexpected_was_raised,
    no_accepted_lead_is_lost,
    nothing_is_passed_over,
    one_post_is_one_receipt,
    every_touch_is_announced,
    signals_count_what_happened,
    never_two_owners,
    nobody_is_left_lying,
    every_assignment_is_announced,
    every_assignment_has_one_cause,
    nobody_gets_a_lead_back,
    owners_follow_each_other,
    every_report_is_announced,
    every_escalation_is_announced,
    counters_equal_recounts,
    every_clock_is_announced,
    what_was_said_last_is_so,
    one_clock_for_one_promise,
    nothing_fires_early,
)
"""What holds whenever no transaction is open."""

AT_THE_END: Sequence[Invariant] = (
    every_lead_was_applied,
    every_clock_has_ended,
    every_promise_was_timed,
    facts_decide_every_clock,
    every_breach_led_somewhere,
    the_views_agree,
)
"""What holds once everything was read and every clock has run out."""

NOT_YET: Sequence[Invariant] = (a_receipt_tells_where_its_lead_is,)
"""What should hold at the end and was found not to (`docs/simulation.md`): asked with `--strict` only. A repair moves the line up."""


def broken(invariants: Sequence[Invariant], seen: Evidence) -> list[str]:
    """What is wrong, each under the name of the promise."""
    return [f"{invariant.__name__}: {what}" for invariant in invariants for what in invariant(seen)]
