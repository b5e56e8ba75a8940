"""The example company's files are read as its pact promises: these counts are what the first steps in the README show."""

import csv
import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from leadpact.domain.lead import LeadDraft
from leadpact_ingest.canonical import Context, Unusable, canonicalise, canonicalise_row
from leadpact_ingest.files.read import read_rows
from leadpact_ingest.files.table import Row, SkippedRow
from leadpact_ingest.headers import map_headers

ACME = Path(__file__).parents[3] / "examples/acme"
CONTEXT = Context(datetime(2026, 5, 26, 8, tzinfo=UTC), default_country="DE", timezone="Europe/Berlin")


def read(name: str) -> tuple[list[LeadDraft], list[Unusable], list[SkippedRow], tuple[str | None, ...]]:
    table = read_rows(ACME / name, name)
    rows = list(table.rows)
    columns = map_headers(table.facts.columns, table.facts.samples)
    drafts = [canonicalise_row(columns, row.cells, CONTEXT) for row in rows if isinstance(row, Row)]
    return (
        [draft for draft in drafts if isinstance(draft, LeadDraft)],
        [draft for draft in drafts if isinstance(draft, Unusable)],
        [row for row in rows if isinstance(row, SkippedRow)],
        tuple(column.field for column in columns.columns),
    )


def test_the_badge_scan_gives_leads_rejects_and_repeats() -> None:
    leads, unusable, skipped, fields = read("hannover-messe.csv")
    assert None not in fields
    assert (len(leads), len(unusable), len(skipped)) == (54, 3, 1)
    assert len({lead.identity_key for lead in leads}) == 51
    assert all(lead.event_at and lead.event_at.year == 2026 and lead.country for lead in leads)
    assert {flag for lead in leads for flag in lead.flags} >= {"free_mail", "repaired.email"}


def test_the_vendors_list_gives_leads_inside_and_outside_of_the_contract() -> None:
    leads, unusable, skipped, fields = read("netline.xlsx")
    assert None not in fields
    assert (len(leads), len(unusable), len(skipped)) == (39, 1, 0)
    assert len({lead.external_id for lead in leads}) == 38
    assert all(lead.employees and lead.event_at for lead in leads)
    assert [lead.email for lead in leads if "free_mail" in lead.flags] == ["jamie.smith@freemail.example"]


def test_every_form_post_of_the_example_is_a_reachable_lead() -> None:
    leads = {}
    for path in sorted((ACME / "forms").glob("*.json")):
        draft = canonicalise(json.loads(path.read_text("utf-8")), received_at=CONTEXT.received_at)
        assert isinstance(draft, LeadDraft), (path.name, draft)
        leads[path.stem] = draft
    countries = Counter(lead.country for name, lead in leads.items() if name.startswith("website-demo"))
    assert countries == {"DE": 2, "AT": 1, "CH": 1, "GB": 2, "US": 2, "FR": 1, "JP": 1}
    assert leads["website-demo-09-free-mail"].domain is None
    assert leads["website-demo-09-free-mail"].flags == ("free_mail",)
    accounts = list(csv.DictReader((ACME / "accounts.csv").read_text("utf-8").splitlines()))
    assert leads["website-demo-02-known-account"].domain in {account["domain"] for account in accounts}


def test_nobodys_real_address_is_in_the_example() -> None:
    written = "".join(
        path.read_text("utf-8") for path in ACME.rglob("*") if path.suffix in (".csv", ".json", ".yaml")
    )
    hosts = {host.rstrip(".") for host in re.findall(r"@([\w.-]+)", written.lower())}
    hosts |= {lead.email.partition("@")[2] for lead in read("netline.xlsx")[0] if lead.email}
    assert {host for host in hosts if "." in host and not host.endswith(".example")} == set()


def test_accounts_and_reps_fit_together() -> None:
    accounts = list(csv.DictReader((ACME / "accounts.csv").read_text("utf-8").splitlines()))
    reps = list(csv.DictReader((ACME / "reps.csv").read_text("utf-8").splitlines()))
    assert len(accounts) == 200
    assert len({account["domain"] for account in accounts}) == 200
    assert {account["owner"] for account in accounts} - {""} == {rep["id"] for rep in reps}
    assert all(account["domain"].endswith(".example") for account in accounts)
