"""Read delimited text of any encoding and dialect; one broken row costs that row and not the rest of the file.

A quotation mark that nobody closes would swallow everything after it. A record is therefore given up when it breaks
the quoting rules, grows past any real cell, or closes with the wrong number of cells; its first line is reported and
reading goes on with the very next line.
"""

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

import chardet

from leadpact_ingest.files.limits import (
    MAX_CELL_CHARACTERS,
    MAX_COLUMNS,
    MAX_LINES_IN_ROW,
    MAX_ROW_CHARACTERS,
    FileRefused,
    Refusal,
)
from leadpact_ingest.files.table import Record
from leadpact_ingest.headers import recognise
from leadpact_ingest.problem import FieldProblem

_DELIMITERS = ",;\t|"
_DIALECT_FROM_LINES = 40
_SEP_LINE = re.compile(r'"?sep=(\t|[^\w\s"\0])"?\s*', re.IGNORECASE)
_EVIDENCE_BYTES = 200_000

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CANDIDATES = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp932", "euc-jp", "gb18030", "big5", "cp949",
)  # fmt: skip
"""What office software writes. The Mac and DOS code pages are left out: on short texts they win by accident."""
_TEXT_ENCODINGS = frozenset(
    codecs.lookup(name).name
    for name in (*_CANDIDATES, "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "ascii", "iso-8859-1",
                 "iso-8859-2", "iso-8859-9", "iso-8859-15", "mac-roman", "shift_jis", "gbk", "euc-kr", "koi8-r", "cp437", "cp850")
)  # fmt: skip
"""What a sender may declare. Python knows more codecs, and some of them unpack archives."""
_IN_NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufffd\ue000-\uf8ff]")
"""Control characters, private ones and what could not be decoded: more than a tenth of random bytes, in any encoding."""
_STRAY = 0.05  # share of them that a text may have, from faulty exports
_CLEARLY_BETTER = 1.9
"""How much likelier than Windows-1252 another code page must be; short Western texts look Hungarian by a factor of 1.6."""
_FEW = 0.1  # share of the lines with accents that may be broken in a file that is otherwise UTF-8


class Encoding(NamedTuple):
    """How bytes become text; `note` is for whoever uploaded the file, when it was a guess."""

    name: str
    errors: str
    guessed: bool
    note: str | None


class Csv(NamedTuple):
    """A delimited text, dialect known, records still to be read."""

    encoding: Encoding
    delimiter: str
    records: "CsvRecords"


def open_csv(stream: BinaryIO, declared_encoding: str | None = None) -> Csv:
    """Find encoding and delimiter of a seekable stream; `FileRefused` if `declared_encoding` does not fit it, or it is no text."""
    encoding = _declared(stream, declared_encoding) if declared_encoding else detect_encoding(stream)
    _refuse_binary(stream, encoding)
    stream.seek(0)
    text = io.TextIOWrapper(stream, encoding=encoding.name, errors=encoding.errors, newline="")
    lines = _Lines(text)
    delimiter, width = _dialect(lines)
    return Csv(encoding, delimiter, CsvRecords(lines, delimiter, width))


def detect_encoding(stream: BinaryIO) -> Encoding:
    """A byte order mark, else the pattern of UTF-16, else UTF-8, else the likeliest code page, which is a guess."""
    stream.seek(0)
    head = stream.read(4_096)
    for bom, name in _BOMS:
        if head.startswith(bom):
            return Encoding(name, "replace", guessed=False, note=None)
    wide = _utf16_without_mark(head)
    if wide:
        return Encoding(
            wide, "replace", guessed=True, note="The file has no encoding mark; it was read as UTF-16."
        )
    stream.seek(0)
    accented = broken = 0
    evidence = bytearray()
    for line in stream:
        if not line.isascii():
            accented += 1
            broken += not _is_utf8(line)
            evidence += line[: _EVIDENCE_BYTES - len(evidence)]
    if broken == 0:
        return Encoding("utf-8", "strict", guessed=False, note=None)
    if broken < accented * _FEW:
        note = (
            f"The file is UTF-8, but {broken} of its lines are not; their accents were read as Windows-1252."
        )
        return Encoding("utf-8", _OR_CP1252, guessed=True, note=note)
    name = _code_page(bytes(evidence))
    note = f"The file does not say how it is encoded; {name} was the likeliest. Check names with accents."
    return Encoding(name, "replace", guessed=True, note=note)


def _declared(stream: BinaryIO, name: str) -> Encoding:
    try:
        if codecs.lookup(name).name not in _TEXT_ENCODINGS:
            raise LookupError(name)
        decode = codecs.getincrementaldecoder(name)()
        stream.seek(0)
        while chunk := stream.read(1 << 20):
            decode.decode(chunk)
        decode.decode(b"", final=True)
    except (LookupError, UnicodeError, ValueError):
        raise FileRefused(
            Refusal.UNREADABLE,
            f"The file cannot be read as {name[:40]}.",
            "Leave the encoding out to have it recognised, or save the file as UTF-8.",
        ) from None
    return Encoding(name, "strict", guessed=False, note=None)


def _refuse_binary(stream: BinaryIO, encoding: Encoding) -> None:
    """Raise `FileRefused` for what is no text in the encoding that suits it best: its columns would be called by garbage."""
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(encoding.name)(encoding.errors)
    text = decoder.decode(stream.read(_EVIDENCE_BYTES))
    if len(_IN_NO_TEXT.findall(text)) > _STRAY * len(text):
        raise FileRefused(
            Refusal.UNSUPPORTED,
            "The file is neither text nor a workbook, whatever its name says: it is encrypted, damaged or of another program.",
            "Open it in a spreadsheet program and save it as XLSX or CSV (UTF-8).",
        )


def _utf16_without_mark(head: bytes) -> str | None:
    """Every other byte of Western UTF-16 is zero."""
    half = len(head) // 2
    if half < 4:
        return None
    for name, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
        others = head.count(0) - zeros.count(0)
        if zeros.count(0) > 0.4 * half and others < 0.05 * half:
            return name
    return None


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _code_page(evidence: bytes) -> str:
    """The likeliest code page of the lines with accents; Windows-1252 unless another is clearly likelier."""
    guesses = chardet.detect_all(
        evidence,
        ignore_threshold=True,
        include_encodings=_CANDIDATES,
        prefer_superset=True,
        compat_names=False,
    )
    confidence = {
        codecs.lookup(guess["encoding"]).name: guess["confidence"] for guess in guesses if guess["encoding"]
    }
    best = max(confidence, key=lambda name: confidence[name], default="cp1252")
    return best if confidence.get(best, 0) > _CLEARLY_BETTER * confidence.get("cp1252", 0) else "cp1252"


def _or_cp1252(error: UnicodeError) -> tuple[str, int]:
    """Decode the bytes that are not UTF-8 as Windows-1252: the line pasted from an old program into a new file."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


_OR_CP1252 = "leadpact.or_cp1252"
codecs.register_error(_OR_CP1252, _or_cp1252)


class _Lines:
    """Physical lines with their ends (LF, CRLF or CR), read one at a time; lines may be put back."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._ahead: deque[str] = deque()

    def next(self) -> str | None:
        """The next line or None; of an overlong line the first part, longer than a row may be."""
        if self._ahead:
            return self._ahead.popleft()
        line = self._text.readline(MAX_ROW_CHARACTERS + 1)
        if len(line) > MAX_ROW_CHARACTERS and line[-1] not in "\r\n":
            self._skip_line()
        return line or None

    def put_back(self, lines: list[str]) -> None:
        """Read these lines again next, in this order."""
        self._ahead.extendleft(reversed(lines))

    def peek(self, count: int) -> list[str]:
        """Up to `count` lines, still to be read."""
        lines: list[str] = []
        while len(lines) < count and (line := self.next()) is not None:
            lines.append(line)
        self.put_back(lines)
        return lines

    def _skip_line(self) -> None:
        while (rest := self._text.readline(MAX_ROW_CHARACTERS)) and rest[-1] not in "\r\n":
            pass


def _dialect(lines: _Lines) -> tuple[str, int | None]:
    """The delimiter, and how many columns the header seems to have.

    The delimiter is that of a `sep=` line (which is taken away), else the one whose best line names most fields.
    """
    first = lines.peek(_DIALECT_FROM_LINES)
    sep_line = _SEP_LINE.fullmatch(first[0]) if first else None
    if sep_line:
        lines.next()
    fits = (
        (_named_fields(cells), len(cells), delimiter)
        for delimiter in (sep_line[1] if sep_line else _DELIMITERS)
        for line in first
        if (cells := _cells(line, delimiter))
    )
    named, width, delimiter = max(fits, key=lambda fit: fit[:2], default=(0, 0, _DELIMITERS[0]))
    return delimiter, width if named else None


def _cells(line: str, delimiter: str) -> list[str]:
    """One line's cells; none when its quoting does not end with the line."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True), [])
    except csv.Error:
        return []


def _named_fields(cells: list[str]) -> int:
    return sum(bool(recognise(cell)) for cell in cells[:MAX_COLUMNS])


class _NeverClosed(Exception):
    """A quoted cell went on for longer than any cell does."""


class CsvRecords:
    """The records of a delimited text. Where `width` is known, a record over several lines must have as many cells."""

    def __init__(self, lines: _Lines, delimiter: str, width: int | None) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self.width = width

    def __iter__(self) -> Iterator[Record]:
        number = 0
        while (line := self._lines.next()) is not None:
            number += 1
            if len(line) > MAX_ROW_CHARACTERS:
                yield Record(number, (), _TOO_LONG)
            elif '"' not in line:
                yield _checked(number, tuple(line.rstrip("\r\n").split(self._delimiter)))
            else:
                yield self._quoted(number, line)

    def _quoted(self, number: int, line: str) -> Record:
        """A record with quotation marks: over as many lines as its quoting says, or the first line alone as broken."""
        read = [line]
        try:
            cells = next(
                csv.reader(
                    self._continued(read), delimiter=self._delimiter, strict=True, skipinitialspace=True
                )
            )
        except (csv.Error, _NeverClosed):
            return self._broken(number, read)
        if len(read) > 1 and self.width not in (None, len(cells)):
            return self._broken(number, read)
        return _checked(number, tuple(cells))

    def _continued(self, read: list[str]) -> Iterator[str]:
        """The line that `read` starts with and those after it, noted in `read`, until a limit says stop."""
        yield read[0]
        characters = len(read[0])
        while (line := self._lines.next()) is not None:
            read.append(line)
            characters += len(line)
            if len(read) > MAX_LINES_IN_ROW or characters > MAX_ROW_CHARACTERS:
                raise _NeverClosed
            yield line

    def _broken(self, number: int, read: list[str]) -> Record:
        self._lines.put_back(read[1:])
        cells = tuple(cell.strip('"') for cell in read[0].rstrip("\r\n").split(self._delimiter))
        return Record(number, cells, _BAD_QUOTES)


_TOO_LONG = FieldProblem(
    "row",
    f"The row has more than {MAX_ROW_CHARACTERS:,} characters.",
    "Shorten it; most often a quotation mark or a line end is missing.",
)
_BAD_QUOTES = FieldProblem(
    "row",
    "A quotation mark in this row is opened and not closed, or closed in the middle of a cell.",
    'Close it, or double the quotation marks inside of quoted text (`"` becomes `""`).',
)


def _checked(number: int, cells: tuple[str, ...]) -> Record:
    """The record, with what the program that wrote it should not have let through."""
    problem = next((found for check in _CHECKS if (found := check(cells))), None)
    return Record(number, cells, problem)


def _has_nul(cells: tuple[str, ...]) -> FieldProblem | None:
    if not any("\0" in cell for cell in cells):
        return None
    return FieldProblem(
        "row", "The row contains NUL characters.", "Export the file again, or delete them in an editor."
    )


def _has_long_cell(cells: tuple[str, ...]) -> FieldProblem | None:
    longest = max(map(len, cells))
    if longest <= MAX_CELL_CHARACTERS:
        return None
    message = f"A cell has {longest:,} characters; at most {MAX_CELL_CHARACTERS:,} are read."
    return FieldProblem("row", message, "Shorten it.")


_CHECKS: tuple[Callable[[tuple[str, ...]], FieldProblem | None], ...] = (_has_nul, _has_long_cell)
