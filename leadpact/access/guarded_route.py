"""Ask who calls before a byte of the body is read, and read no more of it than such a request may have.

FastAPI reads and parses a JSON or form body before it looks at a route's dependencies, however long the body is and whoever sends it. Without
this, anybody could fill the memory of the process behind a shut door.

Whoever may call an address of the API is told of parameters that it does not know. Forms are public: whatever trackers append to their
addresses is passed over, as on pages.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.types import Message

from leadpact.access.scopes import Requirement
from leadpact.runtime.parameters import declared_parameters, refuse_unknown_parameters
from leadpact.runtime.problems import BodyProblem, Problem

MOST_BODY_BYTES = 1_000_000
"""Of a body that FastAPI reads. A route that reads its body itself has a bound of its own."""


class GuardedRoute(APIRoute):
    """A route whose ``require(...)`` is asked first."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        requirements = tuple(_requirements(self.dependant))
        reads_body = self.body_field is not None
        parameters = declared_parameters(self.dependant)
        is_strict = bool(requirements) and self.path.startswith("/v1/")

        async def answer(request: Request) -> Response:
            for requirement in requirements:
                await requirement(request)
            if is_strict:
                refuse_unknown_parameters(request, parameters)
            return await handle(_bounded(request) if reads_body else request)

        return answer


def _requirements(dependant: Dependant) -> Iterator[Requirement]:
    if isinstance(dependant.call, Requirement):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _requirements(inner)


def _bounded(request: Request) -> Request:
    """The same request, whose body ends in a 413 if it is too long: at once if it says so, else where it is."""
    read = 0

    async def receive() -> Message:
        nonlocal read
        if _declared(request) > MOST_BODY_BYTES:
            raise _too_large()
        message = await request.receive()
        read += len(message.get("body", b""))
        if read > MOST_BODY_BYTES:
            raise _too_large()
        return message

    return Request(request.scope, receive)


def _declared(request: Request) -> int:
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() else 0


def _too_large() -> BodyProblem:
    detail = f"The body may have {MOST_BODY_BYTES:,} bytes."
    return BodyProblem(Problem(413, "too-large", detail, headers={"Connection": "close"}))
