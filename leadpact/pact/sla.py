"""Say how soon sales touches a lead, when it is warned, and what happens when nobody did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from leadpact.pact.base import MISTAKE, Name, PactSection, RepRef, mistake
from leadpact.pact.condition import PromiseCondition
from leadpact.pact.phrases import DurationText, PercentText

OWN_CALENDARS: Final = ("rep", "pool")
"""In a promise's `calendar`: the hours of whoever has the lead, or of the pool it went to. No calendar is called so."""


class Reassign(PactSection):
    """Take the lead away and give it to the next, at most so many times."""

    exclude: Literal["everyone who had it"] = "everyone who had it"
    at_most: Annotated[int, Field(strict=True, ge=0)]


class Escalate(PactSection):
    """A named human must decide."""

    escalate: RepRef


class OnBreach(PactSection):
    """Reassign; when that is used up, escalate."""

    reassign: Reassign
    then: Escalate


def _consequence(found: object) -> str | None:
    match found:
        case "announce":
            return "announce"
        case OnBreach() | {"reassign": _} | {"then": _}:
            return "act"
        case _:
            return None


Consequence = Annotated[
    Annotated[Literal["announce"], Tag("announce")] | Annotated[OnBreach, Tag("act")],
    Discriminator(
        _consequence,
        custom_error_type=MISTAKE,
        custom_error_message="expected {expected}",
        custom_error_context={
            "expected": "announce, or {reassign: {at_most: 3}, then: {escalate: PERSON}}",
            "suggestion": "",
            "reason": "",
        },
    ),
]


def _rising(percents: tuple[int, ...]) -> tuple[int, ...]:
    if list(percents) != sorted(set(percents)):
        raise mistake("warnings in rising order, each share once")
    return percents


class Promise(PactSection):
    """A first touch within a stated time of assignment, for the leads that it applies to."""

    applies: PromiseCondition | None = None
    """Left out, it applies to every lead."""
    starts: Literal["assigned"] = "assigned"
    stops: Annotated[tuple[Literal["contacted", "accepted"], ...], Field(min_length=1)] = ("contacted",)
    """Whichever of these happens first keeps the promise."""
    first_touch_within: DurationText
    calendar: Name = "rep"
    """Whose business time counts: `rep`, `pool` or a calendar of the pact."""
    warn_at: Annotated[tuple[PercentText, ...], AfterValidator(_rising)] = ()
    """Shares of the time, in percent, after which the owner is warned."""
    on_breach: Consequence = "announce"
    """Only the announcement, or a new owner and in the end a decision."""


Promises = Mapping[Name, Promise]
