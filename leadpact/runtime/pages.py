"""Cut lists into pages that a cursor continues: in the body as ``next``, and as a ``Link`` (RFC 8288)."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import TypeVar

from fastapi import Request, Response

from leadpact.errors import Fault
from leadpact.runtime.problems import Problem

Place = TypeVar("Place")


def cursor(place: object) -> str:
    """The cursor of a place in a list. What is in it is nobody's business but ours."""
    return urlsafe_b64encode(str(place).encode()).decode().rstrip("=")


def read_cursor(text: str | None, read: Callable[[str], Place]) -> Place | None:
    """The place that ``text`` is the cursor of. Raises ``Problem`` for one that is none."""
    if text is None:
        return None
    try:
        return read(urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode())
    except (ValueError, binascii.Error) as error:
        fault = Fault(
            "query:after", "is no cursor", "take it from `next` or the Link header of the page before"
        )
        raise Problem(
            422, "invalid-field", "The page cannot be continued from there.", faults=[fault]
        ) from error


def link_next(request: Request, response: Response, next: str | None) -> None:
    """Name the next page in the ``Link`` header, if there is one."""
    if next is not None:
        url = request.url.include_query_params(after=next)
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
