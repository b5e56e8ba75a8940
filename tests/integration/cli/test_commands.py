"""The commands on a real database: what they print, what they refuse, and how they end."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from leadpact.bus.carrier import Delivery
from leadpact.bus.dead_letters import SetAside, set_aside
from leadpact.cli import exit_codes
from leadpact.cli.main import main
from leadpact.events.base import Message
from leadpact.ids import EventId, new_id
from leadpact.storage.engine import create_engine
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.pacts import SMALL_PACT

REPS = "id,name,email,timezone\nana,Ana Berger,ana@acme.example,Europe/Berlin\n"
ACCOUNTS = "name,domain,owner\nNordlicht GmbH,nordlicht.example,ana\n"


class Shell:
    """Types commands."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.complaint = ""

    def run(self, *words: object, ends_with: int = exit_codes.OK) -> str:
        """What the command printed, if it ended with the exit code ``ends_with``."""
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        said = self._capsys.readouterr()
        self.complaint = said.err
        assert end.value.code == ends_with, said
        return said.out

    def json(self, *words: object) -> Any:
        return json.loads(self.run(*words, "--json"))


@pytest.fixture
def shell(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.setenv("LEADPACT_DATABASE_URL", database_url)
    return Shell(capsys)


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_a_pact_is_put_in_force_once_and_stays_in_the_history(shell: Shell, tmp_path: Path) -> None:
    file = written(tmp_path, "pact.yaml", SMALL_PACT)
    applied = shell.run("pact", "apply", file)
    assert "Version 1 of small is in force" in applied
    assert "Not on the roster, so they are given no lead: ana, ben, cem." in applied
    assert "in force already, as version 1" in shell.run("pact", "apply", file)
    later = written(tmp_path, "later.yaml", SMALL_PACT.replace("points: 25", "points: 30"))
    assert shell.json("pact", "apply", later)["version"] == 2
    assert [version["version"] for version in shell.json("pact", "history")] == [2, 1]
    assert shell.run("pact", "show", "1") == SMALL_PACT
    assert shell.json("pact", "show")["version"] == 2


def test_a_pact_with_mistakes_is_not_applied(shell: Shell, tmp_path: Path) -> None:
    file = written(tmp_path, "pact.yaml", SMALL_PACT.replace("fallback: triage", "fallback: triag"))
    said = shell.run("pact", "apply", file, ends_with=exit_codes.CHECK_FAILED)
    assert 'did you mean "triage"?' in said
    shell.run("pact", "show", ends_with=exit_codes.NOT_FOUND)
    assert "No pact has been applied yet" in shell.complaint


def test_reps_and_accounts_are_brought_in_and_listed(shell: Shell, tmp_path: Path) -> None:
    assert "1 reps" in shell.run("reps", "import", written(tmp_path, "reps.csv", REPS))
    said = shell.run("accounts", "import", written(tmp_path, "accounts.csv", ACCOUNTS))
    assert said == "1 accounts were added or updated.\n"
    (ana,) = shell.json("reps", "list")
    assert (ana["name"], ana["timezone"], ana["active"]) == ("Ana Berger", "Europe/Berlin", True)
    assert "Ana Berger" in shell.run("reps", "list")
    (account,) = shell.json("accounts", "list")
    assert (account["domain"], account["owner"]) == ("nordlicht.example", "ana")


def test_owners_whom_nobody_has_imported_are_named(shell: Shell, tmp_path: Path) -> None:
    file = written(tmp_path, "accounts.csv", ACCOUNTS)
    assert "Owners not on the roster, so they are given no lead: ana." in shell.run(
        "accounts", "import", file
    )
    assert shell.json("accounts", "import", file) == {"imported": 1, "not_on_the_roster": ["ana"]}


def test_a_rep_returns(shell: Shell, tmp_path: Path) -> None:
    shell.run("reps", "import", written(tmp_path, "reps.csv", REPS))
    assert shell.run("reps", "return", "ana").strip() == "Ana Berger is given leads."
    assert shell.json("reps", "return", "ana")["offline_since"] is None
    shell.run("reps", "return", "an?a", ends_with=exit_codes.NOT_FOUND)


def test_a_list_with_mistakes_changes_nothing_and_names_each_line(shell: Shell, tmp_path: Path) -> None:
    file = written(tmp_path, "reps.csv", REPS + "ben,Ben,ben at acme,Europe/Berln\n")
    shell.run("reps", "import", file, ends_with=exit_codes.ERROR)
    assert "line 3, email: 'ben at acme' is no e-mail address" in shell.complaint
    assert "line 3, timezone: 'Europe/Berln' is no time zone" in shell.complaint
    assert shell.json("reps", "list") == []


def test_a_file_that_is_not_there_is_named(shell: Shell, tmp_path: Path) -> None:
    shell.run("accounts", "import", tmp_path / "none.csv", ends_with=exit_codes.NOT_FOUND)
    assert "none.csv: No such file" in shell.complaint


def test_a_list_longer_than_a_page_is_shown_whole(shell: Shell, tmp_path: Path) -> None:
    rows = "".join(f"Company {n},company-{n:03}.example\n" for n in range(250))
    shell.run("accounts", "import", written(tmp_path, "accounts.csv", "name,domain\n" + rows))
    assert len({account["domain"] for account in shell.json("accounts", "list")}) == 250


def test_a_token_is_made_shown_without_its_secret_and_revoked(shell: Shell) -> None:
    token = shell.run(
        "tokens", "create", "CRM", "--scope", "read", "--scope", "work", "--expires-in", "30"
    ).strip()
    (listed,) = shell.json("tokens", "list")
    assert listed["id"] == token.split("_")[1]
    assert (listed["name"], listed["scopes"]) == ("CRM", ["read", "work"])
    assert listed["expires_at"] > listed["created_at"]
    assert token not in shell.run("tokens", "list")
    shell.run("tokens", "revoke", listed["id"])
    assert shell.json("tokens", "list")[0]["revoked_at"] is not None
    shell.run("tokens", "revoke", "unknown", ends_with=exit_codes.NOT_FOUND)


@pytest.fixture
def dead_letter(database_url: str, shell: Shell) -> str:
    """A letter that waits, by its id."""
    asyncio.run(_set_aside(database_url))
    (letter,) = shell.json("dead-letters", "list")
    return str(letter["id"])


async def _set_aside(database_url: str) -> None:
    engine = create_engine(database_url, application="test")
    message = Message(
        id=EventId(new_id()),
        type="leadpact.lead.captured.v1",
        source="/leadpact/ingest",
        topic="leadpact.inbound",
        key="kofi@drumbeat.example",
        occurred_at=TUESDAY_MORNING,
        data='{"email": "kofi@drumbeat.example"}',
    )
    item = SetAside(Delivery("leadpact.inbound", "1:2:3", message), "a bug", "Traceback")
    async with UnitOfWork(engine, source="test", wake=Wake()).transaction() as tx:
        await set_aside(tx, "router", [item], TUESDAY_MORNING)
    await engine.dispose()


def test_a_dead_letter_is_listed_opened_and_replayed_once(shell: Shell, dead_letter: str) -> None:
    listed = shell.run("dead-letters", "list")
    assert "a bug" in listed
    assert "kofi@drumbeat.example" not in listed
    assert shell.json("dead-letters", "list", "--consumer", "webhooks") == []
    assert '{"email": "kofi@drumbeat.example"}' in shell.run("dead-letters", "show", dead_letter)
    said = shell.run("dead-letters", "replay", dead_letter)
    assert said == f"router will apply {dead_letter} again.\n"
    shell.run("dead-letters", "replay", dead_letter, ends_with=exit_codes.CONFLICT)
    assert "has been replayed already" in shell.complaint
    assert shell.json("dead-letters", "list") == []
    assert [letter["settled_as"] for letter in shell.json("dead-letters", "list", "--all")] == ["replayed"]


def test_a_dead_letter_is_discarded(shell: Shell, dead_letter: str) -> None:
    assert shell.json("dead-letters", "discard", dead_letter)["settled_as"] == "discarded"
    assert shell.json("dead-letters", "show", dead_letter)["settled_at"] is not None
    shell.run("dead-letters", "discard", new_id(), ends_with=exit_codes.NOT_FOUND)


def test_an_address_without_a_token_says_where_it_is_looked_for(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEADPACT_TOKEN", raising=False)
    shell.run("tokens", "list", "--url", "http://127.0.0.1:9", ends_with=exit_codes.ERROR)
    assert "LEADPACT_TOKEN" in shell.complaint


def test_a_token_that_no_header_can_carry_is_refused(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADPACT_TOKEN", "lp_é")
    shell.run("reps", "list", "--url", "http://127.0.0.1:9", ends_with=exit_codes.ERROR)
    assert "LEADPACT_TOKEN holds is no token" in shell.complaint


@pytest.fixture
def another_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A web server that is no Leadpact: it answers with pages, and sends elsewhere whoever wants to change something."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<h1>It works!</h1>")

        def do_DELETE(self) -> None:
            self.send_response(301)
            self.send_header("Location", "https://elsewhere.example/")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Not into the tests' output."""

    monkeypatch.setenv("LEADPACT_TOKEN", "lp_token")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


def test_a_server_that_is_no_leadpact_is_no_success(shell: Shell, another_server: str) -> None:
    shell.run("tokens", "revoke", "abc", "--url", another_server, ends_with=exit_codes.ERROR)
    assert "301" in shell.complaint
    shell.run("reps", "list", "--url", another_server, ends_with=exit_codes.ERROR)
    assert "this is no JSON" in shell.complaint


@pytest.mark.parametrize("address", ["http://[", "http://a b", "nowhere"])
def test_a_health_check_of_what_is_no_address_fails_in_one_sentence(shell: Shell, address: str) -> None:
    shell.run("healthcheck", "--url", address, ends_with=exit_codes.ERROR)
    assert shell.complaint.startswith("leadpact: ")


@pytest.mark.parametrize("days", ["nan", "-1"])
def test_a_token_lasts_a_number_of_days(shell: Shell, days: str) -> None:
    shell.run("tokens", "create", "CRM", "--scope", "read", "--expires-in", days, ends_with=2)
    assert shell.json("tokens", "list") == []


def test_an_address_that_does_not_answer_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADPACT_TOKEN", "any")
    shell.run("tokens", "list", "--url", "http://127.0.0.1:9", ends_with=exit_codes.ERROR)
    assert "http://127.0.0.1:9 does not answer" in shell.complaint


@pytest.mark.parametrize("address", ["http://localhost:notaport", "http://[", "http://a b", "nowhere"])
def test_a_command_to_what_is_no_address_fails_in_one_sentence(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("LEADPACT_TOKEN", "any")
    shell.run("tokens", "list", "--url", address, ends_with=exit_codes.ERROR)
    assert shell.complaint.startswith("leadpact: ")


def test_a_database_that_is_away_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEADPACT_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    shell = Shell(capsys)
    shell.run("tokens", "list", ends_with=exit_codes.ERROR)
    assert "127.0.0.1" in shell.complaint
    assert "Traceback" not in shell.complaint
