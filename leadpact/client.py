"""Call a Leadpact over HTTP; what it refuses comes out as the error that it stands for."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import httpx

from leadpact.errors import Conflict, Fault, NotFound, Refused, Transient

_KINDS: dict[int, type[Refused]] = {HTTPStatus.NOT_FOUND: NotFound, HTTPStatus.CONFLICT: Conflict}


class Api:
    """The routes of one Leadpact. Every call raises ``NotFound``, ``Conflict``, ``Refused`` or ``Transient``."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def get(self, path: str, **parameters: Any) -> Any:
        """The answer's JSON. ``parameters`` make the query."""
        return _json(await self._send("GET", path, params=parameters))

    async def get_text(self, path: str) -> str:
        """The answer's text."""
        return (await self._send("GET", path)).text

    async def post(self, path: str, **request: Any) -> Any:
        """The answer's JSON, None if it has none. ``request`` is what httpx takes: json, content, files, headers."""
        return _json(await self._send("POST", path, **request))

    async def delete(self, path: str) -> Any:
        """The answer's JSON, None if it has none."""
        return _json(await self._send("DELETE", path))

    async def all_items(self, path: str, **parameters: Any) -> list[Any]:
        """Every item of a list, however many pages it has."""
        page = await self.get(path, **parameters)
        items = list(page["items"])
        while page.get("next"):
            page = await self.get(path, **parameters, after=page["next"])
            items += page["items"]
        return items

    async def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            answer = await self._client.request(method, path, **request)
        except httpx.TransportError as error:
            raise Transient(f"{self._client.base_url} does not answer: {error}") from error
        if not answer.is_success:  # a redirect did nothing either: another door, or no Leadpact at all
            raise _error(answer)
        return answer


def _json(answer: httpx.Response) -> Any:
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError as error:
        raise Refused(f"{answer.url.host} does not answer as Leadpact does: this is no JSON.") from error


def _error(answer: httpx.Response) -> Refused | Transient:
    """What the answer's problem (RFC 9457) says, as an error."""
    is_problem = answer.headers.get("content-type") == "application/problem+json" and answer.content
    body = answer.json() if is_problem else {}
    detail = body.get("detail") or f"the answer was {answer.status_code} {answer.reason_phrase}"
    if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        return Transient(detail)
    faults = [
        Fault(fault["pointer"], fault["detail"], fault.get("fix", "")) for fault in body.get("errors", ())
    ]
    return _KINDS.get(answer.status_code, Refused)(detail, faults=faults)
