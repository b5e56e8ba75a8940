"""docs/problems.md has a section for every problem that Leadpact answers with, and for no other."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from leadpact.errors import Conflict, NotFound, Refused, Transient
from leadpact.runtime.problems import TYPE_BASE, Problem, install_problem_handlers

REPOSITORY = Path(__file__).parents[3]
DOCUMENT = (REPOSITORY / "docs/problems.md").read_text()
# The one place that makes problems out of errors of other kinds; what it makes is tried below.
TRANSLATOR = REPOSITORY / "leadpact/runtime/problems.py"

Statuses = dict[str, set[int]]


def _documented() -> Statuses:
    """The statuses of each section, by its kind: ``## `kind` `` and a line that begins with ``Status``."""
    sections = re.findall(r"^## `([a-z0-9-]+)`\n+Status ((?:\d{3}(?:, )?)+)\.", DOCUMENT, re.MULTILINE)
    return {kind: {int(status) for status in statuses.split(", ")} for kind, statuses in sections}


def _raised_in(file: Path) -> Iterator[tuple[int | None, str]]:
    """Every problem that a module makes: its status where it is written out, and its kind."""
    for call in ast.walk(ast.parse(file.read_text())):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
            continue
        if call.func.id not in ("Problem", "problem") or len(call.args) < 2:
            continue
        match call.args[:2]:
            case [ast.Constant(value=int(status)), ast.Constant(value=str(kind))]:
                yield status, kind
            case [_, ast.Constant(value=str(kind))]:
                yield None, kind
            case [_, ast.Attribute(attr="kind")]:
                pass  # a problem that was made elsewhere is passed on
            case _:
                raise AssertionError(f"{file}:{call.lineno}: a problem's kind must be written out")


def _raised() -> dict[str, set[int | None]]:
    raised: dict[str, set[int | None]] = defaultdict(set)
    for folder in ("leadpact", "services"):
        for file in (REPOSITORY / folder).rglob("*.py"):
            if file != TRANSLATOR:
                for status, kind in _raised_in(file):
                    raised[kind].add(status)
    return raised


class Body(BaseModel):
    number: int


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """An application with one route for each kind of error that is translated."""
    app = FastAPI()
    install_problem_handlers(app)
    errors: dict[str, Exception] = {
        "refused": Refused("no"),
        "not-found": NotFound("none"),
        "conflict": Conflict("not now"),
        "unavailable": Transient("later"),
        "internal-error": ZeroDivisionError(),
        "own": Problem(418, "teapot", "short and stout"),
    }

    @app.get("/raise/{name}")
    async def fail(name: str) -> None:
        raise errors[name]

    @app.post("/body")
    async def take(body: Body) -> None:
        """Takes a number."""

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://leadpact") as client:
        yield client


TRANSLATED = {
    "refused": ("GET", "/raise/refused", b"", 422),
    "not-found": ("GET", "/raise/not-found", b"", 404),
    "conflict": ("GET", "/raise/conflict", b"", 409),
    "unavailable": ("GET", "/raise/unavailable", b"", 503),
    "internal-error": ("GET", "/raise/internal-error", b"", 500),
    "method-not-allowed": ("DELETE", "/body", b"", 405),
    "bad-request": ("POST", "/body", b"\xff", 400),
    "malformed-json": ("POST", "/body", b"{", 400),
    "invalid-field": ("POST", "/body", b"{}", 422),
}


@pytest.mark.parametrize("kind", TRANSLATED)
async def test_an_error_is_answered_as_the_problem_that_is_documented(
    kind: str, client: httpx.AsyncClient
) -> None:
    method, path, body, status = TRANSLATED[kind]
    answer = await client.request(method, path, content=body, headers={"content-type": "application/json"})

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == TYPE_BASE + kind
    assert answer.status_code == answer.json()["status"] == status
    assert status in _documented()[kind]


def test_every_problem_that_is_raised_has_a_section_with_its_status() -> None:
    documented = _documented()

    missing = {
        kind: statuses
        for kind, statuses in _raised().items()
        if not statuses - {None} <= documented.get(kind, set()) or kind not in documented
    }
    assert missing == {}


def test_every_section_is_of_a_problem_that_is_raised() -> None:
    assert set(_documented()) - set(_raised()) - set(TRANSLATED) == set()


def test_every_heading_is_a_section_that_can_be_linked_to_and_read() -> None:
    headings = re.findall(r"^## (.*)$", DOCUMENT, re.MULTILINE)

    assert headings == [f"`{kind}`" for kind in _documented()]
