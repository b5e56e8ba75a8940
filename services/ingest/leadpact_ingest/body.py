"""Read a posted body into named answers, or say exactly why that cannot be done.

Pure. The content type decides how a body is read; nothing is guessed. What two readers could understand differently
(a field twice in one JSON object, a charset that contradicts the bytes) and what could not be stored afterwards (NUL, half a
surrogate pair, NaN) is refused here, before anything is accepted. Answers never repeat the values that were sent.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from pydantic import JsonValue
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from leadpact.errors import Fault
from leadpact.runtime.problems import Problem
from leadpact.runtime.storable import has_half_of_a_pair

MAX_BODY_BYTES = 65_536
MAX_FIELDS = 200
MAX_DEPTH = 32
MAX_NAME_CHARACTERS = 200

Fields = dict[str, JsonValue]

JSON_TYPE = "application/json"
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
PLAIN_TEXT = "text/plain"
FORM_TYPES = (URLENCODED, MULTIPART)
"""What a browser sends for a plain form, without any script and without asking first."""

# Old pages still post in these; JSON is UTF-8 by definition (RFC 8259 §8.1).
_FORM_CHARSETS = frozenset({"utf-8", "ascii", "iso8859-1", "cp1252"})
_JSON_CHARSETS = frozenset({"utf-8", "ascii"})
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_WIDE_BOMS = (
    codecs.BOM_UTF16_LE,
    codecs.BOM_UTF16_BE,
    codecs.BOM_UTF32_BE,
)  # UTF-32 LE begins like UTF-16 LE


@dataclass(frozen=True, slots=True)
class MediaType:
    """A Content-Type header, taken apart."""

    name: str
    charset: str
    boundary: bytes | None

    @classmethod
    def parse(cls, header: str) -> MediaType:
        """The type named in ``header``; the charset is UTF-8 unless it says otherwise. Raises 415 for an unknown charset."""
        name, options = parse_options_header(header)
        written = options.get(b"charset", b"utf-8").decode("latin-1").strip("\"' ")
        try:
            charset = codecs.lookup(written).name
        except (LookupError, ValueError) as error:
            raise _unsupported("The Content-Type names a charset that is not known. Send UTF-8.") from error
        return cls(name.decode("latin-1"), charset, options.get(b"boundary"))


def read_fields(body: bytes, media_type: MediaType) -> Fields:
    """The answers in ``body`` by the names that their sender gave them. Raises ``Problem`` (400, 415 or 422).

    ``text/plain`` is read as JSON, as ``navigator.sendBeacon`` sends it: whether that may be is the caller's decision.
    """
    if not body.strip():
        raise Problem(400, "empty-body", "The body is empty. Send the form's fields in it.")
    match media_type.name:
        case "application/json" | "text/plain":
            fields = _json_fields(body, media_type)
        case "application/x-www-form-urlencoded":
            fields = _urlencoded_fields(body, media_type)
        case "multipart/form-data":
            fields = _multipart_fields(body, media_type)
        case _:
            raise _unsupported(f"Send the form as {JSON_TYPE}, {URLENCODED} or {MULTIPART}.")
    _check(fields)
    return fields


# ---- JSON --------------------------------------------------------------------------------------------------------------------


class _NamedTwice(ValueError):
    """One object has one name for two values."""


def _json_fields(body: bytes, media_type: MediaType) -> Fields:
    if media_type.charset not in _JSON_CHARSETS or body.startswith(_WIDE_BOMS) or b"\0" in body[:4]:
        raise _unsupported("JSON is read as UTF-8. Send it in UTF-8.")
    try:
        text = body.decode("utf-8-sig")
        parsed = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise _malformed_json("it is not UTF-8", f"byte:{error.start}") from error
    except RecursionError as error:
        raise _too_deep() from error
    except json.JSONDecodeError as error:
        raise _malformed_json(
            error.msg[0].lower() + error.msg[1:], f"line:{error.lineno},column:{error.colno}"
        ) from error
    except _NamedTwice as error:
        fault = Fault(
            _pointer([str(error)]),
            "This name stands twice in one object.",
            "Send it once; several values as a list.",
        )
        raise Problem(422, "duplicate-field", "A name stands twice in one object.", faults=[fault]) from error
    except ValueError as error:  # NaN and Infinity, and integers of thousands of digits
        raise _malformed_json("it holds a number that is none", "#") from error
    if not isinstance(parsed, dict):
        raise Problem(
            422, "not-an-object", 'The body is JSON but no object. Send the fields as {"email": "…"}.'
        )
    return parsed


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        raise _NamedTwice(next(name for name in names if names.count(name) > 1))
    return fields


def _no_constant(word: str) -> NoReturn:
    raise ValueError(word)


# ---- forms -------------------------------------------------------------------------------------------------------------------


def _urlencoded_fields(body: bytes, media_type: MediaType) -> Fields:
    charset = _form_charset(media_type)
    try:
        text = body.decode(charset)
        pairs = parse_qsl(
            text, keep_blank_values=True, encoding=charset, errors="strict", max_num_fields=MAX_FIELDS
        )
    except UnicodeDecodeError as error:
        raise _malformed_form(f"it is not valid {charset.upper()}") from error
    except ValueError as error:
        raise _too_many_fields() from error
    if _STRAY_PERCENT.search(text):
        raise _malformed_form("a % is not followed by two hexadecimal digits")
    return _united(pairs)


@dataclass(slots=True)
class _Part:
    """One part of a multipart body while it is being read."""

    headers: dict[bytes, bytes] = field(default_factory=dict)
    header: bytes = b""
    value: bytes = b""
    data: bytearray = field(default_factory=bytearray)

    def header_ends(self) -> None:
        self.headers[self.header.lower()] = self.value
        self.header = self.value = b""


def _multipart_fields(body: bytes, media_type: MediaType) -> Fields:
    charset = _form_charset(media_type)
    try:
        parts = _parts(body, media_type.boundary or b"")
        pairs = [pair for part in parts if (pair := _named_value(part, charset))]
    except FormParserError as error:
        raise _malformed_form("its parts cannot be told apart") from error
    except UnicodeDecodeError as error:
        raise _malformed_form(f"it is not valid {charset.upper()}") from error
    return _united(pairs)


def _parts(body: bytes, boundary: bytes) -> list[_Part]:
    if not boundary:
        raise FormParserError("no boundary")
    parts: list[_Part] = []
    ended: list[bool] = []

    def begin() -> None:
        if len(parts) == MAX_FIELDS:
            raise _too_many_fields()
        parts.append(_Part())

    def header_name(data: bytes, start: int, end: int) -> None:
        parts[-1].header += data[start:end]

    def header_value(data: bytes, start: int, end: int) -> None:
        parts[-1].value += data[start:end]

    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": begin,
            "on_header_field": header_name,
            "on_header_value": header_value,
            "on_header_end": lambda: parts[-1].header_ends(),
            "on_part_data": lambda data, start, end: parts[-1].data.extend(data[start:end]),
            "on_end": lambda: ended.append(True),
        },
    )
    parser.write(body)
    parser.finalize()
    if not ended:
        raise FormParserError("the closing boundary is missing")
    return parts


def _named_value(part: _Part, charset: str) -> tuple[str, str] | None:
    """A part's name and text; None for a file input that was left empty."""
    _, options = parse_options_header(part.headers.get(b"content-disposition"))
    name = options.get(b"name")
    if name is None:
        raise FormParserError("a part has no name")
    if b"filename" in options:
        if options[b"filename"] or part.data:
            pointer = _pointer([name.decode(charset, "replace")])
            fault = Fault(pointer, "It is a file.", "Leave the file out; lists of leads go to /v1/uploads.")
            raise Problem(422, "invalid-field", "Forms are taken without files.", faults=[fault])
        return None
    return name.decode(charset), part.data.decode(charset)


def _form_charset(media_type: MediaType) -> str:
    if media_type.charset not in _FORM_CHARSETS:
        raise _unsupported("Forms are read in UTF-8, ISO-8859-1 or Windows-1252. Send UTF-8.")
    return media_type.charset


def _united(pairs: Sequence[tuple[str, str]]) -> Fields:
    """One answer as it is, several of one name as a list in the order in which they were sent."""
    fields: Fields = {}
    for name, value in pairs:
        before = fields.get(name)
        if before is None:
            fields[name] = value
        elif isinstance(before, list):
            before.append(value)
        else:
            fields[name] = [before, value]
    return fields


# ---- what no answer may hold -------------------------------------------------------------------------------------------------


def _check(fields: Fields) -> None:
    """Refuse what is too much, too deep or cannot be stored."""
    faults: list[Fault] = []
    for count, (path, value) in enumerate(_leaves(fields, ()), start=1):
        if count > MAX_FIELDS:
            raise _too_many_fields()
        faults.extend(Fault(_pointer(path), what, fix) for what, fix in _faults(path, value))
    if faults:
        raise Problem(422, "invalid-field", "Some fields cannot be used as they are.", faults=faults)


def _leaves(value: JsonValue, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], JsonValue]]:
    if len(path) > MAX_DEPTH:
        raise _too_deep()
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _leaves(inner, (*path, str(position)))
    else:
        yield path, value


def _faults(path: Sequence[str], value: JsonValue) -> Iterator[tuple[str, str]]:
    if any(len(name) > MAX_NAME_CHARACTERS for name in path):
        yield f"Its name has more than {MAX_NAME_CHARACTERS} characters.", "Give the field a short name."
    for text in (*path, value):
        if isinstance(text, str) and "\0" in text:
            yield "It contains a NUL character.", "Remove it: a faulty program left it there."
        if isinstance(text, str) and has_half_of_a_pair(text):
            yield "It contains half of a character (a lone surrogate).", "Send whole characters."
    if isinstance(value, float) and not math.isfinite(value):
        yield "It is a number too large to hold.", "Send it as text if it is meant so."


def _pointer(path: Sequence[str]) -> str:
    """The JSON pointer to a field (RFC 6901), in printable characters and short."""
    names = (
        "".join(character if character.isprintable() else "�" for character in name[:60]) for name in path
    )
    return "#/" + "/".join(name.replace("~", "~0").replace("/", "~1") for name in names)


def _unsupported(detail: str) -> Problem:
    return Problem(415, "unsupported-media-type", detail)


def _malformed_json(what: str, where: str) -> Problem:
    return Problem(400, "malformed-json", "The body is not valid JSON.", faults=[Fault(where, what)])


def _malformed_form(what: str) -> Problem:
    return Problem(400, "malformed-form", f"The body cannot be read as a form: {what}.")


def _too_many_fields() -> Problem:
    return Problem(422, "too-many-fields", f"A form has at most {MAX_FIELDS} fields; this body has more.")


def _too_deep() -> Problem:
    return Problem(422, "too-deep", f"Objects and lists are nested more than {MAX_DEPTH} deep.")
