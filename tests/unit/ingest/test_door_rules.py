"""Small rules of the doors: keys, origins, names, periods."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal

import pytest

from leadpact.domain.lead import LeadDraft
from leadpact.errors import Fault
from leadpact.pact.phrases import Cap
from leadpact.runtime.problems import Problem
from leadpact_ingest import cors
from leadpact_ingest.body import MediaType
from leadpact_ingest.cap import period_start
from leadpact_ingest.idempotency import claim_of_post, claim_of_row, fingerprint, read_key
from leadpact_ingest.pages import refusal_page
from leadpact_ingest.receive_file import display_name
from leadpact_ingest.upload_rows import row_receipt

PAGE = "https://www.acme.example"
LISTED = frozenset({PAGE})


class TestKeys:
    @pytest.mark.parametrize(
        ("header", "key"),
        [
            (None, None),
            ("abc", "abc"),
            (' "abc" ', "abc"),
            ("a b", "a b"),
            ('"a b"', "a b"),
            ("x" * 255, "x" * 255),
        ],
    )
    def test_a_key_is_taken_bare_or_quoted(self, header: str | None, key: str | None) -> None:
        assert read_key(header) == key

    @pytest.mark.parametrize(
        "header", ["", '""', "x" * 256, '"' + "x" * 256 + '"', "a\nb", "ä", '"a', "a\x7f"]
    )
    def test_anything_else_is_no_key(self, header: str) -> None:
        with pytest.raises(Problem, match="Idempotency-Key"):
            read_key(header)


class TestClaims:
    KAETHE = LeadDraft(email="k@g.example", company="Größe")

    def test_spelling_and_notes_do_not_change_who_said_what(self) -> None:
        written = self.KAETHE.model_copy(
            update={"email_as_written": "K@G.example", "flags": ("test",), "repairs": ("trimmed",)}
        )

        assert fingerprint(written) == fingerprint(self.KAETHE)

    @pytest.mark.parametrize(
        "change",
        [{"email": "x@g.example"}, {"message": "hello"}, {"extras": {"x": 1}}, {"utm": {"utm_id": "1"}}],
    )
    def test_anything_else_does(self, change: dict[str, object]) -> None:
        assert fingerprint(self.KAETHE.model_copy(update=change)) != fingerprint(self.KAETHE)

    def test_a_key_that_looks_like_a_fingerprint_is_still_a_key(self) -> None:
        by_content = claim_of_post(self.KAETHE, None)

        assert claim_of_post(self.KAETHE, by_content.name).name != by_content.name

    def test_a_row_and_a_post_that_say_the_same_are_the_same(self) -> None:
        assert claim_of_row(self.KAETHE).name == claim_of_post(self.KAETHE, None).name

    def test_a_rows_receipt_depends_on_source_file_and_row_alone(self) -> None:
        one = row_receipt("fair", "abc", 7)

        assert one == row_receipt("fair", "abc", 7)
        assert (
            len(
                {
                    one,
                    row_receipt("fairs", "abc", 7),
                    row_receipt("fair", "abd", 7),
                    row_receipt("fair", "abc", 8),
                }
            )
            == 4
        )


class TestOrigins:
    @pytest.mark.parametrize(
        ("headers", "content_type", "status"),
        [
            ({}, "application/json", None),  # a server
            ({}, "application/x-www-form-urlencoded", None),
            ({}, "text/plain", 415),
            ({"origin": PAGE}, "application/json", None),
            ({"origin": PAGE}, "text/plain", None),
            ({"origin": "https://evil.example"}, "application/json", 403),
            ({"origin": "https://evil.example"}, "text/plain", 403),
            ({"origin": "https://evil.example"}, "multipart/form-data", None),
            ({"origin": "https://evil.example", "sec-fetch-mode": "navigate"}, "multipart/form-data", None),
            ({"origin": "https://evil.example", "sec-fetch-mode": "cors"}, "multipart/form-data", 403),
            ({"origin": "https://evil.example", "sec-fetch-mode": "no-cors"}, "multipart/form-data", 403),
            ({"origin": "null"}, "application/json", 403),
            ({"origin": "http://pact.example:8080", "host": "pact.example:8080"}, "application/json", None),
            ({"origin": "http://pact.example", "host": "pact.example:8080"}, "application/json", 403),
            ({"origin": "http://[", "host": "pact.example"}, "application/json", 403),
            ({"origin": "pact.example", "host": "pact.example"}, "application/json", 403),
        ],
    )
    def test_who_may_send_what(self, headers: dict[str, str], content_type: str, status: int | None) -> None:
        media_type = MediaType(content_type, "utf-8", None)
        if status is None:
            cors.check_sender(LISTED, headers, media_type)
            return
        with pytest.raises(Problem) as caught:
            cors.check_sender(LISTED, headers, media_type)
        assert caught.value.status == status

    def test_a_form_without_origins_lists_nobody(self) -> None:
        with pytest.raises(Problem):
            cors.preflight(frozenset(), {"origin": PAGE})
        with pytest.raises(Problem):
            cors.preflight(LISTED, {})


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("leads.csv", "leads.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ana\\leads.xlsx", "leads.xlsx"),
        ("a\r\nSet-Cookie: x.csv", "aSet-Cookie: x.csv"),
        ("\u202egnp.csv", "gnp.csv"),
        ("x" * 300, "x" * 200),
        ("", "file"),
        ("/", "file"),
    ],
)
def test_a_files_name_is_for_people_only(sent: str, shown: str) -> None:
    assert display_name(sent) == shown


@pytest.mark.parametrize(
    ("per", "at", "start"),
    [
        ("day", datetime(2026, 3, 31, 23, 59, tzinfo=UTC), date(2026, 3, 31)),
        ("day", datetime(2026, 4, 1, 1, 0, tzinfo=timezone(timedelta(hours=2))), date(2026, 3, 31)),
        ("week", datetime(2026, 3, 1, tzinfo=UTC), date(2026, 2, 23)),
        ("week", datetime(2026, 3, 2, tzinfo=UTC), date(2026, 3, 2)),
        ("month", datetime(2026, 2, 28, tzinfo=UTC), date(2026, 2, 1)),
    ],
)
def test_a_period_begins_on_a_day_in_utc(
    per: Literal["day", "week", "month"], at: datetime, start: date
) -> None:
    assert period_start(Cap(500, per), at) == start


def test_what_a_visitor_is_told_cannot_carry_code() -> None:
    page = refusal_page(422, "<b>", [Fault("#/<i>", "<u>", "<s>")])

    assert page.status_code == 422
    assert b"<b>" not in page.body
    assert b"<i>" not in page.body
    assert b"&lt;u&gt;" in page.body
    assert "default-src 'none'" in page.headers["content-security-policy"]
