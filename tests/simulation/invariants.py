"""Say what must be true after every step, and at the end. One more is one function and one line in a list.

Each looks at the picture of what is stored, at the log of what was announced, and at what those outside were told, and says what is wrong. The
two ways round count: every announced fact follows from a stored one, and every stored one was announced. They are written against tables and events,
not with the code under test. What they do not know (another state of a clock, another event about it, a clock that is no
assignment's) they leave alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from tests.simulation.agreement import (
    ATTEMPTS,
    GRID,
    QUIET_DAY,
    QUIET_FROM,
    QUIET_UNTIL,
    REPS,
    Agreement,
)
from tests.simulation.picture import Announced, Log, Picture, Row
from tests.simulation.world import World, parse

_REPS = {rep.id: rep for rep in REPS}
_FINAL = frozenset({"met", "breached", "cancelled"})
_OWNER_AWAY = "owner away"
# What an event of a clock makes of it; `sla.moved` says itself what.
_STATE_AFTER = {
    "sla.started": "running",
    "sla.warned": "running",
    "sla.met": "met",
    "sla.breached": "breached",
    "sla.cancelled": "cancelled",
    "sla.owner_left": "cancelled",
    "sla.paused": "paused",
}
_ENDINGS = frozenset({"sla.met", "sla.breached", "sla.cancelled", "sla.owner_left"})


@dataclass(frozen=True)
class Evidence:
    """What an invariant may look at."""

    world: World
    picture: Picture
    log: Log
    news: Sequence[Announced]
    """What came to the log with this step."""
    before: Picture = field(default_factory=Picture)
    """What was stored before this step."""

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

    @cached_property
    def requests(self) -> Mapping[tuple[str, datetime], Row]:
        """Each request by its lead and the time at which it was received."""
        return {(row["lead_id"], parse(row["received_at"])): row for row in self.picture["sla_request"]}

    @cached_property
    def first_news(self) -> Mapping[str, Announced]:
        """The first news that sales is given the lead, by request."""
        first: dict[str, Announced] = {}
        for event in self.log.events:
            if event.type in _GIVEN and (request := self.request_of(event)):
                first.setdefault(request["id"], event)
        return first

    def request_of(self, event: Announced) -> Row | None:
        """The request that an event is about which carries the lead."""
        return self.requests.get((event.data["lead_id"], parse(event.data["lead"]["received_at"])))

    @cached_property
    def assignments_of_request(self) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for id_, event in self.given.items():
            if request := self.request_of(event):
                found[request["id"]].append(id_)
        return found

    @cached_property
    def given_up(self) -> Mapping[str, datetime | None]:
        """The requests that sales gave back or was done with; when, if it was done with the lead."""
        rejected = {event.data["assignment_id"] for event in self.log.of("lead.rejected")}
        gave_back = {id_: None for id_, own in self.assignments_of_request.items() if rejected & set(own)}
        return {**gave_back, **_closings(self)}

    @cached_property
    def with_those_after(self) -> Mapping[str, Sequence[str]]:
        """Each request and what the same person asked next, until one of them was given up."""
        by_lead = defaultdict(list)
        for (lead_id, received_at), row in self.requests.items():
            by_lead[lead_id].append((received_at, row["id"]))
        found = {}
        for asked in by_lead.values():
            ids = [id_ for _, id_ in sorted(asked)]
            for place, id_ in enumerate(ids):
                last = next((end for end in range(place, len(ids)) if ids[end] in self.given_up), len(ids))
                found[id_] = ids[place : last + 1]
        return found

    def owners_of_request(self, request: str) -> Sequence[str]:
        """The assignments in which it could be answered."""
        asked = self.with_those_after.get(request, ())
        return [one for id_ in asked for one in self.assignments_of_request.get(id_, ())]

    def about(self, clock: Row) -> Sequence[str]:
        """The assignments that a clock is about: one, or all in which its request could be answered."""
        own = clock["assignment_id"]
        return (own,) if own else self.owners_of_request(clock["subject_id"])

    def pool_of(self, clock: Row) -> str | None:
        """The pool whose hours a clock knows."""
        if own := clock["assignment_id"]:
            return _pool_of(self.given[own], self.assignments[own]["pool"])
        return self.pool_of_request(clock["subject_id"])

    def pool_of_request(self, request: str) -> str | None:
        """The pool whose hours a request is measured in."""
        event = self.first_news.get(request)
        return _pool_of(event, event.data["pool"]) if event else None


_GIVEN = frozenset({"lead.assigned", "lead.reassigned", "lead.held"})


def _pool_of(event: Announced, pool: str | None) -> str:
    """Whoever got a lead outside of a pool's turns keeps the hours of the pool that stood behind them."""
    return pool or ("dach" if event.data["lead"].get("country") in ("DE", "AT", "CH") else "rest")


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


def every_wait_is_explained(seen: Evidence) -> Iterator[str]:
    """As it was announced; and a lead that waits tells the reason of the latest look."""
    said = Counter(
        (event.data["lead_id"], parse(event.data["occurred_at"]), event.data["pool"], event.data["reason"])
        for event in seen.log.of("lead.held")
    )
    kept = Counter(
        (row["lead_id"], parse(row["held_at"]), row["pool"], row["explanation"]["decision"])
        for row in seen.picture["hold"]
    )
    yield from (
        f"lead {lead} began to wait for {pool} at {at}, and no hold says so"
        for lead, at, pool, _ in said - kept
    )
    yield from (
        f"a hold of lead {lead} for {pool} at {at} was not announced" for lead, at, pool, _ in kept - said
    )
    last = {row["lead_id"]: row for row in sorted(seen.picture["hold"], key=lambda row: row["id"])}
    for lead in seen.picture["lead"]:
        if lead["held_since"] and (row := last.get(lead["id"])):
            why = (row["latest_explanation"] or row["explanation"])["decision"]
            if (why, row["pool"]) != (lead["held_reason"], lead["held_pool"]):
                yield f"lead {lead['id']} waits for {lead['held_pool']}: {lead['held_reason']}; explained is {row['pool']}: {why}"


def every_assignment_has_one_cause(seen: Evidence) -> Iterator[str]:
    """One event or command leads to one assignment of a lead, at most."""
    causes = Counter((row["lead_id"], row["cause_id"]) for row in seen.picture["assignment"])
    for (lead, cause), times in causes.items():
        if times > 1:
            yield f"lead {lead} was assigned {times} times because of {cause}"


def nobody_gets_a_lead_back(seen: Evidence) -> Iterator[str]:
    """In one round, from the first owner on, nobody has a lead twice, unless it is given back. In order of the announcements."""
    had: dict[str, set[str]] = {}
    for event in seen.log.events:
        if event.type in ("lead.assigned", "lead.reassigned"):
            if event.data["hop"] == 1:
                had[event.key] = set()
            if event.data["rep_id"] in had.setdefault(event.key, set()) and event.data["rule"] != _GIVEN_BACK:
                yield f"{event.data['rep_id']} got lead {event.key} back, having missed it"
            had[event.key].add(event.data["rep_id"])


_GIVEN_BACK = "give back"
_ASKED_AGAIN = "asked again"


def a_lead_returns_to_who_kept_the_promise(seen: Evidence) -> Iterator[str]:
    """And to nobody else: the clock that was kept after all is theirs, and so is the touch."""
    kept = {event.event_id: event.data for event in seen.log.of("sla.met")}
    for event in seen.news:
        if event.type != "lead.reassigned" or event.data["rule"] != _GIVEN_BACK:
            continue
        met = kept.get(event.cause or "")
        if not met or not (met["was_breached"] and met["give_back"]) or met["rep_id"] != event.data["rep_id"]:
            yield f"lead {event.key} was given back to {event.data['rep_id']}, who did not keep its promise"
        elif not any(
            parse(said.data["occurred_at"]) <= parse(met["met_at"])
            for said in seen.log.of(
                "lead.contacted", "lead.accepted", "lead.attempted", "lead.meeting_booked"
            )
            if said.data["assignment_id"] == met["assignment_id"]
        ):
            yield f"lead {event.key} was given back to {event.data['rep_id']}, who had done nothing"


def nobody_offline_is_given_leads(seen: Evidence) -> Iterator[str]:
    """Who was offline before the step and after it, and did not return meanwhile, got nothing but what was theirs."""
    returned = {event.data["rep_id"] for event in seen.news if event.type == "rep.returned"}
    offline = {row["id"] for row in seen.picture["rep"] if row["offline_since"]}
    offline &= {row["id"] for row in seen.before["rep"] if row["offline_since"]}
    for event in seen.news:
        is_new = event.type in ("lead.assigned", "lead.reassigned") and event.data["rule"] != _GIVEN_BACK
        if is_new and event.data["rep_id"] in offline - returned:
            yield f"{event.data['rep_id']} is offline and was given lead {event.key}"


def offline_is_announced(seen: Evidence) -> Iterator[str]:
    """When it begins and when it ends, and not again in between."""
    said = Counter[str]()
    for event in seen.log.of("rep.taken_offline"):
        said[event.data["rep_id"]] += 1
    for event in seen.log.of("rep.returned"):
        said[event.data["rep_id"]] -= 1
    for row in seen.picture["rep"]:
        if said[row["id"]] != bool(row["offline_since"]):
            yield f"{row['id']} is offline since {row['offline_since']}, begun {said[row['id']]} times more than ended"


def breaches_take_a_lead_as_often_as_agreed(seen: Evidence) -> Iterator[str]:
    """A lead's hops by breach equal a recount of its round, and no breach took it beyond its pact's number."""
    breach = {event.event_id: event.data for event in seen.log.of("sla.breached")}
    met = {event.event_id for event in seen.log.of("sla.met")}
    hops, lost = Counter[str](), set[str]()
    for event in seen.log.events:
        if event.type not in _GIVEN:
            continue
        previous = event.data["previous_assignment_id"]
        if event.type == "lead.assigned":
            hops[event.key] = 0
        if event.data["rule"] == _GIVEN_BACK and event.cause in met:
            hops[event.key] = max(0, hops[event.key] - 1)
        elif event.cause in breach and previous and previous not in lost:
            lost.add(previous)
            hops[event.key] += 1
            if hops[event.key] > (breach[event.cause]["reassign_at_most"] or 0):
                yield f"lead {event.key} was taken away {hops[event.key]} times by breaches"
    for lead in seen.picture["lead"]:
        if lead["hop"] and lead["hops_by_breach"] != hops[lead["id"]]:
            yield f"lead {lead['id']} lost {hops[lead['id']]} owners by breaches, counted {lead['hops_by_breach']}"


def owners_follow_each_other(seen: Evidence) -> Iterator[str]:
    """What takes a lead away is a breach of the one who had it, their leaving, or its return; and each end is one that was announced."""
    lost = {event.data["assignment_id"] for event in seen.log.of("sla.breached", "sla.owner_left")}
    handed_on = {
        event.data["previous_assignment_id"]: event.data["rule"] for event in seen.log.of("lead.reassigned")
    }
    held = {event.data["previous_assignment_id"] for event in seen.log.of("lead.held")}
    rejected = [event.data["assignment_id"] for event in seen.log.of("lead.rejected")]
    closed = [id_ for event in seen.log.of("lead.closed") if (id_ := event.data["assignment_id"])]
    asked_anew = _asked_anew(seen)
    not_there = _lost_while_not_there(seen, asked_anew)
    for row in seen.picture["assignment"]:
        if row["ended_as"] == "reassigned":
            if row["id"] not in handed_on.keys() | held | asked_anew.keys():
                yield f"assignment {row['id']} ended, and nobody was told"
            if row["id"] not in lost | not_there and handed_on.get(row["id"]) != _GIVEN_BACK:
                yield f"assignment {row['id']} was taken away without a breach"
        if row["ended_as"] == "renewed":
            event = asked_anew.get(row["id"])
            if event is None or (event.data["rep_id"], event.data["rule"]) != (row["rep_id"], _ASKED_AGAIN):
                yield f"assignment {row['id']} was renewed, and its rep does not have the lead"
    for id_ in handed_on:
        if id_ in seen.assignments and seen.assignments[id_]["ended_at"] is None:
            yield f"assignment {id_} was handed on and is still open"
    given_back = (row["id"] for row in seen.picture["assignment"] if row["ended_as"] == "rejected")
    yield from _one_to_one("rejection", given_back, rejected)
    done_with = (row["id"] for row in seen.picture["assignment"] if row["ended_as"] == "closed")
    yield from _one_to_one("closing", done_with, closed)


def _lost_while_not_there(seen: Evidence, asked_anew: Mapping[str, Announced]) -> set[str]:
    """The assignments whose owner lost the lead when the person asked anew, since they were away or offline: so the next decision says."""
    held = ((event.data["previous_assignment_id"], event) for event in seen.log.of("lead.held"))
    return {
        id_
        for id_, event in (*asked_anew.items(), *held)
        if any(
            rule["rule"] == _ASKED_AGAIN and "passed_by" in rule
            for rule in event.data["explanation"]["rules"]
        )
    }


def every_report_is_announced(seen: Evidence) -> Iterator[str]:
    """Accepted once; contacted, and the earliest that was announced is the one that is kept. What returns brings along what was done."""
    returned = {row["id"] for row in seen.picture["assignment"] if row["rule"] == _GIVEN_BACK}
    accepted = [event.data["assignment_id"] for event in seen.log.of("lead.accepted")]
    yield from _one_to_one(
        "acceptance",
        (row["id"] for row in seen.picture["assignment"] if row["accepted_at"] and row["id"] not in returned),
        (id_ for id_ in accepted if id_ not in returned),
    )
    earliest = _earliest(seen, "lead.contacted", "assignment_id")
    for row in seen.picture["assignment"]:
        kept, said = parse(row["contacted_at"]) if row["contacted_at"] else None, earliest.get(row["id"])
        if kept != said and row["id"] not in returned:
            yield f"assignment {row['id']} was contacted at {kept}, announced for {said}"
        if row["id"] in returned and said and (kept is None or kept > said):
            yield f"assignment {row['id']}, given back, was contacted at {kept}, announced for {said}"


def every_escalation_is_announced(seen: Evidence) -> Iterator[str]:
    """Each that stands was announced; nobody is escalated twice in a round."""
    said = Counter(
        (event.key, event.data["lead"]["received_at"], event.data["assignment_id"])
        for event in seen.log.of("lead.escalated")
    )
    for (lead_id, _, assignment), times in said.items():
        if times > 1:
            yield f"lead {lead_id} was escalated {times} times from assignment {assignment}"
    told = {event.key for event in seen.log.of("lead.escalated")}
    for lead in seen.picture["lead"]:
        if lead["escalated_at"] and lead["id"] not in told:
            yield f"lead {lead['id']} is escalated, and nobody was told"


# ---- counters -------------------------------------------------------------------------------------------------------------------


def counters_equal_recounts(seen: Evidence) -> Iterator[str]:
    """Open leads and today's leads of each rep, and turns in each pool.

    A day that begins twice for a rep, since the clock was stepped back over midnight, is counted from its second beginning: not asked.
    """
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
        zone = ZoneInfo(_REPS[rep].timezone)
        begins_once = all(
            one.astimezone(zone).date() == other.astimezone(zone).date() for one, other in seen.world.set_back
        )
        if begins_once and load["today"] != days[rep, load["day"]]:
            yield f"{rep} was given {days[rep, load['day']]} leads on {load['day']}, counted {load['today']}"
    for turn in seen.picture["turn"]:
        place = (turn["pool"], turn["rep_id"])
        if turn["assigned"] != turns[place]:
            yield f"{place[1]} had {turns[place]} turns in {place[0]}, counted {turn['assigned']}"


# ---- clocks ---------------------------------------------------------------------------------------------------------------------


def every_clock_is_announced(seen: Evidence) -> Iterator[str]:
    """One start for each clock that had its turn, one breach for each that was breached, each warning and each end once."""
    waited = {id_ for id_ in seen.clocks if not seen.said_of_clocks[id_] or _never_started(seen, id_)}
    yield from _one_to_one(
        "clock", seen.clocks.keys() - waited, (event.data["clock_id"] for event in seen.log.of("sla.started"))
    )
    for id_ in sorted(waited):
        clock = seen.clocks[id_]
        if not clock["released_at_pace"] or (clock["state"] in _FINAL) != bool(seen.said_of_clocks[id_]):
            yield f"clock {id_} is {clock['state']}, and its start was never announced"
    breached = (id_ for id_, clock in seen.clocks.items() if clock["breached_at"])
    yield from _one_to_one(
        "breach", breached, (event.data["clock_id"] for event in seen.log.of("sla.breached"))
    )
    left = (id_ for id_, clock in seen.clocks.items() if clock["ended_because"] == _OWNER_AWAY)
    said = Counter(event.data["clock_id"] for event in seen.log.of("sla.owner_left"))
    yield from (f"the owner of clock {id_} never left, it was said" for id_ in left if not said[id_])
    yield from (f"the owner of clock {id_} left {times} times" for id_, times in said.items() if times > 1)


def _never_started(seen: Evidence, clock_id: str) -> bool:
    return all(event.type in _ENDINGS for event in seen.said_of_clocks[clock_id])


def each_change_is_announced_once(seen: Evidence) -> Iterator[str]:
    """A clock is not said to become what it is; it is said to move only where it moves; a share of the time is warned about once."""
    for id_ in {event.data["clock_id"] for event in seen.news if event.type.startswith("sla.")}:
        state, due, percent = None, None, 0
        for event in seen.said_of_clocks[id_]:
            after, due_at = _state_after(event), event.data["due_at"]
            if event.type == "sla.moved":
                if (after, due_at) == (state, due):
                    yield f"clock {id_} was said to move to where it was"
                percent = 0  # what lies ahead again is warned about again
            elif event.type == "sla.warned":
                if event.data["percent"] <= percent:
                    yield f"clock {id_} was announced to be at {event.data['percent']} % after {percent} %"
                percent = event.data["percent"]
            elif after == state:
                yield f"clock {id_} was announced to be {after} twice"
            state, due = after, due_at


def _state_after(event: Announced) -> str | None:
    if event.type == "sla.moved":
        return "paused" if event.data["is_paused"] else "running"
    return _STATE_AFTER.get(event.type)


def what_was_said_last_is_so(seen: Evidence) -> Iterator[str]:
    """A clock's state and its due time are what the last event about it says."""
    for id_, clock in seen.clocks.items():
        last = seen.said_of_clocks[id_][-1:]
        if last and _state_after(last[0]) != clock["state"]:
            yield f"clock {id_} is {clock['state']}, last announced {last[0].type}"
        if last and clock["state"] != "paused" and parse(last[0].data["due_at"]) != parse(clock["due_at"]):
            yield f"clock {id_} is due at {clock['due_at']}, last announced for {last[0].data['due_at']}"


def one_clock_for_one_promise(seen: Evidence) -> Iterator[str]:
    """Of one assignment, or of one request."""
    opened = Counter((row["subject_id"], row["policy"]) for row in seen.picture["sla_clock"])
    for (subject, policy), times in opened.items():
        if times > 1:
            yield f"{subject} has {times} clocks for {policy}"


_FIRED = frozenset({"sla.started", "sla.warned", "sla.owner_left", "sla.breached"})


def nothing_fires_early(seen: Evidence) -> Iterator[str]:
    """A breach comes no earlier than its clock is due, nor a warning or a start before its time; and no warning in quiet hours.

    That the clock is due when it says so is the business of `clocks_are_due_by_counting`.
    """
    latest = seen.world.latest or seen.now
    for event in seen.news:
        clock = seen.clocks.get(event.data.get("clock_id", ""))
        if clock is None:
            continue
        if event.type in _FIRED and latest < parse(event.data["occurred_at"]):
            yield f"clock {clock['id']}: {event.type} at {latest} of {event.data['occurred_at']}"
        zone = clock["rep_timezone"] or clock["timezone"]
        if event.type == "sla.warned" and _is_quiet(seen.now, zone):
            yield f"clock {clock['id']} warned at {seen.now}, which is quiet in {zone}"
        alert = event.data["alert_at"]
        if alert and (_is_quiet(parse(alert), zone) or not _is_quiet(parse(alert) - GRID, zone)):
            yield f"clock {clock['id']} may be told of at {alert}, at which no quiet hours end in {zone}"


def _is_quiet(at: datetime, zone: str) -> bool:
    wall = at.astimezone(ZoneInfo(zone))
    return wall.weekday() == QUIET_DAY or not QUIET_UNTIL <= wall.hour < QUIET_FROM


def clocks_are_due_by_counting(seen: Evidence) -> Iterator[str]:
    """A clock that was written with this step starts when it should, and is due when the brute-force calendar has it, pauses left out.

    A clock that ended while it waited for its turn was due at no time.
    """
    before = {row["id"]: row for row in seen.before["sla_clock"]}
    for id_, clock in seen.clocks.items():
        if before.get(id_) == clock:
            continue
        if not seen.world.agreements[clock["pact_version"]].promise(clock["policy"]):
            yield f"clock {id_} runs under version {clock['pact_version']}, which does not promise {clock['policy']}"
            continue
        start = _start_of(seen, clock)
        if clock["state"] in _FINAL and _never_started(seen, id_):
            if parse(clock["started_at"]) > start:
                yield f"clock {id_}, never started, counts from {clock['started_at']}, its turn was at {start}"
            continue
        if parse(clock["started_at"]) != start:
            yield f"clock {id_} starts at {clock['started_at']}, should at {start}"
        due = due_by_counting(seen, clock)
        if parse(clock["due_at"]) != due:
            yield f"clock {id_}, paused {clock['pauses']}, is due at {clock['due_at']}; counting says {due}"


def _start_of(seen: Evidence, clock: Row) -> datetime:
    """From when the customer waits, the team knows, or the owner has it; not before the turn of a lead that came in bulk."""
    request = next(row for row in seen.picture["sla_request"] if row["id"] == clock["request_id"])
    match clock["whose"]:
        case "owner":
            start = parse(seen.assignments[clock["assignment_id"]]["assigned_at"])
        case "team":
            start = parse(seen.first_news[request["id"]].data["lead"]["qualified_at"])
        case _:
            start = parse(request["received_at"])
    return max(start, parse(request["released_at"])) if request["released_at"] else start


def due_by_counting(seen: Evidence, clock: Row) -> datetime:
    """When a clock is due, from what the router stored, the pact as the simulation wrote it, and the clock's pauses."""
    agreement = seen.world.agreements[clock["pact_version"]]
    over = [(parse(at), parse(until)) for at, until, _ in clock["pauses"] if until]
    own = clock["assignment_id"]
    rep = _REPS[seen.assignments[own]["rep_id"]] if own else None
    return agreement.due(clock["policy"], parse(clock["started_at"]), rep, seen.pool_of(clock), over)


def pauses_are_those_that_were_announced(seen: Evidence) -> Iterator[str]:
    """No clock stands still but while it was told to: from when its lead was paused, or within an absence of its owner."""
    before = {row["id"]: row for row in seen.before["sla_clock"]}
    for id_, clock in seen.clocks.items():
        if before.get(id_) == clock:
            continue
        promise = seen.world.agreements[clock["pact_version"]].promise(clock["policy"])
        if promise is None:
            continue
        said = [
            (parse(event.data["recorded_at"]), event.data["until"], event.data["state"])
            for event in seen.log.of("lead.paused")
            if event.data["assignment_id"] in seen.about(clock)
        ]
        away = _announced_absences(seen, clock["rep_id"]) if clock["rep_id"] else set()
        for at, until, because in clock["pauses"]:
            if because == _OWNER_AWAY:
                is_so = any(start <= parse(at) and parse(until) <= end for start, end in away)
            else:
                is_so = because in promise.pause_while and any(
                    (parse(at), because) == (began, state) and _ends_by(until, ends)
                    for began, ends, state in said
                )
            if not is_so:
                yield f"clock {id_} is paused from {at} to {until}, {because}, of which nobody spoke"


def _ends_by(until: str | None, end: str | None) -> bool:
    return end is None or (until is not None and parse(until) <= parse(end))


def _announced_absences(seen: Evidence, rep: str) -> set[tuple[datetime, datetime]]:
    return {
        (parse(away["starts_at"]), parse(away["ends_at"]))
        for event in seen.log.of("rep.absences_changed", "lead.assigned", "lead.reassigned")
        if event.data["rep_id"] == rep
        for away in event.data["away" if event.type == "rep.absences_changed" else "rep_away"] or ()
    }


def what_was_heard_pauses_clocks(seen: Evidence) -> Iterator[str]:
    """An open clock has the pauses of which the sla-timer has heard, and stands still if the last of them goes on.

    Asked while no assignment of the clock has ended: what the end does to a pause depends on whether it was heard of.
    """
    for id_, clock in seen.clocks.items():
        ids = seen.about(clock)
        if clock["state"] in _FINAL or any(seen.assignments[one]["ended_at"] for one in ids):
            continue
        promise = seen.world.agreements[clock["pact_version"]].promise(clock["policy"])
        if promise is None:
            continue
        start = parse(clock["started_at"])
        heard = [
            pause
            for one in ids
            for pause in _heard_pauses(seen, one)
            if pause[2] in promise.pause_while and (pause[1] is None or pause[1] > start)
        ]
        has = [
            (parse(at), parse(until) if until else None, because)
            for at, until, because in clock["pauses"]
            if because != _OWNER_AWAY
        ]
        if has != heard:
            yield f"clock {id_} has the pauses {has}, heard were {heard}"
        stands_still = any(until is None and at < parse(clock["due_at"]) for at, until, _ in heard)
        starts_now = clock["next_at"] == clock["started_at"]  # and stands still with the next sweep
        if clock["state"] != "waiting" and not starts_now and (clock["state"] == "paused") != stands_still:
            yield f"clock {id_}, due {clock['due_at']}, is {clock['state']}; heard were the pauses {heard}"


def _heard_pauses(seen: Evidence, assignment: str) -> list[tuple[datetime, datetime | None, str]]:
    """Each pause ends at its own end or when the next news of the kind was recorded, whichever is first."""
    news = [
        event
        for event in sorted(
            seen.log.of("lead.paused", "lead.resumed"),
            key=lambda event: (parse(event.data["recorded_at"]), event.place),
        )
        if event.data["assignment_id"] == assignment and event.event_id in seen.picture.heard
    ]
    pauses: list[tuple[datetime, datetime | None, str]] = []
    for event in news:
        at = parse(event.data["recorded_at"])
        pauses = [(began, min(until or at, at), state) for began, until, state in pauses if began < at]
        if event.type == "lead.paused":
            pauses.append(
                (at, parse(event.data["until"]) if event.data["until"] else None, event.data["state"])
            )
    return pauses


def absences_are_those_announced_last(seen: Evidence) -> Iterator[str]:
    """What the sla-timer knows of a rep's absences is what was said of that revision then, and of several that were said the latest."""
    for row in seen.picture["sla_rep"]:
        as_of = parse(row["as_of"])
        known = {(parse(away["starts_at"]), parse(away["ends_at"])) for away in row["away"]}
        said = [
            {
                (parse(away["starts_at"]), parse(away["ends_at"]))
                for away in event.data["away" if event.type == "rep.absences_changed" else "rep_away"] or ()
            }
            for event in seen.log.of("rep.absences_changed", "lead.assigned", "lead.reassigned")
            if event.data["rep_id"] == row["rep_id"]
            and parse(event.data["occurred_at"]) == as_of
            and (event.data["revision" if event.type == "rep.absences_changed" else "rep_away_revision"] or 0)
            == row["revision"]
        ]
        if known not in said:
            yield f"{row['rep_id']} is away {sorted(known)}; as of {as_of} they were said to be away {said}"


def bulk_has_its_turns(seen: Evidence) -> Iterator[str]:
    """A source with a pace gives turns and no other does; all of a lead's clocks that wait, wait for its turn."""
    requests = {row["id"]: row for row in seen.picture["sla_request"]}
    for row in requests.values():
        if (row["source"] == "fair") != bool(row["released_at"]):
            yield f"request {row['id']} of {row['source']} has its turn at {row['released_at']}"
    for id_, clock in seen.clocks.items():
        turn = requests[clock["request_id"]]["released_at"]
        if clock["state"] == "waiting" and clock["started_at"] != turn:
            yield f"clock {id_} waits until {clock['started_at']}, its lead's turn is at {turn}"


def turns_keep_hours_and_pace(seen: Evidence) -> Iterator[str]:
    """A turn that was given with this step lies in the pool's open hours, and no closer than the pace to another that is waited for, by
    the version of the pact that gave it: the one that the lead came under, or to which its clocks were moved.

    Turns of another version are another matter until their clocks are moved too.
    """
    waited_for = _waited_for(seen)
    given = {row["id"]: row["pact_version"] for row in waited_for if row["id"] not in _ids(seen.before)}
    moved = _moved_while_waiting(seen)
    for row in waited_for:
        version = given.get(row["id"]) or moved.get(row["id"])
        if version is None:
            continue
        agreement, turn = seen.world.agreements[version], parse(row["released_at"])
        hours = agreement.hours[row["pool_calendar"]]
        if not hours.between(turn, turn + GRID, hours.timezone):
            yield f"the turn of request {row['id']} is {turn}, when {row['pool_calendar']} is closed by version {version}"
        for other in waited_for:
            if other is row or _queue(other) != _queue(row):
                continue
            if (given | moved).get(other["id"], version) != version:
                continue
            if row["id"] in moved and _is_to_be_moved(seen, other, version):
                continue
            apart = sorted((turn, parse(other["released_at"])))
            if hours.between(apart[0], apart[1], hours.timezone) < agreement.pace:
                yield f"two turns of {_queue(row)} are at {apart[0]} and {apart[1]}, by version {version}"


def _waited_for(seen: Evidence) -> list[Row]:
    """The requests whose turn has not come: clocks wait for it, and none has started."""
    waiting, started = set(), set()
    turns = {row["id"]: row["released_at"] for row in seen.picture["sla_request"]}
    for clock in seen.clocks.values():
        request = clock["request_id"]
        if clock["state"] == "waiting":
            waiting.add(request)
        elif turns[request] and parse(clock["started_at"]) >= parse(turns[request]):
            started.add(request)
    return [row for row in seen.picture["sla_request"] if row["id"] in waiting - started]


def _moved_while_waiting(seen: Evidence) -> dict[str, int]:
    """Of each request with a clock that waited and was moved with this step, the version that it was moved to.

    A turn that had come by then stays, though no sweep may have started its clocks yet.
    """
    before = {row["id"]: row for row in seen.before["sla_clock"]}
    turn_before = {row["id"]: row["released_at"] for row in seen.before["sla_request"]}
    latest = seen.world.latest or seen.now
    came = {
        row["id"]
        for row in seen.picture["sla_request"]
        if row["released_at"]
        and row["released_at"] == turn_before.get(row["id"])
        and parse(row["released_at"]) <= latest
    }
    return {
        clock["request_id"]: clock["pact_version"]
        for id_, clock in seen.clocks.items()
        if id_ in before
        and before[id_]["state"] == "waiting"
        and before[id_]["pact_version"] != clock["pact_version"]
        and clock["request_id"] not in came
    }


def _is_to_be_moved(seen: Evidence, request: Row, version: int) -> bool:
    """Whether a clock waits for its turn that the version promises as well and that is not under it yet."""
    promises = seen.world.agreements[version]
    return any(
        clock["request_id"] == request["id"]
        and clock["state"] == "waiting"
        and clock["pact_version"] != version
        and promises.promise(clock["policy"])
        for clock in seen.clocks.values()
    )


def _ids(picture: Picture) -> set[str]:
    return {row["id"] for row in picture["sla_request"]}


def _queue(request: Row) -> tuple[str, str]:
    return request["source"], request["pool_calendar"]


# ---- at rest ----------------------------------------------------------------------------------------------------------------------


def absences_move_clocks(seen: Evidence) -> Iterator[str]:
    """An open clock that minds its owner's absences has those that lie ahead, as pauses or as the moment at which the lead goes on.

    Of an absence that has begun it is not asked from when it counted: that depends on when it was heard of.
    """
    latest = seen.world.latest or seen.now
    known = {
        row["rep_id"]: [(parse(away["starts_at"]), parse(away["ends_at"])) for away in row["away"]]
        for row in seen.picture["sla_rep"]
    }
    for id_, clock in seen.clocks.items():
        if clock["state"] in _FINAL or not clock["rep_id"]:
            continue
        promise = seen.world.agreements[clock["pact_version"]].promise(clock["policy"])
        if promise is None:
            continue
        away = known.get(clock["rep_id"], [])
        since = max(latest, parse(clock["started_at"]))
        ahead = [one for one in away if one[0] > since]
        # Of a clock that waits for its turn, the turn may come in the middle of an absence.
        leaves = min((max(start, since) for start, end in away if end > since), default=None)
        pauses = {
            (parse(at), parse(until)) for at, until, because in clock["pauses"] if because == _OWNER_AWAY
        }
        if promise.owner_away == "pause" and set(ahead) != {one for one in pauses if one[0] > since}:
            yield f"clock {id_} stands still {sorted(pauses)}, its owner will be away {ahead}"
        is_away = any(start <= latest < end for start, end in away)
        leaves_at = parse(clock["leaves_at"]) if clock["leaves_at"] else None
        if promise.owner_away == "reassign" and not is_away and leaves_at != leaves:
            yield f"clock {id_} is left at {leaves_at}, its owner will be away from {leaves}"


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
    """Met, breached or cancelled: whatever stood still was made to go on."""
    for id_, clock in seen.clocks.items():
        if clock["state"] not in _FINAL:
            yield f"clock {id_} is {clock['state']} at the end"


def every_promise_was_timed(seen: Evidence) -> Iterator[str]:
    """Each request has a clock for each promise of the pact under which sales was given it: the owner's, the team's, the customer's."""
    opened = {(row["subject_id"], row["policy"]) for row in seen.picture["sla_clock"]}
    for event in seen.log.events:
        if event.type not in _GIVEN:
            continue
        request = seen.request_of(event)
        if request is None:
            yield f"lead {event.key} was given to sales, and its request is not on record"
            continue
        for promise in seen.world.agreements[event.data["pact_version"]].promises:
            subject = event.data["assignment_id"] if promise.starts == "assigned" else request["id"]
            is_owed = promise.is_made_for(event.data["lead"]["intent"])
            if subject and is_owed and (subject, promise.name) not in opened:
                yield f"{subject} has no clock for {promise.name}"


def a_raised_hand_is_owed_an_answer(seen: Evidence) -> Iterator[str]:
    """Who asks for a demo is owed an answer that was not given before: they begin a request of it, or wait with one that goes on."""
    captured = {event.data["receipt_id"]: event.data for event in seen.log.of("lead.captured")}
    rounds = _rounds_of_demos(seen)
    news = defaultdict(list)
    for event in seen.log.of("lead.contacted", "lead.meeting_booked", "lead.rejected", "lead.closed"):
        news[event.data["lead_id"]].append(event)
    for applied in seen.log.of("lead.matched"):
        touch, lead_id = captured[applied.data["receipt_id"]], applied.data["lead_id"]
        if touch["intent"] != "demo_request":
            continue
        received_at, asked_at = parse(touch["received_at"]), parse(touch["occurred_at"])
        # What was heard of later could not be known when this was decided.
        known = [event for event in news[lead_id] if event.place < applied.place]
        begun = any(since >= received_at for since, _ in rounds[lead_id])
        waiting = any(_goes_on(owners, asked_at, known) for _, owners in rounds[lead_id])
        answered_since = any(_happened(event) >= asked_at for event in known)
        if not (begun or waiting or answered_since):
            yield f"lead {lead_id} asked for a demo at {asked_at}, and nobody owes it an answer"


def _rounds_of_demos(seen: Evidence) -> Mapping[str, Sequence[tuple[datetime, Sequence[str]]]]:
    """By lead: when each demo request was received, and the assignments of those who were given it, one after the other."""
    rounds: dict[str, list[tuple[datetime, list[str]]]] = defaultdict(list)
    for event in seen.log.events:
        if event.type not in _GIVEN or event.data["lead"]["intent"] != "demo_request":
            continue
        received_at, known = parse(event.data["lead"]["received_at"]), rounds[event.key]
        waits = bool(known) and known[-1] == (received_at, [])
        if not known or (event.type == "lead.assigned" and not waits) or known[-1][0] != received_at:
            known.append((received_at, []))
        if id_ := event.data["assignment_id"]:
            known[-1][1].append(id_)
    return rounds


def _goes_on(owners: Sequence[str], at: datetime, news: Sequence[Announced]) -> bool:
    """Whether none of the owners had answered by ``at``, nor given up."""
    return not any(event.data["assignment_id"] in owners and _happened(event) < at for event in news)


def facts_decide_every_clock(seen: Evidence) -> Iterator[str]:
    """What happened in time counts, whenever it was heard; what happened late does not."""
    done = {
        what: _earliest(seen, type_, "assignment_id")
        for what, type_ in (
            ("contacted", "lead.contacted"),
            ("accepted", "lead.accepted"),
            ("meeting_booked", "lead.meeting_booked"),
            ("rejected", "lead.rejected"),
        )
    }
    ended, closed = _ends(seen), _closings(seen)
    for id_, clock in seen.clocks.items():
        own, about = clock["assignment_id"], seen.about(clock)
        agreement = seen.world.agreements[clock["pact_version"]]
        promise = agreement.promise(clock["policy"])
        if promise is None:
            continue
        keeping = [done[what].get(one) for what in promise.stops for one in about]
        if promise.kind == "attempts":
            enough = _enough_attempts(seen, clock, agreement)
            if enough is _UNCLEAR:
                continue
            keeping.append(enough)
        ends = (
            [ended.get(own)]
            if own
            else [
                *(done["rejected"].get(one) for one in about),
                *(closed.get(one) for one in seen.with_those_after.get(clock["subject_id"], ())),
            ]
        )
        if clock["ended_because"] == _OWNER_AWAY:
            ends.append(parse(clock["ended_at"]))
        touch = min((at for at in keeping if at), default=None)
        end = min((at for at in ends if at), default=None)
        expected = {_verdict(clock, touch, end)}
        if own and any(
            at for other, at in done["contacted"].items() if other != own and _same_lead(seen, other, own)
        ):
            expected.add("met")  # an earlier owner may have reached the person already
        if clock["state"] not in expected:
            yield f"clock {id_} for {clock['policy']}, due {clock['due_at']}, is {clock['state']}; touched {touch}, ended {end}"


def _ends(seen: Evidence) -> dict[str, datetime]:
    """When each assignment ended, for whatever reason."""
    ended = _earliest(seen, "lead.rejected", "assignment_id")
    for type_, of in (
        ("lead.reassigned", "previous_assignment_id"),
        ("lead.held", "previous_assignment_id"),
        ("lead.closed", "assignment_id"),
    ):
        for id_, at in _earliest(seen, type_, of).items():
            ended[id_] = min(at, ended.get(id_, at))
    for id_, event in _asked_anew(seen).items():
        ended.setdefault(id_, _happened(event))
    return ended


def _asked_anew(seen: Evidence) -> dict[str, Announced]:
    """The assignments that were open when the person asked sales for something new, each with the one that followed."""
    followed: dict[str, Announced] = {}
    latest: dict[str, str] = {}
    for event in seen.log.events:
        if event.type not in ("lead.assigned", "lead.reassigned"):
            continue
        before = seen.assignments.get(latest.get(event.key, ""))
        if event.type == "lead.assigned" and before and _ended_with(before, event):
            followed.setdefault(before["id"], event)
        latest[event.key] = event.data["assignment_id"]
    return followed


def _ended_with(assignment: Row, event: Announced) -> bool:
    return assignment["ended_as"] in ("renewed", "reassigned") and parse(assignment["ended_at"]) == parse(
        event.data["occurred_at"]
    )


def _closings(seen: Evidence) -> dict[str, datetime]:
    """When each request was closed: the last that sales had been given by then."""
    closed: dict[str, datetime] = {}
    for event in seen.log.of("lead.closed"):
        given = [
            (request["received_at"], request["id"])
            for one in seen.log.events
            if one.place < event.place and one.type in _GIVEN and one.key == event.key
            if (request := seen.request_of(one))
        ]
        if given:
            at, request_id = _happened(event), max(given)[1]
            closed[request_id] = min(at, closed.get(request_id, at))
    return closed


_UNCLEAR = datetime.max.replace(tzinfo=UTC)


def _enough_attempts(seen: Evidence, clock: Row, agreement: Agreement) -> datetime | None:
    """The attempt with which there were enough; unclear if two at one instant, on different channels, may count either way."""
    promise = agreement.promise(clock["policy"])
    assert promise is not None
    own = clock["assignment_id"]
    tried = {
        (_happened(event), event.data["channel"])
        for event in seen.log.of("lead.attempted", "lead.contacted")
        if event.data["assignment_id"] in seen.about(clock) and not event.data["automatic"]
    }
    if promise.apart and len({at for at, _ in tried}) < len(tried):
        return _UNCLEAR
    rep, pool = _REPS[seen.assignments[own]["rep_id"]], seen.pool_of(clock)
    counted: list[datetime] = []
    channels: set[str] = set()
    for at, channel in sorted(tried):
        gap = agreement.between(counted[-1], at, promise.calendar, rep, pool) if counted else None
        if promise.apart and gap is not None and gap < promise.apart:
            continue
        counted.append(at)
        channels.add(channel)
        if len(counted) >= ATTEMPTS and len(channels) >= promise.channels:
            return at
    return None


def _earliest(seen: Evidence, type_: str, of: str) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for event in seen.log.of(type_):
        if id_ := event.data.get(of):
            at = _happened(event)
            found[id_] = min(at, found.get(id_, at))
    return found


def _happened(event: Announced) -> datetime:
    """When it happened; at the latest when it was heard of."""
    recorded_at = event.data.get("recorded_at")
    at = parse(event.data["occurred_at"])
    return min(at, parse(recorded_at)) if recorded_at else at


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
    """What the router shows of clocks is what the sla-timer holds."""
    shown = {row["clock_id"]: row for row in seen.picture["clock_view"]}
    for id_, clock in seen.clocks.items():
        view = shown.get(id_, {})
        state = "running" if view.get("state") == "warned" else view.get("state")
        if state != clock["state"]:
            yield f"clock {id_} is {clock['state']}, the router shows {state}"
        for name in ("due_at", "policy", "rep_id", "assignment_id", "whose", "target"):
            if view and view[name] != clock[name] and not (name == "target" and _never_started(seen, id_)):
                yield f"clock {id_} has {name} {clock[name]}, the router shows {view[name]}"


def every_warning_is_shown(seen: Evidence) -> Iterator[str]:
    """Each that was announced, once, with its time and its share."""
    said = {event.event_id: event.data for event in seen.log.of("sla.warned")}
    shown = {row["event_id"]: row for row in seen.picture["clock_warning"]}
    for id_ in sorted(said.keys() - shown.keys()):
        yield f"the warning {id_} is not shown"
    for id_, row in shown.items():
        event = said.get(id_)
        if event is None:
            yield f"the warning {id_} is shown and was never announced"
        elif (row["clock_id"], parse(row["warned_at"]), row["percent"], row["left"]) != (
            event["clock_id"],
            parse(event["occurred_at"]),
            event["percent"],
            event["left"],
        ):
            yield f"the warning {id_} is shown as {row}, and was announced as {event}"


def waits_equal_a_recount(seen: Evidence) -> Iterator[str]:
    """How long each request waited for its first contact or meeting, for the customer, the team and the owner, in wall and business time."""
    touches = [_earliest(seen, type_, "assignment_id") for type_ in ("lead.contacted", "lead.meeting_booked")]
    for row in seen.picture["sla_request"]:
        touched = {
            one: min(at for at in (found.get(one) for found in touches) if at)
            for one in seen.owners_of_request(row["id"])
            if any(one in found for found in touches)
        }
        first = min(touched.values(), default=None)
        if (parse(row["touched_at"]) if row["touched_at"] else None) != first:
            yield f"request {row['id']} was touched at {first}, recorded {row['touched_at']}"
        elif first is not None:
            by = [one for one, at in touched.items() if at == first]
            if _waits(row) not in [_recounted(seen, row, first, one) for one in by]:
                yield f"request {row['id']} waited {_recounted(seen, row, first, by[0])}, recorded {_waits(row)}"


_SIDES = ("customer", "team", "owner")


def _waits(row: Row) -> list[tuple[float, float]]:
    return [(row[f"{side}_seconds"], row[f"{side}_business_seconds"]) for side in _SIDES]


def _recounted(seen: Evidence, row: Row, touched: datetime, by: str) -> list[tuple[float, float]]:
    first, assignment = seen.first_news[row["id"]], seen.assignments[by]
    agreement, pool = seen.world.agreements[first.data["pact_version"]], seen.pool_of_request(row["id"])
    since = {
        "customer": parse(row["received_at"]),
        "team": parse(first.data["lead"]["qualified_at"]),
        "owner": parse(assignment["assigned_at"]),
    }
    waits = []
    for side in _SIDES:
        rep = _REPS[assignment["rep_id"]] if side == "owner" else None
        business = agreement.between(since[side], touched, "rep" if rep else "pool", rep, pool)
        waits.append((max(0.0, (touched - since[side]).total_seconds()), business.total_seconds()))
    return waits


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
    every_wait_is_explained,
    every_assignment_has_one_cause,
    nobody_gets_a_lead_back,
    owners_follow_each_other,
    every_report_is_announced,
    every_escalation_is_announced,
    a_lead_returns_to_who_kept_the_promise,
    nobody_offline_is_given_leads,
    offline_is_announced,
    breaches_take_a_lead_as_often_as_agreed,
    counters_equal_recounts,
    every_clock_is_announced,
    what_was_said_last_is_so,
    one_clock_for_one_promise,
    each_change_is_announced_once,
    nothing_fires_early,
    clocks_are_due_by_counting,
    pauses_are_those_that_were_announced,
    what_was_heard_pauses_clocks,
    absences_are_those_announced_last,
    bulk_has_its_turns,
    turns_keep_hours_and_pace,
)
"""What holds whenever no transaction is open."""

AT_REST: Sequence[Invariant] = (absences_move_clocks,)
"""What holds whenever everything was read."""

AT_THE_END: Sequence[Invariant] = (
    every_lead_was_applied,
    every_clock_has_ended,
    every_promise_was_timed,
    a_raised_hand_is_owed_an_answer,
    facts_decide_every_clock,
    every_breach_led_somewhere,
    the_views_agree,
    every_warning_is_shown,
    a_receipt_tells_where_its_lead_is,
    waits_equal_a_recount,
)
"""What holds once everything was read and every clock has run out."""


def broken(invariants: Sequence[Invariant], seen: Evidence) -> list[str]:
    """What is wrong, each under the name of the promise."""
    return [f"{invariant.__name__}: {what}" for invariant in invariants for what in invariant(seen)]
