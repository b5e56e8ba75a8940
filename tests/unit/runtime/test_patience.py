"""Who sends nothing, or next to nothing, keeps nobody else waiting. With a real server on a real port."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI, Request
from structlog.testing import capture_logs

from leadpact.runtime import patience
from leadpact.runtime.patience import InHand
from leadpact.runtime.problems import install_problem_handlers
from leadpact.runtime.service import http_loop, listen, run_loops

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def rest(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection is closed, which it is soon."""
    async with asyncio.timeout(10):
        return await reader.read()


class Served:
    """A server with a form, a stream that never ends, and a probe."""

    def __init__(self, port: int, stop: asyncio.Event) -> None:
        self.port = port
        self.stop = stop

    async def open(self, *sent: bytes) -> Streams:
        """A connection on which so much was sent."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for part in sent:
            writer.write(part)
            await writer.drain()
        return reader, writer

    async def ask(self, *sent: bytes) -> tuple[int, str]:
        """The status and body of the answer on a connection of its own, which ends with it."""
        reader, writer = await self.open(*sent)
        head, _, body = (await rest(reader)).partition(b"\r\n\r\n")
        writer.close()
        return int(head.split()[1]), body.decode()


@pytest.fixture
async def served(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setattr(patience, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(patience, "BODY_SECONDS", 0.2)
    monkeypatch.setattr(patience, "MOST_IN_HAND", 3)
    async with _serving() as server:
        yield server


@asynccontextmanager
async def _serving() -> AsyncIterator[Served]:
    app = FastAPI()
    install_problem_handlers(app)
    app.add_middleware(InHand, always=["/livez"])

    @app.post("/form")
    async def form(request: Request) -> int:
        return len(await request.body())

    @app.get("/wait")
    async def wait(request: Request) -> bool:
        """As a page's stream does, ask what comes next after the body is complete: nothing does, and that is no slow body."""
        await request.body()
        return bool((await request.receive())["type"] == "http.disconnect")

    @app.get("/slow")
    async def slow() -> str:
        await asyncio.sleep(3 * patience.HEAD_SECONDS)
        return "done"

    @app.get("/livez")
    async def livez() -> str:
        return "alive"

    stop = asyncio.Event()
    listener = listen("127.0.0.1", 0)
    async with asyncio.TaskGroup() as group:
        group.create_task(run_loops([http_loop(app, listener)], stop))
        try:
            yield Served(listener.getsockname()[1], stop)
        finally:
            stop.set()


PROBE = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
POST = b"POST /form HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 6\r\n\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
WAIT = b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("sent", [(), (b"GET /liv",), (b"GET /livez HTTP/1.1\r\nHost: x\r\nX: ",)])
async def test_a_connection_without_the_head_of_a_request_is_closed(
    served: Served, sent: tuple[bytes, ...]
) -> None:
    reader, writer = await served.open(*sent)
    assert await rest(reader) == b""
    writer.close()


async def test_so_is_one_that_begins_a_second_request_and_stops(served: Served) -> None:
    reader, writer = await served.open(PROBE.replace(b"close", b"keep-alive"), b"GET /liv")
    answered = await rest(reader)
    assert answered.endswith(b'"alive"')
    assert answered.count(b"HTTP/1.1") == 1
    writer.close()


@pytest.mark.parametrize(
    ("asked", "behind"),
    [
        pytest.param(PROBE.replace(b"close", b"keep-alive"), b"\r\n", id="an empty line"),
        pytest.param(
            PROBE.replace(b"Connection: close", b"Content-Length: 1000"), b"x", id="some of an unread body"
        ),
    ],
)
async def test_so_is_one_that_goes_on_after_its_answer_without_asking_anything(
    served: Served, asked: bytes, behind: bytes
) -> None:
    reader, writer = await served.open(asked)
    assert b'"alive"' in await reader.readuntil(b'"alive"')
    writer.write(behind)
    assert await rest(reader) == b""
    writer.close()


async def test_one_whose_request_is_in_hand_is_answered_before_it_is_closed(served: Served) -> None:
    reader, writer = await served.open(SLOW, b"GET /liv")
    assert (await rest(reader)).endswith(b'"done"')
    writer.close()


async def test_a_body_that_stops_coming_is_answered_and_ends_the_connection(served: Served) -> None:
    status, body = await served.ask(POST, b"abc")
    assert status == 408
    assert "too slowly" in json.loads(body)["detail"]


async def test_a_body_that_keeps_coming_may_take_longer(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six bytes over more than the first seconds, at the pace that is asked."""
    monkeypatch.setattr(patience, "BODY_BYTES_PER_SECOND", 1)
    reader, writer = await served.open(POST)
    for _ in range(6):
        writer.write(b"x")
        await asyncio.sleep(0.06)
    assert (await rest(reader)).endswith(b"\r\n6")
    writer.close()


async def test_who_waits_for_an_answer_is_not_hurried(served: Served) -> None:
    reader, writer = await served.open(WAIT)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await reader.read(1)
    writer.close()


async def test_with_all_hands_full_the_probe_is_answered_and_others_are_told_to_come_again(
    served: Served,
) -> None:
    waiting = [await served.open(WAIT) for _ in range(3)]
    with capture_logs() as lines:
        for _ in range(2):
            status, body = await served.ask(POST, b"abcdef")
            assert (status, json.loads(body)["title"]) == (503, "Unavailable")
    assert [line["event"] for line in lines] == ["http.hands_full"]
    assert await served.ask(PROBE) == (200, '"alive"')
    for _, writer in waiting:
        writer.close()
    while True:  # until the server has noticed that they have gone
        status, body = await served.ask(POST, b"abcdef")
        if status == 200:
            break
    assert body == "6"


async def test_connections_that_say_nothing_take_no_hand(served: Served) -> None:
    silent = [await served.open() for _ in range(20)]
    assert (await served.ask(POST, b"abcdef"))[0] == 200
    for _, writer in silent:
        writer.close()


async def test_who_was_still_sending_when_the_server_stops_is_told_to_send_again(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "BODY_SECONDS", 60)
    reader, writer = await served.open(POST, b"abc")
    assert await served.ask(PROBE) == (200, '"alive"')  # so the post was met before this
    served.stop.set()
    answer = await rest(reader)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Nothing was kept" in answer
    writer.close()
