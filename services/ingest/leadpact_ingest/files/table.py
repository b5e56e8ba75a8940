"""Find the table in a file's records: where its header is, which records are leads, which only surround them.

Exports come with titles above the header, totals below, the header repeated on every printed page, and further tables
after the first. Those lines are skipped and counted, never reported as errors; a record that is a lead and cannot
be read is reported, never skipped.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import NamedTuple

from leadpact_ingest.files.kind import Kind
from leadpact_ingest.files.limits import (
    HEADER_WITHIN_ROWS,
    MAX_COLUMNS,
    MAX_RECORDS,
    MAX_ROWS,
    SAMPLE_CELL_CHARACTERS,
    SAMPLE_ROWS,
    FileRefused,
    Refusal,
)
from leadpact_ingest.headers import normalise_header, recognise
from leadpact_ingest.normalise.text import said
from leadpact_ingest.problem import FieldProblem

_EMAIL_LIKE = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]{2,}")
_PHONE_LIKE = re.compile(r"[+(\d][\d\s()./\-]{5,}")
_TOTAL = re.compile(
    r"(?:(?:grand |sub)?totals?|summe|gesamt|somme|suma|totale|count|anzahl)(?: \w+){0,2}\s*[:=]?[\d\s.,]*",
    re.IGNORECASE,
)
_CONTACT = frozenset({"email", "work_email", "phone", "mobile_phone"})


class Record(NamedTuple):
    """One record as the file has it; `number` counts as a spreadsheet does, from 1, blank ones included."""

    number: int
    cells: tuple[str, ...]
    problem: FieldProblem | None = None


class Row(NamedTuple):
    """A record of the table, as many cells as there are columns."""

    number: int
    cells: tuple[str, ...]


class BadRow(NamedTuple):
    """A record of the table that cannot be read; `cells` are what could be made out of it."""

    number: int
    cells: tuple[str, ...]
    problem: FieldProblem


class SkippedRow(NamedTuple):
    """A record that is not part of the table, and why it is not."""

    number: int
    cells: tuple[str, ...]
    reason: str


FileRow = Row | BadRow | SkippedRow


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What was found out about a file. `notes` are sentences for whoever uploaded it.

    `samples` are the first rows' cells, cut short, enough to settle what the columns mean (`headers.map_headers`).
    """

    kind: Kind
    columns: tuple[str, ...]
    header_row: int
    samples: tuple[tuple[str, ...], ...]
    encoding: str | None = None
    encoding_guessed: bool = False
    delimiter: str | None = None
    sheet: str | None = None
    other_sheets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Found(NamedTuple):
    """A table inside a file's records."""

    columns: tuple[str, ...]
    header_row: int
    samples: tuple[tuple[str, ...], ...]
    rows: Iterator[FileRow]


def find_table(records: Iterator[Record]) -> Found:
    """The header within the first rows and an iterator over every record after it.

    Raises `FileRefused` when there is nothing to read, no header, or nothing below it; the iterator raises it when
    there are more rows than are taken.
    """
    head = list(islice(records, HEADER_WITHIN_ROWS))
    position = _header_position(head)
    header = head[position]
    columns = _qualified(header.cells, head[position - 1].cells if position else ())
    if len(columns) > MAX_COLUMNS:
        raise FileRefused(
            Refusal.TOO_LARGE,
            f"The table has {len(columns)} columns; at most {MAX_COLUMNS} are read.",
            "Delete the columns that are not needed.",
        )
    rows = _classified(columns, header.cells, chain(head[position + 1 :], records))
    first = list(islice(rows, SAMPLE_ROWS))
    if not any(isinstance(row, Row | BadRow) for row in first) and len(first) < SAMPLE_ROWS:
        raise FileRefused(
            Refusal.UNREADABLE,
            "The file has column names but no rows below them.",
            "Check the filter of the export and export it again.",
        )
    samples = tuple(_sample(row) for row in first if isinstance(row, Row))
    return Found(columns, header.number, samples, chain(first, rows))


def _sample(row: Row) -> tuple[str, ...]:
    return tuple(cell[:SAMPLE_CELL_CHARACTERS] for cell in row.cells)


def _header_position(head: Sequence[Record]) -> int:
    """The row that names most fields; with none recognised, the first row that is not empty."""
    filled = [
        position
        for position, record in enumerate(head)
        if not record.problem and any(map(said, record.cells))
    ]
    if not filled:
        raise FileRefused(
            Refusal.UNREADABLE,
            "The file has no text in its first rows.",
            "Export it again, with the column names in the first row.",
        )
    best = max(filled, key=lambda position: _header_score(head[position].cells))
    if _header_score(head[best].cells) > 0:
        return best
    if _has_email(head[filled[0]].cells):
        raise FileRefused(
            Refusal.UNREADABLE,
            f"The file has no column names: row {head[filled[0]].number} already is a person.",
            "Insert a row above it that names the columns, for instance Email, First name, Company.",
        )
    return filled[0]


def _header_score(cells: Sequence[str]) -> int:
    """How many different fields the cells name; a way to reach people counts three times, an address is no name."""
    if _has_email(cells):
        return 0
    fields = {recognised[0] for cell in cells if (recognised := recognise(cell))}
    return len(fields) + 2 * bool(fields & _CONTACT)


def _has_email(cells: Iterable[str]) -> bool:
    return any("@" in cell and _EMAIL_LIKE.search(cell) for cell in cells)


def _qualified(header: Sequence[str], above: Sequence[str]) -> tuple[str, ...]:
    """The header's names; those that occur twice take the group that a sparser row above gives them."""
    groups = [cell.strip() for cell in above]
    if not 2 <= sum(map(bool, groups)) < sum(bool(cell.strip()) for cell in header):
        return tuple(header)
    times = Counter(normalise_header(cell) for cell in header)
    names, group = [], ""
    for position, cell in enumerate(header):
        group = groups[position] if position < len(groups) and groups[position] else group
        names.append(
            f"{group} › {cell}" if group and times[normalise_header(cell)] > 1 and cell.strip() else cell
        )
    return tuple(names)


def _classified(
    columns: Sequence[str], header_cells: Sequence[str], records: Iterable[Record]
) -> Iterator[FileRow]:
    rows = 0
    for record, reason in _judged(columns, header_cells, records):
        rows += reason is None
        if rows > MAX_ROWS or record.number > MAX_RECORDS:
            what = f"The file has more than {MAX_ROWS:,} rows, or {MAX_RECORDS:,} lines in all."
            raise FileRefused(Refusal.TOO_LARGE, what, "Split it and upload the parts.")
        yield SkippedRow(record.number, record.cells, reason) if reason else _row(record, len(columns))


_HEADER_AGAIN = "It repeats the header."
_OTHER_TABLE = "It belongs to another table in the same file."


def _judged(
    columns: Sequence[str], header_cells: Sequence[str], records: Iterable[Record]
) -> Iterator[tuple[Record, str | None]]:
    """Each record with the reason why it is no row of the table, None if it is one.

    Another table goes on until the header is repeated; a record with an address where ours has them is ours.
    """
    header = tuple(cell.strip().casefold() for cell in header_cells)
    addresses = [position for position, name in enumerate(columns) if _is_address(name)]
    in_other_table = False
    for record in records:
        reason = _outside(record, header)
        in_other_table = reason != _HEADER_AGAIN and (in_other_table or _starts_other_table(record))
        is_ours = _has_email(record.cells[position] for position in addresses if position < len(record.cells))
        yield record, reason or (_OTHER_TABLE if in_other_table and not is_ours else None)


def _is_address(name: str) -> bool:
    return recognise(name)[:1] in (("email",), ("work_email",))


def _outside(record: Record, header: tuple[str, ...]) -> str | None:
    """Why a record is no row of the table; None if it is one."""
    if record.problem:
        return None
    filled = [cell for cell in record.cells if cell.strip()]
    if not filled:
        return "It is blank."
    if tuple(cell.strip().casefold() for cell in record.cells) == header:
        return _HEADER_AGAIN
    if _has_email(filled):
        return None
    if _TOTAL.fullmatch(filled[0].strip()) and len(filled) < 4:
        return "It is a total."
    if (
        len(filled) == 1
        and len(header) > 2
        and filled[0] == record.cells[0]
        and not _PHONE_LIKE.fullmatch(filled[0].strip())
    ):
        return "It is a single line of text outside of the table."
    return None


def _starts_other_table(record: Record) -> bool:
    """Mostly field names and neither addresses nor digits: the header of another table."""
    filled = [cell for cell in record.cells if cell.strip()]
    if any(character.isdigit() or character == "@" for cell in filled for character in cell):
        return False
    named = sum(bool(recognise(cell)) for cell in filled)
    return named >= 3 and named * 2 >= len(filled)


def _row(record: Record, width: int) -> Row | BadRow:
    if record.problem:
        return BadRow(record.number, record.cells, record.problem)
    cells = record.cells
    while len(cells) > width and not cells[-1].strip():
        cells = cells[:-1]
    if len(cells) == width:
        return Row(record.number, cells)
    message = f"The row has {len(cells)} cells where the header has {width}."
    fix = "Put text that contains the separator in quotation marks, and give every row as many cells as the header."
    return BadRow(record.number, cells, FieldProblem("row", message, fix))
