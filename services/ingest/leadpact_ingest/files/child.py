"""Read an upload in a process of its own: hostile input may exhaust that process, never the service.

The child gets no environment beyond what Python needs, so no secrets; it may not write files, has a bounded address
space and a bounded share of the processor, and speaks JSON lines over a pipe: first what the file is, then its rows,
last the word that it came to the end. If that word is missing, the child died, and the file is refused as a whole.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from leadpact_ingest.files.limits import (
    CHILD_CPU_SECONDS,
    CHILD_MEMORY_BYTES,
    CHILD_SILENCE_SECONDS,
    MAX_ROW_CHARACTERS,
    FileRefused,
    Refusal,
)
from leadpact_ingest.files.read import read_rows
from leadpact_ingest.files.table import BadRow, FileRow, Row, SkippedRow, TableFacts
from leadpact_ingest.problem import FieldProblem

_LINE_BYTES = 16 * MAX_ROW_CHARACTERS  # a row, or the samples, in JSON: at most six bytes a character
_PASSED_ON = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "SYSTEMROOT")


class RemoteTable(NamedTuple):
    """What was found out about a file, and its rows, to be read once."""

    facts: TableFacts
    rows: AsyncIterator[FileRow]


@asynccontextmanager
async def rows_of(path: Path, filename: str, encoding: str | None = None) -> AsyncIterator[RemoteTable]:
    """Open the table in a file; the reading process lives as long as the `async with` block.

    Raises `FileRefused` on entry, or while iterating when the file turns out unreadable further down: keep nothing of
    it then.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "leadpact_ingest.files.child",
        str(path),
        filename,
        encoding or "",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        env={name: value for name in _PASSED_ON if (value := os.environ.get(name))},
        limit=_LINE_BYTES,
    )
    try:
        facts = await _next_message(child)
        yield RemoteTable(_facts(facts["table"]), _remote_rows(child))
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()  # wait() alone may hang while unread rows are in the pipe


async def _remote_rows(child: asyncio.subprocess.Process) -> AsyncIterator[FileRow]:
    while "end" not in (message := await _next_message(child)):
        yield _row(message)


async def _next_message(child: asyncio.subprocess.Process) -> dict[str, Any]:
    """The child's next message; `FileRefused` if it refuses the file, falls silent or is gone."""
    assert child.stdout is not None  # it was asked for as a pipe above
    try:
        async with asyncio.timeout(CHILD_SILENCE_SECONDS):
            line = await child.stdout.readline()
    except TimeoutError:
        raise _too_much() from None
    if not line.endswith(b"\n"):
        raise await _reason_for_silence(child)
    message: dict[str, Any] = json.loads(line)
    if "refused" in message:
        raise FileRefused(Refusal(message["refused"]), message["what"], message["fix"])
    return message


async def _reason_for_silence(child: asyncio.subprocess.Process) -> Exception:
    """Killed by a limit is the file's fault; ending on its own without the last word is ours, and stays a bug."""
    code = await child.wait()
    return _too_much() if code < 0 else RuntimeError(f"the process that reads uploads ended with code {code}")


def _too_much() -> FileRefused:
    limits = f"{CHILD_MEMORY_BYTES // 2**30} GiB of memory and {CHILD_CPU_SECONDS} s of computing time"
    return FileRefused(
        Refusal.TOO_LARGE,
        f"The file could not be read within {limits}.",
        "Save it as CSV, or split it and upload the parts.",
    )


def _facts(message: dict[str, Any]) -> TableFacts:
    samples = tuple(tuple(cells) for cells in message.pop("samples"))
    lists = {name: tuple(value) for name, value in message.items() if isinstance(value, list)}
    return TableFacts(samples=samples, **{**message, **lists})


def _row(message: dict[str, Any]) -> FileRow:
    number, cells = message["row"], tuple(message["cells"])
    if "problem" in message:
        return BadRow(number, cells, FieldProblem(*message["problem"]))
    if "skipped" in message:
        return SkippedRow(number, cells, message["skipped"])
    return Row(number, cells)


def _messages(path: Path, filename: str, encoding: str | None) -> Iterator[dict[str, Any]]:
    """The child's side of the conversation."""
    try:
        table = read_rows(path, filename, encoding)
        yield {"table": asdict(table.facts)}
        for row in table.rows:
            message: dict[str, Any] = {"row": row.number, "cells": row.cells}
            if isinstance(row, BadRow):
                message["problem"] = row.problem
            elif isinstance(row, SkippedRow):
                message["skipped"] = row.reason
            yield message
        yield {"end": True}
    except FileRefused as refused:
        yield {"refused": refused.refusal, "what": refused.what, "fix": refused.fix}
    except MemoryError:
        too_much = _too_much()
        yield {"refused": too_much.refusal, "what": too_much.what, "fix": too_much.fix}


def _bind_to_limits() -> None:
    import resource  # not on Windows, where only this process would miss it

    resource.setrlimit(resource.RLIMIT_AS, (CHILD_MEMORY_BYTES, CHILD_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CHILD_CPU_SECONDS, CHILD_CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Read the file named on the command line under limits and write its messages to standard output."""
    _bind_to_limits()
    path, filename, encoding = sys.argv[1:4]
    for message in _messages(Path(path), filename, encoding or None):
        line = json.dumps(message, ensure_ascii=False)
        sys.stdout.buffer.write(line.encode() + b"\n")


if __name__ == "__main__":
    main()
