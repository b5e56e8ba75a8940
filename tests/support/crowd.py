"""Invent a crowd of people who ask for something: by form and in files, some of them twice, reproducibly from a seed.

The crowd knows what should become of it: who is one person, who qualifies, and what is a repeat. That is said here in a few lines
that share nothing with the services, so that the two can be held against each other.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

PACT = """
pact: A pact for a crowd
calendars:
  round: {timezone: UTC, hours: always}
sources:
  demo: {kind: form, intent: demo_request}
  paper: {kind: form, intent: content_download}
  fair: {kind: event_scan, intent: fair_visit, ends: 2026-01-01T18:00 Europe/Berlin}
  vendor: {kind: syndication, intent: content_download}
qualification:
  mql: {any: [{intent: [demo_request, fair_visit]}], needs: [email]}
routing:
  pools:
    everybody: {members: [ana, ben, cem, dora, emil], calendar: round}
  rules:
    - {name: everyone, to: everybody}
  fallback: everybody
sla:
  first-touch:
    first_touch_within: 2 business hours
    calendar: round
    on_breach: {reassign: {at_most: 2}, then: {escalate: boss@acme.example}}
"""
REPS = ("ana", "ben", "cem", "dora", "emil")
QUALIFYING = frozenset({"demo", "fair"})

Source = Literal["demo", "paper", "fair", "vendor"]


@dataclass(frozen=True, slots=True)
class Ask:
    """One submission. ``key`` is the form's Idempotency-Key; a row of a file has none."""

    source: Source
    email: str
    """The normal form; how it is written varies."""
    message: str
    written_as: str
    key: str | None = None

    @property
    def fields(self) -> dict[str, str]:
        """What a form would send or a row would hold."""
        return {
            "email": self.written_as,
            "country": "DE",
            "company": "Größe & Söhne",
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class Crowd:
    """``asks`` are new, each a lead of its own or a further touch of a person; ``repeats`` say again what was said before."""

    asks: Sequence[Ask]
    repeats: Sequence[Ask]

    def of(self, *sources: Source) -> list[Ask]:
        return [ask for ask in self.asks if ask.source in sources]

    @property
    def people(self) -> set[str]:
        return {ask.email for ask in self.asks}

    @property
    def qualified(self) -> set[str]:
        """Who asked for something that makes them a lead for sales, whatever else they asked for."""
        return {ask.email for ask in self.asks if ask.source in QUALIFYING}


@dataclass
class _Inventor:
    chance: random.Random
    number: int = 0
    asks: list[Ask] = field(default_factory=list)

    def somebody_new(self, source: Source) -> Ask:
        self.number += 1
        return self._ask(source, f"p{self.number}@crowd{self.number % 37}.example")

    def the_same_person(self, source: Source, before: Ask) -> Ask:
        return self._ask(source, before.email)

    def _ask(self, source: Source, email: str) -> Ask:
        spelling = self.chance.choice([email, email.upper(), f" {email} ", email.capitalize()])
        key = f"key-{self.chance.getrandbits(64):x}" if source in ("demo", "paper") else None
        ask = Ask(source, email, f"message {len(self.asks)}", spelling, key)
        self.asks.append(ask)
        return ask


def invent(submissions: int, *, seed: int, duplicate_share: float = 0.05) -> Crowd:
    """``submissions`` in all, ``duplicate_share`` of them duplicates: half are the same person asking for something else, half the
    same submission again.
    """
    inventor = _Inventor(random.Random(seed))
    duplicates = round(submissions * duplicate_share)
    sources: list[Source] = ["demo", "paper", "fair", "vendor"]
    weights = [45, 20, 20, 15]
    for source in inventor.chance.choices(sources, weights, k=submissions - duplicates):
        inventor.somebody_new(source)
    known = list(inventor.asks)
    for before in inventor.chance.sample(known, duplicates // 2):
        inventor.the_same_person(inventor.chance.choice(sources), before)
    repeats = inventor.chance.sample(known, duplicates - duplicates // 2)
    return Crowd(inventor.asks, repeats)


def as_csv(asks: Sequence[Ask]) -> bytes:
    """A file with one row per ask, as a German spreadsheet saves it."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(["E-Mail", "Land", "Firma", "Nachricht"])
    for ask in asks:
        writer.writerow([ask.written_as, "Deutschland", "Größe & Söhne", ask.message])
    return out.getvalue().encode("utf-8-sig")
