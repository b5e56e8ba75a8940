"""Say who gets a lead: ordered rules choose a pool, the pool's weighted turns choose the rep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from leadpact.pact.base import (
    NAME_PATTERN,
    Count,
    Name,
    PactSection,
    RepRef,
    Sentence,
    mistake,
    must_be_a_name,
)
from leadpact.pact.condition import AnyCondition
from leadpact.pact.words import nearest, nearest_choice

ACCOUNT_OWNER: Final = "account.owner"
"""In `to`: whoever owns the lead's account, if that is somebody who can be given a lead; else the rule is passed by."""


class Member(PactSection):
    """A rep in a pool, with their share of its turns: 2 is twice as many as 1."""

    rep: RepRef
    weight: Annotated[float, Field(strict=True, gt=0, le=100, allow_inf_nan=False)] = 1


def _bare_rep(found: object) -> object:
    return {"rep": found} if isinstance(found, str) else found


MemberOrRep = Annotated[Member, BeforeValidator(_bare_rep, json_schema_input_type=RepRef | Member)]


def _each_rep_once(members: tuple[Member, ...]) -> tuple[Member, ...]:
    reps = [member.rep for member in members]
    twice = next((rep for rep in reps if reps.count(rep) > 1), None)
    if twice is not None:
        raise mistake(f"each rep once (for more turns give {twice} a weight)")
    return members


class Overflow(PactSection):
    """Give it to this person, whatever their hours and limits."""

    overflow: RepRef


class Widen(PactSection):
    """Ask this pool instead."""

    widen: Name


def _policy(found: object) -> str | None:
    match found:
        case "hold":
            return "hold"
        case Overflow() | {"overflow": _}:
            return "overflow"
        case Widen() | {"widen": _}:
            return "widen"
        case _:
            return None


def _must_be_a_policy(found: object) -> object:
    if _policy(found) is None:
        suggestion = nearest_choice(found, ["hold"], ["overflow", "widen"])
        raise mistake("hold, {overflow: REP} or {widen: POOL}", suggestion)
    return found


# A tag is a step in the place of an error: it may be no word of the file, as `overflow` is.
WhenNobody = Annotated[
    Annotated[Literal["hold"], Tag("policy of hold")]
    | Annotated[Overflow, Tag("policy of overflow")]
    | Annotated[Widen, Tag("policy of widen")],
    Discriminator(lambda found: f"policy of {_policy(found)}"),
    BeforeValidator(_must_be_a_policy),
]

Availability = Literal["working_now_or_next_open", "always"]


class Pool(PactSection):
    """Reps who take turns, and when one of them is passed over."""

    members: Annotated[tuple[MemberOrRep, ...], Field(min_length=1), AfterValidator(_each_rep_once)]
    calendar: Name
    """The team's hours; also those of a member who has none of their own."""
    open_limit: Count | None = None
    """Who has this many open leads is passed over; left out, there is no limit."""
    daily_limit: Count | None = None
    """Who was given this many today, in their own zone, is passed over; left out, there is no limit."""
    when_nobody: WhenNobody = "hold"
    """What happens to a lead when no member can be given it: it waits until one can, or goes elsewhere."""
    availability: Availability = "working_now_or_next_open"
    """`working_now_or_next_open` prefers who is at work now, else who opens next; `always` ignores hours."""


def _must_be_a_destination(text: str) -> str:
    if "." in text and text != ACCOUNT_OWNER:
        raise mistake(f"a pool of this pact or {ACCOUNT_OWNER}", nearest(text, [ACCOUNT_OWNER]))
    return text if text == ACCOUNT_OWNER else must_be_a_name(text)


Destination = Annotated[
    str,
    AfterValidator(_must_be_a_destination),
    WithJsonSchema({"type": "string", "pattern": rf"^({NAME_PATTERN}|account\.owner)$"}),
]


class Rule(PactSection):
    """Leads for which `when` holds go to `to`. Rules are tried in order and the first that holds decides."""

    name: Sentence
    when: AnyCondition | None = None
    """Left out, it holds for every lead."""
    to: Destination
    because: Sentence | None = None
    """Why the two sides agreed on this rule; shown in explanations."""


class Routing(PactSection):
    """The pools, the rules between them, and the pool for leads that no rule speaks of."""

    pools: Mapping[Name, Pool]
    rules: tuple[Rule, ...] = ()
    """Tried in order; the first that holds decides."""
    fallback: Name
    """The pool for leads that no rule speaks of."""
