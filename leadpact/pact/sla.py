"""Say what sales promises for a lead, how the time for it counts, when somebody is warned, and what happens when it is missed.

A promise is of one kind, told by the key that states its target:

    first_touch_within: 2 business hours                            somebody reaches out
    attempts: 5 within 10 business days over 2 channels             somebody keeps trying
    decide_within: 1 business day                                   the owner takes the lead on or gives it back

`starts` says whose clock it is. `assigned` is the owner's: it starts anew with each owner. `qualified` is the team's and
`received` the customer's: they run on whoever has the lead, and they are opened once sales is given it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from leadpact.domain.business_duration import BusinessDuration, WallDuration
from leadpact.pact.base import NAME_PATTERN, Flag, Name, PactSection, RepRef, mistake, must_be_a_name
from leadpact.pact.condition import PromiseCondition
from leadpact.pact.phrases import AttemptsText, Duration, DurationText, Share, TimeLeft, WarningText
from leadpact.pact.words import nearest, nearest_choice, one_of

OWN_CALENDARS: Final = ("rep", "pool", "lead")
"""In a promise's `calendar`: the hours of whoever has the lead, of the pool it went to, or of the lead's own day. No
calendar is called so."""

Start = Literal["assigned", "qualified", "received"]
Stop = Literal["contacted", "accepted", "meeting_booked", "rejected"]
"""What may keep a promise. An automatic reply is none of these."""


class Reassign(PactSection):
    """Take the lead away and give it to the next, at most so many times."""

    exclude: Literal["everyone who had it"] = "everyone who had it"
    at_most: Annotated[int, Field(strict=True, ge=0)]


class Escalate(PactSection):
    """A named human must decide."""

    escalate: RepRef


class OnBreach(PactSection):
    """What a missed promise leads to, beside its announcement."""

    reassign: Reassign | None = None
    """The lead goes to the next owner; needs `then`."""
    then: Escalate | None = None
    """Who decides when the reassignments are used up, or nobody is left."""
    escalate: RepRef | None = None
    """Who decides at once; the owner keeps the lead."""
    take_offline: Flag = False
    """Whoever missed it is given no more leads until they say that they are back."""
    give_back: Flag = False
    """If it turns out to have been kept in time, the lead returns to whoever kept it, unless somebody has touched it since."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.escalate and self.reassign:
            raise mistake("one of them: `escalate` decides at once, `reassign` with `then` in the end")
        if self.reassign and not self.then:
            raise mistake("`then` beside `reassign`", reason="somebody decides when nobody is left")
        if self.then and not self.reassign:
            raise mistake("`reassign` beside `then`", reason="to decide at once, write `escalate`")
        if self.give_back and not self.reassign:
            raise mistake("`reassign` beside `give_back`", reason="without it nobody loses the lead")
        return self

    @property
    def reassign_at_most(self) -> int | None:
        """How often the lead goes to the next owner; None for never."""
        return self.reassign.at_most if self.reassign else None

    @property
    def escalate_to(self) -> str | None:
        """Who decides, at once or in the end."""
        return self.then.escalate if self.then else self.escalate


_ANNOUNCE: Final = OnBreach()
_ACTS = tuple(OnBreach.model_fields)


def _consequence(found: object) -> str | None:
    if found == "announce":
        return "announce"
    is_act = isinstance(found, OnBreach) or (
        isinstance(found, Mapping) and any(act in found for act in _ACTS)
    )
    return "act" if is_act else None


def _must_be_a_consequence(found: object) -> object:
    if _consequence(found) is None:
        raise mistake(
            "announce, {escalate: PERSON} or {reassign: {at_most: 3}, then: {escalate: PERSON}}",
            nearest_choice(found, ["announce"], _ACTS),
        )
    return found


Consequence = Annotated[
    Annotated[Literal["announce"], Tag("announce")] | Annotated[OnBreach, Tag("act")],
    Discriminator(_consequence),
    BeforeValidator(_must_be_a_consequence),
]


def _in_order(warnings: tuple[Share | TimeLeft, ...]) -> tuple[Share | TimeLeft, ...]:
    shares = [warning.percent for warning in warnings if isinstance(warning, Share)]
    if shares != sorted(set(shares)):
        raise mistake("warnings in rising order, each share once")
    if len(set(warnings)) < len(warnings):
        raise mistake("each warning once")
    return warnings


def _whose_hours(text: str) -> str:
    parts = text.split(" and ")
    if len(parts) > 2 or len(set(parts)) < len(parts):
        raise mistake("one calendar, or two different ones: `rep and lead` counts while both are open")
    return " and ".join(must_be_a_name(part) for part in parts)


WhoseHours = Annotated[
    str,
    AfterValidator(_whose_hours),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{NAME_PATTERN}( and {NAME_PATTERN})?$",
            "examples": ["rep", "pool", "rep and lead"],
        }
    ),
]


class Promise(PactSection):
    """What every kind of promise says."""

    KIND: ClassVar[str]

    applies: PromiseCondition | None = None
    """Left out, it applies to every lead."""
    starts: Start = "assigned"
    """`assigned`: the owner's clock. `qualified`: the team's. `received`: the customer's."""
    stops: Annotated[tuple[Stop, ...], Field(min_length=1)] = ("contacted",)
    """Whichever of these happens first keeps the promise."""
    calendar: Annotated[WhoseHours | None, Field(validate_default=True)] = None
    """Whose business time counts: `rep`, `pool`, `lead`, a calendar of the pact, or two of them joined by `and`. Left
    out: the owner's own for the owner's clock, else the pool's."""
    warn_at: Annotated[tuple[WarningText, ...], AfterValidator(_in_order)] = ()
    """When the owner is warned: after a share of the time (`80%`), or when so much is left (`15 business minutes left`)."""
    on_breach: Consequence = "announce"
    """Only the announcement, or what is done about it."""
    pause_while: tuple[Name, ...] = ()
    """The states in which nobody expects sales to act, such as `waiting_for_customer`: no time passes then."""
    owner_away: Literal["run", "pause", "reassign"] = "run"
    """While the owner is absent: the clock runs on, stands still, or the lead goes to the next when the absence begins."""

    @property
    @abstractmethod
    def target(self) -> Duration:
        """How long it may take."""

    @property
    def consequences(self) -> OnBreach:
        """What is done on a breach; nothing, if it is only announced."""
        return self.on_breach if isinstance(self.on_breach, OnBreach) else _ANNOUNCE

    @property
    def whose_hours(self) -> tuple[str, ...]:
        """The calendars that must be open for time to count."""
        assert self.calendar is not None
        return tuple(self.calendar.split(" and "))

    @field_validator("calendar")
    @classmethod
    def _usual_hours(cls, calendar: str | None, info: ValidationInfo) -> str:
        return calendar or ("rep" if info.data.get("starts", "assigned") == "assigned" else "pool")

    @model_validator(mode="before")
    @classmethod
    def _is_of_one_kind(cls, found: Any) -> Any:
        stated = [key for key in _KINDS if isinstance(found, Mapping) and key in found]
        if len(stated) > 1:
            raise mistake(f"one of {one_of(_KINDS)}", reason="a promise is of one kind: make two of it")
        return found

    @model_validator(mode="after")
    def _only_an_owner_can_lose_a_lead(self) -> Self:
        if self.starts == "assigned":
            return self
        whose = f"the clock that starts when the lead is {self.starts}"
        if "rep" in self.whose_hours:
            raise mistake("a calendar other than `rep`", reason=f"{whose} belongs to no single owner")
        acts = self.consequences
        if acts.reassign or acts.take_offline or self.owner_away != "run":
            raise mistake(
                "`starts: assigned`, or an `on_breach` that is announced or escalated",
                reason=f"{whose} belongs to no single owner, so nobody can lose the lead by it",
            )
        return self

    @model_validator(mode="after")
    def _warns_in_its_own_time(self) -> Self:
        for warning in self.warn_at:
            if not isinstance(warning, TimeLeft):
                continue
            if type(warning.time) is not type(self.target):
                raise mistake(
                    f"a warning in the same kind of time as the target, {self.target}",
                    reason=f"{warning} is the other kind",
                )
            if _is_surely_too_long(warning.time, self.target):
                raise mistake(f"less time than the target, {self.target}", reason=f"{warning} is all of it")
        return self


def _is_surely_too_long(left: Duration, target: Duration) -> bool:
    """Business days are compared with business days only: how long one is depends on the calendar."""
    match left, target:
        case BusinessDuration(), BusinessDuration() if not (left.time or target.time):
            return left.days >= target.days
        case BusinessDuration(), BusinessDuration() if not (left.days or target.days):
            return left.time >= target.time
        case WallDuration(), WallDuration():
            return left.time >= target.time
        case _:
            return False


class FirstTouchPromise(Promise):
    """Somebody reaches out in time."""

    KIND: ClassVar[str] = "first_touch"

    first_touch_within: DurationText

    @property
    def target(self) -> Duration:
        return self.first_touch_within


class AttemptsPromise(Promise):
    """Somebody tries so often in time, over so many channels. Who is reached needs no further attempt."""

    KIND: ClassVar[str] = "attempts"

    attempts: AttemptsText
    apart: DurationText | None = None
    """An attempt sooner than this after the last one that counted does not count."""
    stops: Annotated[tuple[Stop, ...], Field(min_length=1)] = ("contacted", "meeting_booked")

    @property
    def target(self) -> Duration:
        return self.attempts.within


class DecidePromise(Promise):
    """The owner takes the lead on or gives it back in time. Who has reached the person has taken it on."""

    KIND: ClassVar[str] = "decide"

    decide_within: DurationText
    stops: Annotated[tuple[Stop, ...], Field(min_length=1)] = ("accepted", "rejected", "contacted")

    @property
    def target(self) -> Duration:
        return self.decide_within


_KINDS: Final = {
    "first_touch_within": FirstTouchPromise.KIND,
    "attempts": AttemptsPromise.KIND,
    "decide_within": DecidePromise.KIND,
}


def _kind(found: object) -> str:
    """The kind of promise, also of one whose key is misspelt, so that the error names the key that was meant."""
    if isinstance(found, Promise):
        return found.KIND
    if not isinstance(found, Mapping):
        return FirstTouchPromise.KIND
    stated = next((key for key in _KINDS if key in found), None)
    meant = stated or next((near for key in found if (near := nearest(str(key), _KINDS))), None)
    return _KINDS[meant or "first_touch_within"]


# A tag is a step in the place of an error: it may be no word of the file, as the kind `attempts` is.
AnyPromise = Annotated[
    Annotated[FirstTouchPromise, Tag("promise of first_touch")]
    | Annotated[AttemptsPromise, Tag("promise of attempts")]
    | Annotated[DecidePromise, Tag("promise of decide")],
    Discriminator(lambda found: f"promise of {_kind(found)}"),
]
Promises = Mapping[Name, AnyPromise]
