"""Fire jobs with procrastinate that were deferred with ``schedule_at``: the task writes down that it ran.

Set up for throughput, each setting measured: asynchronous tasks, a worker fetches one job after another, so there are several, in two processes; the
pool's connections commit by themselves, which saves two of three round trips; uvloop. A job that becomes due is not notified of, only polled for, so the
poll is a fiftieth of the default. Its log lines are off.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Awaitable
from contextlib import AsyncExitStack

import uvloop
from procrastinate import App, PsycopgConnector
from procrastinate.tasks import Task
from psycopg import AsyncConnection

QUEUE = "sla"
TASK = "breach"
PROCESSES = 2
WORKERS_PER_PROCESS = 2
CONCURRENCY = 5
POLL_SECONDS = 0.1

# Beside what runs, a worker fetches, listens and sends heartbeats.
_CONNECTIONS = CONCURRENCY + 3


def create_app(database_url: str) -> tuple[App, Task[[str], Awaitable[None], [str]]]:
    """The application, and its one task."""
    connector = PsycopgConnector(
        conninfo=database_url, min_size=2, max_size=_CONNECTIONS, configure=_commit_each
    )
    app = App(connector=connector)

    async def breach(clock_id: str) -> None:
        async with connector.pool.connection() as connection:
            await connection.execute("INSERT INTO breach (clock_id) VALUES (%s)", (clock_id,))

    return app, app.task(name=TASK, queue=QUEUE)(breach)


async def _commit_each(connection: AsyncConnection) -> None:
    await connection.set_autocommit(True)


async def work(database_url: str) -> None:
    """Run the workers until the process is ended."""
    async with AsyncExitStack() as opened, asyncio.TaskGroup() as group:
        for number in range(WORKERS_PER_PROCESS):
            app, _ = create_app(database_url)
            await opened.enter_async_context(app.open_async())
            group.create_task(
                app.run_worker_async(
                    name=f"worker-{number}",
                    concurrency=CONCURRENCY,
                    fetch_job_polling_interval=POLL_SECONDS,
                    install_signal_handlers=False,
                )
            )
        print("ready", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", required=True)
    logging.getLogger("procrastinate").setLevel(logging.ERROR)
    uvloop.run(work(parser.parse_args().database_url))


if __name__ == "__main__":
    main()
