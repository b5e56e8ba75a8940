"""Run the three services in this process as three processes would: each with an engine, a carrier and loops of its own.

Nothing of one is visible to another but what the database and the carrier show, so they meet as they do in production.
Requests go to the real applications without a socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from leadpact.cli.assemble import SERVICES, Foundation, create_app, make_parts
from leadpact.runtime.service import Loop, run_loops
from leadpact.runtime.settings import Settings
from leadpact.storage.engine import create_engine
from tests.support.gatekeeper import OpenGatekeeper


@asynccontextmanager
async def serving(service: str, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """One service, its loops running, until the block ends; yields a client of its application that may do everything."""
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()
    async with AsyncExitStack() as stack:
        engine = create_engine(url, application=service)
        stack.push_async_callback(engine.dispose)
        shared = await make_parts(Foundation(engine, url, embedded=None), settings)
        built = SERVICES[service](shared.parts)
        for close in built.on_stop:
            stack.push_async_callback(close)
        await stack.enter_async_context(_looping([*shared.loops, *built.loops]))
        app = create_app(shared.parts, [built], real_time=shared.real_time)
        app.state.gatekeeper = OpenGatekeeper()
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://leadpact")
        yield await stack.enter_async_context(client)


@asynccontextmanager
async def _looping(loops: Sequence[Loop]) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(run_loops(loops, stop))
    try:
        yield
    finally:
        stop.set()
        await running
