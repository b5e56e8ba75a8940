"""Say who a captured lead is: the e-mail address decides, the phone number only where no address can.

One address is one person, one number usually is. But colleagues share a switchboard, and taking five visitors
of one firm for one person would lose four leads, while a person met twice under two addresses loses none. So
a number speaks only when one of the two sides has no address: the touch brings none, or the person known by
the number has none yet.

Two instances may meet a new person at once, each under an address or number the other does not see yet. Which
of them claims it is decided by the primary key of ``identity`` (`identity_rows.py`); the other reads again
and finds the person.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple
from uuid import UUID

from leadpact.ids import new_id

MatchedBy = Literal["new", "email", "phone"]


class Identity(NamedTuple):
    """A normalised address or number that stands for a person.

    Identities sort; locks are taken in that order.
    """

    kind: Literal["email", "phone"]
    value: str


@dataclass(frozen=True, slots=True)
class Recognition:
    """Who it is, and what told."""

    person_id: UUID
    matched_by: MatchedBy


@dataclass(frozen=True, slots=True)
class Caller:
    """What a touch says about who it is: either may be missing."""

    email: str | None
    phone: str | None

    @property
    def identities(self) -> list[Identity]:
        """What the touch can be recognised by."""
        known = []
        if self.email:
            known.append(Identity("email", self.email))
        if self.phone:
            known.append(Identity("phone", self.phone))
        return known


class AddressBook:
    """Who is behind an address or number, as far as this batch has read or claimed it."""

    def __init__(self, known: Iterable[tuple[Identity, UUID]], with_email: Iterable[UUID] = ()) -> None:
        self._person = dict(known)
        self._with_email = set(with_email) | {
            person for identity, person in self._person.items() if identity.kind == "email"
        }
        self.claims: dict[Identity, UUID] = {}
        self.new_people: set[UUID] = set()

    def find(self, caller: Caller) -> Recognition | None:
        """The person behind the caller's address or number, if known."""
        by_email = self._person.get(Identity("email", caller.email)) if caller.email else None
        if by_email is not None:
            return Recognition(by_email, "email")
        by_phone = self._person.get(Identity("phone", caller.phone)) if caller.phone else None
        if by_phone is not None and (not caller.email or by_phone not in self._with_email):
            return Recognition(by_phone, "phone")
        return None

    def recognise(self, caller: Caller) -> Recognition:
        """The person, made if need be; what is new about them is added to ``claims``."""
        found = self.find(caller) or Recognition(new_id(), "new")
        if found.matched_by == "new":
            self.new_people.add(found.person_id)
        for identity in caller.identities:
            if identity not in self._person:
                self._person[identity] = self.claims[identity] = found.person_id
        if caller.email:
            self._with_email.add(found.person_id)
        return found
