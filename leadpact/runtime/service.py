"""Run a service: its loops and its HTTP server live and die together.

Loops run in one TaskGroup. SIGTERM (or SIGINT) sets the stop; loops finish their batch and return; after a grace whoever is still
running is cancelled; resources close in reverse. A loop that raises ends the others and the process, so that
whatever supervises the process restarts it and sees it: a timer that stopped without anybody knowing is the worst fault there is.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
import uvicorn
from starlette.types import ASGIApp

from leadpact.clock import wait_for
from leadpact.errors import Refused, Transient
from leadpact.runtime.patience import PromptConnection

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Loop:
    """Something that runs until the stop is set. ``name`` appears in logs when it dies."""

    name: str
    run: Callable[[asyncio.Event], Awaitable[None]]


def rounds(name: str, run_once: Callable[[], Awaitable[bool | None]], *, every_seconds: float) -> Loop:
    """A loop of one bounded piece of work per round: again at once while ``run_once`` says that more is waiting, else after the pause.

    A passing fault waits for the next round. Anything else ends the loop, and with it the process.
    """

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            more: bool | None = False
            try:
                more = await run_once()
            except Transient as error:
                log.warning("service.round_put_off", loop=name, reason=str(error))
            if not more:
                await wait_for(stop, every_seconds)

    return Loop(name, run)


async def run_loops(loops: Sequence[Loop], stop: asyncio.Event, *, drain_seconds: float = 10.0) -> None:
    """Run all loops until ``stop`` is set, then give them ``drain_seconds`` to finish."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_ending(loop, stop), name=loop.name) for loop in loops]
        await stop.wait()
        _, late = await asyncio.wait(tasks, timeout=drain_seconds)
        for task in late:
            log.warning("service.loop_cancelled", loop=task.get_name())
            task.cancel()


async def _ending(loop: Loop, stop: asyncio.Event) -> None:
    """Run one loop; if it ends or dies before the stop, everything stops."""
    try:
        await loop.run(stop)
    except Exception as error:
        log.error("service.loop_died", loop=loop.name, reason=f"{type(error).__name__}: {error}")
        raise
    finally:
        stop.set()


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT set the stop. The second SIGINT falls back to Python's own handling."""
    running = asyncio.get_running_loop()

    def asked(number: signal.Signals) -> None:
        log.info("service.stopping", signal=number.name)
        stop.set()
        running.remove_signal_handler(signal.SIGINT)

    for number in (signal.SIGTERM, signal.SIGINT):
        running.add_signal_handler(number, asked, number)


def listen(host: str, port: int) -> socket.socket:
    """Take the address for this process; who connects waits until the server answers. 0 picks a free port.

    Raises ``Refused`` if it is taken or is no address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2_048)
    except OSError as error:
        # Python adds to the system's words in brackets what the sentence says already.
        reason = str(error.strerror).partition(" (")[0]
        raise Refused(f"Cannot listen on {host} port {port}: {reason}") from error


def http_loop(app: ASGIApp, listener: socket.socket, *, on_ready: Callable[[], None] | None = None) -> Loop:
    """Serve ``app`` on ``listener`` until the stop; ``on_ready`` is called once requests are answered."""

    async def run(stop: asyncio.Event) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            h11_max_incomplete_event_size=16_384,
            timeout_graceful_shutdown=5,
            http=PromptConnection,
        )
        server = uvicorn.Server(config)
        # Not `serve`, which would take the signals for itself: the service's stop decides.
        serving = asyncio.create_task(server._serve(sockets=[listener]))
        stopping = asyncio.create_task(stop.wait())
        while not server.started and not serving.done():
            await asyncio.wait([serving, stopping], timeout=0.01, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                break
        if server.started and on_ready is not None:
            on_ready()
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        stopping.cancel()
        await serving

    return Loop("http", run)
