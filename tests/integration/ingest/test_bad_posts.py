"""Every bad post gets a clear answer, never a 500, and leaves nothing behind; odd ones that are right are taken."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from leadpact.events import LeadCaptured
from leadpact.storage.engine import create_engine
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from tests.integration.ingest.conftest import PACT, Ingest, make_instance, with_pact
from tests.support.announced import announced
from tests.support.fake_clock import FakeClock
from tests.support.postgres import PostgresServer

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


class Bad(NamedTuple):
    what: str
    body: bytes
    content_type: str
    status: int
    kind: str
    pointer: str = ""


def of_fields(**fields: object) -> bytes:
    return json.dumps({"email": "a@b.example", **fields}).encode()


def part(disposition: str, value: bytes = b"a@b.example") -> bytes:
    return (
        b"--b\r\nContent-Disposition: form-data; "
        + disposition.encode()
        + b"\r\n\r\n"
        + value
        + b"\r\n--b--\r\n"
    )


BAD = [
    Bad("an empty body", b"", JSON, 400, "empty-body"),
    Bad("blanks", b"  \n", FORM, 400, "empty-body"),
    Bad("null", b"null", JSON, 422, "not-an-object"),
    Bad("a list", b"[]", JSON, 422, "not-an-object"),
    Bad("a text", b'"x"', JSON, 422, "not-an-object"),
    Bad("a number", b"5", JSON, 422, "not-an-object"),
    Bad("a trailing comma", b'{"email": "a@b.example",}', JSON, 400, "malformed-json"),
    Bad("trailing garbage", b'{"email": "a@b.example"} x', JSON, 400, "malformed-json"),
    Bad("half an object", b'{"email": "a@b.ex', JSON, 400, "malformed-json"),
    Bad("a raw 0xff", b'{"email": "\xff"}', JSON, 400, "malformed-json"),
    Bad("a raw NUL", b'{"email": "a\0b"}', JSON, 400, "malformed-json"),
    Bad("NaN", b'{"email": NaN}', JSON, 400, "malformed-json"),
    Bad("Infinity", b'{"email": -Infinity}', JSON, 400, "malformed-json"),
    Bad("5,000 digits", b'{"employees": ' + b"9" * 5_000 + b"}", JSON, 400, "malformed-json"),
    Bad("1e400", b'{"email": "a@b.example", "employees": 1e400}', JSON, 422, "invalid-field", "#/employees"),
    Bad("a name twice", b'{"email": "a@b.example", "email": "x@y.example"}', JSON, 422, "duplicate-field", "#/email"),
    Bad("a name twice inside", b'{"c": {"x": 1, "x": 2}}', JSON, 422, "duplicate-field", "#/x"),
    Bad("a lone surrogate", b'{"email": "a@b.example", "name": "\\ud800"}', JSON, 422, "invalid-field", "#/name"),
    Bad("a surrogate in a name", b'{"\\udfff": "a@b.example"}', JSON, 422, "invalid-field", "#/\ufffd"),
    Bad("NUL in a value", b'{"email": "a@b.example", "name": "A\\u0000"}', JSON, 422, "invalid-field", "#/name"),
    Bad("NUL in a name", b'{"email": "a@b.example", "na\\u0000me": "A"}', JSON, 422, "invalid-field", "#/na\ufffdme"),
    Bad("33 deep", of_fields(x=json.loads("[" * 33 + "1" + "]" * 33)), JSON, 422, "too-deep"),
    Bad("30,000 deep", b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}", JSON, 422, "too-deep"),
    Bad("201 fields", of_fields(**{f"f{n}": n for n in range(200)}), JSON, 422, "too-many-fields"),
    Bad("201 items", of_fields(x=list(range(200))), JSON, 422, "too-many-fields"),
    Bad("a long name", of_fields(**{"n" * 201: 1}), JSON, 422, "invalid-field", "#/" + "n" * 60),
    Bad("64 kB and one byte", of_fields(x="y" * 65_536), JSON, 413, "too-large"),
    Bad("UTF-16", '{"email": "a@b.example"}'.encode("utf-16"), JSON, 415, "unsupported-media-type"),
    Bad("UTF-16 without BOM", '{"email": "a@b.example"}'.encode("utf-16-le"), JSON, 415, "unsupported-media-type"),
    Bad("JSON in latin-1", of_fields(), JSON + "; charset=latin-1", 415, "unsupported-media-type"),
    Bad("an unknown charset", of_fields(), JSON + "; charset=klingon", 415, "unsupported-media-type"),
    Bad("a codec that is no charset", b"email=a%40b.example", FORM + "; charset=base64", 415, "unsupported-media-type"),
    Bad("XML", b"<lead/>", "application/xml", 415, "unsupported-media-type"),
    Bad("no content type", of_fields(), "", 415, "unsupported-media-type"),
    Bad("plain text", of_fields(), "text/plain", 415, "unsupported-media-type"),
    Bad("%ff", b"email=a%40b.example&name=%ff", FORM, 400, "malformed-form"),
    Bad("%u0041", b"email=a%40b.example&name=%u0041", FORM, 400, "malformed-form"),
    Bad("a lone %", b"email=a%40b.example&discount=100%", FORM, 400, "malformed-form"),
    Bad("%00", b"email=a%40b.example&name=A%00", FORM, 422, "invalid-field", "#/name"),
    Bad("201 form fields", b"&".join(b"f%d=1" % n for n in range(201)), FORM, 422, "too-many-fields"),
    Bad("no boundary", part('name="email"'), "multipart/form-data", 400, "malformed-form"),
    Bad("a 10 kB boundary", part('name="email"'), "multipart/form-data; boundary=" + "b" * 10_000, 400, "malformed-form"),
    Bad("another boundary", part('name="email"'), "multipart/form-data; boundary=c", 400, "malformed-form"),
    Bad("no closing boundary", part('name="email"')[:-6], MULTIPART, 400, "malformed-form"),
    Bad("a part without a name", part('x="email"'), MULTIPART, 400, "malformed-form"),
    Bad("a part in latin-1", part('name="name"', b"Gr\xf6\xdfe"), MULTIPART, 400, "malformed-form"),
    Bad("a file", part('name="cv"; filename="cv.pdf"', b"%PDF"), MULTIPART, 422, "invalid-field", "#/cv"),
    Bad("1,000 part headers", b"--b\r\n" + b"X: y\r\n" * 1_000 + b"\r\n\r\n--b--\r\n", MULTIPART, 400, "malformed-form"),
    Bad("nobody to reach", b'{"name": "Nobody"}', JSON, 422, "invalid-field", "#/email"),
    Bad("placeholders", b'{"email": "n/a", "phone": "-"}', JSON, 422, "invalid-field", "#/email"),
    Bad("no address", b'{"email": "a@@b"}', JSON, 422, "invalid-field", "#/email"),
    Bad("a long person", of_fields(first_name="x" * 201), JSON, 422, "invalid-field", "#/first_name"),
]  # fmt: skip


@pytest.fixture(scope="module")
async def door(postgres_server: PostgresServer) -> AsyncIterator[Ingest]:
    """One door for the whole table: what leaves nothing behind can share a database."""
    engine = create_engine(await postgres_server.create_database("bad_posts"), application="test")
    uow = UnitOfWork(engine, source="pact", wake=Wake())
    instance = await with_pact(make_instance(engine, FakeClock()), PACT, uow)
    async with instance.client:
        yield instance
    await engine.dispose()
    await postgres_server.drop_database("bad_posts")


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.what)
async def test_a_bad_post_is_answered_clearly_and_leaves_nothing_behind(door: Ingest, bad: Bad) -> None:
    headers = {"content-type": bad.content_type} if bad.content_type else {}

    answer = await door.post(content=bad.body, headers=headers)

    assert answer.status_code == bad.status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"].endswith(f"/{bad.kind}")
    assert problem["status"] == bad.status
    assert len(problem["detail"]) > 20
    assert len(answer.content) < 2_000
    if bad.pointer:
        assert bad.pointer in [fault["pointer"] for fault in problem["errors"]]
        assert all(fault["detail"] for fault in problem["errors"])
    assert await announced(door.parts.engine, LeadCaptured) == []
    assert await door.rows("receipt") + await door.rows("raw_post") + await door.rows("post_claim") == 0


GOOD = [
    ("a UTF-8 BOM", b'\xef\xbb\xbf{"email": "a@b.example"}', JSON),
    ("a JSON subtype's charset", of_fields(), JSON + '; charset="UTF-8"'),
    ("32 deep", of_fields(x=json.loads("[" * 31 + "1" + "]" * 31)), JSON),
    ("200 fields", of_fields(**{f"f{n}": n for n in range(199)}), JSON),
    ("64 kB", b'{"email": "a@b.example", "message": "' + b"y" * (65_536 - 39) + b'"}', JSON),
    ("escaped pairs of surrogates", b'{"email": "a@b.example", "name": "\\ud83d\\ude42"}', JSON),
    ("percent escapes", b"email=a%40b.example&name=Gr%C3%B6%C3%9Fe&discount=100%25", FORM),
    ("a latin-1 form", b"email=a%40b.example&name=Gr%F6%DFe", FORM + "; charset=iso-8859-1"),
    ("a multipart form", part('name="email"'), MULTIPART),
    ("an empty file input", part('name="email"')[:-7] + b"\r\n" + part('name="cv"; filename=""', b""), MULTIPART),
    ("code", of_fields(name="<script>", company="{{7*7}}", message="${jndi:ldap://x} ' OR 1=1--"), JSON),
    ("line ends", of_fields(name="a\r\nSet-Cookie: x"), JSON),
    ("no name", of_fields(name="-"), JSON),
    ("prototypes", of_fields(__proto__={"is_admin": True}, constructor="x"), JSON),
]  # fmt: skip


@pytest.mark.parametrize(("what", "body", "content_type"), GOOD, ids=[what for what, _, _ in GOOD])
async def test_an_odd_post_that_is_right_is_taken(
    ingest: Ingest, what: str, body: bytes, content_type: str
) -> None:
    answer = await ingest.post(content=body, headers={"content-type": content_type})

    assert answer.status_code == 202, answer.text
    [lead] = await announced(ingest.parts.engine, LeadCaptured)
    assert lead.lead.email == "a@b.example"


async def test_repeated_fields_are_a_list(ingest: Ingest) -> None:
    await ingest.post(
        content=b"email=a%40b.example&interest[]=pricing&interest[]=security",
        headers={"content-type": FORM},
    )

    [lead] = await announced(ingest.parts.engine, LeadCaptured)
    assert lead.lead.products == ("pricing", "security")


@pytest.mark.parametrize("key", ["", " ", '""', "x" * 256, "tab\there", '"half', "é"])
async def test_a_key_that_is_none_is_refused(door: Ingest, key: str) -> None:
    answer = await door.post(json={"email": "a@b.example"}, headers=[(b"idempotency-key", key.encode())])

    assert answer.status_code == 400
    assert answer.json()["type"].endswith("/invalid-idempotency-key")
    assert await door.rows("receipt") == 0


async def test_a_compressed_body_is_refused(door: Ingest) -> None:
    answer = await door.post(content=b"\x1f\x8b", headers={"content-type": JSON, "content-encoding": "gzip"})

    assert answer.status_code == 415


async def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_read(door: Ingest) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    answer = await door.post(content=never(), headers={"content-type": JSON, "content-length": "65537"})

    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"


async def test_a_body_without_an_end_is_cut_off_at_the_limit(ingest: Ingest) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 8_192

    transport_reads_all = ingest.app  # httpx would gather an endless body first: speak ASGI directly
    answer = await post_by_hand(transport_reads_all, endless())

    assert answer == 413
    assert sent <= 10


async def test_a_visitor_who_leaves_before_the_end_leaves_nothing(ingest: Ingest) -> None:
    async def torn() -> AsyncIterator[bytes]:
        yield b'{"email": "a@b.ex'

    assert await post_by_hand(ingest.app, torn()) == 400
    assert await ingest.rows("receipt") == 0


async def test_other_methods_are_refused(ingest: Ingest) -> None:
    for method in ("GET", "PUT", "DELETE", "TRACE"):
        answer = await ingest.client.request(method, "/v1/forms/website-demo")
        assert answer.status_code == 405


async def post_by_hand(app: object, body: AsyncIterator[bytes]) -> int:
    """Post piece by piece; when the pieces end, the sender is gone. Returns the status."""
    statuses: list[int] = []

    async def receive() -> dict[str, object]:
        try:
            return {"type": "http.request", "body": await anext(body), "more_body": True}
        except StopAsyncIteration:
            return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            assert isinstance(message["status"], int)
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/v1/forms/website-demo",
        "raw_path": b"/v1/forms/website-demo",
        "query_string": b"",
        "headers": [(b"host", b"ingest.example"), (b"content-type", JSON.encode())],
        "scheme": "http",
        "server": ("ingest.example", 80),
    }
    await app(scope, receive, send)  # type: ignore[operator]  # an ASGI application, spoken to without a client
    return statuses[0]
