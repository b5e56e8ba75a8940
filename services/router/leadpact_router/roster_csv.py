"""Read reps and accounts out of CSV, and say of every mistake in which line and column it stands.

The first line names the columns, in any order; a comma, a semicolon or a tab parts them, whichever the first line uses. An empty cell is
no answer. Pure: text in, entries or ``Refused`` out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from leadpact.errors import Fault, Refused
from leadpact.pact.words import nearest
from leadpact_router.roster import AccountEntry, RepEntry, faults_of_accounts, faults_of_reps

Entry = TypeVar("Entry", RepEntry, AccountEntry)

MOST_ROWS = 50_000
_LONGEST_CELL = 500

_REP_COLUMNS = ("id", "name", "email", "timezone", "calendar", "active", "open_limit", "daily_limit")
_ACCOUNT_COLUMNS = ("name", "domain", "country", "employees", "industry", "tier", "owner")
_ALSO_CALLED = {"max_open": "open_limit", "max_daily": "daily_limit", "website": "domain"}
_YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class Row:
    """A line's answers by column, and what was found wrong with them while they were read."""

    line: int
    cells: Mapping[str, str]
    faults: list[Fault] = field(default_factory=list)

    def text(self, column: str) -> str:
        return self.cells.get(column, "")

    def optional(self, column: str) -> str | None:
        return self.text(column) or None

    def number(self, column: str) -> int | None:
        """A whole number; what is none is a fault."""
        cell = self.optional(column)
        if cell is None:
            return None
        if not (cell.isascii() and cell.isdigit() and len(cell) < 10):
            self.blame(column, f"{cell!r} is no whole number", "write digits only, or leave it empty")
            return None
        return int(cell)

    def yes(self, column: str, *, default: bool) -> bool:
        """Yes or no; anything else is a fault."""
        cell = self.optional(column)
        if cell is None:
            return default
        if cell.lower() not in _YES_NO:
            self.blame(column, f"{cell!r} is neither yes nor no", "write true or false")
            return default
        return _YES_NO[cell.lower()]

    def blame(self, column: str, what: str, fix: str) -> None:
        """Remember what is wrong with a cell, so that the rest of the file is looked at too."""
        self.faults.append(Fault(place(self.line, column), what, fix))


def place(line: int, column: str) -> str:
    """Where a cell stands, as people count: the line of the file and the name of the column."""
    return f"line {line}, {column}"


def read_reps(text: str, calendars: Collection[str] | None = None) -> tuple[list[RepEntry], list[int]]:
    """The reps, and the line of each. ``calendars`` as for ``faults_of_reps``.

    Raises ``Refused``: if a cell cannot be read, then with every mistake of the file, those of ``faults_of_reps`` too.
    """
    rows = _rows(text, _REP_COLUMNS, required=("id", "name", "email", "timezone"))
    return _each(rows, _rep, partial(faults_of_reps, calendars=calendars))


def read_accounts(text: str) -> tuple[list[AccountEntry], list[int]]:
    """The accounts, and the line of each. Raises ``Refused`` as ``read_reps`` does."""
    rows = _rows(text, _ACCOUNT_COLUMNS, required=("name", "domain"))
    return _each(rows, _account, faults_of_accounts)


def with_lines(refused: Refused, lines: Sequence[int]) -> Refused:
    """The same refusal, its faults' places (``/3/email``: entry and field) told as lines of the file."""
    return Refused(refused.detail, faults=_in_lines(refused.faults, lines))


def _in_lines(faults: Iterable[Fault], lines: Sequence[int]) -> list[Fault]:
    return [Fault(_place_in_file(fault.where, lines), fault.what, fault.fix) for fault in faults]


def _place_in_file(pointer: str, lines: Sequence[int]) -> str:
    index, _, field = pointer.removeprefix("/").partition("/")
    return place(lines[int(index)], field) if index.isdigit() else pointer


def _rep(row: Row) -> RepEntry:
    return RepEntry(
        id=row.text("id"),
        name=row.text("name"),
        email=row.text("email"),
        timezone=row.text("timezone"),
        calendar=row.optional("calendar"),
        active=row.yes("active", default=True),
        open_limit=row.number("open_limit"),
        daily_limit=row.number("daily_limit"),
    )


def _account(row: Row) -> AccountEntry:
    return AccountEntry(
        name=row.text("name"),
        domain=row.text("domain"),
        country=row.optional("country"),
        employees=row.number("employees"),
        industry=row.optional("industry"),
        tier=row.optional("tier"),
        owner=row.optional("owner"),
    )


def _each(
    rows: Sequence[Row],
    read: Callable[[Row], Entry],
    faults_of: Callable[[Sequence[Entry]], Iterable[Fault]],
) -> tuple[list[Entry], list[int]]:
    entries: list[Entry] = [read(row) for row in rows]
    lines: list[int] = [row.line for row in rows]
    unreadable: list[Fault] = [fault for row in rows for fault in row.faults]
    if unreadable:
        # What else is wrong is told at once, and not only after these are put right.
        faults = [*unreadable, *_in_lines(faults_of(entries), lines)]
        raise Refused(f"The file cannot be taken as it is: {unreadable[0].what}", faults=faults)
    return entries, lines


def _rows(text: str, known: Sequence[str], *, required: Sequence[str]) -> list[Row]:
    """The lines below the heading, empty ones left out."""
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = _columns(next(lines, []), known, required)
        rows = [
            _row(lines.line_num, columns, cells) for cells in lines if any(cell.strip() for cell in cells)
        ]
    except csv.Error as error:
        raise Refused(f"Line {lines.line_num} is no CSV: {error}") from error
    if not rows:
        raise Refused("The file has a heading and nothing below it.")
    if len(rows) > MOST_ROWS:
        raise Refused(f"The file has {len(rows):,} rows; split it into files of at most {MOST_ROWS:,}.")
    return rows


def _columns(heading: Sequence[str], known: Sequence[str], required: Sequence[str]) -> list[str]:
    columns = [_ALSO_CALLED.get(name, name) for name in (cell.strip().lower() for cell in heading)]
    faults = [*_unknown(columns, known), *_missing(columns, required)]
    faults += [
        Fault(place(1, name), f"the column {name} is there twice", "keep one of them")
        for name in dict.fromkeys(columns)
        if columns.count(name) > 1
    ]
    if faults:
        raise Refused(f"The columns cannot be used: {faults[0].what}", faults=faults)
    return columns


def _unknown(columns: Sequence[str], known: Sequence[str]) -> Iterator[Fault]:
    for name in columns:
        if name not in known:
            meant = nearest(name, known)
            fix = f"did you mean {meant}?" if meant else f"the columns are {', '.join(known)}"
            yield Fault(place(1, name), f"{name!r} is no column that is known here", fix)


def _missing(columns: Sequence[str], required: Sequence[str]) -> Iterator[Fault]:
    for name in required:
        if name not in columns:
            yield Fault(
                place(1, name), f"the column {name} is missing", f"add it; needed are {', '.join(required)}"
            )


def _row(line: int, columns: Sequence[str], cells: Sequence[str]) -> Row:
    row = Row(line, {name: cell.strip()[:_LONGEST_CELL] for name, cell in zip(columns, cells, strict=False)})
    if len(cells) > len(columns):
        what = f"there are {len(cells)} cells below {len(columns)} columns"
        row.faults.append(Fault(f"line {line}", what, "quote cells that hold the separator"))
    for name, cell in zip(columns, cells, strict=False):
        if len(cell) > _LONGEST_CELL:
            row.blame(name, f"the cell has {len(cell)} characters", f"write at most {_LONGEST_CELL}")
    return row
