"""Read a body that is a text: in bounds, and as the text that it is."""

from __future__ import annotations

from fastapi import Request

from leadpact.runtime.problems import Problem


async def read_text(request: Request, *, at_most_bytes: int) -> str:
    """The body as UTF-8. Raises ``Problem`` 413 for a longer one, counted as it comes, and 400 for what is no UTF-8 or holds U+0000."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > at_most_bytes:
            raise Problem(413, "too-large", f"The body may have {at_most_bytes:,} bytes.")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem(
            400,
            "not-utf-8",
            f"The body is not UTF-8: byte {error.start} is no part of it. Save the file as UTF-8.",
        ) from error
    if "\0" in text:
        raise Problem(400, "not-text", "The body holds the character U+0000, so it is no text file.")
    return text
