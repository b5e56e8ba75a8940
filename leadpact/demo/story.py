"""Tell one Tuesday morning at Acme: every figure is read back through the API, and every expectation is a check.

Nothing is made up but the speed of time: real posts, a real database, a real carrier, real webhooks to a receiver in a process of its
own. The clock keeps step with the reader while something happens, and runs fast while everybody would only wait.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime, time, timedelta
from typing import Any

import httpx

from leadpact.demo import checks
from leadpact.demo.checks import Check, Json
from leadpact.demo.example import Example, File, FormPost
from leadpact.demo.page import STORY_DAY, ZONE, Page, clock_time
from leadpact.demo.receiver import Receiver, free_port, run_receiver
from leadpact.demo.scene import Scene
from leadpact.domain.business_duration import say
from leadpact.errors import LeadpactError

OPENING = datetime.combine(STORY_DAY, time(9, 5), ZONE)

_CALLED = ("Katharina Roth", "Max Huber", "Luca Frei")
_UNCALLED = "Dr. Theresa Steiner"
_FROM_NO_REGION = "山田 太郎"
_TRIAGE = ("emil", "harriet", "luis")
_DID = ("pricing_page", "content_download")
_HEARD = ("lead.assigned", "lead.reassigned", "lead.held", "sla.warned", "sla.breached")


class Story:
    """The morning, chapter by chapter."""

    def __init__(self, scene: Scene, example: Example, page: Page) -> None:
        self.checks: list[Check] = []
        self._scene = scene
        self._api = scene.api
        self._example = example
        self._page = page
        self._receiver = Receiver()
        self._leads: dict[str, str] = {}  # ids by the person's name
        self._absences: dict[str, str] = {}  # ids by rep

    async def tell(self, stack: AsyncExitStack) -> None:
        """All chapters. What they open stays open in ``stack``. Raises ``Interrupted`` at the stop."""
        await self._tell("The agreement", lambda: self._agreement(stack))
        await self._tell("Twelve people fill in a form", self._forms)
        await self._tell(f"Why {_CALLED[0]} went where she went", self._why)
        await self._tell("A double click, and a post that reaches nobody", self._mistakes)
        await self._tell("Marketing uploads the fair's badge scans and a vendor's list", self._files)
        await self._scene.run_until(_at(9, 40))
        await self._tell("Sales calls", self._kept)
        await self._tell(f"{_FROM_NO_REGION}, from Japan, is still waiting", self._held)
        await self._scene.run_until(_at(11, 6))
        await self._tell(f"Nobody calls {_UNCALLED}", self._missed)
        await self._tell("What the CRM heard of it", self._crm)
        self._page.chapter("Did it come out as told?", self._scene.now)
        self._page.checks(self.checks)

    async def _tell(self, title: str, chapter: Callable[[], Awaitable[None]]) -> None:
        """One chapter. One that cannot be told is a failed check, and the next is tried all the same."""
        self._page.chapter(title, self._scene.now)
        try:
            await chapter()
        except (LeadpactError, httpx.HTTPError, LookupError, TypeError) as error:
            self.checks.append(Check(f"“{title}” can be told", f"{type(error).__name__}: {error}"))

    async def _agreement(self, stack: AsyncExitStack) -> None:
        pact = await self._api.post("/v1/pact", content=self._example.pact)
        reps = await self._api.post("/v1/reps/import", content=self._example.reps)
        accounts = await self._api.post("/v1/accounts/import", content=self._example.accounts)
        await self._connect_crm(stack)
        self._page.say(
            f"{pact['name']}: {reps['imported']} reps, {accounts['imported']} known accounts. Sales promises a first touch "
            "of every demo request within 2 business hours; if nobody does it, the lead goes to somebody else."
        )
        for rep in _TRIAGE:
            away = {"starts_at": self._scene.now.isoformat(), "ends_at": _at(14).isoformat()}
            self._absences[rep] = (await self._api.post(f"/v1/reps/{rep}/absences", json=away))["id"]
        self._page.say(
            "Emil, Harriet and Luis, who take what belongs to no region, are at a workshop until 14:00."
        )

    async def _connect_crm(self, stack: AsyncExitStack) -> None:
        port = free_port()
        wanted = {"url": f"http://127.0.0.1:{port}/", "description": "the demo's CRM", "events": _HEARD}
        secret = (await self._api.post("/v1/webhook-endpoints", json=wanted))["secret"]
        self._receiver = await stack.enter_async_context(run_receiver(self._example.receiver, port, secret))

    async def _forms(self) -> None:
        # One after the other, each once the one before is settled: so it is the same story, with the same owners, whenever it is told.
        stories = [
            await self._scene.lead_of((await self._scene.post(form)).json()["receipt"])
            for form in self._example.forms
        ]
        leads = [story["lead"] for story in stories]
        self._leads = {lead["full_name"]: lead["id"] for lead in leads}
        self._page.table(
            ("who", "from", "score", "owner", "why", "touch by"),
            [_assignment(story) for story in stories],
        )
        (known,) = [lead for lead in leads if lead["account_name"] == "Adler Medical GmbH"]
        self.checks += [
            checks.all_owned_or_held(leads, len(self._example.forms)),
            checks.known_account_stays_with_its_owner(known, "Dora Novák"),
        ]

    async def _why(self) -> None:
        lead_id = self._leads[_CALLED[0]]
        for kind in _DID:
            await self._api.post("/v1/activities", json={"kind": kind, "lead_id": lead_id})
        story = await self._scene.until(
            lambda: self._scene.lead(lead_id), lambda story: len(story["activities"]) == len(_DID)
        )
        did = " and ".join(kind.replace("_", " ") for kind in _DID)
        self._page.say(f"Meanwhile the website has reported more of her: {did}.")
        explanation = story["assignments"][0]["explanation"]
        candidates = [one for pool in explanation["pools"] for one in pool["candidates"]]
        self._page.table(
            ("points", "for", "because"),
            [(f"{part['points']:+g}", part["name"], part["because"]) for part in story["contributions"]],
        )
        self._page.table(
            ("rule", "holds", "seen"),
            [
                (rule["rule"], "yes" if rule["holds"] else "no", _seen(rule["seen"]))
                for rule in explanation["rules"]
            ],
        )
        self._page.table(
            ("candidate", "outcome", "because"),
            [(one["rep"], one["outcome"], one["because"]) for one in candidates],
        )
        self.checks += [
            checks.score_is_the_sum_of_its_parts(story),
            checks.decision_is_explained(_CALLED[0], explanation),
        ]

    async def _mistakes(self) -> None:
        form = self._example.forms[-1]
        first, second = [(await self._scene.post(form)).json() for _ in range(2)]
        self._page.say(f"{form.name} again: {second['status']}, with the receipt it had before.")
        unreachable = FormPost("", form.source, b'{"name": "Nobody", "email": "nobody@", "country": "DE"}')
        refused = await self._scene.post(unreachable)
        problem = refused.json()
        faults = "; ".join(fault["detail"] for fault in problem.get("errors", ()))
        self._page.say(f"Nobody, nobody@: {refused.status_code} {problem['title']}. {faults}")
        self.checks += [
            checks.double_click_is_one_lead(first, second),
            checks.bad_post_is_explained(refused.status_code, problem),
        ]

    async def _files(self) -> None:
        scans = await self._uploaded("hannover-messe", self._example.badge_scans)
        vendors = await self._uploaded("netline", self._example.vendor_list)
        self._page.table(
            ("file", "rows", "accepted", "duplicates", "rejected", "late by (business time)"),
            [_counts(scans), _counts(vendors)],
        )
        for upload in (scans, vendors):
            file = await self._api.get_text(f"/v1/uploads/{upload['id']}/rejects.csv")
            rejects = list(csv.DictReader(io.StringIO(file.removeprefix("\ufeff"))))
            self._page.table(
                (f"rejected of {upload['filename']}", "rows", "for example"), _by_reason(rejects)
            )
            self.checks += [
                checks.file_is_accounted_for(upload),
                checks.rejects_say_how_to_fix_them(upload, rejects),
            ]
        self.checks.append(checks.late_file_is_noticed(scans))

    async def _uploaded(self, source: str, file: File) -> Any:
        taken = await self._api.post("/v1/uploads", params={"source": source}, files={"file": file})
        return await self._scene.upload(taken["id"])

    async def _kept(self) -> None:
        clocks = [await self._call(self._leads[name]) for name in _CALLED]
        self._page.table(
            ("who", "called by", "clock", "target", "due", "touched", "of it used"),
            [(name, *_kept_clock(clock)) for name, clock in zip(_CALLED, clocks, strict=True)],
        )
        self._page.say(await self._scene.about(clocks[0]))
        self.checks.append(checks.promise_was_kept(_CALLED[0], clocks[0]))

    async def _call(self, lead_id: str) -> Any:
        """The owner takes the lead on and calls; the lead's clock, once it has heard."""
        assignment = (await self._scene.lead(lead_id))["lead"]["assignment_id"]
        await self._api.post(f"/v1/assignments/{assignment}/accept")
        await self._api.post(f"/v1/assignments/{assignment}/contact", json={"channel": "call"})
        return await self._scene.until(
            lambda: self._scene.clock_of(lead_id, hop=1), lambda clock: clock and clock["state"] != "running"
        )

    async def _held(self) -> None:
        before = (await self._scene.lead(self._leads[_FROM_NO_REGION]))["lead"]
        self._page.say(f"Held since {clock_time(before['held_since'])}: {before['why']}.")
        await self._api.delete(f"/v1/absences/{self._absences['emil']}")
        after = await self._scene.until(
            lambda: self._scene.lead(before["id"]), lambda story: story["lead"]["owner"] is not None
        )
        self._page.say(f"Emil leaves the workshop early, and has the lead: {after['lead']['why']}.")
        self.checks += [
            checks.was_held(before),
            checks.was_released(after["lead"], "Emil Sørensen"),
        ]

    async def _missed(self) -> None:
        lead_id = self._leads[_UNCALLED]
        second = await self._scene.until(lambda: self._scene.clock_of(lead_id, hop=2), bool)
        first = await self._scene.clock_of(lead_id, hop=1)
        story = await self._scene.lead(lead_id)
        self._page.table(
            ("at", "what", ""),
            [
                (clock_time(one["at"]), one["kind"].replace("_", " "), one["says"])
                for one in story["timeline"]
            ],
        )
        self.checks += [
            checks.was_warned_and_breached(_UNCALLED, first),
            checks.was_reassigned(_UNCALLED, first, second),
        ]
        if second is not None:
            self._page.say(await self._scene.about(second))

    async def _crm(self) -> None:
        lead_id = self._leads[_UNCALLED]
        owner = (await self._scene.lead(lead_id))["lead"]["owner_name"]
        expected = ("lead.reassigned", owner)
        accepted = await self._scene.until(self._accepted, lambda accepted: expected in accepted)
        deliveries = await self._scene.until(
            lambda: self._api.all_items("/v1/deliveries", lead=lead_id),
            lambda found: all(one["state"] != "pending" for one in found),
        )
        self._page.table(
            ("at", "type", "delivery", "attempts", "the receiver's answer"),
            [_delivery(one) for one in reversed(deliveries)],
        )
        self._page.say(f"In all it took {len(accepted)} webhooks, and verified the signature of each.")
        self.checks += [
            checks.webhooks_were_genuine(self._receiver.refused, len(accepted)),
            checks.receiver_heard_of(*expected, accepted),
        ]

    async def _accepted(self) -> list[tuple[str, str]]:
        return self._receiver.accepted


def _at(hour: int, minute: int = 0) -> datetime:
    return datetime.combine(STORY_DAY, time(hour, minute), ZONE)


def _assignment(story: Json) -> tuple[object, ...]:
    lead = story["lead"]
    owned = story["assignments"][0] if story["assignments"] else None
    return (
        lead["full_name"],
        lead["country"],
        f"{lead['score']:.0f} {lead['band']}",
        lead["owner_name"] or lead["stage"],
        f"{owned['rule']}: {lead['why']}" if owned else lead["why"],
        clock_time(lead["due_at"]),
    )


def _seen(values: list[Json]) -> str:
    return "; ".join(f"{one['field']} is {one['found']}, asked for {one['expected']}" for one in values)


def _counts(upload: Json) -> tuple[object, ...]:
    counts = (upload[name] for name in ("filename", "rows", "accepted", "duplicates", "rejected"))
    return (*counts, _minutes(upload["late_by_business_seconds"]))


def _by_reason(rejects: list[dict[str, str]]) -> list[tuple[object, ...]]:
    """Each reason once, with how many rows it rejected and the first few answers of one of them."""
    reasons = Counter(row["leadpact_error"] for row in rejects)
    examples = {row["leadpact_error"]: _cells(row) for row in reversed(rejects)}
    return [(reason, count, examples[reason]) for reason, count in reasons.items()]


def _cells(row: dict[str, str]) -> str:
    filled = [cell for name, cell in row.items() if cell and not name.startswith("leadpact_")]
    return " · ".join(filled[:4])


def _kept_clock(clock: Json) -> tuple[object, ...]:
    due, touched = clock_time(clock["due_at"]), clock_time(clock["met_at"])
    return (
        clock["rep_name"],
        clock["state"],
        clock["target"],
        due,
        touched,
        _minutes(clock["business_seconds"]),
    )


def _delivery(one: Json) -> tuple[object, ...]:
    return clock_time(one["queued_at"]), one["type"], one["state"], one["attempts"], one["outcome"]


def _minutes(seconds: float | None) -> str:
    return "" if seconds is None else say(timedelta(minutes=seconds // 60))
