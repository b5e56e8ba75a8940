"""The embedded server keeps every commit, belongs to one process, and lets nobody else in."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from leadpact.errors import Conflict, Refused
from leadpact.storage.embedded import EmbeddedPostgres, ServerStartError

START_AND_WAIT = """
import sys
from pathlib import Path
from leadpact.storage.embedded import EmbeddedPostgres
server = EmbeddedPostgres.start(Path(sys.argv[1]))
print(server.pid, flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """One folder for many tests: each must leave it startable, and each finds what the others left."""
    with tempfile.TemporaryDirectory(prefix="leadpact-test-") as folder:
        yield Path(folder)


@pytest.fixture
def fresh_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="leadpact-test-") as folder:
        yield Path(folder)


@pytest.fixture
def other_process(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that has started the server of ``data_dir``."""
    command = [sys.executable, "-c", START_AND_WAIT, str(data_dir)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


async def run(server: EmbeddedPostgres, *statements: str) -> list[tuple[Any, ...]]:
    """Commit each statement by itself; the rows of the last one."""
    engine = create_async_engine(server.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    rows: list[tuple[Any, ...]] = []
    try:
        async with engine.connect() as connection:
            for statement in statements:
                result = await connection.execute(text(statement))
                rows = [tuple(row) for row in result] if result.returns_rows else []
    finally:
        await engine.dispose()
    return rows


def read_pid(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return next(int(line) for line in process.stdout if line.strip().isdigit())  # log lines come before it


def socket_dir_of(server: EmbeddedPostgres) -> Path:
    return Path(str(make_url(server.url).query["host"]))


def is_there(path: Path) -> bool:
    return path.exists()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_rows_are_still_there_when_the_folder_is_used_again(data_dir: Path) -> None:
    with EmbeddedPostgres.start(data_dir) as server:
        await run(server, "CREATE TABLE kept (id int)", "INSERT INTO kept VALUES (7)")
    with EmbeddedPostgres.start(data_dir) as server:
        assert await run(server, "SELECT id FROM kept") == [(7,)]


async def test_a_killed_server_recovers_what_was_committed_and_nothing_else(data_dir: Path) -> None:
    with EmbeddedPostgres.start(data_dir) as server:
        await run(server, "CREATE TABLE lead (id int)")
        engine = create_async_engine(server.url)
        async with engine.connect() as open_transaction:
            await open_transaction.execute(text("INSERT INTO lead VALUES (2)"))
            await run(server, "INSERT INTO lead VALUES (1)")
            os.kill(server.pid, signal.SIGKILL)
            with pytest.raises(DBAPIError):
                await open_transaction.execute(text("SELECT pg_sleep(60)"))
        await engine.dispose()
    with EmbeddedPostgres.start(data_dir) as server:
        assert await run(server, "SELECT id FROM lead") == [(1,)]


async def test_a_server_whose_owner_was_killed_is_stopped_and_replaced(
    data_dir: Path, other_process: subprocess.Popen[str]
) -> None:
    leftover = read_pid(other_process)
    other_process.kill()
    other_process.wait()
    os.kill(leftover, 0)  # PostgreSQL outlives its parent: this raises if the test has nothing to show

    with EmbeddedPostgres.start(data_dir) as server:
        assert server.pid != leftover
        assert await run(server, "SELECT 1") == [(1,)]


async def test_backends_of_a_killed_postmaster_do_not_hold_up_the_next_start(
    data_dir: Path, other_process: subprocess.Popen[str]
) -> None:
    leftover = read_pid(other_process)
    other_process.kill()
    other_process.wait()
    os.kill(leftover, signal.SIGKILL)

    with EmbeddedPostgres.start(data_dir) as server:
        assert await run(server, "SELECT 1") == [(1,)]


def test_a_second_process_is_refused_and_told_who_has_the_folder(
    data_dir: Path, other_process: subprocess.Popen[str]
) -> None:
    first = read_pid(other_process)
    with pytest.raises(Conflict, match=f"in use by process {other_process.pid}:"):
        EmbeddedPostgres.start(data_dir)
    os.kill(first, 0)  # raises if the refusal harmed the server that was there


def test_a_data_folder_that_is_a_file_or_below_one_is_refused_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(Refused, match="File exists"):
        EmbeddedPostgres.start(file)
    with pytest.raises(Refused, match="Not a directory"):
        EmbeddedPostgres.start(file / "data")


def test_a_second_start_in_the_same_process_is_refused_until_the_first_is_stopped(data_dir: Path) -> None:
    with EmbeddedPostgres.start(data_dir), pytest.raises(Conflict, match=f"in use by process {os.getpid()}:"):
        EmbeddedPostgres.start(data_dir)
    EmbeddedPostgres.start(data_dir).stop()


def test_a_pid_file_that_names_a_living_stranger_neither_blocks_the_start_nor_harms_them(
    data_dir: Path,
) -> None:
    cluster = data_dir / "postgres"
    pid_files = [cluster / "postmaster.pid", cluster / ".s.PGSQL.5432.lock"]
    server = EmbeddedPostgres.start(data_dir)
    left_behind = [file.read_text() for file in pid_files]
    server.stop()
    owner = cluster.stat().st_uid
    # The same account as the server's: only then does PostgreSQL itself believe the files and give up.
    with subprocess.Popen(["sleep", "60"], user=owner if os.geteuid() == 0 else None) as stranger:
        for file, content in zip(pid_files, left_behind, strict=True):
            file.write_text(content.replace(str(server.pid), str(stranger.pid), 1))
            os.chown(file, owner, -1)
        EmbeddedPostgres.start(data_dir).stop()
        assert stranger.poll() is None
        stranger.kill()


def test_stopping_ends_the_server_and_stopping_again_is_harmless(data_dir: Path) -> None:
    server = EmbeddedPostgres.start(data_dir)
    assert server.running
    server.stop()
    assert not server.running
    server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


def test_the_owner_sees_that_its_server_has_died(data_dir: Path) -> None:
    with EmbeddedPostgres.start(data_dir) as server:
        os.kill(server.pid, signal.SIGKILL)
        os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
        assert not server.running
        server.start_again()
        assert server.running
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


def test_an_interrupted_first_start_leaves_nothing_that_matters(fresh_dir: Path) -> None:
    half_made = fresh_dir / "postgres.new"
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("18\n")
    EmbeddedPostgres.start(fresh_dir).stop()
    assert not half_made.exists()


def test_a_cluster_of_another_version_is_refused_untouched(data_dir: Path) -> None:
    EmbeddedPostgres.start(data_dir).stop()
    version = data_dir / "postgres" / "PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(Refused, match="made by PostgreSQL 17"):
        EmbeddedPostgres.start(data_dir)
    version.write_text("18\n")
    EmbeddedPostgres.start(data_dir).stop()


def test_a_server_that_cannot_start_says_why_and_frees_the_folder(data_dir: Path) -> None:
    with pytest.raises(ServerStartError, match='invalid value for parameter "shared_buffers"'):
        EmbeddedPostgres.start(data_dir, settings={"shared_buffers": "plenty"})
    EmbeddedPostgres.start(data_dir).stop()


async def test_a_commit_is_on_disk_before_it_is_answered(data_dir: Path) -> None:
    with EmbeddedPostgres.start(data_dir) as server:
        query = "SELECT name, setting FROM pg_settings WHERE name = ANY(ARRAY['fsync', 'full_page_writes', 'synchronous_commit'])"
        assert dict(await run(server, query)) == {
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
        }


async def test_the_database_is_utf8_in_utc_and_sorts_alike_everywhere(data_dir: Path) -> None:
    with EmbeddedPostgres.start(data_dir) as server:
        query = (
            "SELECT pg_encoding_to_char(encoding), datlocprovider::text, datlocale,"
            " current_setting('timezone') FROM pg_database WHERE datname = 'leadpact'"
        )
        assert await run(server, query) == [("UTF8", "b", "C.UTF-8", "UTC")]
        words = "SELECT w FROM (VALUES ('ä'), ('a'), ('Z'), ('z')) AS v (w) ORDER BY w"
        assert await run(server, words) == [("Z",), ("a",), ("z",), ("ä",)]


async def test_only_this_account_can_reach_the_server(data_dir: Path) -> None:
    with EmbeddedPostgres.start(data_dir) as server:
        assert await run(server, "SHOW listen_addresses") == [("",)]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", 5432), timeout=1)
        assert mode_of(socket_dir_of(server)) == 0o700


async def test_a_data_folder_with_a_long_path_is_served_through_a_private_folder_that_goes_with_it(
    fresh_dir: Path,
) -> None:
    with EmbeddedPostgres.start(fresh_dir / ("long" * 30)) as server:
        assert await run(server, "SELECT 1") == [(1,)]
        socket_dir = socket_dir_of(server)
        assert not socket_dir.is_relative_to(fresh_dir)
        assert mode_of(socket_dir) == 0o700
    assert not is_there(socket_dir)


async def test_the_servers_log_quotes_no_one(data_dir: Path) -> None:
    with EmbeddedPostgres.start(data_dir) as server:
        insert = "INSERT INTO person VALUES ('ana@acme.example')"
        await run(server, "CREATE TABLE person (email text UNIQUE)", insert)
        with pytest.raises(DBAPIError, match="duplicate key"):
            await run(server, insert)
    log = (data_dir / "postgres.log").read_text()
    assert "duplicate key" in log
    assert "ana@acme.example" not in log


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(data_dir: Path) -> None:
    with EmbeddedPostgres.start(data_dir) as server:
        assert os.getsid(server.pid) != os.getsid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that the server's account may not pass")
async def test_started_by_root_below_a_closed_folder_it_runs_as_another_account_that_may_only_pass(
    fresh_dir: Path,
) -> None:
    closed = fresh_dir / "closed"
    closed.mkdir(mode=0o700)
    with EmbeddedPostgres.start(closed / "data") as server:
        assert await run(server, "SELECT 1") == [(1,)]
        assert psutil.Process(server.pid).uids().effective != 0
    assert mode_of(closed) == 0o701
