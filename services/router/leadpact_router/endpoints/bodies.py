"""Read a body that is a text: in bounds, and as the text that it is."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from fastapi import Request
from starlette.datastructures import Headers

from leadpact.runtime.file_in_form import file_in_form
from leadpact.runtime.problems import Problem

_MULTIPART = "multipart/form-data"
FILE_IN_FORM: dict[str, Any] = {
    _MULTIPART: {
        "schema": {
            "type": "object",
            "required": ["file"],
            "properties": {"file": {"type": "string", "format": "binary"}},
        }
    }
}
"""What else than the text itself a body may be, in the words of OpenAPI."""


async def read_text(request: Request, *, at_most_bytes: int) -> str:
    """The body, or the one file of a form (``curl -F file=@…``), as UTF-8.

    Raises ``Problem`` 413 for a longer body, counted as it comes, and 400 for what is no UTF-8 or holds U+0000, or a form without a file.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > at_most_bytes:
            raise Problem(413, "too-large", f"The body may have {at_most_bytes:,} bytes.")
    media_type = request.headers.get("content-type", "").partition(";")[0]
    content = await _file_in(request.headers, body) if media_type.strip().lower() == _MULTIPART else body
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem(
            400,
            "not-utf-8",
            f"The body is not UTF-8: byte {error.start} is no part of it. Save the file as UTF-8.",
        ) from error
    if "\0" in text:
        raise Problem(400, "not-text", "The body holds the character U+0000, so it is no text file.")
    return text


async def _file_in(headers: Headers, body: bytearray) -> bytes:
    file = await file_in_form(headers, _at_once(body))
    try:
        return await file.read()
    finally:
        await file.close()


async def _at_once(body: bytearray) -> AsyncGenerator[bytes, None]:
    yield bytes(body)
