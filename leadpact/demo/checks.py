"""Judge whether the story came out as told: pure, from what the API answered.

Every judge states what is expected in one sentence, and, where it does not hold, what was seen instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Check:
    """An expectation. ``seen`` is what was there instead; None if it holds."""

    expected: str
    seen: str | None = None

    @property
    def holds(self) -> bool:
        return self.seen is None


def check(expected: str, holds: bool, seen: object) -> Check:
    """``expected``, with what was seen if it does not hold."""
    return Check(expected, None if holds else str(seen))


def all_owned_or_held(leads: Sequence[Json], posts: int) -> Check:
    """Each post became a lead of its own, and none was left lying."""
    people = {lead["id"] for lead in leads}
    lying = [lead["full_name"] for lead in leads if not lead["owner"] and lead["stage"] != "held"]
    return check(
        f"each of {posts} people who filled in a form has an owner, or is held with a reason",
        len(people) == posts and not lying,
        f"{len(people)} leads, of which nobody has {', '.join(lying) or 'none'}",
    )


def known_account_stays_with_its_owner(lead: Json, owner: str) -> Check:
    return check(
        f"{lead['full_name']} of the known account {lead['company']} went to its owner, {owner}",
        lead["owner_name"] == owner,
        f"went to {lead['owner_name']}",
    )


def score_is_the_sum_of_its_parts(story: Json) -> Check:
    lead, parts = story["lead"], story["contributions"]
    total = sum(part["points"] for part in parts)
    return check(
        f"the score of {lead['full_name']} is the sum of its parts, what she did among them",
        lead["engagement"] > 0 and abs(total - lead["score"]) < 0.01,
        f"score {lead['score']}, parts {[part['points'] for part in parts]}",
    )


def decision_is_explained(name: str, explanation: Json) -> Check:
    """Every rule tried has the values it saw, and every candidate one reason."""
    candidates = [one for pool in explanation["pools"] for one in pool["candidates"]]
    chosen = [one["rep"] for one in candidates if one["outcome"] == "chosen"]
    unexplained = [one["rep"] for one in candidates if not one["because"]]
    return check(
        f"it is on record why {name} went where: every rule tried, every candidate",
        len(chosen) == 1 and not unexplained and all(rule["seen"] for rule in explanation["rules"]),
        f"chosen {chosen}, without a reason {unexplained}",
    )


def double_click_is_one_lead(first: Json, second: Json) -> Check:
    return check(
        "a double click was recognised: the same receipt, no second lead",
        second["status"] == "duplicate" and first["receipt"] == second["receipt"],
        f"{second['status']} with receipt {second['receipt']} after {first['receipt']}",
    )


def bad_post_is_explained(status: int, problem: Json) -> Check:
    named = [fault["pointer"] for fault in problem.get("errors", ())]
    return check(
        "a post that reaches nobody was refused with a problem that names the field",
        status == 422 and bool(named),
        f"status {status} naming {named}",
    )


def file_is_accounted_for(upload: Json) -> Check:
    """Every row ended as one of three things, and the file had some of the good and some of the bad."""
    ended = upload["accepted"] + upload["duplicates"] + upload["rejected"]
    return check(
        f"every row of {upload['filename']} was accepted, found to be a duplicate, or rejected with a reason",
        upload["status"] == "completed"
        and upload["rows"] == ended
        and upload["accepted"] > 0
        and upload["rejected"] > 0,
        f"{upload['status']}: {upload['rows']} rows, {upload['accepted']} accepted, {upload['duplicates']} duplicates, "
        f"{upload['rejected']} rejected",
    )


def rejects_say_how_to_fix_them(upload: Json, rejects: Sequence[Json]) -> Check:
    explained = [row for row in rejects if row.get("leadpact_error") and row.get("leadpact_fix")]
    return check(
        f"each rejected row of {upload['filename']} came back with its error and a fix",
        len(explained) == upload["rejected"],
        f"{len(explained)} explained of {upload['rejected']}",
    )


def late_file_is_noticed(upload: Json) -> Check:
    late = upload["late_by_business_seconds"]
    return check(
        f"the pact's time for uploading {upload['filename']} was compared with when it came",
        late is not None and late > 0,
        f"late by {late} s",
    )


def was_held(lead: Json) -> Check:
    return check(
        f"{lead['full_name']} was held, with the reason, while nobody of the pool was there",
        lead["stage"] == "held" and bool(lead["why"]),
        f"stage {lead['stage']}, reason {lead['why']}",
    )


def was_released(lead: Json, to: str) -> Check:
    return check(
        f"{lead['full_name']} was given to {to} by itself as soon as somebody was back",
        lead["owner_name"] == to,
        f"stage {lead['stage']}, owner {lead['owner_name']}",
    )


def promise_was_kept(name: str, clock: Json | None) -> Check:
    return check(
        f"{name} was called in time: the clock is met",
        clock is not None and clock["state"] == "met" and not clock["was_breached"],
        "no clock" if clock is None else f"the clock is {clock['state']}",
    )


def was_warned_and_breached(name: str, clock: Json | None) -> Check:
    """Warned before the breach, and not breached before the time was up."""
    return check(
        f"nobody called {name}: warned at 80 %, breached when the time was up",
        clock is not None
        and clock["warned_percent"] == 80
        and clock["state"] == "breached"
        and _at(clock["breached_at"]) >= _at(clock["due_at"]),
        "no clock"
        if clock is None
        else f"{clock['state']}, warned at {clock['warned_percent']} %, due {clock['due_at']}, breached {clock['breached_at']}",
    )


def was_reassigned(name: str, first: Json | None, second: Json | None) -> Check:
    """Somebody else has the lead, with a clock of their own."""
    return check(
        f"{name} was taken away and given to somebody else, with a fresh clock",
        first is not None
        and second is not None
        and first["rep_id"] != second["rep_id"]
        and second["hop"] == 2
        and second["state"] == "running"
        and _at(second["started_at"]) >= _at(first["due_at"]),
        f"first {_clock(first)}, then {_clock(second)}",
    )


def webhooks_were_genuine(refused: int, accepted: int) -> Check:
    return check(
        "the receiver verified the signature of every webhook",
        accepted > 0 and refused == 0,
        f"{accepted} accepted, {refused} refused",
    )


def receiver_heard_of(kind: str, rep: str, accepted: Sequence[tuple[str, str]]) -> Check:
    return check(
        f"the receiver has {kind} for {rep}",
        (kind, rep) in accepted,
        f"{[said for said in accepted if said[0] == kind]}",
    )


def _at(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


def _clock(clock: Json | None) -> str:
    return "none" if clock is None else f"{clock['rep_name']}'s, hop {clock['hop']}, {clock['state']}"
