"""Each check of the demo holds for what should be, and says what was there instead for what should not."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from leadpact.demo import checks
from leadpact.demo.checks import Check

LEAD = {
    "id": "1",
    "full_name": "Katharina Roth",
    "company": "Nordlicht",
    "stage": "assigned",
    "owner": "ana",
    "owner_name": "Ana Berger",
    "why": "next in turn",
    "score": 43.0,
    "engagement": 8.0,
}
HELD = LEAD | {"id": "2", "stage": "held", "owner": None, "owner_name": None, "why": "3 away"}
UPLOAD = {
    "filename": "scans.csv",
    "status": "completed",
    "rows": 10,
    "accepted": 7,
    "duplicates": 1,
    "rejected": 2,
    "late_by_business_seconds": 60,
}
REJECT = {"leadpact_error": "no address", "leadpact_fix": "fill it in"}
CLOCK = {
    "rep_id": "ana",
    "rep_name": "Ana Berger",
    "hop": 1,
    "state": "met",
    "was_breached": False,
    "warned_percent": None,
    "started_at": "2026-05-26T07:05:00Z",
    "due_at": "2026-05-26T09:05:00Z",
    "breached_at": None,
}
BREACHED = CLOCK | {"state": "breached", "warned_percent": 80, "breached_at": "2026-05-26T09:05:02Z"}
SECOND = CLOCK | {"rep_id": "cem", "hop": 2, "state": "running", "started_at": "2026-05-26T09:05:03Z"}
CHOSEN = {"rep": "ana", "outcome": "chosen", "because": "next in turn"}
PASSED = {"rep": "ben", "outcome": "passed over", "because": "away"}
RULE = {"rule": "DACH", "holds": True, "seen": [{"field": "country"}]}


class Case:
    """A judge and what it is shown."""

    def __init__(self, judge: Callable[..., Check], *shown: Any) -> None:
        self.judge = judge
        self.shown = shown

    def judged(self) -> Check:
        return self.judge(*self.shown)


def explained(*candidates: dict[str, Any], rule: dict[str, Any] = RULE) -> dict[str, Any]:
    return {"rules": [rule], "pools": [{"pool": "dach-ae", "candidates": list(candidates)}]}


AS_TOLD = {
    "owned or held": Case(checks.all_owned_or_held, [LEAD, HELD], 2),
    "known account": Case(checks.known_account_stays_with_its_owner, LEAD, "Ana Berger"),
    "sum": Case(
        checks.score_is_the_sum_of_its_parts, {"lead": LEAD, "contributions": [{"points": 35}, {"points": 8}]}
    ),
    "explained": Case(checks.decision_is_explained, "K", explained(CHOSEN, PASSED)),
    "double click": Case(
        checks.double_click_is_one_lead,
        {"receipt": "a", "status": "accepted"},
        {"receipt": "a", "status": "duplicate"},
    ),
    "bad post": Case(checks.bad_post_is_explained, 422, {"errors": [{"pointer": "#/email"}]}),
    "file": Case(checks.file_is_accounted_for, UPLOAD),
    "rejects": Case(checks.rejects_say_how_to_fix_them, UPLOAD, [REJECT, REJECT]),
    "late": Case(checks.late_file_is_noticed, UPLOAD),
    "held": Case(checks.was_held, HELD),
    "released": Case(checks.was_released, LEAD, "Ana Berger"),
    "kept": Case(checks.promise_was_kept, "K", CLOCK),
    "breached": Case(checks.was_warned_and_breached, "K", BREACHED),
    "reassigned": Case(checks.was_reassigned, "K", BREACHED, SECOND),
    "genuine": Case(checks.webhooks_were_genuine, 0, 5),
    "heard": Case(checks.receiver_heard_of, "lead.reassigned", "Cem", [("lead.reassigned", "Cem")]),
}

OTHERWISE = {
    "one is lying": (Case(checks.all_owned_or_held, [LEAD, HELD | {"stage": "mql"}], 2), "Katharina Roth"),
    "two became one": (Case(checks.all_owned_or_held, [LEAD, LEAD], 2), "1 leads"),
    "another owner": (Case(checks.known_account_stays_with_its_owner, LEAD, "Ben Fischer"), "Ana Berger"),
    "a part is missing": (
        Case(checks.score_is_the_sum_of_its_parts, {"lead": LEAD, "contributions": [{"points": 35}]}),
        "score 43.0",
    ),
    "what she did counts nothing": (
        Case(
            checks.score_is_the_sum_of_its_parts,
            {"lead": LEAD | {"engagement": 0}, "contributions": [{"points": 43}]},
        ),
        "score 43.0",
    ),
    "nobody chosen": (Case(checks.decision_is_explained, "K", explained(PASSED)), "chosen []"),
    "passed over for nothing": (
        Case(checks.decision_is_explained, "K", explained(CHOSEN, PASSED | {"because": ""})),
        "without a reason ['ben']",
    ),
    "a rule that saw nothing": (
        Case(checks.decision_is_explained, "K", explained(CHOSEN, rule=RULE | {"seen": []})),
        "chosen ['ana']",
    ),
    "a second receipt": (
        Case(
            checks.double_click_is_one_lead,
            {"receipt": "a", "status": "accepted"},
            {"receipt": "b", "status": "duplicate"},
        ),
        "receipt b after a",
    ),
    "taken twice": (
        Case(
            checks.double_click_is_one_lead,
            {"receipt": "a", "status": "accepted"},
            {"receipt": "a", "status": "accepted"},
        ),
        "accepted",
    ),
    "a bad post taken": (Case(checks.bad_post_is_explained, 202, {}), "status 202"),
    "a bad post without a place": (Case(checks.bad_post_is_explained, 422, {"errors": []}), "naming []"),
    "a row is missing": (Case(checks.file_is_accounted_for, UPLOAD | {"rows": 11}), "11 rows"),
    "not through": (Case(checks.file_is_accounted_for, UPLOAD | {"status": "processing"}), "processing"),
    "no fix": (
        Case(checks.rejects_say_how_to_fix_them, UPLOAD, [REJECT, REJECT | {"leadpact_fix": ""}]),
        "1 explained of 2",
    ),
    "nobody looked": (
        Case(checks.late_file_is_noticed, UPLOAD | {"late_by_business_seconds": None}),
        "late by None",
    ),
    "not held": (Case(checks.was_held, LEAD), "stage assigned"),
    "still held": (Case(checks.was_released, HELD, "Ana Berger"), "stage held"),
    "no clock": (Case(checks.promise_was_kept, "K", None), "no clock"),
    "still runs": (Case(checks.promise_was_kept, "K", CLOCK | {"state": "running"}), "running"),
    "met too late": (Case(checks.promise_was_kept, "K", CLOCK | {"was_breached": True}), "met"),
    "never warned": (
        Case(checks.was_warned_and_breached, "K", BREACHED | {"warned_percent": None}),
        "warned at None",
    ),
    "fired early": (
        Case(checks.was_warned_and_breached, "K", BREACHED | {"breached_at": "2026-05-26T09:04:59Z"}),
        "breached 2026-05-26T09:04:59Z",
    ),
    "no second clock": (Case(checks.was_reassigned, "K", BREACHED, None), "then none"),
    "the same rep again": (
        Case(checks.was_reassigned, "K", BREACHED, SECOND | {"rep_id": "ana"}),
        "hop 2, running",
    ),
    "a clock that is not fresh": (
        Case(checks.was_reassigned, "K", BREACHED, SECOND | {"started_at": CLOCK["started_at"]}),
        "hop 2, running",
    ),
    "an unproven webhook": (Case(checks.webhooks_were_genuine, 1, 5), "1 refused"),
    "no webhook": (Case(checks.webhooks_were_genuine, 0, 0), "0 accepted"),
    "another was named": (
        Case(
            checks.receiver_heard_of,
            "lead.reassigned",
            "Cem",
            [("lead.reassigned", "Ben"), ("lead.held", "Cem")],
        ),
        "[('lead.reassigned', 'Ben')]",
    ),
}


@pytest.mark.parametrize("name", AS_TOLD)
def test_what_came_out_as_told_holds(name: str) -> None:
    found = AS_TOLD[name].judged()
    assert found.holds, found.seen


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_came_out_otherwise_says_what_was_seen_instead(name: str) -> None:
    case, seen = OTHERWISE[name]
    found = case.judged()
    assert not found.holds
    assert seen in str(found.seen)


def test_every_judge_is_seen_to_hold_and_to_fail() -> None:
    judges = {
        judge
        for name, judge in inspect.getmembers(checks, inspect.isfunction)
        if judge.__module__ == checks.__name__ and not name.startswith("_") and name != "check"
    }
    assert {case.judge for case in AS_TOLD.values()} == judges
    assert {case.judge for case, _ in OTHERWISE.values()} == judges
