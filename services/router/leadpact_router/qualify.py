"""Say whether a lead is ready for sales, and why or why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leadpact.pact.condition import FACTS_OF_A_TOUCH, Condition
from leadpact.pact.qualification import Qualification, Readiness


@dataclass(frozen=True, slots=True)
class Qualified:
    """The lead is an MQL; ``because`` names the criterion that made it one."""

    because: str


@dataclass(frozen=True, slots=True)
class KeptBack:
    """The lead is no MQL yet; ``because`` says what is missing."""

    because: str


def qualify(
    facts: Mapping[str, object], draft: Mapping[str, Any], qualification: Qualification
) -> Qualified | KeptBack:
    """The pact's verdict on ``facts``; what sales needs is looked up in ``draft``, then in the facts."""
    if qualification.mql is None:
        return Qualified("the pact hands over every lead")
    met = _criterion_met(facts, qualification.mql)
    if met is None:
        return KeptBack(_nothing_met(facts, qualification.mql))
    missing = [field for field in qualification.mql.needs if not _known(draft.get(field, facts.get(field)))]
    if missing:
        return KeptBack(
            f"meets {met}, but {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not known"
        )
    return Qualified(met)


def raised_hand(facts: Mapping[str, object], qualification: Qualification) -> str | None:
    """The criterion that is met, if what was asked for, or through what, has a say in it: then to ask that is to ask for sales.

    What sales needs to know besides (``needs``) does not matter: whoever raises a hand again, sales has.
    """
    readiness = qualification.mql
    if readiness is None or not knows_raised_hands(qualification):
        return None
    if readiness.all is not None:
        return _criterion_met(facts, readiness)
    about_the_touch = filter(_is_about_the_touch, readiness.any or ())
    return next((str(one) for one in about_the_touch if one.holds(facts)), None)


def knows_raised_hands(qualification: Qualification) -> bool:
    """Whether the pact minds what is asked for. To one that hands over every lead, or goes by scores, no touch says more than another."""
    readiness = qualification.mql
    return readiness is not None and any(
        map(_is_about_the_touch, (*(readiness.any or ()), *(readiness.all or ())))
    )


def _is_about_the_touch(criterion: Condition) -> bool:
    return criterion.asks_about(FACTS_OF_A_TOUCH)


def _criterion_met(facts: Mapping[str, object], readiness: Readiness) -> str | None:
    if readiness.any is not None:
        return next((str(one) for one in readiness.any if one.holds(facts)), None)
    criteria = readiness.all or ()
    return " and ".join(str(one) for one in criteria) if all(one.holds(facts) for one in criteria) else None


def _nothing_met(facts: Mapping[str, object], readiness: Readiness) -> str:
    if readiness.any is not None:
        return f"meets none of: {'; '.join(str(one) for one in readiness.any)}"
    return f"does not meet: {'; '.join(str(one) for one in readiness.all or () if not one.holds(facts))}"


def _known(value: object) -> bool:
    return value is not None and value not in ("", (), [])
