"""Hold the task that APScheduler runs: it finds tasks by their place, so this one cannot stand in the program that is started."""

from __future__ import annotations

from psycopg_pool import ConnectionPool

_pool: ConnectionPool | None = None


def connect(database_url: str, connections: int) -> None:
    """Open what the threads share. Connections commit by themselves: one round trip a task."""
    global _pool
    _pool = ConnectionPool(
        database_url, min_size=connections, max_size=connections, kwargs={"autocommit": True}, open=True
    )
    _pool.wait()


def breach(clock_id: str) -> None:
    """Write down that it ran."""
    assert _pool is not None
    with _pool.connection() as connection:
        connection.execute("INSERT INTO breach (clock_id) VALUES (%s)", (clock_id,))
