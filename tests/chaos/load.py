"""Behave as the world does while things break: post forms until each is accepted, click twice, come back, call people.

A client believes what it was told and nothing else: 2xx is a promise, anything else means *unknown*, and it tries again with the same
Idempotency-Key. What was promised is written down here and held against what is there in the end.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from leadpact_ingest.idempotency import SAME_POST_WITHIN
from tests.support.audit import Finding

TRY_AGAIN_SECONDS = (0.05, 0.5)
REQUEST_SECONDS = 5.0
AT_ONCE = 40


@dataclass
class Promises:
    """What clients were told. ``broken`` are answers that contradict earlier ones."""

    receipts: dict[str, datetime] = field(default_factory=dict)
    """Receipts of accepted leads, and when the answer came."""
    contacts: dict[str, datetime] = field(default_factory=dict)
    """Assignments on which a contact was recorded."""
    uploads: dict[str, int] = field(default_factory=dict)
    """Files that were taken, and how many leads are in each."""
    tries: int = 0
    broken: list[Finding] = field(default_factory=list)


class Client:
    """Asks until there is an answer, and runs its errands side by side."""

    def __init__(self, http: httpx.AsyncClient, url: str, promises: Promises, chance: random.Random) -> None:
        self._http = http
        self._url = url
        self.promises = promises
        self.chance = chance
        self._errands: set[asyncio.Task[None]] = set()
        # Whoever waits, waits here: a long queue inside of the HTTP client costs it more than the requests themselves.
        self._lines = asyncio.Semaphore(AT_ONCE)

    def send(self, errand: Coroutine[Any, Any, None]) -> None:
        """Begin an errand."""
        task = asyncio.create_task(errand)
        self._errands.add(task)

    async def all_done(self) -> None:
        """Wait until every errand has been answered. Raises what went wrong in one of them."""
        while self._errands:
            done, self._errands = await asyncio.wait(self._errands, timeout=1.0)
            for errand in done:
                errand.result()

    async def post(self, path: str, answers: frozenset[int], **request: Any) -> httpx.Response:
        """Ask until the answer is one of ``answers``. No answer and 5xx mean *unknown*; any other answer is a mistake of the test."""
        while True:
            self.promises.tries += 1
            try:
                async with self._lines:
                    answer = await self._http.post(self._url + path, timeout=REQUEST_SECONDS, **request)
            except httpx.TransportError:
                pass
            else:
                if answer.status_code in answers:
                    return answer
                assert answer.is_server_error, f"{path}: {answer.status_code} {answer.text}"
            await asyncio.sleep(self.chance.uniform(*TRY_AGAIN_SECONDS))


class Visitors:
    """Those who fill in forms."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._people: list[str] = []
        self._visits = 0

    async def come(self, stop: asyncio.Event, per_second: float) -> None:
        """Until ``stop``; then wait until everybody who came has got through."""
        while not stop.is_set():
            self._client.send(self._visit())
            await asyncio.sleep(self._client.chance.expovariate(per_second))
        await self._client.all_done()

    def rush(self, number: int) -> None:
        """``number`` of them at the same moment."""
        for _ in range(number):
            self._client.send(self._visit())

    async def _visit(self) -> None:
        self._visits += 1
        number, kind, began_at = self._visits, self._client.chance.random(), datetime.now(UTC)
        source = "demo" if self._client.chance.random() < 0.8 else "paper"
        said = {"email": self._person(kind), "country": "DE", "message": f"visit {number}"}
        if kind > 0.95:  # two clicks at the same moment, on a form that sends no key
            receipts = set(await asyncio.gather(self._post(source, said), self._post(source, said)))
        elif kind > 0.90:  # the browser was restored and sends the same again
            receipts = {await self._post(source, said, number), await self._post(source, said, number)}
        else:
            receipts = {await self._post(source, said, number)}
        # Without a key, what is sent again after ten minutes is a new submission; in a long storm a click may take longer to get through.
        is_one = kind <= 0.95 or datetime.now(UTC) - began_at < SAME_POST_WITHIN
        if len(receipts) > 1 and is_one:
            what = "one submission got two receipts"
            found = Finding("doubled", what, " ".join(receipts), datetime.now(UTC))
            self._client.promises.broken.append(found)

    def _person(self, kind: float) -> str:
        """Somebody new, or, now and then, somebody who has been here before."""
        if kind < 0.05 and self._people:
            return self._client.chance.choice(self._people)
        self._people.append(f"visitor{self._visits}@firm{self._visits % 23}.example")
        return self._people[-1]

    async def _post(self, source: str, said: dict[str, str], key: int | None = None) -> str:
        """Post until it is accepted; the receipt."""
        headers = {} if key is None else {"Idempotency-Key": f"visit-{key}"}
        answer = await self._client.post(f"/v1/forms/{source}", frozenset({202}), json=said, headers=headers)
        receipt = str(answer.json()["receipt"])
        self._client.promises.receipts.setdefault(receipt, datetime.now(UTC))
        return receipt


class Marketing:
    """Those who upload lists."""

    def __init__(self, client: Client, token: str) -> None:
        self._client = client
        self._token = token
        self._files = 0

    def upload(self, rows: int) -> None:
        """Hand in a new file; the same file again until somebody says that it has been taken."""
        self._files += 1
        people = (f"guest{number}@list{self._files}.example;DE" for number in range(rows))
        self._client.send(self._upload("\r\n".join(["E-Mail;Land", *people]).encode(), rows))

    async def _upload(self, file: bytes, rows: int) -> None:
        answer = await self._client.post(
            "/v1/uploads?source=fair",
            frozenset({200, 202}),  # 200: an earlier try had got through
            content=file,
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "text/csv"},
        )
        self._client.promises.uploads[answer.json()["id"]] = rows


class Sales:
    """The reps: of the leads that they hear of by webhook, some are called before the time is up."""

    def __init__(self, client: Client, token: str, called_share: float = 0.4) -> None:
        self._client = client
        self._token = token
        self._called_share = called_share

    def hear(self, event: dict[str, Any]) -> None:
        """A webhook came."""
        given = event["type"] in ("lead.assigned", "lead.reassigned")
        if given and self._client.chance.random() < self._called_share:
            self._client.send(self._call(str(event["data"]["assignment_id"])))

    async def _call(self, assignment_id: str) -> None:
        await asyncio.sleep(self._client.chance.uniform(0.0, 1.0))
        answer = await self._client.post(
            f"/v1/assignments/{assignment_id}/contact",
            frozenset({200, 409}),  # 409: somebody else has the lead by now
            headers={"Authorization": f"Bearer {self._token}", "Idempotency-Key": f"call-{assignment_id}"},
        )
        if answer.status_code == 200:
            self._client.promises.contacts[assignment_id] = datetime.now(UTC)
