"""Decide which pages' scripts may post to a form and read the answer.

The pact lists the origins of each form. A listed page's script gets the CORS headers; a script of any other page is refused. A plain HTML
form needs no permission: the browser sends it from anywhere and shows the answer to the visitor, not to the page.
See https://fetch.spec.whatwg.org/#http-cors-protocol.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from leadpact.runtime.problems import Problem
from leadpact_ingest.body import FORM_TYPES, PLAIN_TEXT, MediaType

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Content-Type, Idempotency-Key, X-Leadpact-Form-Key",
    "Access-Control-Max-Age": "600",
}


def preflight(origins: frozenset[str], headers: Mapping[str, str]) -> Response:
    """The answer to a browser that asks before a script posts. Raises ``Problem`` 403 for a page that is not listed."""
    if not _is_listed(origins, headers):
        raise _not_listed()
    return Response(status_code=204, headers=_PREFLIGHT | answer_headers(origins, headers))


def answer_headers(origins: frozenset[str], headers: Mapping[str, str]) -> dict[str, str]:
    """What lets a listed page's script read the answer; caches are told that it depends on who asks."""
    allowed = {"Access-Control-Allow-Origin": headers["origin"]} if _is_listed(origins, headers) else {}
    return {**allowed, "Vary": "Origin"}


def check_sender(origins: frozenset[str], headers: Mapping[str, str], media_type: MediaType) -> None:
    """Raise ``Problem`` for a script of an unlisted page (403), and for plain text that no listed page's beacon sent (415)."""
    if _is_listed(origins, headers) or _is_own_page(headers):
        return
    if "origin" in headers and not _is_plain_form(headers, media_type):
        raise _not_listed()
    if media_type.name == PLAIN_TEXT:
        raise Problem(
            415,
            "unsupported-media-type",
            "Plain text is taken from scripts of the form's own pages only. Send JSON as application/json.",
        )


def _is_listed(origins: frozenset[str], headers: Mapping[str, str]) -> bool:
    return headers.get("origin") in origins


def _is_own_page(headers: Mapping[str, str]) -> bool:
    """The page was served from the address that it posts to."""
    return "origin" in headers and headers["origin"].partition("://")[2] == headers.get("host")


def _is_plain_form(headers: Mapping[str, str], media_type: MediaType) -> bool:
    """A form as every browser may send it. Newer browsers say whether the visitor goes along (``navigate``) or a script stays."""
    return media_type.name in FORM_TYPES and headers.get("sec-fetch-mode", "navigate") == "navigate"


def _not_listed() -> Problem:
    return Problem(
        403,
        "origin-not-listed",
        "Scripts of this page may not post to this form. Add its origin to the source's `origins` in the pact.",
    )
