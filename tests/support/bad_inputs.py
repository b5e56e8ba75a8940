"""Upload files that hurt: what each is called in the catalogue of bad inputs, its bytes, and the answer it must get."""

import io
import random
import zipfile
import zlib
from collections.abc import Callable
from typing import NamedTuple

import xlsxwriter  # type: ignore[import-untyped]  # the package says nothing about its types

from leadpact_ingest.files.limits import Refusal

HEADER = "Email,First name,Last name,Company\n"


class BadFile(NamedTuple):
    """A file that has to be refused as a whole, with the kind of refusal and a word its sentence must contain."""

    name: str
    content: Callable[[], bytes]
    refusal: Refusal
    says: str


def people(count: int) -> str:
    """A correct CSV of `count` people."""
    return HEADER + "".join(
        f"p{number}@acme.example,P,Number {number},Acme GmbH\n" for number in range(1, count + 1)
    )


def workbook(*sheets: tuple[str, list[list[object]]], hidden: tuple[str, ...] = ()) -> bytes:
    """A real workbook of named sheets with these cells."""
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True}) as book:
        for name, rows in sheets:
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
            if name in hidden:
                sheet.hide()
            else:
                sheet.activate()
    return stream.getvalue()


PEOPLE_SHEET: list[list[object]] = [["Email", "Name"], ["ana@acme.example", "Ana"]]


def rezipped(content: bytes, change: Callable[[zipfile.ZipFile], None], drop: tuple[str, ...] = ()) -> bytes:
    """The same archive without `drop`, and with whatever `change` writes into it."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for entry in old.infolist():
            if entry.filename not in drop:
                new.writestr(entry, old.read(entry))
        change(new)
    return stream.getvalue()


def with_entry(name: str, content: bytes | str) -> bytes:
    """A workbook with one more entry."""
    return rezipped(workbook(("Leads", PEOPLE_SHEET)), lambda archive: archive.writestr(name, content))


def with_sheet_xml(cells: str, before: str = "") -> bytes:
    """A workbook whose first sheet holds these cells in XML."""
    xml = (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}'
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        f'<dimension ref="A1:B2"/><sheetData>{cells}</sheetData></worksheet>'
    )
    name = "xl/worksheets/sheet1.xml"
    return rezipped(
        workbook(("Leads", PEOPLE_SHEET)), lambda archive: archive.writestr(name, xml), drop=(name,)
    )


def _symlink(archive: zipfile.ZipFile) -> None:
    link = zipfile.ZipInfo("xl/link")
    link.external_attr = 0o120777 << 16
    archive.writestr(link, "/etc/passwd")


def _many_entries(archive: zipfile.ZipFile) -> None:
    for number in range(10_000):
        archive.writestr(f"xl/media/{number}.png", b"")


def _bare_zip(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return stream.getvalue()


def lying_entry(checksum_of: bytes) -> bytes:
    """A workbook with an entry that says it is ten bytes long and unpacks to a hundred thousand."""
    name = b"xl/media/a.xml"
    content = bytearray(with_entry(name.decode(), _TRUE_CONTENT))
    checksum, size = zlib.crc32(checksum_of).to_bytes(4, "little"), (10).to_bytes(4, "little")
    local, central = content.index(name) - 30, content.rindex(name) - 46
    for start, at_checksum, at_size in ((local, 14, 22), (central, 16, 24)):
        content[start + at_checksum : start + at_checksum + 4] = checksum
        content[start + at_size : start + at_size + 4] = size
    return bytes(content)


_TRUE_CONTENT = b"0" * 100_000
_OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504
_FAR_CELL = (
    '<row r="1"><c r="A1" t="n"><v>1</v></c></row><row r="1048576"><c r="XFD1048576" t="n"><v>1</v></c></row>'
)
_ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'

BAD_FILES = (
    BadFile("61 zero bytes", lambda: b"", Refusal.UNREADABLE, "empty"),
    BadFile("61 only a byte order mark", lambda: b"\xef\xbb\xbf", Refusal.UNREADABLE, "no text"),
    BadFile("61 only a header", lambda: HEADER.encode(), Refusal.UNREADABLE, "no rows"),
    BadFile(
        "61 a header and blank lines", lambda: HEADER.encode() + b",,,\n\n\n", Refusal.UNREADABLE, "no rows"
    ),
    BadFile(
        "61 a workbook with only a header",
        lambda: workbook(("Leads", [["Email"]])),
        Refusal.UNREADABLE,
        "no rows",
    ),
    BadFile("61 an empty workbook", lambda: workbook(("Leads", [])), Refusal.UNREADABLE, "no text"),
    BadFile("62 a picture", lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 64, Refusal.UNSUPPORTED, "PNG"),
    BadFile("62 a program", lambda: b"MZ\x90\x00" + b"\0" * 64, Refusal.UNSUPPORTED, "program"),
    BadFile(
        "62 random bytes", lambda: random.Random(1).randbytes(5_000), Refusal.UNSUPPORTED, "neither text"
    ),
    BadFile(
        "62 random bytes with a mark of UTF-16",
        lambda: b"\xff\xfe" + random.Random(1).randbytes(5_000),
        Refusal.UNSUPPORTED,
        "neither text",
    ),
    BadFile("62 nothing but NULs", lambda: b"\0" * 5_000, Refusal.UNSUPPORTED, "neither text"),
    BadFile(
        "62 a workbook without its beginning",
        lambda: workbook(("Leads", PEOPLE_SHEET))[40:],
        Refusal.UNSUPPORTED,
        "neither text",
    ),
    BadFile("62 a PDF", lambda: b"%PDF-1.7\n...", Refusal.UNSUPPORTED, "PDF"),
    BadFile("62 JSON", lambda: b'\n[{"email": "ada@drumbeat.example"}]', Refusal.UNSUPPORTED, "JSON"),
    BadFile("62 one JSON object", lambda: b'{"email": "ada@drumbeat.example"}', Refusal.UNSUPPORTED, "JSON"),
    BadFile("62 a web page", lambda: b"\xef\xbb\xbf <!DOCTYPE html><table>", Refusal.UNSUPPORTED, "web page"),
    BadFile(
        "62 an HTML table called .xls", lambda: b"<table><tr><td>Email</td>", Refusal.UNSUPPORTED, "web page"
    ),
    BadFile("63 an old workbook", lambda: _OLD_EXCEL, Refusal.UNSUPPORTED, ".xls"),
    BadFile(
        "63 a protected workbook",
        lambda: _OLD_EXCEL + "EncryptedPackage".encode("utf-16-le"),
        Refusal.UNSUPPORTED,
        "password",
    ),
    BadFile("63 a binary workbook", lambda: _bare_zip("xl/workbook.bin"), Refusal.UNSUPPORTED, ".xlsb"),
    BadFile(
        "63 an OpenDocument file", lambda: _bare_zip("mimetype", "content.xml"), Refusal.UNSUPPORTED, ".ods"
    ),
    BadFile("63 some archive", lambda: _bare_zip("readme.txt"), Refusal.UNSUPPORTED, "ZIP"),
    BadFile(
        "65 a bomb", lambda: with_entry("xl/media/a.xml", b"\0" * 150_000_000), Refusal.TOO_LARGE, "unpacks"
    ),
    BadFile(
        "65 an entry longer than it says",
        lambda: lying_entry(_TRUE_CONTENT),
        Refusal.UNREADABLE,
        "as long as it says",
    ),
    BadFile(
        "65 the same with a checksum to match",
        lambda: lying_entry(b"0" * 10),
        Refusal.UNREADABLE,
        "cannot be opened",
    ),
    BadFile(
        "65 ten thousand entries",
        lambda: rezipped(workbook(("Leads", PEOPLE_SHEET)), _many_entries),
        Refusal.TOO_LARGE,
        "entries",
    ),
    BadFile("66 entities", lambda: with_sheet_xml("", before=_ENTITIES), Refusal.UNREADABLE, "entities"),
    BadFile("67 a cell at the far end", lambda: with_sheet_xml(_FAR_CELL), Refusal.UNREADABLE, "XFD1048576"),
    BadFile(
        "70 a path out of the archive",
        lambda: with_entry("xl/../../evil", "x"),
        Refusal.UNREADABLE,
        "outside",
    ),
    BadFile(
        "70 a link inside",
        lambda: rezipped(workbook(("Leads", PEOPLE_SHEET)), _symlink),
        Refusal.UNREADABLE,
        "link",
    ),
    BadFile(
        "a damaged workbook",
        lambda: workbook(("Leads", PEOPLE_SHEET))[:-60],
        Refusal.UNREADABLE,
        "cannot be opened",
    ),
    BadFile(
        "no column names",
        lambda: people(2).partition("\n")[2].encode(),
        Refusal.UNREADABLE,
        "no column names",
    ),
    BadFile(
        "201 columns", lambda: (",".join(["Email"] * 201) + "\nx").encode(), Refusal.TOO_LARGE, "201 columns"
    ),
    BadFile(
        "200,001 rows", lambda: ("Email\n" + "a@b.example\n" * 200_001).encode(), Refusal.TOO_LARGE, "200,000"
    ),
)
