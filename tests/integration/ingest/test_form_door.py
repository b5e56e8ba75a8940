"""What a visitor's form may rely on: a clear answer at once, and 202 for what is stored for good."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import pytest

from leadpact.events import LeadCaptured
from leadpact.ids import new_id
from leadpact.storage.engine import create_engine
from leadpact.storage.unit_of_work import Transaction
from leadpact_ingest import source_book
from leadpact_ingest.form_keys import live_keys
from leadpact_ingest.source_book import SourceBook
from tests.integration.ingest.conftest import Ingest, NewInstance
from tests.support.announced import announced
from tests.support.fake_clock import FakeClock

KAETHE = {"email": "Kaethe@Groesse-Soehne.example", "company": "Größe & Söhne", "country": "DE"}
KOFI = {"email": "kofi@drumbeat.example", "name": "Kofi Annor", "country": "GB"}
PAGE = "https://www.acme.example"
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def captured(ingest: Ingest) -> list[LeadCaptured]:
    return await announced(ingest.parts.engine, LeadCaptured)


async def test_an_accepted_post_is_stored_announced_and_kept_word_for_word(ingest: Ingest) -> None:
    body = b'{"email": "Kaethe@Groesse-Soehne.example",  "company": "Gr\xc3\xb6\xc3\x9fe"}'

    answer = await ingest.post(content=body, headers={"content-type": "application/json"})

    receipt = answer.json()["receipt"]
    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
    [lead] = await captured(ingest)
    assert str(lead.receipt_id) == receipt
    assert (lead.source, lead.source_kind, lead.intent) == ("website-demo", "form", "demo_request")
    assert lead.key == lead.lead.email == "kaethe@groesse-soehne.example"
    assert lead.received_at == lead.occurred_at == ingest.parts.clock.now()
    assert await ingest.fetch("SELECT content_type, body FROM raw_post") == [
        {"content_type": "application/json", "body": body}
    ]


async def test_what_trackers_append_to_the_address_of_a_form_does_no_harm(ingest: Ingest) -> None:
    answer = await ingest.client.post("/v1/forms/website-demo?fbclid=x&utm_source=mail", json=KOFI)

    assert answer.status_code == 202


async def test_the_sources_own_country_stands_in_for_a_missing_one(ingest: Ingest) -> None:
    await ingest.post(json={"phone": "030 901820"})

    [lead] = await captured(ingest)
    assert (lead.lead.country, lead.lead.phone) == ("DE", "+4930901820")


async def test_when_the_person_acted_is_when_it_occurred(ingest: Ingest) -> None:
    await ingest.post(json={**KOFI, "submitted_at": "2026-03-03T08:30:00Z"})

    [lead] = await captured(ingest)
    assert lead.received_at - lead.occurred_at == timedelta(minutes=30)


async def test_nothing_happened_later_than_it_came_in(ingest: Ingest) -> None:
    """A bare date is noon, and it is nine."""
    await ingest.post(json={**KOFI, "date": "2026-03-03"})

    [lead] = await captured(ingest)
    assert lead.occurred_at == lead.received_at == ingest.parts.clock.now()


class TestOnce:
    """One submission is one lead, however often and in however many ways it arrives."""

    async def test_a_hundred_posts_with_one_key_at_once_are_one_lead(self, ingest: Ingest) -> None:
        answers = await asyncio.gather(
            *(ingest.post(json=KAETHE, headers={"idempotency-key": "click-1"}) for _ in range(100))
        )

        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.text for answer in answers}) == 1
        assert answers[0].json()["status"] == "accepted"
        assert len(await captured(ingest)) == 1

    async def test_a_hundred_posts_at_four_instances_at_once_are_one_lead(
        self, ingest: Ingest, new_instance: NewInstance
    ) -> None:
        instances = [ingest, new_instance(), new_instance(), new_instance()]

        answers = await asyncio.gather(
            *(instances[number % 4].post(json=KAETHE) for number in range(100)),
            *(
                instances[number % 4].post(json=KOFI, headers={"idempotency-key": "k"})
                for number in range(100)
            ),
        )

        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["receipt"] for answer in answers[:100]}) == 1
        assert [answer.json()["status"] for answer in answers[:100]].count("accepted") == 1
        assert len({answer.text for answer in answers[100:]}) == 1
        assert len(await captured(ingest)) == 2
        assert await ingest.rows("receipt") == 2

    async def test_a_repeat_with_its_key_gets_the_first_answer_again(
        self, ingest: Ingest, clock: FakeClock
    ) -> None:
        first = await ingest.post(json=KAETHE, headers={"idempotency-key": "k-1"})
        clock.advance(timedelta(hours=23))

        again = await ingest.post(data=KAETHE, headers={"idempotency-key": '"k-1"'})

        assert again.json() == first.json()
        assert again.headers["idempotency-replayed"] == "true"
        assert [ingest.posts_counted_as(word) for word in ("accepted", "duplicate")] == [1, 1]
        assert "idempotency-replayed" not in first.headers

    async def test_a_key_is_forgotten_after_a_day(self, ingest: Ingest, clock: FakeClock) -> None:
        await ingest.post(json=KAETHE, headers={"idempotency-key": "k-1"})
        clock.advance(timedelta(hours=24))

        answer = await ingest.post(json=KOFI, headers={"idempotency-key": "k-1"})

        assert answer.status_code == 202
        assert len(await captured(ingest)) == 2

    async def test_a_key_with_another_lead_is_refused_and_takes_nothing_in(self, ingest: Ingest) -> None:
        await ingest.post(json=KAETHE, headers={"idempotency-key": "k-1"})

        answer = await ingest.post(json=KOFI, headers={"idempotency-key": "k-1"})

        assert answer.status_code == 422
        assert answer.json()["type"].endswith("/idempotency-key-reused")
        assert len(await captured(ingest)) == 1

    async def test_one_key_at_two_sources_is_two_keys(self, ingest: Ingest) -> None:
        await ingest.post("website-demo", json=KAETHE, headers={"idempotency-key": "k-1"})
        await ingest.post("newsletter", json=KAETHE, headers={"idempotency-key": "k-1"})

        assert {lead.source for lead in await captured(ingest)} == {"website-demo", "newsletter"}

    async def test_a_date_without_a_time_makes_no_two_of_one(self, ingest: Ingest, clock: FakeClock) -> None:
        post, key = {**KOFI, "date": "2026-03-03"}, {"idempotency-key": "click-1"}
        assert (await ingest.post(json=post)).json()["status"] == "accepted"
        assert (await ingest.post(json=post, headers=key)).status_code == 202
        clock.advance(timedelta(milliseconds=300))
        assert (await ingest.post(json=post)).json()["status"] == "duplicate"
        assert (await ingest.post(json=post, headers=key)).status_code == 202

    async def test_the_same_person_saying_the_same_within_ten_minutes_is_a_duplicate(
        self, ingest: Ingest, clock: FakeClock
    ) -> None:
        first = await ingest.post(json=KAETHE)
        clock.advance(timedelta(minutes=9, seconds=59))

        again = await ingest.post(data={**KAETHE, "email": " KAETHE@groesse-soehne.example "})

        assert again.json() == {"receipt": first.json()["receipt"], "status": "duplicate"}
        assert len(await captured(ingest)) == 1

    async def test_the_same_person_after_ten_minutes_is_a_new_touch(
        self, ingest: Ingest, clock: FakeClock
    ) -> None:
        first = await ingest.post(json=KAETHE)
        clock.advance(timedelta(minutes=10))

        again = await ingest.post(json=KAETHE)

        assert again.json()["status"] == "accepted"
        assert again.json()["receipt"] != first.json()["receipt"]

    async def test_the_same_person_saying_something_else_is_a_new_touch(self, ingest: Ingest) -> None:
        await ingest.post(json=KAETHE)
        answer = await ingest.post(json={**KAETHE, "message": "Please call me."})

        assert answer.json()["status"] == "accepted"

    async def test_a_post_without_a_key_is_a_duplicate_of_the_same_with_one(
        self, ingest: Ingest, clock: FakeClock
    ) -> None:
        """A page's script posts with a key, gives up waiting, and lets the browser post the form."""
        first = await ingest.post(json=KAETHE, headers={"idempotency-key": "k-1"})
        clock.advance(timedelta(minutes=9, seconds=59))
        assert (await ingest.post(data=KAETHE)).json() == {
            "receipt": first.json()["receipt"],
            "status": "duplicate",
        }
        again = await ingest.post(json=KAETHE, headers={"idempotency-key": "k-1"})
        assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")

        clock.advance(timedelta(seconds=1))
        assert (await ingest.post(data=KAETHE)).json()["status"] == "accepted"
        assert len(await captured(ingest)) == 2

    async def test_a_new_key_is_a_new_lead_also_after_the_same_without_one(self, ingest: Ingest) -> None:
        first = await ingest.post(json=KAETHE)
        keyed = await ingest.post(json=KAETHE, headers={"idempotency-key": "k-1"})
        assert keyed.json()["status"] == "accepted"
        assert keyed.json()["receipt"] != first.json()["receipt"]

        again = await ingest.post(json=KAETHE)

        assert again.json() == {"receipt": first.json()["receipt"], "status": "duplicate"}

    async def test_a_repeat_of_an_old_key_stands_for_no_new_post(
        self, ingest: Ingest, clock: FakeClock
    ) -> None:
        await ingest.post(json=KAETHE, headers={"idempotency-key": "k-1"})
        clock.advance(timedelta(hours=1))
        await ingest.post(json=KAETHE, headers={"idempotency-key": "k-1"})

        assert (await ingest.post(json=KAETHE)).json()["status"] == "accepted"

    async def test_a_key_that_is_refused_stands_for_nothing(self, ingest: Ingest) -> None:
        await ingest.post(json=KAETHE, headers={"idempotency-key": "k-1"})
        assert (await ingest.post(json=KOFI, headers={"idempotency-key": "k-1"})).status_code == 422

        assert (await ingest.post(json=KOFI)).json()["status"] == "accepted"

    async def test_posts_with_and_without_keys_at_once_are_a_lead_per_key(
        self, ingest: Ingest, new_instance: NewInstance
    ) -> None:
        instances = [ingest, new_instance()]

        answers = await asyncio.gather(
            *(
                instances[number % 2].post(json=person, headers={"idempotency-key": key} if key else {})
                for number in range(40)
                for person in (KAETHE, KOFI)
                for key in (f"{person['email']} {number % 4}", None)
            )
        )

        # A plain post that was first is a lead, too.
        statuses = [answer.json()["status"] for answer in answers if answer.status_code == 202]
        assert len(statuses) == 160
        assert len(await captured(ingest)) == await ingest.rows("receipt")
        assert 8 <= await ingest.rows("receipt") <= 10

    async def test_two_posts_with_two_keys_are_two_leads_even_if_they_say_the_same(
        self, ingest: Ingest
    ) -> None:
        for key in ("k-1", "k-2"):
            await ingest.post(json=KAETHE, headers={"idempotency-key": key})

        assert len(await captured(ingest)) == 2


class TestVisitors:
    """A browser without a script gets pages, and goes where the pact lets it go."""

    async def test_a_visitor_is_thanked(self, ingest: Ingest) -> None:
        answer = await ingest.post(data=KAETHE, headers=BROWSER)

        assert answer.status_code == 202
        assert answer.headers["content-type"].startswith("text/html")
        assert "Thank you" in answer.text
        assert len(await captured(ingest)) == 1

    async def test_a_visitor_is_sent_on_to_a_listed_address(self, ingest: Ingest) -> None:
        for field in ("_next", "redirect", "retURL"):
            answer = await ingest.post(data={**KAETHE, field: f"{PAGE}/thanks"}, headers=BROWSER)
            assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}/thanks")

    async def test_a_visitor_is_never_sent_to_an_address_that_is_not_listed(self, ingest: Ingest) -> None:
        for target in (
            "https://evil.example",
            f"{PAGE}/thanks@evil.example",
            "//evil.example",
            "javascript:x",
        ):
            answer = await ingest.post(data={**KOFI, "_next": target}, headers=BROWSER)
            assert (answer.status_code, "location" in answer.headers) == (202, False)

    async def test_a_visitor_is_told_what_to_correct(self, ingest: Ingest) -> None:
        answer = await ingest.post(data={"email": "<script>alert(1)</script>"}, headers=BROWSER)

        assert answer.status_code == 422
        assert answer.headers["content-type"].startswith("text/html")
        assert "email" in answer.text
        assert "<script>alert" not in answer.text

    async def test_steering_fields_are_no_part_of_the_lead(self, ingest: Ingest) -> None:
        await ingest.post(data={**KAETHE, "_next": f"{PAGE}/thanks", "_subject": "x", "retURL": "y"})

        [lead] = await captured(ingest)
        assert lead.lead.extras == {}


class TestRobots:
    """What fills in the field that no person sees is answered like anybody, kept, and never announced."""

    async def test_a_robot_is_answered_like_success_and_kept_apart(self, ingest: Ingest) -> None:
        for trap in ("_gotcha", "bot-field"):
            answer = await ingest.post(data={**KAETHE, trap: "x"})
            assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
            assert set(answer.json()) == {"receipt", "status"}

        assert await captured(ingest) == []
        kept = await ingest.fetch("SELECT status, body FROM receipt JOIN raw_post ON receipt_id = id")
        assert [row["status"] for row in kept] == ["honeypot", "honeypot"]
        assert b"_gotcha=x" in kept[0]["body"]
        assert ingest.posts_counted_as("honeypot") == 2

    async def test_an_empty_trap_catches_nobody(self, ingest: Ingest) -> None:
        await ingest.post(data={**KAETHE, "_gotcha": ""})

        assert len(await captured(ingest)) == 1

    async def test_a_trapped_post_does_not_shadow_the_persons_own(self, ingest: Ingest) -> None:
        await ingest.post(data={**KAETHE, "_gotcha": "x"})
        answer = await ingest.post(data=KAETHE)

        assert answer.json()["status"] == "accepted"
        assert len(await captured(ingest)) == 1


class TestScripts:
    """Scripts of listed pages may post and read the answer; those of other pages may not."""

    async def test_a_listed_page_may_ask_and_post(self, ingest: Ingest) -> None:
        asked = await ingest.client.options(
            "/v1/forms/website-demo", headers={"origin": PAGE, "access-control-request-method": "POST"}
        )
        posted = await ingest.post(json=KAETHE, headers={"origin": PAGE})

        assert asked.status_code == 204
        assert asked.headers["access-control-allow-origin"] == PAGE
        assert asked.headers["access-control-allow-methods"] == "POST"
        assert "idempotency-key" in asked.headers["access-control-allow-headers"].lower()
        assert "access-control-allow-credentials" not in asked.headers
        assert posted.status_code == 202
        assert posted.headers["access-control-allow-origin"] == PAGE
        assert "Origin" in posted.headers["vary"]

    async def test_a_listed_page_can_read_why_its_post_was_refused(self, ingest: Ingest) -> None:
        answer = await ingest.post(json={"email": "nobody"}, headers={"origin": PAGE})

        assert answer.status_code == 422
        assert answer.headers["access-control-allow-origin"] == PAGE

    async def test_another_page_may_not(self, ingest: Ingest) -> None:
        for origin in ("https://evil.example", "null", f"{PAGE}.evil.example", "http://www.acme.example"):
            asked = await ingest.client.options("/v1/forms/website-demo", headers={"origin": origin})
            posted = await ingest.post(json=KAETHE, headers={"origin": origin})
            fetched = await ingest.post(data=KAETHE, headers={"origin": origin, "sec-fetch-mode": "no-cors"})

            for answer in (asked, posted, fetched):
                assert answer.status_code == 403
                assert "access-control-allow-origin" not in answer.headers
        assert await captured(ingest) == []

    async def test_a_plain_form_may_come_from_any_page(self, ingest: Ingest) -> None:
        answer = await ingest.post(
            data=KAETHE, headers={"origin": "https://partner.example", "sec-fetch-mode": "navigate"}
        )

        assert answer.status_code == 202
        assert "access-control-allow-origin" not in answer.headers

    async def test_a_beacon_in_plain_text_is_taken_from_listed_pages_only(self, ingest: Ingest) -> None:
        beacon = b'{"email": "kofi@drumbeat.example"}'
        text = {"content-type": "text/plain;charset=UTF-8"}

        from_page = await ingest.post(content=beacon, headers={**text, "origin": PAGE})
        from_nowhere = await ingest.post(content=beacon, headers=text)

        assert (from_page.status_code, from_nowhere.status_code) == (202, 415)


class TestFormKeys:
    """Public keys: they can post to their form, and nothing else."""

    async def key(self, ingest: Ingest, source: str = "newsletter") -> str:
        answer = await ingest.client.post("/v1/form-keys", json={"source": source})
        assert answer.status_code == 201
        return str(answer.json()["key"])

    async def test_a_source_without_a_key_takes_posts_without_one(self, ingest: Ingest) -> None:
        assert (await ingest.post("newsletter", json=KAETHE)).status_code == 202

    async def test_a_source_with_a_key_takes_posts_with_it_in_any_of_three_places(
        self, ingest: Ingest, new_instance: NewInstance
    ) -> None:
        key = await self.key(ingest)
        door = new_instance()
        without = await door.post("newsletter", json=KAETHE)
        answers = [
            await door.post("newsletter", json=KAETHE, headers={"x-leadpact-form-key": key}),
            await door.post("newsletter", json=KAETHE, params={"key": key}),
            await door.post("newsletter", data={**KAETHE, "_key": key}),
        ]

        assert without.status_code == 401
        assert without.json()["type"].endswith("/form-key-unknown")
        assert [answer.status_code for answer in answers] == [202, 202, 202]

    async def test_a_key_opens_no_other_form(self, ingest: Ingest, new_instance: NewInstance) -> None:
        await self.key(ingest, "website-demo")
        other = await self.key(ingest, "newsletter")

        answer = await new_instance().post(json=KAETHE, headers={"x-leadpact-form-key": other})

        assert answer.status_code == 401

    async def test_revoking_the_last_key_closes_the_form(
        self, ingest: Ingest, new_instance: NewInstance
    ) -> None:
        key = await self.key(ingest)
        revoked = await ingest.client.delete(f"/v1/form-keys/{key}")
        door = new_instance()

        assert revoked.json()["revoked_at"] is not None
        assert (await door.post("newsletter", params={"key": key}, json=KAETHE)).status_code == 401
        assert (await door.post("newsletter", json=KAETHE)).status_code == 401
        shown = (await ingest.client.get("/v1/form-keys")).json()
        assert [one["key"] for one in shown["items"]] == [key]

    async def test_where_a_key_is_made_or_revoked_it_counts_at_once(self, ingest: Ingest) -> None:
        async def post(**key: str) -> int:
            return (await ingest.post("newsletter", json=KAETHE, params=key)).status_code

        assert await post() == 202
        key = await self.key(ingest)
        assert (await post(), await post(key=key)) == (401, 202)
        await ingest.client.delete(f"/v1/form-keys/{key}")
        assert await post(key=key) == 401

    async def test_what_changes_while_the_keys_are_read_is_read_anew(
        self, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sources = SourceBook(ingest.parts.uow("ingest"), ingest.parts.pact_book)
        reads = 0

        async def live_keys_and_a_change(tx: Transaction) -> Mapping[str, frozenset[str]]:
            nonlocal reads
            reads += 1
            keys = await live_keys(tx)
            if reads == 1:
                sources.look_again()
            return keys

        monkeypatch.setattr(source_book, "live_keys", live_keys_and_a_change)
        for _ in range(3):
            await sources.current()
        assert reads == 2

    async def test_a_key_is_for_a_form_that_there_is(self, ingest: Ingest) -> None:
        for source in ("nowhere", "fair"):
            answer = await ingest.client.post("/v1/form-keys", json={"source": source})
            assert answer.status_code == 404

    async def test_a_key_that_cannot_be_one_is_refused(self, ingest: Ingest) -> None:
        assert (await ingest.client.delete("/v1/form-keys/%00")).status_code == 422
        assert (await ingest.client.delete("/v1/form-keys/none")).status_code == 404


class TestSources:
    """Which form is meant."""

    async def test_an_unknown_source_is_answered_with_the_nearest_one(self, ingest: Ingest) -> None:
        answer = await ingest.post("website-dmo", json=KAETHE)

        assert answer.status_code == 404
        assert "website-demo" in answer.json()["detail"]

    async def test_a_source_of_files_takes_no_posts(self, ingest: Ingest) -> None:
        answer = await ingest.post("fair", json=KAETHE)

        assert answer.status_code == 404
        assert "/v1/uploads?source=fair" in answer.json()["detail"]

    async def test_without_a_pact_the_answer_is_later(self, new_instance: NewInstance) -> None:
        answer = await new_instance().post(json=KAETHE)

        assert answer.status_code == 503
        assert answer.json()["type"].endswith("/no-pact")
        assert answer.headers["retry-after"]


async def test_while_the_database_is_away_the_answer_is_503(
    ingest: Ingest, new_instance: NewInstance
) -> None:
    nowhere = create_engine("postgresql://nobody@127.0.0.1:1/nothing", application="test")

    door = new_instance(engine=nowhere)
    answer = await door.post(json=KOFI)
    asked = await door.client.get(f"/v1/receipts/{new_id()}")

    assert answer.status_code == asked.status_code == 503
    assert answer.json()["type"].endswith("/unavailable")
    assert answer.headers["retry-after"]
    assert "stored" in answer.json()["detail"]
    assert "could not be read just now" in asked.json()["detail"]


async def test_connections_that_the_server_closed_cost_nobody_a_lead(ingest: Ingest) -> None:
    await ingest.post(json=KAETHE)
    await ingest.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    answers = await asyncio.gather(
        *(ingest.post(json={"email": f"p{n}@drumbeat.example"}) for n in range(20))
    )

    assert {answer.status_code for answer in answers} == {202}
    assert len(await captured(ingest)) == 21
