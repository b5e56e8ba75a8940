"""What marketing operations may rely on when they hand in a file: every row is settled once, and each that is not taken says why."""

from __future__ import annotations

import asyncio
import csv
import io
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import xlsxwriter  # type: ignore[import-untyped]  # it ships no types

from leadpact.events import LeadCaptured, UploadCompleted
from tests.integration.ingest.conftest import Ingest, NewInstance
from tests.support.announced import announced
from tests.support.fake_clock import FakeClock

HEADER = "First name,Last name,Email,Company,Country,Scan time,Notes\n"


def scans(count: int, start: int = 0) -> str:
    """A file of badge scans, each of another person."""
    people = range(start, start + count)
    return HEADER + "".join(
        f"Ada,No{n},ada{n}@drumbeat.example,Drumbeat,DE,2026-04-22 10:{n % 60:02},stand\n" for n in people
    )


async def upload(
    ingest: Ingest, content: str | bytes, source: str = "fair", **request: Any
) -> httpx.Response:
    request.setdefault("files", {"file": ("scans.csv", content)})
    return await ingest.client.post("/v1/uploads", params={"source": source}, **request)


async def settled(
    ingest: Ingest, content: str | bytes, source: str = "fair", **request: Any
) -> dict[str, Any]:
    """Hand in a file, work on it to its end, and return the upload."""
    answer = await upload(ingest, content, source, **request)
    assert answer.status_code == 202, answer.text
    await ingest.process_uploads()
    return await shown(ingest, answer.json()["id"])


async def shown(ingest: Ingest, upload_id: str) -> dict[str, Any]:
    answer = await ingest.client.get(f"/v1/uploads/{upload_id}")
    assert answer.status_code == 200
    return dict(answer.json())


async def rejects(ingest: Ingest, upload_id: str) -> list[dict[str, str]]:
    answer = await ingest.client.get(f"/v1/uploads/{upload_id}/rejects.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


async def captured(ingest: Ingest) -> list[LeadCaptured]:
    return await announced(ingest.parts.engine, LeadCaptured)


def counts(upload: dict[str, Any]) -> tuple[int, int, int, int]:
    return upload["rows"], upload["accepted"], upload["duplicates"], upload["rejected"]


def workbook(rows: list[list[object]]) -> bytes:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Leads")
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    return content.getvalue()


async def test_every_row_of_a_file_is_announced_with_its_place_in_it(
    ingest: Ingest, clock: FakeClock
) -> None:
    clock.set(datetime(2026, 4, 25, 9, 0, tzinfo=UTC))
    answer = await upload(ingest, scans(120))

    assert answer.status_code == 202
    assert answer.json()["status"] == "received"
    assert answer.headers["location"] == f"/v1/uploads/{answer.json()['id']}"
    await ingest.process_uploads()

    done = await shown(ingest, answer.json()["id"])
    assert (done["status"], counts(done)) == ("completed", (120, 120, 0, 0))
    leads = await captured(ingest)
    assert [lead.row for lead in leads] == list(range(2, 122))
    assert {str(lead.upload_id) for lead in leads} == {done["id"]}
    assert {(lead.source_kind, lead.intent, lead.received_at) for lead in leads} == {
        ("event_scan", "event_visit", clock.now())
    }
    # The scanner showed the fair's time.
    assert leads[5].occurred_at == datetime(2026, 4, 22, 8, 5, tzinfo=UTC)


async def test_the_end_of_an_upload_is_announced_once(ingest: Ingest) -> None:
    done = await settled(ingest, scans(3) + ",,nobody,,,,\n" + scans(1).removeprefix(HEADER))
    await ingest.process_uploads()

    [completed] = await announced(ingest.parts.engine, UploadCompleted)
    assert str(completed.upload_id) == done["id"]
    assert (completed.rows, completed.accepted, completed.duplicates, completed.rejected) == (5, 3, 1, 1)
    assert (completed.source, completed.filename) == ("fair", "scans.csv")


async def test_a_workbook_is_read_like_a_csv_file(ingest: Ingest) -> None:
    rows: list[list[object]] = [
        ["Lead ID", "Email Address", "Country", "Employees"],
        [1, "kaethe@groesse-soehne.example", "Germany", 120],
        [2, "franz@alpen.example", "Österreich", "51-200"],
    ]
    done = await settled(ingest, b"", "vendor", files={"file": ("netline.xlsx", workbook(rows))})

    assert counts(done) == (2, 2, 0, 0)
    assert {lead.lead.country for lead in await captured(ingest)} == {"DE", "AT"}
    assert {lead.source_kind for lead in await captured(ingest)} == {"syndication"}


async def test_a_file_may_be_the_body_itself(ingest: Ingest) -> None:
    answer = await ingest.client.post(
        "/v1/uploads",
        params={"source": "fair", "filename": "../../etc/bühne\r\n.csv"},
        content=scans(2).encode(),
        headers={"content-type": "text/csv"},
    )

    assert answer.status_code == 202
    assert answer.json()["filename"] == "bühne.csv"


class TestTwice:
    """The same file, and the same row, come in once."""

    async def test_the_same_file_again_is_the_earlier_upload(self, ingest: Ingest, clock: FakeClock) -> None:
        first = await settled(ingest, scans(3))
        clock.advance(timedelta(days=3))

        again = await upload(ingest, scans(3), files={"file": ("renamed.csv", scans(3))})

        assert again.status_code == 200
        assert again.json()["id"] == first["id"]
        assert "2026-03-03 at 09:00 UTC by test" in again.json()["message"]
        await ingest.process_uploads()
        assert len(await captured(ingest)) == 3

    async def test_the_same_file_at_once_is_one_upload(
        self, ingest: Ingest, new_instance: NewInstance
    ) -> None:
        answers = await asyncio.gather(*(upload(instance, scans(3)) for instance in (ingest, new_instance())))

        assert {answer.status_code for answer in answers} == {200, 202}
        assert await ingest.rows("upload") == 1
        await ingest.process_uploads()
        assert len(await captured(ingest)) == 3

    async def test_a_longer_export_of_the_same_fair_adds_only_what_is_new(self, ingest: Ingest) -> None:
        await settled(ingest, scans(60))
        more = await settled(ingest, scans(80))

        assert counts(more) == (80, 20, 60, 0)
        assert len(await captured(ingest)) == 80

    async def test_a_row_that_stands_twice_in_a_file_is_one_lead(self, ingest: Ingest) -> None:
        done = await settled(ingest, scans(2) + scans(2).removeprefix(HEADER))

        assert counts(done) == (4, 2, 2, 0)


class TestRejects:
    """What is not taken can be corrected and handed in again."""

    BAD = HEADER + (
        "Ada,One,ada1@drumbeat.example,Drumbeat,DE,2026-04-22 10:00,\n"
        'Bob,Two,bob at drumbeat,"Drum, beat",DE,,"=cmd|\'/c calc\'!A0"\n'
        "Cy,Three,,,DE,,no address\n"
        "Dot,Four,dot@drumbeat.example,Drumbeat,DE\n"
    )

    async def test_each_rejected_row_says_what_is_wrong_and_how_to_fix_it(self, ingest: Ingest) -> None:
        done = await settled(ingest, self.BAD)

        assert counts(done) == (4, 1, 0, 3)
        bob, cy, dot = await rejects(ingest, done["id"])
        assert list(bob) == [*HEADER.strip().split(","), "leadpact_error", "leadpact_fix"]
        assert bob["Company"] == "Drum, beat"
        assert bob["Notes"] == "'=cmd|'/c calc'!A0"  # a spreadsheet shows it and does not run it
        assert all(row["leadpact_error"] and row["leadpact_fix"] for row in (bob, cy, dot))
        assert "neither" in cy["leadpact_error"]
        assert "5 cells where the header has 7" in dot["leadpact_error"]

    async def test_a_corrected_error_file_brings_in_what_was_missing(self, ingest: Ingest) -> None:
        first = await settled(ingest, self.BAD)
        corrected = (await ingest.client.get(f"/v1/uploads/{first['id']}/rejects.csv")).text
        corrected = corrected.replace("bob at drumbeat", "bob@drumbeat.example")

        second = await settled(ingest, corrected)

        # The error file gives every row as many cells as there are columns, which was all that ailed the last one.
        assert counts(second) == (3, 2, 0, 1)
        assert [lead.lead.email for lead in await captured(ingest)] == [
            "ada1@drumbeat.example",
            "bob@drumbeat.example",
            "dot@drumbeat.example",
        ]
        assert (await captured(ingest))[1].lead.notes == "=cmd|'/c calc'!A0"

    async def test_a_file_without_rejects_has_an_error_file_without_rows(self, ingest: Ingest) -> None:
        done = await settled(ingest, scans(1))

        assert await rejects(ingest, done["id"]) == []

    async def test_many_rejects_come_in_the_order_of_the_file(self, ingest: Ingest) -> None:
        bad = HEADER + "".join(f"N{n},,nobody,,,,\n" for n in range(1_203))
        done = await settled(ingest, bad)

        found = await rejects(ingest, done["id"])
        assert [row["First name"] for row in found] == [f"N{n}" for n in range(1_203)]

    async def test_a_row_with_a_character_that_no_database_holds_is_rejected_alone(
        self, ingest: Ingest
    ) -> None:
        done = await settled(ingest, scans(2) + "A\0,B,c@drumbeat.example,,DE,,\n")

        assert counts(done) == (3, 2, 0, 1)
        assert len(await rejects(ingest, done["id"])) == 1


class TestContract:
    """Vendors are held to what the pact says."""

    LIST = "Email,Country,Company\n"

    async def test_a_row_outside_the_contract_is_rejected_with_the_condition(self, ingest: Ingest) -> None:
        done = await settled(
            ingest, self.LIST + "a@alpen.example,AT,Alpen\nb@drumbeat.example,GB,Drumbeat\n", "vendor"
        )

        assert counts(done) == (2, 1, 0, 1)
        [row] = await rejects(ingest, done["id"])
        assert (
            row["leadpact_error"]
            == "The contract does not take this lead: country is GB, agreed is one of DE, AT."
        )

    async def test_a_cap_takes_the_first_rows_and_counts_no_duplicates(self, capped: Ingest) -> None:
        first = await settled(capped, self.LIST + _people(2) + _people(2), "vendor")
        second = await settled(capped, self.LIST + _people(5), "vendor")

        assert counts(first) == (4, 2, 2, 0)
        assert counts(second) == (5, 1, 2, 2)
        found = await rejects(capped, second["id"])
        assert [row["Email"] for row in found] == ["p3@alpen.example", "p4@alpen.example"]
        assert "takes 3 per month" in found[0]["leadpact_error"]

    async def test_the_next_month_has_room_again_also_for_what_was_over(
        self, capped: Ingest, clock: FakeClock
    ) -> None:
        await settled(capped, self.LIST + _people(5), "vendor")
        clock.set(datetime(2026, 4, 1, tzinfo=UTC))

        again = await settled(capped, self.LIST + _people(6), "vendor")

        assert counts(again) == (6, 3, 3, 0)

    async def test_two_instances_together_do_not_exceed_the_cap(
        self, capped: Ingest, new_instance: NewInstance
    ) -> None:
        other = new_instance()
        for start in (0, 10):
            assert (await upload(capped, self.LIST + _people(4, start), "vendor")).status_code == 202

        await asyncio.gather(capped.process_uploads(), other.process_uploads())

        assert len(await captured(capped)) == 3


def _people(count: int, start: int = 0) -> str:
    return "".join(f"p{n}@alpen.example,AT,Alpen\n" for n in range(start, start + count))


class TestPromise:
    """Files of a fair are promised for some time after it ends: 24 business hours after Friday 24 April, 18:00 in Berlin."""

    @pytest.mark.parametrize(
        ("received_at", "late_by_seconds"),
        [
            (datetime(2026, 4, 24, 12, 0, tzinfo=UTC), 0),
            (datetime(2026, 4, 29, 15, 0, tzinfo=UTC), 0),  # Wednesday's close, three days of eight hours
            (datetime(2026, 4, 30, 8, 0, tzinfo=UTC), 3_600),
        ],
    )
    async def test_a_late_file_is_taken_and_its_lateness_recorded(
        self, ingest: Ingest, clock: FakeClock, received_at: datetime, late_by_seconds: int
    ) -> None:
        clock.set(received_at)
        done = await settled(ingest, scans(1))

        assert done["due_at"] == "2026-04-29T15:00:00Z"
        assert done["late_by_business_seconds"] == late_by_seconds
        [completed] = await announced(ingest.parts.engine, UploadCompleted)
        assert completed.late_by_business_seconds == late_by_seconds

    async def test_a_source_that_promised_nothing_is_never_late(self, ingest: Ingest) -> None:
        done = await settled(ingest, "Email,Country\na@alpen.example,AT\n", "vendor")

        assert (done["due_at"], done["late_by_business_seconds"]) == (None, None)


BAD_FILES = [
    ("nothing", b"", 422),
    ("only a BOM", b"\xef\xbb\xbf", 422),
    ("only a header", HEADER.encode(), 422),
    ("no way to reach anybody", b"First name,City\nAda,Graz\nBob,Linz\n", 422),
    ("no header", b"ada@drumbeat.example,Ada\nbob@drumbeat.example,Bob\n", 422),
    ("a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, 415),
    ("a PDF", b"%PDF-1.7 ...", 415),
    ("a program", b"MZ\x90\x00" + b"\0" * 50, 415),
    ("random bytes", random.Random(1).randbytes(5_000), 415),
    ("JSON", b'[{"email": "ada@drumbeat.example"}]', 415),
    ("a web page", b"<!doctype html><table></table>", 415),
    ("an old workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 50, 415),
    ("half a workbook", workbook([["Email"], ["a@b.example"]])[:200], 422),
]


@pytest.mark.parametrize(("what", "content", "status"), BAD_FILES, ids=[what for what, _, _ in BAD_FILES])
async def test_a_file_that_cannot_be_read_is_refused_with_a_reason_and_nothing_is_kept(
    ingest: Ingest, what: str, content: bytes, status: int
) -> None:
    answer = await upload(ingest, content)

    assert answer.status_code == status, answer.text
    assert answer.json()["type"].endswith("/unreadable-file")
    assert answer.json()["errors"][0]["fix"]
    assert await ingest.rows("upload") + await ingest.rows("upload_piece") == 0


async def test_a_file_that_is_too_large_is_refused(ingest: Ingest) -> None:
    most = ingest.parts.settings.upload_max_bytes

    declared = await ingest.client.post(
        "/v1/uploads", params={"source": "fair"}, content=b"x", headers={"content-length": str(most * 2)}
    )

    assert declared.status_code == 413


async def test_a_form_without_a_file_is_refused(ingest: Ingest) -> None:
    answer = await ingest.client.post("/v1/uploads", params={"source": "fair"}, files={"other": (None, "x")})
    two = await upload(ingest, b"", files=[("file", ("a.csv", b"x")), ("file", ("b.csv", b"y"))])

    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (400, "no-file")
    assert (two.status_code, two.json()["type"].rpartition("/")[2]) == (400, "malformed-form")


async def test_files_are_taken_for_sources_of_files_only(ingest: Ingest) -> None:
    form = await upload(ingest, scans(1), "website-demo")
    typo = await upload(ingest, scans(1), "fare")
    none = await ingest.client.post("/v1/uploads", files={"file": ("a.csv", scans(1))})

    assert (form.status_code, typo.status_code, none.status_code) == (404, 404, 422)
    assert "fair or vendor" in form.json()["detail"]
    assert "fair" in typo.json()["detail"]


async def test_an_unknown_upload_is_not_found(ingest: Ingest) -> None:
    nowhere = "/v1/uploads/0197f3a1-0000-7000-8000-000000000000"

    assert (await ingest.client.get(nowhere)).status_code == 404
    assert (await ingest.client.get(f"{nowhere}/rejects.csv")).status_code == 404


async def test_a_file_that_turns_out_unreadable_further_down_is_refused_whole(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = await upload(ingest, HEADER + "A,B,a@b.example,,DE,,\n" * 200_001)
    assert answer.status_code == 202
    await ingest.process_uploads()

    refused = await shown(ingest, answer.json()["id"])
    assert refused["status"] == "refused"
    assert "200,000 rows" in refused["refusal"]["because"]
    assert refused["refusal"]["fix"]
    assert await captured(ingest) == []


async def test_progress_can_be_watched(ingest: Ingest) -> None:
    answer = await upload(ingest, scans(130))
    progress: set[int] = set()

    async with ingest.running():
        while (now := await shown(ingest, answer.json()["id"]))["status"] != "completed":
            progress.add(now["accepted"])
            await asyncio.sleep(0.005)

    assert now["accepted"] == 130
    assert progress <= {0, 50, 100, 130}
    assert 0 in progress
