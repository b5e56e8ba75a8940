"""`leadpact demo`: one Tuesday morning at Acme on a fast clock, then a Leadpact to play with."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import httpx
import typer

from leadpact.access.scopes import Scope
from leadpact.access.tokens import create_token
from leadpact.cli.assemble import SERVICES, run_services
from leadpact.cli.run import run_async
from leadpact.client import Api
from leadpact.clock import ScaledClock
from leadpact.demo.example import Example
from leadpact.demo.kafka_broker import ApacheKafka
from leadpact.demo.pace import keep_pace
from leadpact.demo.page import Page
from leadpact.demo.scene import Interrupted, Scene
from leadpact.demo.story import OPENING, Story
from leadpact.errors import Refused
from leadpact.pact.read import parse_pact
from leadpact.runtime.logging import configure_logging
from leadpact.runtime.parts import Parts
from leadpact.runtime.service import Loop, listen
from leadpact.runtime.settings import Settings, load_settings

_PORTS = range(8080, 8100)
_HOST = "127.0.0.1"
_TIMEOUT_SECONDS = 30.0


class CarrierName(StrEnum):
    """What brings the events from service to service."""

    POSTGRES = "postgres"
    KAFKA = "kafka"


Carrier = Annotated[
    CarrierName, typer.Option(help="What carries the events. kafka needs Java and, once, Maven.")
]
Once = Annotated[
    bool, typer.Option("--once", help="End after the story; with 1 if it did not come out as told.")
]
Data = Annotated[
    Path | None, typer.Option(help="Keep the database here, in a new folder. Without: nothing is kept.")
]
Port = Annotated[int | None, typer.Option(min=1, help=f"Without: the first free one from {_PORTS[0]}.")]


def demo(
    carrier: Carrier = CarrierName.POSTGRES, once: Once = False, data: Data = None, port: Port = None
) -> None:
    """Tell one Tuesday morning at Acme with everything real but the speed of time, then stay up to play with."""
    configure_logging("error", service="demo", stream=sys.stderr)
    # A broker that has just been started is not quite there at first. The client calls that errors; our readers wait for it.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    # As an exception it passes through everything that was opened, also before the services handle signals themselves.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with ExitStack() as stack:
        folder = stack.enter_context(_folder(data))
        bootstrap = stack.enter_context(_kafka(folder)) if carrier is CarrierName.KAFKA else None
        settings = _settings(folder, bootstrap, port or _free_port())
        told = run_async(tell(Example.find(), settings, once=once))
    if not told:
        raise typer.Exit(1)


async def tell(example: Example, settings: Settings, *, once: bool) -> bool:
    """Run the services on a clock that can be hurried, with the story beside them. True if it came out as told."""
    page, clock = Page(), ScaledClock(OPENING, 1)
    tokens: list[str] = []
    outcome: list[bool] = []

    async def prepare(parts: Parts) -> None:
        async with parts.uow("access").transaction() as tx:
            tokens.append(await create_token(tx, name="demo", scopes=[Scope.ADMIN], now=clock.now()))

    async def story(stop: asyncio.Event) -> None:
        # The address is listened on since before the database was there: who calls it waits until it is answered.
        address, token = f"http://{settings.host}:{settings.port}", tokens[0]
        async with _callers(address, token) as (admin, visitor), AsyncExitStack() as opened:
            scene = Scene(Api(admin), visitor, clock, page, stop)
            outcome.append(await _came_out_as_told(Story(scene, example, page), opened, page))
            if not once and not stop.is_set():
                page.say(_INVITATION.format(address=address, token=token))
                hours = parse_pact(example.pact.decode()).calendars["berlin"].build()
                await keep_pace(clock, hours, stop)

    page.progress("Starting PostgreSQL and the three services ...")
    await run_services(list(SERVICES), settings, clock=clock, prepare=prepare, beside=[Loop("story", story)])
    return outcome == [True]


@asynccontextmanager
async def _callers(address: str, token: str) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """Two who call: an administrator, and anybody."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx.AsyncClient(base_url=address, headers=headers, timeout=_TIMEOUT_SECONDS) as admin,
        httpx.AsyncClient(base_url=address, timeout=_TIMEOUT_SECONDS) as visitor,
    ):
        yield admin, visitor


async def _came_out_as_told(story: Story, opened: AsyncExitStack, page: Page) -> bool:
    try:
        await story.tell(opened)
    except Interrupted:
        page.progress("Interrupted before the end of the story.")
        return False
    return all(check.holds for check in story.checks)


_INVITATION = """
Leadpact is still up. The board: {address}/
Sign in with the token  {token}
Post a form of your own, and watch it there:

curl -sS {address}/v1/forms/website-demo -H 'Content-Type: application/json' \\
  -d '{{"email": "you@yourcompany.example", "full_name": "Your Name", "country": "DE"}}'

While Berlin works, the clock now runs a minute a second: a demo request that nobody touches
is warned after one minute and taken away after two. Lunch, nights and weekends pass an hour
a second. Ctrl-C ends it."""


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    """An empty folder: the one asked for, or one that is gone afterwards."""
    if data is None:
        with tempfile.TemporaryDirectory(prefix="leadpact-demo-") as folder:
            # Passable, not readable: PostgreSQL started by root runs as another account.
            Path(folder).chmod(0o711)
            yield Path(folder)
        return
    if data.exists() and any(data.iterdir()):
        raise Refused(f"{data} is not empty. The demo starts afresh: name a folder that is not there yet.")
    yield data


@contextmanager
def _kafka(folder: Path) -> Iterator[str]:
    """A broker of our own, and its address."""
    log = folder / "kafka"
    log.mkdir(parents=True)
    with ApacheKafka.start(log) as broker:
        yield broker.bootstrap


def _free_port() -> int:
    for port in _PORTS:
        try:
            listen(_HOST, port).close()
        except Refused:
            continue
        return port
    raise Refused(f"No port from {_PORTS[0]} to {_PORTS[-1]} is free; name one with --port.")


def _settings(folder: Path, bootstrap: str | None, port: int) -> Settings:
    """Whatever the environment says, the demo keeps to its own database and broker."""
    own = {
        "database_url": None,
        "data": folder,
        "kafka_bootstrap": bootstrap,
        "host": _HOST,
        "port": port,
        "webhook_allow_private": True,  # its receiver listens on this machine
    }
    return load_settings(Settings).model_copy(update=own)
