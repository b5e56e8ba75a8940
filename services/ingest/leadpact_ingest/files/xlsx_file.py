"""Read the first visible sheet of a workbook, after its archive was checked for what only an attacker puts in one.

A few kilobytes of ZIP can unpack to gigabytes, and two cells can claim a sheet of seventeen billion. The archive's
directory is looked at before anything is unpacked; then every entry is unpacked once while counting, because declared
sizes lie; only what passes is parsed. Values only: formulas give their last result, macros and links are not looked at.
"""

import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import BinaryIO, NamedTuple

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum, load_workbook

from leadpact_ingest.files.limits import (
    HEADER_WITHIN_ROWS,
    MAX_ARCHIVE_ENTRIES,
    MAX_CELL_CHARACTERS,
    MAX_COLUMNS,
    MAX_ROWS,
    MAX_UNPACKED_BYTES,
    MAX_UNPACKED_RATIO,
    RATIO_MATTERS_FROM_BYTES,
    FileRefused,
    Refusal,
)
from leadpact_ingest.files.table import Record
from leadpact_ingest.problem import FieldProblem

_WORKBOOK = "xl/workbook.xml"
_BINARY_WORKBOOK = "xl/workbook.bin"
_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_CELL = re.compile(rb"""<(?:\w+:)?c\s[^<>]*?\br=["']([A-Z]{1,3})(\d{1,7})["'][^<>]*[^/<>]>""")
"""A cell with something in it; styled empty ones end in `/>` and do not widen a sheet."""
_CHUNK = 1 << 20
_OVERLAP = 256  # longer than a tag that must not be missed between two chunks

CellValue = str | int | float | bool | date | datetime | time | timedelta


class Xlsx(NamedTuple):
    """A workbook's first visible sheet, rows still to be read, and what else is visible."""

    sheet: str
    other_sheets: tuple[str, ...]
    records: Iterator[Record]


def open_xlsx(stream: BinaryIO) -> Xlsx:
    """Check the archive and open its first visible sheet; `FileRefused` with the reason if either cannot be done."""
    check_archive(stream)
    stream.seek(0)
    try:
        workbook = load_workbook(stream)
        visible = [
            sheet.name
            for sheet in workbook.sheets_metadata
            if sheet.visible == SheetVisibleEnum.Visible and sheet.typ == SheetTypeEnum.WorkSheet
        ]
        if not visible:
            raise FileRefused(
                Refusal.UNREADABLE, "No sheet of the workbook is visible.", "Unhide the sheet with the rows."
            )
        return Xlsx(visible[0], tuple(visible[1:]), _records(workbook, visible[0]))
    except CalamineError:
        raise _damaged() from None


def check_archive(stream: BinaryIO) -> None:
    """Refuse an archive that is no workbook, is damaged, or would unpack to more than a workbook is."""
    stream.seek(0)
    try:
        with zipfile.ZipFile(stream) as archive:
            _check_directory(archive.infolist())
            for entry in archive.infolist():
                _check_entry(archive, entry)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        UnicodeError,
    ):
        # RuntimeError is how zipfile says "encrypted", NotImplementedError how it says "unknown compression".
        raise _damaged() from None


def _check_directory(entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    if len(entries) > MAX_ARCHIVE_ENTRIES:
        raise _too_large(
            f"The archive has {len(entries):,} entries; a workbook has at most {MAX_ARCHIVE_ENTRIES}."
        )
    if _WORKBOOK not in names:
        raise _not_a_workbook(names)
    for entry in entries:
        if entry.filename.startswith("/") or ".." in entry.filename.split("/") or "\\" in entry.filename:
            raise _suspicious("has an entry that points outside of it")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise _suspicious("has a link inside")
    if len(set(names)) < len(names):
        raise _suspicious("has two entries of the same name")
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES or any(map(_is_inflated, entries)):
        raise _too_large("The workbook unpacks to more than a list of people needs.")


def _is_inflated(entry: zipfile.ZipInfo) -> bool:
    large = entry.file_size > RATIO_MATTERS_FROM_BYTES
    return large and entry.file_size > MAX_UNPACKED_RATIO * max(entry.compress_size, 1)


def _check_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Unpack one entry to nowhere, to where its data ends and not where it says it does."""
    size, tail = 0, b""
    declared = entry.file_size
    entry.file_size = MAX_UNPACKED_BYTES  # what `open` reads at most
    with archive.open(entry) as content:
        while chunk := content.read(_CHUNK):
            size += len(chunk)
            _check_xml(entry.filename, tail + chunk)
            tail = chunk[-_OVERLAP:]
    if size != declared:
        raise _suspicious("has an entry that is not as long as it says")


def _check_xml(name: str, xml: bytes) -> None:
    if name.endswith((".xml", ".rels")) and _DOCTYPE.search(xml):
        raise _suspicious("defines XML entities, which no spreadsheet program does")
    if name.startswith("xl/worksheets/"):
        _check_cells(xml)


def _check_cells(xml: bytes) -> None:
    """Refuse a sheet whose filled cells reach further than rows and columns are read."""
    for column, row in _CELL.findall(xml):
        if int(row) > MAX_ROWS + HEADER_WITHIN_ROWS or _column_number(column) > MAX_COLUMNS:
            where = f"{column.decode()}{int(row)}"
            raise FileRefused(
                Refusal.UNREADABLE,
                f"The sheet has a value in cell {where[:10]}; at most {MAX_ROWS:,} rows and {MAX_COLUMNS} columns are read.",
                "Delete what lies outside of the table, or split the table.",
            )


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number


def _rows(workbook: CalamineWorkbook, sheet: str) -> Iterator[list[CellValue]]:
    """The sheet's rows. It is unpacked only now, and not by what unpacked it for the check, which may be less strict."""
    try:
        yield from workbook.get_sheet_by_name(sheet).iter_rows()
    except CalamineError:
        raise _damaged() from None


def _records(workbook: CalamineWorkbook, sheet: str) -> Iterator[Record]:
    for number, cells in enumerate(_rows(workbook, sheet), start=1):
        texts = tuple(map(_text, cells))
        longest = max(map(len, texts), default=0)
        message = f"A cell has {longest:,} characters; at most {MAX_CELL_CHARACTERS:,} are read."
        problem = FieldProblem("row", message, "Shorten it.") if longest > MAX_CELL_CHARACTERS else None
        yield Record(number, texts, problem)


def _text(value: CellValue) -> str:
    """A cell as people see it: whole numbers without `.0`, dates in ISO; error cells are empty."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return value.isoformat(" ", "seconds") if isinstance(value, datetime) else str(value)


def _damaged() -> FileRefused:
    return FileRefused(
        Refusal.UNREADABLE,
        "The file begins like a workbook but cannot be opened: it is damaged, cut short or protected.",
        "Open it in a spreadsheet program and save it again as XLSX or CSV.",
    )


def _suspicious(what: str) -> FileRefused:
    return FileRefused(
        Refusal.UNREADABLE, f"The workbook {what}.", "Save it again from a spreadsheet program."
    )


def _too_large(what: str) -> FileRefused:
    return FileRefused(
        Refusal.TOO_LARGE, what, "Keep only the sheet with the rows, without pictures, or save it as CSV."
    )


def _not_a_workbook(names: list[str]) -> FileRefused:
    if _BINARY_WORKBOOK in names:
        what = "The file is a binary workbook (.xlsb)."
    elif "mimetype" in names and "content.xml" in names:
        what = "The file is an OpenDocument file (.ods)."
    else:
        what = "The file is a ZIP archive and no XLSX workbook."
    return FileRefused(
        Refusal.UNSUPPORTED, what, "Open it in a spreadsheet program and save it as XLSX or CSV (UTF-8)."
    )
