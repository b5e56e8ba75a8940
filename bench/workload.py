"""Make the leads that every contender gets: demo requests as a web page posts them, each number the same in every run.

Of ten, one comes from somebody who asked a moment ago, two from companies that Acme knows (some with an owner there), the others from strangers in
eight countries.
"""

from __future__ import annotations

from functools import cache
from uuid import UUID

from pydantic import JsonValue

from bench.ground import ALL_AT_WORK
from leadpact.demo.example import Example
from leadpact.events import LeadCaptured
from leadpact_ingest.canonical import Unusable, canonicalise
from leadpact_router.roster_csv import read_accounts

SOURCE = "website-demo"

_PLACES = (
    ("Deutschland", "030 23125 {:03}"),
    ("Germany", "+49 89 7744 {:04}"),
    ("AT", "+43 1 51588 {:04}"),
    ("United Kingdom", "020 7946 {:04}"),
    ("UK", "+44 161 496 {:04}"),
    ("United States", "(212) 555-{:04}"),
    ("US", "+1 617 555 {:04}"),
    ("Canada", "+1 416 555 {:04}"),
    ("France", "+33 1 70 18 {:04}"),
    ("Japan", "+81 3 4510 {:04}"),
)
_TITLES = ("VP Operations", "Leiterin Produktion", "Head of IT", "Engineer", "CEO", "Purchasing Manager")
_SIZES = ("11-50", "51-200", "201-500", "1,200", "40")
_FIRST_NAMES = ("Katharina", "James", "Aylin", "Luca", "Marie", "Tom", "Yuki", "Sofia")


def form(number: int) -> dict[str, JsonValue]:
    """The answers in the ``number``-th post."""
    person = number - 4 if number % 10 == 9 else number
    country, phone = _PLACES[person // 3 % len(_PLACES)]
    company, domain = _company(person)
    first_name, last_name = _FIRST_NAMES[person % len(_FIRST_NAMES)], f"Müller-{person}"
    return {
        "email": f"{first_name}.M{person}@{domain}",
        "first_name": first_name,
        "last_name": last_name,
        "company": company,
        "phone": phone.format(person % 10_000) + f" ext {person % 90 + 10}",
        "country": country,
        "job_title": _TITLES[person % len(_TITLES)],
        "employees": _SIZES[person % len(_SIZES)],
        "message": f"We would like to compare {number % 7 + 2} lines. When could we see a demonstration? ({number})",
        "consent": "on",
        "page_url": "https://www.acme.example/demo?utm_source=google&utm_medium=cpc&utm_campaign=brand&gclid=Cj0KCQiA-AbC",
        "referrer": "https://www.google.com/",
    }


def captured(number: int) -> LeadCaptured:
    """The event that ingest makes of the ``number``-th post."""
    draft = canonicalise(form(number), received_at=ALL_AT_WORK)
    if isinstance(draft, Unusable):
        raise AssertionError(f"post {number} of the workload cannot become a lead: {draft.problems}")
    return LeadCaptured(
        occurred_at=ALL_AT_WORK,
        receipt_id=UUID(int=number),
        source=SOURCE,
        source_kind="form",
        intent="demo_request",
        received_at=ALL_AT_WORK,
        lead=draft,
    )


def _company(person: int) -> tuple[str, str]:
    if person % 5 == 3:
        known = _known_companies()
        return known[person % len(known)]
    return f"Nordlicht {person} Werke GmbH", f"nordlicht-{person}.example"


@cache
def _known_companies() -> list[tuple[str, str]]:
    accounts, _ = read_accounts(Example.find().accounts.decode())
    return [(account.name, account.domain) for account in accounts]
