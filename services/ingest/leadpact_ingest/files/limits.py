"""How much of an uploaded file is read, and how a file is refused: whole, before anything was done with it."""

from enum import StrEnum

from leadpact.errors import Fault, Refused

MAX_FILE_BYTES = 50 * 1024 * 1024
MAX_ROWS = 200_000
MAX_RECORDS = 2 * MAX_ROWS
"""Rows and everything around them that is skipped: a file of blank lines ends too."""
MAX_COLUMNS = 200
MAX_CELL_CHARACTERS = 32_767
"""Excel's own limit: what does not fit there did not come from a table."""
MAX_ROW_CHARACTERS = 1024 * 1024
MAX_LINES_IN_ROW = 200
"""A quoted cell with more lines is a quotation mark that nobody closed."""

MAX_ARCHIVE_ENTRIES = 200
MAX_UNPACKED_BYTES = 200 * 1024 * 1024
MAX_UNPACKED_RATIO = 100
RATIO_MATTERS_FROM_BYTES = 4 * 1024 * 1024
"""Small entries may shrink a lot (a sheet of blanks does); they cannot hurt."""

HEADER_WITHIN_ROWS = 60
SAMPLE_ROWS = 100
SAMPLE_CELL_CHARACTERS = 80

CHILD_MEMORY_BYTES = 1024 * 1024 * 1024
CHILD_CPU_SECONDS = 60
CHILD_SILENCE_SECONDS = 120
"""How long the reading process may take for its next row. Silence is counted, not the whole: a slow consumer is no fault."""


class Refusal(StrEnum):
    """Which kind of answer a refused file gets; an HTTP edge says 415, 413 and 422."""

    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"


class FileRefused(Refused):
    """The file as a whole cannot be read. Nothing of it may be kept, also when some rows were already seen."""

    def __init__(self, refusal: Refusal, what: str, fix: str) -> None:
        super().__init__(f"{what} {fix}", faults=(Fault("file", what, fix),))
        self.refusal = refusal
        self.what = what
        self.fix = fix
