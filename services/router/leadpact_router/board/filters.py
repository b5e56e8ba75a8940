"""Understand what somebody chose or typed above a list of the board; a word that means nothing is refused with the nearest that does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from sqlalchemy import text

from leadpact.pact.words import nearest
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.endpoints.fields import unknown_word
from leadpact_router.lead import Stage
from leadpact_router.views import LeadFilter

Kind = TypeVar("Kind", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class LeadSearch:
    """What stands in the fields above the leads, as it was typed; an empty one asks for nothing."""

    stage: str = ""
    owner: str = ""
    source: str = ""
    q: str = ""

    def wanted(self, people: Sequence[Person]) -> LeadFilter:
        """Which leads that means. Raises ``Problem`` for a stage or an owner that there is not."""
        return LeadFilter(
            stage=chosen("stage", self.stage, Stage),
            owners=owners_meant(self.owner, people) if self.owner.strip() else None,
            source=self.source or None,
            q=self.q or None,
        )


@dataclass(frozen=True, slots=True)
class Person:
    """A rep, by the id that files use and the name that the board shows."""

    id: str
    name: str


async def read_people(tx: Transaction) -> list[Person]:
    """All reps by name. Who left is among them: their leads may still be asked for."""
    rows = await tx.execute(text("SELECT id, name FROM rep ORDER BY name, id"))
    return [Person(row.id, row.name) for row in rows]


def chosen(field: str, word: str, kind: type[Kind]) -> Kind | None:
    """The one of ``kind`` that ``word`` names; None for the empty word. Raises ``Problem`` for any other."""
    if not word:
        return None
    if word not in list(kind):
        raise unknown_word(field, word, list(kind))
    return kind(word)


def owners_meant(words: str, people: Sequence[Person]) -> tuple[str, ...]:
    """The ids of those whom ``words`` mean, in any case: by id or whole name, else by a part of the name.

    Raises ``Problem`` if they mean nobody.
    """
    asked = words.strip().casefold()
    named = [one.id for one in people if asked in (one.id.casefold(), one.name.casefold())]
    found = named or [one.id for one in people if asked in one.name.casefold()]
    if not found:
        names, ids = [one.name for one in people], [one.id for one in people]
        meant = nearest(words, names + ids)
        raise unknown_word("owner", words, [meant] if meant else names)
    return tuple(found)
