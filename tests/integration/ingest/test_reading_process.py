"""Uploads are read in a process of their own: what kills it refuses the file and leaves the service alone."""

import asyncio
import os
from pathlib import Path

import psutil
import pytest

from leadpact_ingest.files import child
from leadpact_ingest.files.child import rows_of
from leadpact_ingest.files.limits import FileRefused, Refusal
from leadpact_ingest.files.read import read_rows
from leadpact_ingest.files.table import BadRow, FileRow, SkippedRow
from tests.support.bad_inputs import HEADER, PEOPLE_SHEET, people, with_entry, workbook


def readers() -> list[psutil.Process]:
    return [
        process
        for process in psutil.Process().children()
        if "leadpact_ingest.files.child" in process.cmdline()
    ]


async def read(path: Path, name: str = "leads.csv", encoding: str | None = None) -> list[FileRow]:
    async with rows_of(path, name, encoding) as table:
        return [row async for row in table.rows]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("leads.csv", (people(300) + 'x@a.example,"broken\n\na,b\nTotal,3,,\n').encode("utf-16")),
        ("leads.csv", "E-Mail;Nachname\na@b.example;Müller\n".encode("cp1252")),
        ("leads.xlsx", workbook(("Leads", PEOPLE_SHEET), ("Notes", [["x"]]))),
    ],
)
async def test_the_process_says_exactly_what_reading_here_says(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / "stored-by-hash"
    path.write_bytes(content)
    here = read_rows(content, name)
    async with rows_of(path, name) as table:
        assert table.facts == here.facts
        assert [row async for row in table.rows] == list(here.rows)


async def test_bad_and_skipped_rows_cross_the_pipe(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(HEADER + "a@b.example,Ana\n,,,\n")
    rows = await read(path)
    assert [type(row) for row in rows] == [BadRow, SkippedRow]


async def test_a_declared_encoding_reaches_the_process(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes("Email,氏名\na@b.example,山田\n".encode("shift_jis"))
    rows = await read(path, encoding="shift_jis")
    assert rows[0].cells == ("a@b.example", "山田")


async def test_a_refusal_crosses_the_pipe_with_its_kind(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(with_entry("xl/media/a.xml", b"\0" * 150_000_000))
    with pytest.raises(FileRefused, match="unpacks") as refused:
        await read(path)
    assert refused.value.refusal == Refusal.TOO_LARGE


async def test_leaving_early_ends_the_process(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(people(50_000))
    async with rows_of(path, "leads.csv") as table:
        await anext(table.rows)
        assert len(readers()) == 1
    assert readers() == []


async def test_a_cancelled_reader_leaves_no_process_behind(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(people(50_000))
    opened = asyncio.Event()

    async def hold_open() -> None:
        async with rows_of(path, "leads.csv"):
            opened.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hold_open())
    await opened.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert readers() == []


async def test_a_killed_process_refuses_the_file_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(people(100_000))
    async with rows_of(path, "leads.csv") as table:
        await anext(table.rows)
        readers()[0].kill()
        with pytest.raises(FileRefused, match="could not be read within"):
            _ = [row async for row in table.rows]


async def test_a_process_that_falls_silent_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fifo = tmp_path / "never-written"
    os.mkfifo(fifo)
    monkeypatch.setattr(child, "CHILD_SILENCE_SECONDS", 0.5)
    with pytest.raises(FileRefused, match="could not be read within"):
        await read(fifo)
    assert readers() == []


async def test_memory_and_processor_time_are_bounded_and_the_environment_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADPACT_DATABASE_URL", "postgresql://user:secret@db.example/leads")
    path = tmp_path / "file"
    path.write_text(people(100_000))
    async with rows_of(path, "leads.csv") as table:
        await anext(table.rows)
        reader = readers()[0]
        assert reader.rlimit(psutil.RLIMIT_AS) == (2**30, 2**30)
        assert reader.rlimit(psutil.RLIMIT_CPU) == (60, 60)
        assert reader.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
        assert "secret" not in str(reader.environ())
