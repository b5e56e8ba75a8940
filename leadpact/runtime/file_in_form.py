"""Find the one file in a ``multipart/form-data`` body, as ``curl -F file=@…`` sends it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from leadpact.runtime.problems import Problem


async def file_in_form(headers: Headers, body: AsyncGenerator[bytes, None]) -> UploadFile:
    """The file, to be closed by whoever asked. ``body`` bounds itself.

    Raises ``Problem`` 400 for what is no such form, or has no file in it.
    """
    try:
        parser = MultiPartParser(headers, body, max_files=1, max_fields=8, max_part_size=8_192)
        form = await parser.parse()
    except MultiPartException as error:
        raise Problem(
            400, "malformed-form", "The body cannot be read as a form with one file in it."
        ) from error
    file = next((part for part in form.values() if isinstance(part, UploadFile)), None)
    if file is None:
        raise Problem(400, "no-file", "The form holds no file. Send it as the part `file`, or as the body.")
    return file
