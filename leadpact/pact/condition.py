"""Say whether a lead meets a condition of the pact, and show every value that decided it.

A condition is written as YAML and read once into a tree of tests. Asking it is pure: facts in, verdict out.

    {country: [DE, AT, CH]}             one of these words; upper and lower case are the same
    {country: DE, employees: ">= 50"}   several fields at once: all of them must hold
    {job_title: contains engineer}      part of a text
    {account.owner: present}            has any value; `absent` is its opposite
    {email: free_mail}                  a mailbox at a free provider; `business` is any other address
    {did: [pricing_page, webinar]}      at least one of these
    {all: [...]}, {any: [...]}, {not: {...}}

A fact that is missing meets no test but `absent`; `not` turns that around like any other answer. ``not`` is
carried down to the single tests while reading, so each value shown says whether it was as wanted.

A verdict shows values, and explanations are kept for years. Tests of presence therefore show only that, never
the address or the number, so that a person can be erased while the explanation stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from operator import eq, ge, gt, le, lt
from types import MappingProxyType
from typing import Annotated, Any, Final, NamedTuple

from pydantic import PlainSerializer, PlainValidator, ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError

from leadpact.pact.base import mistake, unknown_word
from leadpact.pact.words import COUNTRIES, nearest, nearest_country, one_of


class FactKind(StrEnum):
    """How a fact may be tested, besides `present` and `absent`."""

    WORD = "word"
    """one text or a list of texts, or `contains ...`"""
    COUNTRY = "country"
    """one ISO 3166 alpha-2 code or a list of them"""
    WORDS = "words"
    """a set of words; holds when it has at least one of those listed"""
    NUMBER = "number"
    """a number, or a comparison such as `>= 50`"""
    FLAG = "flag"
    """`true` or `false`"""
    ADDRESS = "address"
    """an e-mail address: `free_mail` or `business`"""
    PRESENCE = "presence"
    """nothing else"""


_AS_CAPTURED: Final = {
    "intent": FactKind.WORD,
    "source": FactKind.WORD,
    "kind": FactKind.WORD,
    "email": FactKind.ADDRESS,
    "email_domain": FactKind.WORD,
    "free_mail": FactKind.FLAG,
    "phone": FactKind.PRESENCE,
    "country": FactKind.COUNTRY,
    "state": FactKind.WORD,
    "company": FactKind.WORD,
    "employees": FactKind.NUMBER,
    "industry": FactKind.WORD,
    "job_title": FactKind.WORD,
    "seniority": FactKind.WORD,
    "products": FactKind.WORDS,
    "consent": FactKind.FLAG,
}
_OF_THE_ACCOUNT: Final = {
    "account.owner": FactKind.WORD,
    "account.tier": FactKind.WORD,
    "account.name": FactKind.WORD,
}
_FROM_SCORING: Final = {
    "score": FactKind.NUMBER,
    "fit": FactKind.NUMBER,
    "engagement": FactKind.NUMBER,
    "band": FactKind.WORD,
    "did": FactKind.WORDS,
    "stage": FactKind.WORD,
}

FACTS: Final[Mapping[str, FactKind]] = MappingProxyType({**_AS_CAPTURED, **_OF_THE_ACCOUNT, **_FROM_SCORING})
"""Every fact that a condition may ask about."""

FACTS_AT_CAPTURE: Final = frozenset(_AS_CAPTURED)
"""What a source's contract may ask: the lead as it was posted, before anybody matched or scored it."""

FACTS_OF_A_TOUCH: Final = frozenset({"intent", "source", "kind"})
"""What is said by posting, whoever posts: what is asked for, and through what."""

FACTS_BEFORE_SCORING: Final = frozenset({**_AS_CAPTURED, **_OF_THE_ACCOUNT})
"""What a fit rule may ask: not the score that it is a part of."""

FACTS_BEFORE_QUALIFYING: Final = frozenset(FACTS) - {"stage"}
"""What the criteria of a qualified lead may ask: not the stage that they decide."""

FACTS_OF_AN_ASSIGNMENT: Final = frozenset(
    {"intent", "source", "kind", "email", "email_domain", "phone", "country", "company", "job_title"}
    | {"account.name", "account.tier", "score", "fit", "engagement", "band", "stage"}
)
"""What a promise may ask: the facts that travel with ``lead.assigned`` to whoever keeps the clocks."""


class Seen(NamedTuple):
    """One value that a condition looked at: what it wanted, what was there, and whether that was as wanted."""

    field: str
    expected: str
    found: object
    holds: bool


class Verdict(NamedTuple):
    """The answer of a condition, with every value it looked at, in the order written."""

    holds: bool
    seen: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class _Test:
    field: str
    expected: str
    passes: Callable[[object], bool]
    shows: Callable[[object], object]
    wanted: bool = True

    def fields(self) -> frozenset[str]:
        return frozenset({self.field})

    def holds(self, facts: Mapping[str, object]) -> bool:
        return self.passes(facts.get(self.field)) is self.wanted

    def look(self, facts: Mapping[str, object], seen: list[Seen]) -> bool:
        found = facts.get(self.field)
        holds = self.passes(found) is self.wanted
        seen.append(Seen(self.field, self.expected, self.shows(found), holds))
        return holds

    def __str__(self) -> str:
        return f"{self.field}: {self.expected}"


@dataclass(frozen=True, slots=True)
class _Group:
    parts: tuple[_Node, ...]

    def fields(self) -> frozenset[str]:
        return frozenset().union(*(part.fields() for part in self.parts))


class _All(_Group):
    __slots__ = ()

    def holds(self, facts: Mapping[str, object]) -> bool:
        return all(part.holds(facts) for part in self.parts)

    def look(self, facts: Mapping[str, object], seen: list[Seen]) -> bool:
        # Every part looks, also after the first "no": an explanation shows them all.
        answers = [part.look(facts, seen) for part in self.parts]
        return all(answers)

    def __str__(self) -> str:
        return " and ".join(f"({part})" if isinstance(part, _Any) else str(part) for part in self.parts)


class _Any(_Group):
    __slots__ = ()

    def holds(self, facts: Mapping[str, object]) -> bool:
        return any(part.holds(facts) for part in self.parts)

    def look(self, facts: Mapping[str, object], seen: list[Seen]) -> bool:
        answers = [part.look(facts, seen) for part in self.parts]
        return any(answers)

    def __str__(self) -> str:
        return " or ".join(f"({part})" if isinstance(part, _All) else str(part) for part in self.parts)


_Node = _Test | _All | _Any


@dataclass(frozen=True, slots=True)
class Condition:
    """A question about a lead that the pact asks; equal when written equally."""

    written: Mapping[str, Any]
    """as it stands in the file"""
    _root: _Node = field(repr=False, compare=False)
    _fields: frozenset[str] = field(repr=False, compare=False)
    _text: str = field(repr=False, compare=False)

    @classmethod
    def parse(cls, written: object, allowed: Iterable[str] = FACTS) -> Condition:
        """Read a condition that may ask about the ``allowed`` facts.

        Raises ``pydantic.ValidationError`` with one error per mistake, each at its place in ``written``.
        """
        reader = _Reader(tuple(name for name in FACTS if name in frozenset(allowed)))
        root = reader.condition(written, (), wanted=True)
        if reader.mistakes or not isinstance(written, Mapping):
            raise ValidationError.from_exception_data("Condition", reader.mistakes)
        return cls(MappingProxyType(dict(written)), root, root.fields(), str(root))

    def asks_about(self, names: Collection[str]) -> bool:
        """Whether any of these facts has a say in it."""
        return not self._fields.isdisjoint(names)

    def holds(self, facts: Mapping[str, object]) -> bool:
        """Yes or no, as fast as it can be known."""
        return self._root.holds(facts)

    def evaluate(self, facts: Mapping[str, object]) -> Verdict:
        """Yes or no with every value seen, for an explanation. ``facts`` are named as in ``FACTS``."""
        seen: list[Seen] = []
        holds = self._root.look(facts, seen)
        return Verdict(holds, tuple(seen))

    def __str__(self) -> str:
        return self._text


_Path = tuple[int | str, ...]
_NOTHING = _All(())
"""Stands in the tree for a part that could not be read; a tree with mistakes is never asked."""

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {">=": ge, "<=": le, ">": gt, "<": lt, "=": eq}
_COMPARISON = re.compile(r"(>=|<=|>|<|=)\s*(-?\d+(?:\.\d+)?)")
_GROUPS = ("all", "any", "not")
CLOSED_WORDS: Mapping[str, Sequence[str]] = {
    "kind": ("form", "event_scan", "syndication"),
    "seniority": ("c_level", "vp", "director", "manager", "senior", "entry"),
    "stage": ("new", "mql"),
}
"""Facts whose words are the same in every pact; those that a pact chooses itself are checked against it."""


class _Reader:
    """Reads one condition and gathers its mistakes instead of stopping at the first."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self.allowed = allowed
        self.mistakes: list[InitErrorDetails] = []

    def condition(self, written: object, at: _Path, *, wanted: bool) -> _Node:
        if not isinstance(written, Mapping) or not written:
            return self._refuse(at, written, mistake("a condition such as {country: [DE, AT]}"))
        parts = tuple(self._part(name, value, (*at, name), wanted) for name, value in written.items())
        return parts[0] if len(parts) == 1 else _group(parts, every=wanted)

    def _part(self, name: object, value: object, at: _Path, wanted: bool) -> _Node:
        match name:
            case "not":
                return self.condition(value, at, wanted=not wanted)
            case "all" | "any":
                return self._group(value, at, every=(name == "all"), wanted=wanted)
            case str() if name in self.allowed:
                return self._test(name, value, at, wanted)
            case _:
                return self._refuse(at, name, self._unknown(str(name)))

    def _group(self, value: object, at: _Path, *, every: bool, wanted: bool) -> _Node:
        if not isinstance(value, list) or not value:
            return self._refuse(at, value, mistake("a list of at least one condition"))
        parts = tuple(self.condition(part, (*at, i), wanted=wanted) for i, part in enumerate(value))
        # "not all of these" is "one of these not", and the other way round.
        return _group(parts, every=every is wanted)

    def _test(self, name: str, value: object, at: _Path, wanted: bool) -> _Node:
        if value in ("present", "absent"):
            return _presence(name, present=(value == "present") is wanted)
        match FACTS[name]:
            case FactKind.ADDRESS:
                return self._address(value, at, wanted)
            case FactKind.PRESENCE:
                return self._refuse(at, value, _unknown_word(value, ("present", "absent")))
            case FactKind.FLAG:
                return self._flag(name, value, at, wanted)
            case FactKind.NUMBER:
                return self._number(name, value, at, wanted)
            case FactKind.WORD | FactKind.COUNTRY | FactKind.WORDS:
                return self._words(name, value, at, wanted)

    def _address(self, value: object, at: _Path, wanted: bool) -> _Node:
        free_mail = _flag_test("free_mail", True, wanted=wanted is (value == "free_mail"))
        match value:
            case "free_mail" | "business" if "free_mail" not in self.allowed:
                problem = mistake("present or absent", reason="what kind of address it is, is not known here")
                return self._refuse(at, value, problem)
            case "free_mail":
                return free_mail
            case "business":
                return _group((_presence("email", present=wanted), free_mail), every=wanted)
            case _:
                return self._refuse(
                    at, value, _unknown_word(value, ("present", "absent", "free_mail", "business"))
                )

    def _flag(self, name: str, value: object, at: _Path, wanted: bool) -> _Node:
        if not isinstance(value, bool):
            meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(
                str(value).casefold(), ""
            )
            return self._refuse(at, value, mistake("true, false, present or absent", meant))
        return _flag_test(name, value, wanted=wanted)

    def _number(self, name: str, value: object, at: _Path, wanted: bool) -> _Node:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _number_test(name, "=", value, wanted)
        comparison = _COMPARISON.fullmatch(value.strip()) if isinstance(value, str) else None
        if comparison is None:
            return self._refuse(at, value, mistake('a number, or a comparison in quotes such as ">= 50"'))
        return _number_test(name, comparison[1], float(comparison[2]), wanted)

    def _words(self, name: str, value: object, at: _Path, wanted: bool) -> _Node:
        words = value if isinstance(value, list) else [value]
        if not words:
            return self._refuse(at, value, mistake("at least one word"))
        places = [(*at, i) for i in range(len(words))] if isinstance(value, list) else [at]
        right = [self._is_a_word_for(name, word, place) for word, place in zip(words, places, strict=True)]
        if not all(right):
            return _NOTHING
        return _word_test(name, [str(word) for word in words], wanted)

    def _is_a_word_for(self, name: str, word: object, at: _Path) -> bool:
        problem = _wrong_word(name, word)
        if problem is not None:
            self._refuse(at, word, problem)
        return problem is None

    def _unknown(self, name: str) -> PydanticCustomError:
        reason = f"{name} is a fact, but not one that is known here" if name in FACTS else ""
        return unknown_word(name, (*self.allowed, *_GROUPS), reason)

    def _refuse(self, at: _Path, found: object, problem: PydanticCustomError) -> _Node:
        self.mistakes.append(InitErrorDetails(type=problem, loc=at, input=found))
        return _NOTHING


def _wrong_word(name: str, word: object) -> PydanticCustomError | None:
    if isinstance(word, bool) or not isinstance(word, str | int | float) or word == "":
        return mistake("a word or a list of words")
    if name == "country" and word not in COUNTRIES:
        return mistake("a country code of ISO 3166 such as DE", nearest_country(str(word)))
    if name in CLOSED_WORDS and word not in CLOSED_WORDS[name]:
        return _unknown_word(word, CLOSED_WORDS[name])
    return None


def _unknown_word(found: object, choices: Sequence[str]) -> PydanticCustomError:
    return mistake(one_of(choices), nearest(str(found), choices))


def _group(parts: tuple[_Node, ...], *, every: bool) -> _Node:
    return _All(parts) if every else _Any(parts)


def _is_present(found: object) -> bool:
    # Nothing, an empty text and an empty list are no answer; zero and "no" are.
    return bool(found) or isinstance(found, (int, float))


def _presence(name: str, *, present: bool) -> _Test:
    return _Test(
        name,
        expected="present" if present else "absent",
        passes=_is_present,
        shows=lambda found: "present" if _is_present(found) else "absent",
        wanted=present,
    )


def _flag_test(name: str, expected: bool, *, wanted: bool) -> _Test:
    text = "true" if expected else "false"
    return _Test(name, text if wanted else f"not {text}", lambda found: found is expected, _as_is, wanted)


def _number_test(name: str, operator: str, bound: float, wanted: bool) -> _Test:
    compare = _COMPARISONS[operator]
    text = f"{bound:g}" if operator == "=" else f"{operator} {bound:g}"

    def passes(found: object) -> bool:
        return isinstance(found, (int, float)) and compare(found, bound)

    return _Test(name, text if wanted else f"not {text}", passes, _as_is, wanted)


def _word_test(name: str, words: Sequence[str], wanted: bool) -> _Test:
    several = FACTS[name] is FactKind.WORDS
    whole = frozenset(word.casefold() for word in words if not word.startswith("contains "))
    parts = tuple(
        word.removeprefix("contains ").strip().casefold() for word in words if word.startswith("contains ")
    )

    def matches(found: object) -> bool:
        text = str(found).casefold()
        return text in whole or (bool(parts) and any(part in text for part in parts))

    def passes(found: object) -> bool:
        if not _is_present(found):
            return False
        return any(matches(one) for one in _each(found)) if several else matches(found)

    return _Test(name, _wanted_words(words, several, wanted), passes, _sorted if several else _as_is, wanted)


def _wanted_words(words: Sequence[str], several: bool, wanted: bool) -> str:
    if len(words) == 1:
        return words[0] if wanted else f"not {words[0]}"
    among = "any of" if several else "one of"
    return f"{among if wanted else 'none of'} {', '.join(words)}"


def _each(found: object) -> Iterable[object]:
    return found if isinstance(found, Iterable) and not isinstance(found, str) else (found,)


def _sorted(found: object) -> object:
    return tuple(sorted(str(one) for one in _each(found))) if _is_present(found) else None


def _as_is(found: object) -> object:
    return found


def _read_anywhere(written: object) -> Condition:
    return Condition.parse(written)


def _read_at_capture(written: object) -> Condition:
    return Condition.parse(written, FACTS_AT_CAPTURE)


def _read_before_scoring(written: object) -> Condition:
    return Condition.parse(written, FACTS_BEFORE_SCORING)


def _read_before_qualifying(written: object) -> Condition:
    return Condition.parse(written, FACTS_BEFORE_QUALIFYING)


def _read_at_assignment(written: object) -> Condition:
    return Condition.parse(written, FACTS_OF_AN_ASSIGNMENT)


def _as_written(condition: Condition) -> dict[str, Any]:
    return dict(condition.written)


_Written = PlainSerializer(_as_written, return_type=dict[str, Any])
# The title is how the schema finds the places that ask for a condition; the shape itself is written there once.
_Shape = WithJsonSchema({"type": "object", "title": "Condition"})

AnyCondition = Annotated[Condition, PlainValidator(_read_anywhere), _Written, _Shape]
"""A condition over every fact."""

CaptureCondition = Annotated[Condition, PlainValidator(_read_at_capture), _Written, _Shape]
"""A condition over ``FACTS_AT_CAPTURE``."""

FitCondition = Annotated[Condition, PlainValidator(_read_before_scoring), _Written, _Shape]
"""A condition over ``FACTS_BEFORE_SCORING``."""

ReadinessCondition = Annotated[Condition, PlainValidator(_read_before_qualifying), _Written, _Shape]
"""A condition over ``FACTS_BEFORE_QUALIFYING``."""

PromiseCondition = Annotated[Condition, PlainValidator(_read_at_assignment), _Written, _Shape]
"""A condition over ``FACTS_OF_AN_ASSIGNMENT``."""
