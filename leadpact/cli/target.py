"""Let a command speak the HTTP API: of a Leadpact that runs, or of one that is opened in this process on its database.

So each command is written once, against the API, and refuses what the API refuses. With ``--url`` it calls a running Leadpact with
the token in LEADPACT_TOKEN. Without, it opens the database of the settings and calls the same routes without a socket, as
the operator: whoever may open the database needs no token. The embedded database belongs to one process at a time; while
`leadpact up` holds it, ``--url`` is the way in.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from fastapi import Request

from leadpact.access.scopes import Caller, Scope
from leadpact.cli.assemble import SERVICES, create_app, make_parts, open_foundation
from leadpact.cli.run import Data, run_async
from leadpact.client import Api
from leadpact.errors import Conflict, NotFound, Refused
from leadpact.runtime.logging import configure_logging
from leadpact.runtime.settings import Settings, load_settings

TOKEN_VARIABLE = "LEADPACT_TOKEN"  # noqa: S105 - the name of the variable, not a token
_TIMEOUT_SECONDS = 30.0

Url = Annotated[
    str | None, typer.Option("--url", help=f"A running Leadpact; its token is taken from {TOKEN_VARIABLE}.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
CsvFile = Annotated[Path, typer.Argument(metavar="FILE.csv", help="A CSV file in UTF-8.", show_default=False)]

__all__ = ["Api", "AsJson", "CsvFile", "Data", "Url", "call_api", "read_csv"]


def call_api(url: str | None, data: Path | None, command: Callable[[Api], Awaitable[None]]) -> None:
    """Run ``command`` with the API that the options name. Raises what ``Api`` raises."""
    run_async(_call(url, data, command))


def read_csv(file: Path) -> dict[str, Any]:
    """A file as the body of a request. Raises ``NotFound``."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise NotFound(f"{file}: {error.strerror}") from error
    return {"content": content, "headers": {"Content-Type": "text/csv"}}


async def _call(url: str | None, data: Path | None, command: Callable[[Api], Awaitable[None]]) -> None:
    async with _running(url) if url else _opened(data) as client:
        await command(Api(client))


@asynccontextmanager
async def _running(url: str) -> AsyncIterator[httpx.AsyncClient]:
    token = os.environ.get(TOKEN_VARIABLE)
    if not token:
        raise Refused(f"`--url` needs a token of that Leadpact in the variable {TOKEN_VARIABLE}.")
    if not (token.isascii() and token.isprintable()):
        raise Refused(f"What {TOKEN_VARIABLE} holds is no token: a token is letters, digits, `_` and `-`.")
    headers = {"Authorization": f"Bearer {token}"}
    try:
        client = httpx.AsyncClient(base_url=url, headers=headers, timeout=_TIMEOUT_SECONDS)
    except httpx.InvalidURL as error:
        raise Refused(f"{url!r} is no address: {error}") from error
    async with client:
        yield client


@asynccontextmanager
async def _opened(data: Path | None) -> AsyncIterator[httpx.AsyncClient]:
    # Nothing is consumed here, so it does not matter what carries the events, and no broker is called.
    settings = load_settings(Settings, data=data).model_copy(update={"kafka_bootstrap": None})
    configure_logging("error", service="cli", stream=sys.stderr)
    async with AsyncExitStack() as stack:
        try:
            foundation = await stack.enter_async_context(open_foundation(settings, application="cli"))
        except Conflict as busy:
            way_in = (
                f"`--url http://127.0.0.1:8080` with a token in {TOKEN_VARIABLE} talks to the one that runs"
            )
            raise Conflict(f"{busy.detail}; {way_in}") from busy
        shared = await make_parts(foundation, settings)
        services = [build(shared.parts) for build in SERVICES.values()]
        for service in services:
            for close in service.on_stop:
                stack.push_async_callback(close)
        app = create_app(shared.parts, services, real_time=shared.real_time)
        app.state.gatekeeper = _Operator()
        transport = httpx.ASGITransport(app)
        yield await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://operator", timeout=_TIMEOUT_SECONDS)
        )


class _Operator:
    """Admits whoever could open the database, under the name of their account."""

    async def admit(self, request: Request, scope: Scope) -> Caller:
        """The operator, who may do everything."""
        return Caller("operator", f"{getpass.getuser()} on the command line", frozenset({Scope.ADMIN}))
