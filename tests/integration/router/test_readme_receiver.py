"""The receiver that the README shows takes what Leadpact signs, once, and nothing else."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from leadpact_router.webhooks.http import WebhookRequest
from leadpact_router.webhooks.signing import new_secret

README = Path(__file__).parents[3] / "README.md"
SECRET = new_secret()
BODY = b'{"data":{"rep_name":"Ana"},"timestamp":"2026-03-02T09:00:00Z","type":"lead.assigned"}'


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> httpx.AsyncClient:
    monkeypatch.setenv("LEADPACT_WEBHOOK_SECRET", SECRET)
    (code,) = re.findall(r"```python\n(.+?)```", README.read_text(), re.DOTALL)
    shown: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec", dont_inherit=True), shown)  # noqa: S102 - our own text
    return httpx.AsyncClient(transport=httpx.ASGITransport(shown["app"]), base_url="http://receiver.example")


def request(**changes: Any) -> WebhookRequest:
    said = {"url": "/", "message_id": "0195-evt", "attempted_at": datetime.now(UTC), "body": BODY}
    return WebhookRequest(**{**said, "secrets": (SECRET,), **changes})


async def test_it_takes_what_is_signed_and_acts_once(
    client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        answer = await client.post("/", content=BODY, headers=request().headers())
        assert answer.status_code == 204
    assert capsys.readouterr().out == "lead.assigned Ana\n"


async def test_it_refuses_what_is_changed_unsigned_or_old(
    client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    old = request(attempted_at=datetime.now(UTC) - timedelta(minutes=6))
    strangers = request(secrets=(new_secret(),))
    for body, headers in (
        (b'{"type":"forged"}', request().headers()),
        (BODY, {}),
        (BODY, old.headers()),
        (BODY, strangers.headers()),
    ):
        assert (await client.post("/", content=body, headers=headers)).status_code == 401
    assert capsys.readouterr().out == ""
