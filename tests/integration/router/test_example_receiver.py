"""The example receiver, run as its docstring says: it takes what Leadpact signs, once, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from leadpact_router.webhooks.http import WebhookRequest, call, webhook_client
from leadpact_router.webhooks.signing import new_secret

EXAMPLE = Path(__file__).parents[3] / "examples" / "receiver" / "receiver.py"
SECRET = new_secret()


@dataclass(frozen=True)
class Running:
    """The example, listening, and a request that it should take."""

    client: httpx.AsyncClient
    request: WebhookRequest
    process: subprocess.Popen[str]

    def printed(self) -> str:
        self.process.terminate()
        return self.process.communicate(timeout=10)[1]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, EXAMPLE, "0"],
        env=os.environ | {"LEADPACT_WEBHOOK_SECRET": SECRET},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


@pytest.fixture
async def receiver(process: subprocess.Popen[str]) -> AsyncIterator[Running]:
    assert process.stderr is not None
    url = process.stderr.readline().removeprefix("listening on ").strip()
    request = WebhookRequest(
        url=url,
        message_id="0195-evt",
        attempted_at=datetime.now(UTC),
        body=b'{"data":{"rep_name":"Ana"},"timestamp":"2026-03-02T09:00:00Z","type":"lead.assigned"}',
        secrets=(SECRET,),
    )
    async with webhook_client(allow_private=True) as client:
        yield Running(client, request, process)


async def test_it_takes_what_leadpact_signs(receiver: Running) -> None:
    assert (await call(receiver.client, receiver.request)).status == 204
    assert "lead.assigned -> Ana" in receiver.printed()


async def test_it_acts_once_on_an_event_that_is_sent_again(receiver: Running) -> None:
    for _ in range(3):
        assert (await call(receiver.client, receiver.request)).status == 204
    assert receiver.printed().count("lead.assigned -> Ana") == 1


async def test_it_accepts_either_signature_during_a_rotation(receiver: Running) -> None:
    rotating = replace(receiver.request, secrets=(new_secret(), SECRET))
    assert (await call(receiver.client, rotating)).status == 204


@pytest.mark.parametrize("minutes", [-6, 6])
async def test_it_refuses_what_is_not_recent(receiver: Running, minutes: int) -> None:
    stale = replace(receiver.request, attempted_at=datetime.now(UTC) + timedelta(minutes=minutes))
    assert (await call(receiver.client, stale)).status == 401


async def test_it_refuses_a_changed_body_and_an_unsigned_one(receiver: Running) -> None:
    genuine = receiver.request.headers()
    for headers in (
        genuine,
        {},
        genuine | {"webhook-signature": "v1"},
        genuine | {"webhook-timestamp": "NaN"},
    ):
        answer = await receiver.client.post(
            receiver.request.url, headers=headers, content=b'{"type":"forged"}'
        )
        assert answer.status_code == 401
    assert "forged" not in receiver.printed()
