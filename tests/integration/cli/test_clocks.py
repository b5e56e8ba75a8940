"""On the command line people see what is due next and why, and move clocks to another version of the pact."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leadpact.bus.carriers.postgres import PostgresCarrier
from leadpact.cli import exit_codes
from leadpact.events import Event, LeadAssigned, Topic
from leadpact.ids import new_id
from leadpact.pact.book import PactBook
from leadpact.storage.engine import create_engine
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_sla_timer.handlers import CONSUMER, timer_consumer
from tests.integration.cli.test_commands import Shell, shell, written
from tests.support.assignments import PACT, assigned, contacted
from tests.support.fake_clock import FakeClock

__all__ = ["shell"]

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ROUND = PACT.replace("calendar: pool", "calendar: round")
LONGER = ROUND.replace("2 business hours", "4 business hours")
Hear = Callable[..., None]


@pytest.fixture
def now() -> datetime:
    """The commands live in real time, and so do their clocks; on the minute, at which times are told without seconds."""
    return datetime.now(UTC).replace(second=0, microsecond=0)


@pytest.fixture
def hear(database_url: str, now: datetime, shell: Shell, tmp_path: Path) -> Hear:
    """The sla-timer hears of events, with a pact in force whose hours are all there are."""
    shell.run("pact", "apply", written(tmp_path, "pact.yaml", ROUND))
    return lambda *events: asyncio.run(_hear(database_url, now, events))


async def _hear(database_url: str, now: datetime, events: tuple[Event, ...]) -> None:
    engine, wake = create_engine(database_url, application="test"), Wake()
    uow = UnitOfWork(engine, source="test", wake=wake)
    reader = PostgresCarrier(uow, wake).reader(CONSUMER, [Topic.LEADS])
    await reader.start()
    async with uow.transaction() as tx:
        for event in events:
            tx.emit(event)
    consumer = timer_consumer(PactBook(), FakeClock(now))
    while await consumer.run_once(reader):
        pass
    await engine.dispose()


def given(at: datetime, rep: str = "ana") -> LeadAssigned:
    return assigned(at, rep_id=rep, rep_name=rep.title(), rep_timezone="Asia/Tokyo")


def test_what_is_due_next_comes_first_with_what_is_left_and_whole_ids(
    shell: Shell, hear: Hear, now: datetime
) -> None:
    ana, ben, cem = given(now), given(now - HOUR, "ben"), given(now - 3 * HOUR, "cem")
    hear(ana, ben, cem)

    head, *rows = shell.run("clocks", "due").splitlines()
    assert head.split() == ["due", "left", "promise", "whose", "lead", "clock"]
    assert [re.findall(r"ana|ben|cem", row) for row in rows] == [["cem"], ["ben"], ["ana"]]
    clocks = shell.json("clocks", "due")
    for row, lead, clock in zip(rows, (cem, ben, ana), clocks, strict=True):
        assert row.rstrip().endswith(f"{lead.lead_id}  {clock['id']}")
    assert f"{now + HOUR:%a %d %b %Y %H:%M} UTC" in rows[1]
    assert "min" in rows[1]
    assert "of 2 business hours" in rows[1]
    assert "the time is up" in rows[0]


def test_clocks_are_chosen_by_rep_side_promise_state_and_number(
    shell: Shell, hear: Hear, now: datetime
) -> None:
    called = given(now, "cem")
    hear(given(now), given(now - MINUTE, "ben"), called)
    hear(contacted(called, now))

    def reps(*words: object) -> list[str]:
        return [clock["rep_id"] for clock in shell.json("clocks", "due", *words)]

    assert reps() == ["ben", "ana"]
    assert reps("--limit", 1) == ["ben"]
    assert reps("--rep", "ana") == ["ana"]
    assert reps("--state", "met") == ["cem"]
    assert reps("--whose", "owner", "--policy", "first-touch", "--no-bulk") == ["ben", "ana"]
    assert reps("--whose", "team") == reps("--whose", "team", "--policy", "first-touch") == []
    shell.run("clocks", "due", "--policy", "first-tuch", ends_with=exit_codes.ERROR)
    assert "did you mean first-touch?" in shell.complaint
    assert "met" not in shell.run("clocks", "due", "--state", "met").splitlines()[0]


def test_more_than_a_page_is_shown_if_so_many_are_asked_for(shell: Shell, hear: Hear, now: datetime) -> None:
    hear(*[given(now) for _ in range(205)])
    assert len(shell.json("clocks", "due", "--limit", 203)) == 203
    assert len({clock["id"] for clock in shell.json("clocks", "due", "--limit", 999)}) == 205


def test_one_clock_is_shown_in_full_and_in_sentences(shell: Shell, hear: Hear, now: datetime) -> None:
    hear(given(now))
    (clock,) = shell.json("clocks", "due")

    said = shell.run("clocks", "show", clock["id"])
    tokyo = (now + 2 * HOUR + 9 * HOUR).strftime("%a %d %b %Y %H:%M")
    assert f"due at: {now + 2 * HOUR:%a %d %b %Y %H:%M} UTC, {tokyo} Asia/Tokyo\n" in said
    assert "state: running\n" in said
    assert "target seconds: 7200 (2 h)\n" in said
    assert "pauses: -\nmoves: -\nexplanation:\nThe owner's clock." in said
    why = shell.run("clocks", "why", clock["id"])
    assert why.startswith("The owner's clock. Started when Ana, the first owner, was given the lead: ")
    assert shell.json("clocks", "why", clock["id"])["explanation"].startswith("The owner's clock.")
    assert shell.json("clocks", "show", clock["id"])["second_timezone"] == "Asia/Tokyo"


def test_clocks_are_moved_only_with_yes(shell: Shell, hear: Hear, now: datetime, tmp_path: Path) -> None:
    hear(given(now - 3 * HOUR, "cem"), *[given(now) for _ in range(2)])
    shell.run("pact", "apply", written(tmp_path, "longer.yaml", LONGER))
    before = shell.json("clocks", "due")

    said = shell.run("clocks", "recompute", "--pact", 2)
    assert len(re.findall(" 2 h later ", said)) == 3
    assert "3 clocks would be moved to version 2: 3 later, 0 earlier, 0 due as before" in said
    assert said.endswith("Nothing was changed; run again with --yes.\n")
    assert [clock["due_at"] for clock in shell.json("clocks", "due")] == [one["due_at"] for one in before]

    said = shell.run("clocks", "recompute", "--pact", 2, "--yes")
    assert "3 clocks were moved to version 2: 3 later" in said
    assert "Nothing was changed" not in said
    ids = [clock["id"] for clock in shell.json("clocks", "due")]
    assert {shell.json("clocks", "show", one)["pact_version"] for one in ids} == {2}
    (move,) = shell.json("clocks", "show", ids[0])["moves"]
    assert (move["pact_version_before"], move["target"]) == (1, "4 business hours")
    assert "from pact version 1 (2 business hours, due " in shell.run("clocks", "why", ids[0])
    said = shell.run("clocks", "recompute", "--pact", 2, "--yes")
    assert said == "No open clock runs under another version than 2. Nothing was changed.\n"


def test_a_version_that_breaks_or_drops_promises_is_told_before_it_does(
    shell: Shell, hear: Hear, now: datetime, tmp_path: Path
) -> None:
    hear(given(now - 90 * MINUTE))
    shorter = ROUND.replace("2 business hours", "1 business hour")
    shell.run("pact", "apply", written(tmp_path, "shorter.yaml", shorter))
    shell.run("pact", "apply", written(tmp_path, "gone.yaml", ROUND.replace("first-touch", "another")))

    moves = shell.json("clocks", "recompute", "--pact", 2)
    assert (moves["moves"], moves["earlier"], moves["breached_at_once"]) == (1, 1, 1)
    assert "1 of them overdue at once, and breached." in shell.run("clocks", "recompute", "--pact", 2)
    gone = shell.run("clocks", "recompute", "--pact", 3, "--yes")
    assert "not promised, stays" in gone
    assert "0 clocks were moved to version 3" in gone
    assert "1 not promised in version 3: unchanged." in gone


def test_of_many_moves_some_are_printed_and_all_are_in_the_json(
    shell: Shell, hear: Hear, now: datetime, tmp_path: Path
) -> None:
    hear(*[given(now) for _ in range(510)])
    shell.run("pact", "apply", written(tmp_path, "longer.yaml", LONGER))
    said = shell.run("clocks", "recompute", "--pact", 2)
    assert len(re.findall(" 2 h later ", said)) == 40
    assert "… and 470 more; `--json` prints all.\n510 clocks would be moved" in said
    done = shell.json("clocks", "recompute", "--pact", 2, "--yes")
    assert (done["moved"], len({move["clock_id"] for move in done["items"]})) == (True, 510)


def test_what_moves_is_printed_and_what_stays_is_counted(
    shell: Shell, hear: Hear, now: datetime, tmp_path: Path
) -> None:
    """One clock of many runs over the new day off; it is due the latest, so it would be the last of the list."""
    later = now + timedelta(days=30)
    hear(*[given(now) for _ in range(45)], given(later))
    day_off = ROUND.replace("round: {", f"round: {{closed: [{later.date()}], ")
    shell.run("pact", "apply", written(tmp_path, "day-off.yaml", day_off))
    head, moved, summary, *_ = shell.run("clocks", "recompute", "--pact", 2).splitlines()
    assert head.split()[0] == "clock"
    assert " later " in moved
    assert "46 clocks would be moved to version 2: 1 later, 0 earlier, 45 due as before" in summary


def test_a_clock_or_a_version_that_there_is_not_is_named(shell: Shell, hear: Hear) -> None:
    stranger = new_id()
    for command in ("show", "why"):
        shell.run("clocks", command, stranger, ends_with=exit_codes.NOT_FOUND)
        assert f"There is no clock {stranger}" in shell.complaint
    for words in ((), ("--yes",)):
        shell.run("clocks", "recompute", "--pact", 9, *words, ends_with=exit_codes.NOT_FOUND)
        assert "There is no pact version 9" in shell.complaint
    shell.run("clocks", "show", "seven", ends_with=2)


def test_clocks_of_another_leadpact_need_a_token_and_an_answer(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEADPACT_TOKEN", raising=False)
    shell.run("clocks", "due", "--url", "http://127.0.0.1:9", ends_with=exit_codes.ERROR)
    assert "LEADPACT_TOKEN" in shell.complaint
    monkeypatch.setenv("LEADPACT_TOKEN", "any")
    shell.run("clocks", "recompute", "--pact", 1, "--url", "http://127.0.0.1:9", ends_with=exit_codes.ERROR)
    assert "http://127.0.0.1:9 does not answer" in shell.complaint
