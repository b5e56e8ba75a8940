"""The example company's own forms and files come in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leadpact.events import LeadCaptured
from tests.integration.ingest.conftest import Ingest, NewInstance
from tests.integration.ingest.test_uploads import rejects, shown, upload
from tests.support.announced import announced

ACME = Path(__file__).parents[3] / "examples" / "acme"


@pytest.fixture
async def acme(new_instance: NewInstance) -> Ingest:
    instance = new_instance()
    async with instance.parts.uow("pact").transaction() as tx:
        await instance.parts.pact_book.apply(tx, (ACME / "pact.yaml").read_text(), applied_by="test")
    return instance


async def test_every_form_of_the_example_is_accepted(acme: Ingest) -> None:
    posts = sorted((ACME / "forms").glob("*.json"))

    for post in posts:
        source = "-".join(post.stem.split("-")[:2])
        answer = await acme.post(source, json=json.loads(post.read_text()))
        assert (answer.status_code, answer.json().get("status")) == (202, "accepted"), (
            f"{post.name}: {answer.text}"
        )

    leads = await announced(acme.parts.engine, LeadCaptured)
    assert len(leads) == len(posts) >= 12
    assert sum(lead.intent == "demo_request" for lead in leads) >= 6
    assert all(lead.lead.country for lead in leads)


@pytest.mark.parametrize(
    ("source", "filename"), [("hannover-messe", "hannover-messe.csv"), ("netline", "netline.xlsx")]
)
async def test_every_row_of_the_examples_files_is_settled(acme: Ingest, source: str, filename: str) -> None:
    content = (ACME / filename).read_bytes()

    answer = await upload(acme, b"", source, files={"file": (filename, content)})
    assert answer.status_code == 202, answer.text
    await acme.process_uploads()

    done = await shown(acme, answer.json()["id"])
    assert done["status"] == "completed"
    assert done["rows"] == done["accepted"] + done["duplicates"] + done["rejected"]
    assert done["accepted"] >= 25
    assert done["rejected"] >= 1
    found = await rejects(acme, done["id"])
    assert len(found) == done["rejected"]
    assert all(row["leadpact_error"].endswith(".") and row["leadpact_fix"].endswith(".") for row in found)
