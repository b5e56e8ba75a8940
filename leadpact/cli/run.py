"""`leadpact up`, and each service alone."""

from __future__ import annotations

import asyncio
import sys
import urllib.request
from collections.abc import Callable, Coroutine
from http.client import HTTPException
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import uvloop

from leadpact.access.scopes import Scope
from leadpact.access.tokens import create_token, has_tokens
from leadpact.cli.assemble import SERVICES, Foundation, open_foundation, run_services
from leadpact.errors import Refused
from leadpact.runtime.logging import configure_logging
from leadpact.runtime.parts import Parts
from leadpact.runtime.settings import Settings, load_settings
from leadpact.storage.engine import create_engine, require_reachable
from leadpact.storage.migrate import migrate as migrate_database

T = TypeVar("T")

Data = Annotated[Path | None, typer.Option("--data", help="Folder of the embedded PostgreSQL.")]
Host = Annotated[str | None, typer.Option("--host", help="Address to bind to.")]
Port = Annotated[int | None, typer.Option("--port", help="Port to bind to; 0 picks a free one.")]


def run_async(main: Coroutine[Any, Any, T]) -> T:
    """Run on uvloop; the first fault of a group of loops is the one to report."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(main)
    except BaseExceptionGroup as group:
        raise _first(group) from group


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def up(data: Data = None, host: Host = None, port: Port = None) -> None:
    """Run everything in one process: PostgreSQL (embedded unless LEADPACT_DATABASE_URL is set) and the three services."""
    settings = load_settings(Settings, data=data, host=host, port=port)
    configure_logging(settings.log_level, service="up")
    run_async(
        run_services(
            list(SERVICES), settings, prepare=_print_first_token, on_ready=_announce(settings, "Leadpact")
        )
    )


def ingest(data: Data = None, host: Host = None, port: Port = None) -> None:
    """Run the ingest service alone."""
    _run_one("ingest", data, host, port)


def router(data: Data = None, host: Host = None, port: Port = None) -> None:
    """Run the router alone."""
    _run_one("router", data, host, port)


def sla_timer(data: Data = None, host: Host = None, port: Port = None) -> None:
    """Run the sla-timer alone."""
    _run_one("sla-timer", data, host, port)


def migrate(data: Data = None) -> None:
    """Apply the migrations that the database of LEADPACT_DATABASE_URL (or the embedded one) is missing."""
    settings = load_settings(Settings, data=data)
    run_async(_migrate(settings))


def healthcheck(
    url: Annotated[
        str | None, typer.Option(help="Address of the service; left out, here at LEADPACT_PORT or 8080.")
    ] = None,
    ready: Annotated[bool, typer.Option("--ready", help="Ask whether it is ready, not only alive.")] = False,
) -> None:
    """Exit with 0 if the service answers that it is alive (or ready): for containers without curl."""
    url = url or f"http://127.0.0.1:{load_settings(Settings).port}"
    if not url.startswith(("http://", "https://")):
        raise Refused("The address must start with http:// or https://")
    probe = f"{url.rstrip('/')}/{'readyz' if ready else 'livez'}"
    try:
        with urllib.request.urlopen(probe, timeout=5) as answer:  # noqa: S310 - the scheme was checked
            print(answer.read().decode())
    except (OSError, ValueError, HTTPException) as error:  # away, no address, or no HTTP
        print(f"leadpact: {url} does not answer: {error}", file=sys.stderr)
        raise typer.Exit(1) from None


def _run_one(name: str, data: Path | None, host: str | None, port: int | None) -> None:
    settings = load_settings(Settings, data=data, host=host, port=port)
    if settings.database_url is None:
        raise Refused(
            f"`leadpact {name}` alone needs LEADPACT_DATABASE_URL: the embedded server belongs to one process, `leadpact up`."
        )
    configure_logging(settings.log_level, service=name)
    run_async(run_services([name], settings, on_ready=_announce(settings, f"Leadpact's {name}")))


async def _migrate(settings: Settings) -> None:
    if settings.database_url is None:
        async with open_foundation(settings, application="migrate"):
            pass
    else:
        engine = create_engine(settings.database_url.get_secret_value(), application="migrate")
        try:
            await require_reachable(engine)
            await migrate_database(engine)
        finally:
            await engine.dispose()
    print("The database is at this version's schema.")


def _announce(settings: Settings, who: str) -> Callable[[Foundation, int], None]:
    def announce(foundation: Foundation, port: int) -> None:
        where = "embedded PostgreSQL" if foundation.embedded else "your PostgreSQL"
        carrier = "Kafka" if settings.kafka_bootstrap else "PostgreSQL"
        print(
            f"{who} is up at http://{settings.host}:{port} ({where}; {carrier} carries the events).",
            file=sys.stderr,
        )

    return announce


async def _print_first_token(parts: Parts) -> None:
    """On a database without any token, make the first admin token and print it: the only time that it can be read."""
    async with parts.uow("access").transaction() as tx:
        if await has_tokens(tx):
            return
        token = await create_token(tx, name="first admin", scopes=[Scope.ADMIN], now=parts.clock.now())
    print(f"First admin token (shown only now): {token}", file=sys.stderr)
