"""Read any table file: bytes in, a header and rows out, or one sentence that says why not and what to do.

This runs the parsers in the calling process. Services read uploads with `child.rows_of`, which runs this in a process
of its own that may run out of memory or time without hurting anybody.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from leadpact_ingest.files.csv_file import open_csv
from leadpact_ingest.files.kind import Kind, kind_of
from leadpact_ingest.files.limits import MAX_FILE_BYTES, FileRefused, Refusal
from leadpact_ingest.files.table import FileRow, TableFacts, find_table
from leadpact_ingest.files.xlsx_file import open_xlsx


class FileTable(NamedTuple):
    """What was found out about a file, and its rows, to be read once."""

    facts: TableFacts
    rows: Iterator[FileRow]


def read_rows(source: Path | bytes, filename: str, encoding: str | None = None) -> FileTable:
    """The table in a file. `filename` only serves to remark on a wrong ending; the content says what the file is.

    `encoding` is the sender's word for a text file's encoding, to be used instead of recognising it.
    Raises `FileRefused`, here or, for too many rows, while iterating.
    """
    stream = io.BytesIO(source if isinstance(source, bytes) else _content(source))
    kind = kind_of(stream.getvalue())
    notes = _name_note(filename, kind)
    if kind == "xlsx":
        return _xlsx_table(stream, notes)
    return _csv_table(stream, encoding, notes)


def _content(path: Path) -> bytes:
    """All of the file: it is small beside what parsing it takes, and seeking in it is free."""
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise FileRefused(
            Refusal.TOO_LARGE,
            f"The file has {size:,} bytes; at most {MAX_FILE_BYTES:,} are read.",
            "Split it and upload the parts.",
        )
    return path.read_bytes()


def _name_note(filename: str, kind: Kind) -> tuple[str, ...]:
    named_workbook = filename.lower().endswith((".xlsx", ".xlsm"))
    if named_workbook and kind == "csv":
        return ("The file is named like a workbook but is delimited text; it was read as that.",)
    if not named_workbook and kind == "xlsx":
        return ("The file is a workbook, whatever its name says; it was read as that.",)
    return ()


def _csv_table(stream: BinaryIO, declared_encoding: str | None, notes: tuple[str, ...]) -> FileTable:
    text = open_csv(stream, declared_encoding)
    found = find_table(iter(text.records))
    text.records.width = len(found.columns)
    facts = TableFacts(
        kind="csv",
        columns=found.columns,
        header_row=found.header_row,
        samples=found.samples,
        encoding=text.encoding.name,
        encoding_guessed=text.encoding.guessed,
        delimiter=text.delimiter,
        notes=notes + ((text.encoding.note,) if text.encoding.note else ()),
    )
    return FileTable(facts, found.rows)


def _xlsx_table(stream: BinaryIO, notes: tuple[str, ...]) -> FileTable:
    workbook = open_xlsx(stream)
    found = find_table(workbook.records)
    if workbook.other_sheets:
        others = ", ".join(f'"{name}"' for name in workbook.other_sheets[:5])
        notes += (f'Only the first visible sheet, "{workbook.sheet}", was read; {others} stayed unread.',)
    facts = TableFacts(
        kind="xlsx",
        columns=found.columns,
        header_row=found.header_row,
        samples=found.samples,
        sheet=workbook.sheet,
        other_sheets=workbook.other_sheets,
        notes=notes,
    )
    return FileTable(facts, found.rows)
