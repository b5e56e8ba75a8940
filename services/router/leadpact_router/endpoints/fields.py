"""Say once what a text, a moment, a page's size and a filter's word may be, so that no odd value reaches the database."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from leadpact.errors import Fault
from leadpact.pact.words import nearest
from leadpact.runtime.problems import Problem
from leadpact.runtime.storable import NO_NUL
from leadpact_router.work.recorded import CLOCK_SKEW

_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, tzinfo=UTC)
_BARE_NUMBER = re.compile(r"\s*[-+]?\d+(\.\d*)?\s*")

Line = Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]
Note = Annotated[str, Field(max_length=2_000, pattern=NO_NUL)]
Word = Annotated[str | None, Query(min_length=1, max_length=200, pattern=NO_NUL)]
"""A filter."""
Limit = Annotated[int, Query(ge=1, le=200, description="How many at the most.")]
After = Annotated[str | None, Query(max_length=200, description="`next` of the page before.")]


def _in_our_lifetime(at: datetime) -> datetime:
    if not _EARLIEST <= at <= _LATEST:
        raise ValueError("must lie between the years 2000 and 2199")
    return at.astimezone(UTC)


def _no_bare_number(value: object) -> object:
    """A number would be read as seconds or milliseconds by its size: a sender with the wrong unit must hear of it."""
    is_number = isinstance(value, int | float) or (isinstance(value, str) and _BARE_NUMBER.fullmatch(value))
    if is_number:
        raise ValueError("must be a date and time such as 2026-05-26T09:05:00+02:00, not a number")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_no_bare_number), AfterValidator(_in_our_lifetime)]
"""An instant with its offset from UTC."""


def unknown_word(field: str, word: str, words: Sequence[str]) -> Problem:
    """The refusal of a filter's ``word`` that is none of ``words``, with the nearest of them, or all if none is near."""
    meant = nearest(word, words)
    fix = f"did you mean {meant}?" if meant else f"use one of: {', '.join(words) or 'none is known yet'}"
    fault = Fault(f"query:{field}", f"{word!r} is no {field} that anybody knows", fix)
    return Problem(422, "invalid-field", f"There is no such {field}.", faults=[fault])


def happened_at(stated: datetime | None, now: datetime) -> datetime:
    """When something happened: as stated, else now. Raises ``Problem`` for the future, clocks that differ a little aside."""
    if stated is None:
        return now
    if stated > now + CLOCK_SKEW:
        fault = Fault(
            "#/occurred_at", "lies in the future", "send when it happened, with the offset from UTC"
        )
        raise Problem(422, "invalid-field", "That has not happened yet.", faults=[fault])
    return min(stated, now)
