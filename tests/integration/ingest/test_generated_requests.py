"""Requests made up from the service's own OpenAPI document, right ones and wrong ones, never bring it down."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import httpx
import pytest
import schemathesis
import schemathesis.openapi
from hypothesis import HealthCheck, Phase, given, settings

from leadpact.runtime.service import http_loop, listen
from tests.integration.ingest.conftest import Ingest

OPERATIONS = [
    ("POST", "/v1/forms/{source}"),
    ("POST", "/v1/form-keys"),
    ("GET", "/v1/form-keys"),
    ("DELETE", "/v1/form-keys/{key}"),
    ("GET", "/v1/receipts/{receipt_id}"),
    ("POST", "/v1/uploads"),
    ("GET", "/v1/uploads/{upload_id}"),
    ("GET", "/v1/uploads/{upload_id}/rejects.csv"),
]
"""Every operation of the service, so that a new one is noticed here."""


def test_the_list_is_complete(ingest: Ingest) -> None:
    documented = {
        (method.upper(), path)
        for path, methods in ingest.app.openapi()["paths"].items()
        for method in methods
    }

    assert documented == set(OPERATIONS)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_no_generated_request_is_answered_with_a_bug(ingest: Ingest, method: str, path: str) -> None:
    listener = listen("127.0.0.1", 0)
    serving = asyncio.ensure_future(http_loop(ingest.app, listener).run(ingest.stop))
    try:
        await asyncio.to_thread(fire, ingest.app.openapi(), address(listener), method, path)
    finally:
        ingest.stop.set()
        await serving


def address(listener: socket.socket) -> str:
    host, port = listener.getsockname()
    return f"http://{host}:{port}"


def aim(case: schemathesis.Case[Any]) -> None:
    """Made-up names would all be answered with 404: send to sources that there are."""
    if "source" in case.path_parameters:
        case.path_parameters["source"] = "website-demo"
    if "source" in case.query:
        case.query["source"] = "fair"


def fire(document: dict[str, Any], base_url: str, method: str, path: str) -> None:
    schema = schemathesis.openapi.from_dict(json.loads(json.dumps(document)))
    operation = schema[path][method]

    @given(case=operation.as_strategy())
    @settings(
        max_examples=40,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case: schemathesis.Case[Any]) -> None:
        aim(case)
        response = case.call(base_url=base_url)
        assert response.status_code < 500, f"{response.status_code} {response.text}"
        if response.status_code >= 400:
            assert response.headers["content-type"][0].startswith("application/problem+json")

    check()
    assert httpx.get(f"{base_url}/v1/form-keys").status_code == 200
