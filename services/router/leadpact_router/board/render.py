"""Render pages: Jinja2 with everything escaped, words for values, and the files that go with them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from leadpact_router.board import words

# Nothing is loaded from elsewhere, no script stands in a page, no page stands in another site's frame.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file that pages refer to."""

    content: bytes
    media_type: str

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.content).hexdigest()[:12]


def _read(name: str, media_type: str) -> StaticFile:
    return StaticFile(resources.files(__package__).joinpath("static", name).read_bytes(), media_type)


STATIC_FILES = {
    "board.css": _read("board.css", "text/css; charset=utf-8"),
    "board.js": _read("board.js", "text/javascript; charset=utf-8"),
    "htmx.min.js": _read("htmx.min.js", "text/javascript; charset=utf-8"),
    "sse.min.js": _read("sse.min.js", "text/javascript; charset=utf-8"),
}


def page(template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """The page. A name that the template asks for and does not get is a bug, not an empty place."""
    html = _environment().get_template(template).render(status=status, **values)
    return HTMLResponse(html, status_code=status, headers=PAGE_HEADERS)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("leadpact_router.board"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        static=_static_address,
        signs=words.SIGNS,
        left=words.left,
        ago=words.ago,
        span=words.span,
        on_whom=words.on_whom,
    )
    environment.filters.update(
        said=words.said,
        shown=words.shown,
        in_full=words.in_full,
        instant=words.instant,
        points=words.points,
        signed=words.signed,
        spoken=words.spoken,
        field=words.field,
        pretty=_pretty,
    )
    return environment


def _static_address(name: str) -> str:
    return f"/board/static/{name}?v={STATIC_FILES[name].fingerprint}"


def _pretty(text: str) -> str:
    """JSON as people read it."""
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
