"""What a file is by its first bytes, whatever it is called; what cannot be read is named and refused with a way out."""

import re
from typing import Literal

from leadpact_ingest.files.limits import FileRefused, Refusal

Kind = Literal["csv", "xlsx"]

_SAVE_AS = "Open it in a spreadsheet program and save it as XLSX or CSV (UTF-8)."
_EXPORT = "Export the list as CSV or XLSX."
_UNREADABLE_KINDS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x89PNG", "a PNG picture", _EXPORT),
    (b"\xff\xd8\xff", "a JPEG picture", _EXPORT),
    (b"GIF8", "a GIF picture", _EXPORT),
    (b"RIFF", "a media file", _EXPORT),
    (b"%PDF", "a PDF document", "A PDF has no rows to read. " + _EXPORT),
    (b"MZ\x90\x00", "a Windows program", _EXPORT),
    (b"\x7fELF", "a program", _EXPORT),
    (b"\xcf\xfa\xed\xfe", "a program", _EXPORT),
    (b"#!", "a script", _EXPORT),
    (b"\x1f\x8b", "a gzip archive", "Unpack it and upload the file inside."),
    (b"7z\xbc\xaf", "a 7-Zip archive", "Unpack it and upload the file inside."),
    (b"Rar!", "a RAR archive", "Unpack it and upload the file inside."),
    (b"BZh", "a bzip2 archive", "Unpack it and upload the file inside."),
    (b"{\\rtf", "an RTF document", _SAVE_AS),
    (b"SQLite format 3", "a database", _EXPORT),
    (b"PAR1", "a Parquet file", _EXPORT),
)
_COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_MARKUP = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|!--|\?xml|html|head|body|table|meta|style|script|svg|div)",
    re.IGNORECASE,
)

_JSON = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\{\s*[\"}]|\[\s*[\[{])")


def kind_of(content: bytes) -> Kind:
    """`xlsx` for a ZIP archive, `csv` for what looks like text; `FileRefused` for everything known to be neither.

    `content` is all of the file: an encrypted workbook names itself somewhere inside.
    """
    if not content:
        raise FileRefused(
            Refusal.UNREADABLE, "The file is empty.", "Export it again; it has no bytes at all."
        )
    if content.startswith(_ZIP):
        return "xlsx"
    if content.startswith(_COMPOUND_FILE):
        raise _compound(content)
    if _MARKUP.match(content):
        raise FileRefused(
            Refusal.UNSUPPORTED,
            "The file is a web page or XML, whatever its name says (some CRM exports are).",
            _SAVE_AS,
        )
    if _JSON.match(content):
        raise FileRefused(Refusal.UNSUPPORTED, "The file is JSON, not a table.", _EXPORT)
    for magic, what, fix in _UNREADABLE_KINDS:
        if content.startswith(magic):
            raise FileRefused(Refusal.UNSUPPORTED, f"The file is {what}, not a table.", fix)
    return "csv"


def _compound(content: bytes) -> FileRefused:
    if _ENCRYPTED_PACKAGE in content:
        what, fix = (
            "The workbook is protected with a password.",
            "Remove the password and save it again as XLSX.",
        )
    else:
        what, fix = "The file is in Excel's format from before 2007 (.xls).", _SAVE_AS
    return FileRefused(Refusal.UNSUPPORTED, what, fix)
