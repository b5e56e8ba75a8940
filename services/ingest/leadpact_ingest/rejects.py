"""Write the rows that were not taken as a CSV that can be corrected and uploaded again.

Original columns in original order, then `leadpact_error` and `leadpact_fix`. A cell that a spreadsheet program would
run as a formula gets an apostrophe in front, here and only here: stored data stays as it came, and reading the file
again takes the apostrophe away.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from leadpact_ingest.headers import OWN_COLUMNS
from leadpact_ingest.problem import FieldProblem

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""OWASP's list for CSV injection, LF included."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # without it Excel reads UTF-8 as a code page


class Reject(NamedTuple):
    """A row that was not taken: its cells as they came, and every reason."""

    cells: Sequence[str]
    problems: Sequence[FieldProblem]


def rejects_csv(columns: Sequence[str], rejects: Iterable[Reject]) -> Iterator[bytes]:
    """The error file in pieces, one per row: RFC 4180, UTF-8 with a byte order mark.

    Columns that an earlier error file had added are replaced, not repeated.
    """
    kept = [position for position, column in enumerate(columns) if column.strip().lower() not in OWN_COLUMNS]
    yield _BYTE_ORDER_MARK + _line([*(columns[position] for position in kept), *OWN_COLUMNS])
    for reject in rejects:
        cells = [reject.cells[position] if position < len(reject.cells) else "" for position in kept]
        error = " ".join(problem.message for problem in reject.problems)
        fix = " ".join(dict.fromkeys(problem.fix for problem in reject.problems))
        yield _line([*cells, error, fix])


def neutralised(cell: str) -> str:
    """The cell as text that no spreadsheet program runs."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def _line(cells: Iterable[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(map(neutralised, cells))
    return line.getvalue().encode("utf-8", "replace")
