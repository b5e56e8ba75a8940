"""Be a CRM: take webhooks in, check each signature with the reference library, and remember which came how often."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from standardwebhooks import Webhook

_ANSWER = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"

Listener = Callable[[dict[str, Any]], None]


class Crm:
    """``seen`` counts the deliveries of each webhook-id; ``forged`` those that the signature did not vouch for."""

    def __init__(self, secret: str, on_event: Listener) -> None:
        self._webhook = Webhook(secret)
        self._on_event = on_event
        self.seen: Counter[str] = Counter()
        self.forged = 0

    def take(self, headers: dict[str, str], body: bytes) -> None:
        """One webhook. Its event is passed on the first time that it comes."""
        try:
            self._webhook.verify(body, headers)
        except Exception:
            self.forged += 1
            return
        message_id = headers["webhook-id"]
        self.seen[message_id] += 1
        if self.seen[message_id] == 1:
            self._on_event(json.loads(body))


@asynccontextmanager
async def listening(crm: Crm, port: int) -> AsyncIterator[None]:
    """Answer on ``port`` until the block ends."""
    visits: set[asyncio.Task[None]] = set()

    def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = asyncio.create_task(_serve(crm, reader, writer))
        visits.add(visit)
        visit.add_done_callback(visits.discard)

    server = await asyncio.start_server(welcome, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        for visit in list(visits):
            visit.cancel()
        await asyncio.gather(*visits, return_exceptions=True)


async def _serve(crm: Crm, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # A sender that is killed in the middle of a request is what this is about.
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[1:-2]
                headers = {
                    name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head)
                }
                crm.take(headers, await reader.readexactly(int(headers["content-length"])))
                writer.write(_ANSWER)
                await writer.drain()
        finally:
            writer.close()
