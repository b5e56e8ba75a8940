"""Write the tables of the example company in `examples/acme`: accounts, reps, a badge scan and a vendor's list.

Everything in them is invented and every domain ends in `.example`. The output is the same on every run: a fixed seed
and fixed dates. Run it with `python scripts/generate_acme.py` after changing it.
"""

import csv
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import xlsxwriter  # type: ignore[import-untyped]  # the package says nothing about its types

ACME = Path(__file__).parents[1] / "examples/acme"
SEED = 20260424

STEMS = """
Adler Albion Alder Alpen Amber Anker Apollo Aqua Arden Argo Aspen Atlas Aurora Avalon Baltic Beacon Birke Bodensee Boreal
Brücken Cascade Cedar Celtic Cobalt Coral Corvus Crescent Delta Donau Dover Eichen Elbe Ember Falken Fjord Forge Garnet
Gipfel Granit Hafen Harbor Harz Helios Heron Hudson Iris Isar Jade Jura Kestrel Kiefer Lagune Lark Linden Lotus Lunar
"""
TRADES = (
    "Maschinenbau",
    "Robotics",
    "Software",
    "Logistik",
    "Medical",
    "Energy",
    "Components",
    "Foods",
    "Sensorik",
    "Plastics",
)
LEGAL_FORMS = {
    "DE": "GmbH",
    "AT": "GmbH",
    "CH": "AG",
    "GB": "Ltd",
    "IE": "Ltd",
    "FR": "SAS",
    "US": "Inc.",
    "CA": "Inc.",
}
COUNTRIES = ("DE",) * 8 + ("AT", "CH", "CH", "GB", "GB", "GB", "IE", "FR", "US", "US", "US", "CA")
OWNERS = {
    **dict.fromkeys(("DE", "AT", "CH"), ("ana", "ben", "cem", "dora", "emil")),
    **dict.fromkeys(("GB", "IE", "FR"), ("fiona", "george", "harriet")),
    **dict.fromkeys(("US", "CA"), ("ines", "jack", "kim", "luis")),
}
REPS = (
    ("ana", "Ana Berger", "Europe/Berlin", "berlin", 40),
    ("ben", "Ben Fischer", "Europe/Berlin", "berlin", 20),
    ("cem", "Cem Yıldız", "Europe/Berlin", "berlin", 40),
    ("dora", "Dora Novák", "Europe/Berlin", "berlin", 40),
    ("emil", "Emil Sørensen", "Europe/Berlin", "berlin", 40),
    ("fiona", "Fiona Gallagher", "Europe/London", "london", 40),
    ("george", "George Okafor", "Europe/London", "london", 40),
    ("harriet", "Harriet Lowe", "Europe/London", "london", 40),
    ("ines", "Inés Romero", "America/New_York", "new-york", 50),
    ("jack", "Jack Lindqvist", "America/New_York", "new-york", 50),
    ("kim", "Kim Park", "America/New_York", "new-york", 50),
    ("luis", "Luis Ferreira", "America/New_York", "new-york", 50),
)
FIRST_NAMES = """
Lena Jonas Mia Felix Clara Paul Jörg Günther Zoë Anja Stefan Ruth Amir Chloé Matteo Oliver Saoirse Emily James Priya Wei
Sofia Noah Ava Liam Björn Ingrid Łukasz Katarzyna Renée
"""
LAST_NAMES = """
Schröder Weiß Krüger Bauer Lehmann Huber Gruber Egli Keller Brunner Taylor O'Brien Walsh Patel Hughes Lefèvre Moreau Nguyen
Johnson Martinez Kim Olsen Kowalski Dvořák Rossi Silva Becker Hartmann Vogel Sommer
"""
TITLES = (
    "Geschäftsführerin", "Leiter Einkauf", "Produktionsleiter", "Head of Operations", "VP Engineering", "IT Manager",
    "Senior Process Engineer", "Werkstudent", "CTO", "Projektleiterin", "Plant Manager", "Chief Digital Officer",
)  # fmt: skip
NAMES_OF_COUNTRIES = {
    "DE": ("Deutschland", "Germany", "DE", "D"), "AT": ("Österreich", "Austria"), "CH": ("Schweiz", "CH"), "GB": ("UK", "United Kingdom"),
    "IE": ("Ireland",), "FR": ("Frankreich", "France"), "US": ("USA", "United States"), "CA": ("Canada",),
}  # fmt: skip
PHONES = {
    "DE": "030 23125 1{:02}", "GB": "020 7946 01{:02}", "IE": "020 915 01{:02}", "FR": "01 99 00 01 {:02}", "US": "(212) 555-01{:02}",
    "CA": "416-555-01{:02}", "AT": "", "CH": "",
}  # fmt: skip
"""Numbers that the regulators keep for fiction; Austria and Switzerland keep none."""


class Account(NamedTuple):
    """A company that Acme knows."""

    name: str
    domain: str
    country: str
    employees: int
    tier: str
    owner: str


class Person(NamedTuple):
    """Somebody who may come by."""

    first: str
    last: str
    email: str
    phone: str
    title: str
    account: Account


class VendorRow(NamedTuple):
    """One lead as the vendor delivers it."""

    lead_id: str
    at: datetime
    first: str
    last: str
    email: str
    phone: str
    title: str
    company: str
    country: str
    size: str
    asset: str
    timeframe: str
    opt_in: str


def accounts(chance: random.Random) -> list[Account]:
    """200 companies; the small ones have nobody who looks after them."""
    names = [f"{stem} {trade}" for stem in STEMS.split() for trade in TRADES]
    return [_account(name, chance) for name in sorted(chance.sample(names, 200))]


def _account(name: str, chance: random.Random) -> Account:
    country = chance.choice(COUNTRIES)
    employees = int(chance.lognormvariate(5, 1.3)) + 5
    tier = "A" if employees >= 500 else "B" if employees >= 100 else "C"
    owner = "" if tier == "C" else chance.choice(OWNERS[country])
    return Account(
        f"{name} {LEGAL_FORMS[country]}",
        f"{_ascii(name).replace(' ', '-')}.example",
        country,
        employees,
        tier,
        owner,
    )


def _ascii(text: str) -> str:
    letters = str.maketrans("äöüéèëłřáøñıçß'", "aoueeelraonics ")
    return text.lower().translate(letters).replace(" ", "-").strip("-")


def people(companies: Sequence[Account], count: int, chance: random.Random) -> list[Person]:
    """`count` different people who work at one of `companies`."""
    names = chance.sample(
        [(first, last) for first in FIRST_NAMES.split() for last in LAST_NAMES.split()], count
    )
    return [_person(first, last, chance.choice(companies), chance) for first, last in names]


def _person(first: str, last: str, account: Account, chance: random.Random) -> Person:
    email = f"{_ascii(first)}.{_ascii(last).replace('-', '')}@{account.domain}"
    phone = PHONES[account.country].format(chance.randrange(100))
    return Person(first, last, email, phone, chance.choice(TITLES), account)


def badge_scans(companies: Sequence[Account], chance: random.Random) -> list[list[str]]:
    """What the scanner app of a fair exports: a title, a blank line, the header, the scans, a total.

    Among the scans: people scanned twice, a badge without an address, two addresses that cannot be read, an address
    in angle brackets, a private address, phones as the scanner's owner typed them.
    """
    start = datetime(2026, 4, 20, 9, 0)  # noqa: DTZ001  (the app writes the hall's wall-clock time)
    rows = []
    for number, person in enumerate(people(companies, 54, chance)):
        at = start + timedelta(days=number // 11, minutes=37 * (number % 11) + chance.randrange(30))
        rows.append(_scan(person, at, chance))
    rows += [[*rows[3][:-1], "kam noch einmal wegen Preisliste"], list(rows[10]), [*rows[17][:-1], ""]]
    rows[5][4] = ""
    rows[5][5] = ""
    rows[12][4] = rows[12][4].replace("@", "(at)")
    rows[12][5] = "n/a"
    rows[20][4] = rows[20][4].replace(".example", "")
    rows[20][5] = ""
    rows[25][4] = f"{rows[25][1]} {rows[25][2]} <{rows[25][4]}>"
    rows[31][4] = "anja.privat@freemail.example"
    rows[38][4] = rows[38][4].upper() + " "
    return [
        ["Hannover Messe 2026 – Leadexport – Stand 5/C12"],
        [],
        ["Anrede", "Vorname", "Nachname", "Firma", "E-Mail", "Telefon", "Position", "Land", "Scan-Zeitpunkt", "Erfasst von", "Bewertung", "Notiz"],
        *rows,
        ["Summe", str(len(rows))],
    ]  # fmt: skip


def _scan(person: Person, at: datetime, chance: random.Random) -> list[str]:
    return [
        chance.choice(("Herr", "Frau", "")),
        person.first,
        person.last,
        person.account.name,
        person.email,
        person.phone,
        person.title,
        chance.choice(NAMES_OF_COUNTRIES[person.account.country][:3]),
        at.strftime("%d.%m.%Y %H:%M"),
        chance.choice(("ana", "cem", "emil")),
        chance.choice(("A", "B", "C")),
        chance.choice(
            (
                "",
                "",
                "will Angebot",
                "Preisliste schicken",
                "Rückruf nach der Messe; Budget 2027",
                "sucht Partner in DACH",
            )
        ),
    ]


def vendor_rows(companies: Sequence[Account], chance: random.Random) -> list[VendorRow]:
    """A content-syndication vendor's delivery: tidy, with sizes as ranges and a few leads outside of the contract."""
    start = datetime(2026, 5, 4, 8, 0)  # noqa: DTZ001  (a spreadsheet's dates have no zone)
    rows = [
        _vendor_row(person, number, start + timedelta(hours=7 * number), chance)
        for number, person in enumerate(people(companies, 40, chance))
    ]
    rows[6] = rows[6]._replace(email="not provided", phone="")
    rows[14] = rows[14]._replace(email="jamie.smith@freemail.example")
    rows[22] = rows[22]._replace(country="Brazil")
    rows[30] = rows[2]
    rows[33] = rows[33]._replace(size="1-10")
    return rows


def _vendor_row(person: Person, number: int, at: datetime, chance: random.Random) -> VendorRow:
    return VendorRow(
        f"NL-{840_100 + number}",
        at,
        person.first,
        person.last,
        person.email,
        person.phone,
        person.title,
        person.account.name,
        NAMES_OF_COUNTRIES[person.account.country][-1 if person.account.country != "DE" else 1],
        _range(person.account.employees),
        "Industrial Automation Buyer's Guide 2026",
        chance.choice(("Within 3 months", "3-6 months", "6-12 months", "No plans")),
        chance.choice(("Yes", "Yes", "Yes", "No")),
    )


def _range(employees: int) -> str:
    bounds = (1, 11, 51, 201, 501, 1001, 5001)
    low = max(bound for bound in bounds if bound <= employees)
    high = {lower: upper - 1 for lower, upper in pairwise(bounds)}.get(low)
    return f"{low}-{high}" if high else f"{low}+"


VENDOR_HEADER = (
    "Lead ID", "Lead Date", "First Name", "Last Name", "Business Email", "Work Phone", "Job Title", "Company Name", "Country",
    "Company Size", "Asset Title", "Purchase Timeframe", "Opt-In",
)  # fmt: skip


def write_csv(name: str, rows: Sequence[Sequence[object]], *, delimiter: str = ",") -> None:
    """A UTF-8 file in `examples/acme`."""
    with (ACME / name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)


def write_vendor_workbook(rows: Sequence[VendorRow]) -> None:
    """A workbook of two visible sheets, with real date cells and a fixed creation date."""
    with xlsxwriter.Workbook(ACME / "netline.xlsx") as workbook:
        workbook.set_properties({"created": datetime(2026, 5, 20, tzinfo=UTC)})
        sheet = workbook.add_worksheet("Leads")
        as_date = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        sheet.write_row(0, 0, VENDOR_HEADER)
        for number, (lead_id, at, *others) in enumerate(rows, start=1):
            sheet.write(number, 0, lead_id)
            sheet.write_datetime(number, 1, at, as_date)
            sheet.write_row(number, 2, others)
        workbook.add_worksheet("Definitions").write(
            0, 0, "Company size is the number of employees worldwide."
        )


def main() -> None:
    """Write all tables."""
    chance = random.Random(SEED)  # noqa: S311  (invented data, the same every time)
    companies = accounts(chance)
    write_csv("accounts.csv", [Account._fields, *companies])
    header = ("id", "name", "email", "timezone", "calendar", "max_open", "active")
    reps = [
        (rep, name, f"{rep}@acme.example", zone, calendar, limit, "true")
        for rep, name, zone, calendar, limit in REPS
    ]
    write_csv("reps.csv", [header, *reps])
    write_csv("hannover-messe.csv", badge_scans(companies, chance), delimiter=";")
    write_vendor_workbook(vendor_rows(companies, chance))


if __name__ == "__main__":
    main()
