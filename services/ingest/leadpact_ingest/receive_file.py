"""Receive an uploaded file into a temporary one, never more of it than is allowed and never all of it in memory.

The file is the one file part of a ``multipart/form-data`` body, or the body itself. Its name is for people: it is shown, and
never used as a path.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PureWindowsPath
from typing import IO

from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request

from leadpact.runtime.file_in_form import file_in_form
from leadpact.runtime.problems import Problem
from leadpact_ingest.body import MULTIPART

PIECE_BYTES = 1024 * 1024
_MULTIPART_OVERHEAD_BYTES = 65_536
_NOT_IN_A_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file on this host's disk, for as long as the request lasts."""

    path: Path
    filename: str
    sha256: str
    size_bytes: int


@asynccontextmanager
async def receive_file(
    request: Request, stated_name: str | None, *, at_most_bytes: int
) -> AsyncIterator[ReceivedFile]:
    """The file in ``request``; ``stated_name`` is what one that is the body itself is called. Raises ``Problem`` 400 or 413."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > at_most_bytes + _MULTIPART_OVERHEAD_BYTES:
        raise _too_large(at_most_bytes)
    with tempfile.NamedTemporaryFile(prefix="leadpact-upload-") as spool:
        try:
            filename, pieces = await _file_in(request, stated_name, at_most_bytes)
            digest, size = await _spool(pieces, spool, at_most_bytes)
        except ClientDisconnect as error:
            raise Problem(400, "incomplete-body", "The connection ended before the file did.") from error
        yield ReceivedFile(Path(spool.name), filename, digest, size)


def display_name(name: str) -> str:
    """What a file is called, without folders, control characters and tricks of direction, at most 200 characters long."""
    bare = PureWindowsPath(_NOT_IN_A_NAME.sub("", name)).name
    return bare.strip()[:200] or "file"


async def _file_in(
    request: Request, stated_name: str | None, at_most_bytes: int
) -> tuple[str, AsyncGenerator[bytes, None]]:
    """The file's name and content."""
    media_type, _ = parse_options_header(request.headers.get("content-type"))
    if media_type.decode("latin-1") != MULTIPART:
        return display_name(stated_name or _name_in_header(request)), request.stream()
    limited = _limited(request.stream(), at_most_bytes + _MULTIPART_OVERHEAD_BYTES, at_most_bytes)
    file = await file_in_form(request.headers, limited)
    return display_name(file.filename or ""), _pieces_of(file)


def _name_in_header(request: Request) -> str:
    _, options = parse_options_header(request.headers.get("content-disposition"))
    return options.get(b"filename", b"").decode("utf-8", "replace")


async def _pieces_of(file: UploadFile) -> AsyncGenerator[bytes, None]:
    try:
        while piece := await file.read(PIECE_BYTES):
            yield piece
    finally:
        await file.close()


async def _limited(
    stream: AsyncGenerator[bytes, None], limit: int, at_most_bytes: int
) -> AsyncGenerator[bytes, None]:
    seen = 0
    async for chunk in stream:
        seen += len(chunk)
        if seen > limit:
            raise _too_large(at_most_bytes)
        yield chunk


async def _spool(
    pieces: AsyncGenerator[bytes, None], spool: IO[bytes], at_most_bytes: int
) -> tuple[str, int]:
    digest, size = sha256(), 0
    async for piece in _limited(pieces, at_most_bytes, at_most_bytes):
        digest.update(piece)
        size += len(piece)
        spool.write(piece)
    spool.flush()
    return digest.hexdigest(), size


def _too_large(at_most_bytes: int) -> Problem:
    detail = f"The file is larger than {at_most_bytes:,} bytes. Split it and upload the parts."
    return Problem(413, "too-large", detail, headers={"Connection": "close"})
