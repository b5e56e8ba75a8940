"""Fire jobs with APScheduler 3 that were added with a date trigger: the task writes down that it ran.

As its user guide has it: the SQLAlchemy job store on PostgreSQL, a process of its own with a blocking scheduler (a store must not be shared), tasks in
its thread pool. ``misfire_grace_time`` is off: by default it drops what it comes to more than a second late. Its log lines are off.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from apscheduler.events import EVENT_SCHEDULER_STARTED  # type: ignore[import-untyped]  # ships no types
from apscheduler.executors.pool import ThreadPoolExecutor  # type: ignore[import-untyped]  # as above
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore  # type: ignore[import-untyped]  # as above
from apscheduler.schedulers.blocking import BlockingScheduler  # type: ignore[import-untyped]  # as above
from apscheduler.triggers.date import DateTrigger  # type: ignore[import-untyped]  # as above
from sqlalchemy import Table

from bench.baseline.apscheduler_task import breach, connect

THREADS = 10


def create_store(database_url: str) -> SQLAlchemyJobStore:
    """The job store in ``database_url``, as libpq writes it."""
    url = database_url.replace("postgresql://", "postgresql+psycopg://", 1)
    # Each of its operations is one statement: without BEGIN and COMMIT around it, one round trip.
    return SQLAlchemyJobStore(url=url, engine_options={"isolation_level": "AUTOCOMMIT"})


def jobs_table(store: SQLAlchemyJobStore) -> Table:
    """The store's table."""
    table: Table = store.jobs_t
    return table


def stored_jobs(run_dates: Sequence[datetime]) -> Iterator[dict[str, Any]]:
    """Rows of the job store, as adding the jobs one by one would have written them, in a transaction each."""
    # Options that a scheduler fills in when it starts, here with its defaults.
    filled_in = {"coalesce": True, "max_instances": 1, "executor": "default"}
    example = BlockingScheduler(timezone=UTC).add_job(
        breach, args=("",), misfire_grace_time=None, **filled_in
    )
    for run_date in run_dates:
        id_, example.next_run_time = uuid4().hex, run_date
        state = {**example.__getstate__(), "id": id_, "args": (id_,), "trigger": DateTrigger(run_date)}
        yield {
            "id": id_,
            "next_run_time": run_date.timestamp(),
            "job_state": pickle.dumps(state, pickle.HIGHEST_PROTOCOL),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", required=True)
    database_url = parser.parse_args().database_url
    connect(database_url, THREADS)
    scheduler = BlockingScheduler(
        jobstores={"default": create_store(database_url)},
        executors={"default": ThreadPoolExecutor(THREADS)},
        timezone=UTC,
    )
    scheduler.add_listener(lambda _: print("ready", flush=True), EVENT_SCHEDULER_STARTED)
    scheduler.start()


if __name__ == "__main__":
    main()
