"""The two pages that a visitor without a script may see: thank you, and what to correct."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from starlette.responses import HTMLResponse

from leadpact.errors import Fault

# The pages load nothing and run nothing, so nothing else is allowed to.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors *",
    "Cache-Control": "no-store",
}
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto 0; padding: 0 1.5rem; color: #1b2430; background: #fff }}
h1 {{ font-size: 1.7rem; line-height: 1.25 }}
@media (prefers-color-scheme: dark) {{ body {{ color: #e6e9ee; background: #14181f }} }}
</style>
<h1>{title}</h1>
{content}
</html>
"""


def thank_you_page() -> HTMLResponse:
    """The post is stored for good."""
    return _page(202, "Thank you", "<p>We have received your message and will get back to you.</p>")


def refusal_page(status: int, detail: str, faults: Sequence[Fault]) -> HTMLResponse:
    """The post was not taken, and why."""
    reasons = "".join(
        f"<li>{escape(fault.where.removeprefix('#/'))}: {escape(fault.what)} {escape(fault.fix)}</li>"
        for fault in faults
    )
    content = f"<p>{escape(detail)}</p>" + (f"<ul>{reasons}</ul>" if reasons else "")
    return _page(status, "This could not be sent", content + "<p>Please go back and try again.</p>")


def _page(status: int, title: str, content: str) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(title=title, content=content), status_code=status, headers=_HEADERS)
