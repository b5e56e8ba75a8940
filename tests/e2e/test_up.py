"""`leadpact up` as people run it: a process of its own, on the embedded database."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from leadpact.cli import exit_codes
from tests.support.routing import PACT

LEADPACT = (sys.executable, "-m", "leadpact.cli.main")
END_SECONDS = 30
KIM = {"email": "kim@acme.example"}


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's tmp_path: it is closed to others, and a server started by root runs as another account.
    with tempfile.TemporaryDirectory(prefix="leadpact-up-") as name:
        yield Path(name)


class Running:
    """A `leadpact up` that answers."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""
        assert process.stderr is not None
        while "Leadpact is up" not in self.said:
            line = process.stderr.readline()
            assert line, f"it ended before it was up: {self.said}"
            self.said += line
        self.url = self._find(r"up at (\S+)")

    @property
    def token(self) -> str:
        return self._find(r"token .*: (lp_\S+)")

    def end(self, by: signal.Signals) -> int:
        self.process.send_signal(by)
        return self.process.wait(END_SECONDS)

    def _find(self, pattern: str) -> str:
        found = re.search(pattern, self.said)
        assert found is not None, self.said
        return found.group(1)


@contextmanager
def up(folder: Path, *, port: int = 0) -> Iterator[Running]:
    """Run it in ``folder`` until the block ends."""
    command = [*LEADPACT, "up", "--data", str(folder), "--port", str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        try:
            yield Running(process)
        finally:
            # Asked, not killed: PostgreSQL would outlive it.
            process.terminate()
            process.wait(END_SECONDS)


def environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("LEADPACT_")} | more


def run(*words: object, **more: str) -> subprocess.CompletedProcess[str]:
    command = [*LEADPACT, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(**more), timeout=60)


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_and_ends_cleanly_when_asked(folder: Path, by: signal.Signals) -> None:
    with up(folder) as running:
        assert httpx.get(f"{running.url}/readyz", params={"verbose": 1}).json()["status"] == "ready"
        assert run("healthcheck", "--ready", "--url", running.url).returncode == exit_codes.OK
        assert running.end(by) == exit_codes.OK
    assert not (folder / "postgres" / "postmaster.pid").exists()


def test_when_its_postgresql_dies_another_takes_its_place(folder: Path) -> None:
    with up(folder) as running:
        asking = {"Authorization": f"Bearer {running.token}"}
        assert httpx.post(f"{running.url}/v1/pact", content=PACT, headers=asking).is_success
        killed = _postmaster(folder)
        os.kill(killed, signal.SIGKILL)
        posted = {httpx.post(f"{running.url}/v1/forms/website-demo", json=KIM).status_code}
        for _ in range(200):
            if httpx.get(f"{running.url}/readyz").status_code == 200 and _postmaster(folder) != killed:
                break
            posted.add(httpx.post(f"{running.url}/v1/forms/website-demo", json=KIM).status_code)
            time.sleep(0.1)
        assert posted <= {202, 503}
        assert httpx.post(f"{running.url}/v1/forms/website-demo", json=KIM).status_code == 202
        assert running.end(signal.SIGTERM) == exit_codes.OK
    assert not (folder / "postgres" / "postmaster.pid").exists()


def _postmaster(folder: Path) -> int:
    pid_file = folder / "postgres" / "postmaster.pid"
    return int(pid_file.read_text().split()[0]) if pid_file.exists() else 0


def test_the_first_token_is_shown_at_the_first_start_only(folder: Path) -> None:
    with up(folder) as first:
        token = first.token
        first.end(signal.SIGTERM)
    with up(folder) as second:
        assert "lp_" not in second.said
        answer = httpx.get(f"{second.url}/v1/tokens", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200
        second.end(signal.SIGTERM)


def test_while_it_runs_other_commands_are_told_the_way_in_and_it_works(folder: Path) -> None:
    with up(folder) as running:
        refused = run("tokens", "list", "--data", folder)
        assert refused.returncode == exit_codes.CONFLICT
        assert f"in use by process {running.process.pid}" in refused.stderr
        assert "--url" in refused.stderr
        listed = run("tokens", "list", "--url", running.url, LEADPACT_TOKEN=running.token)
        assert "first admin" in listed.stdout
        unknown = run("tokens", "list", "--url", running.url, LEADPACT_TOKEN="lp_unknown")
        assert unknown.returncode == exit_codes.ERROR
        assert "scope admin" in unknown.stderr


def test_an_address_that_is_taken_is_said_before_anything_is_started(folder: Path) -> None:
    with up(folder) as running:
        port = httpx.URL(running.url).port
        second = run("up", "--data", folder / "another", "--port", port)
    assert second.returncode == exit_codes.ERROR
    assert f"Cannot listen on 127.0.0.1 port {port}: Address already in use" in second.stderr
    assert not (folder / "another").exists()


def test_a_service_alone_says_that_it_needs_a_database_of_its_own() -> None:
    refused = run("router")
    assert refused.returncode == exit_codes.ERROR
    assert "LEADPACT_DATABASE_URL" in refused.stderr
