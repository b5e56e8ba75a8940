"""Answer every error as an RFC 9457 problem that says what is wrong, where, and how to put it right.

A sentence may name the word that is wrong, but an echo amplifies (a 10 MB value comes back three times), so none of them comes to
more than 900 characters, whatever was sent. One problem type per situation; ``type`` resolves to a section of docs/problems.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from leadpact.errors import Conflict, Fault, NotFound, Refused, Transient
from leadpact.runtime.storable import NO_NUL

log = structlog.get_logger(__name__)

TYPE_BASE = "https://leadpact.example/problems/"
_MOST_FAULTS = 20
_LONGEST = 900
_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")

# What pydantic finds (https://docs.pydantic.dev/latest/errors/validation_errors/), where its own words do not say what to do:
# what is wrong, and the fix.
_A_TIME = "write it with its offset from UTC, such as 2026-03-03T09:00:00Z or 2026-03-03T10:00:00+01:00"
_PLAIN_WORDS = {
    "missing": ("is missing", "send it"),
    "extra_forbidden": ("is no field that is known here", "leave it out, or correct its name"),
    "model_attributes_type": ("is no JSON object", 'send {"name": "value"} as application/json'),
    "uuid_parsing": ("is no UUID", "take the id as it was given"),
    "datetime_parsing": ("is no time", _A_TIME),
    "datetime_from_date_parsing": ("is no time", _A_TIME),
    "timezone_aware": ("has no offset from UTC", _A_TIME),
}


class ProblemResponse(JSONResponse):
    """A JSON body of type ``application/problem+json``."""

    media_type = "application/problem+json"


class Problem(Refused):
    """A refusal that also says its HTTP status and problem type."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        faults: Sequence[Fault] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail, faults=faults)
        self.status = status
        self.kind = kind
        self.headers = headers or {}


class BodyProblem(HTTPException):
    """A ``Problem`` met while the body is read. Of what is raised then, FastAPI lets through its own exceptions only."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.status, problem.detail)
        self.problem = problem


def problem(
    status: int,
    kind: str,
    detail: str,
    *,
    faults: Sequence[Fault] = (),
    headers: dict[str, str] | None = None,
) -> ProblemResponse:
    """The answer for one situation. ``kind`` is the last part of the problem's type, such as ``invalid-field``."""
    body: dict[str, Any] = {
        "type": TYPE_BASE + kind,
        "title": kind.replace("-", " ").capitalize(),
        "status": status,
        "detail": _bounded(detail),
    }
    if faults:
        body["errors"] = [
            {
                "pointer": _bounded(fault.where),
                "detail": _bounded(fault.what),
                **({"fix": _bounded(fault.fix)} if fault.fix else {}),
            }
            for fault in faults[:_MOST_FAULTS]
        ]
    return ProblemResponse(body, status_code=status, headers=headers)


ErrorPage = Callable[[int, str], Response]
"""Makes the page that tells a browser of an error, from its status and what is wrong."""


def install_problem_handlers(app: FastAPI, *, error_page: ErrorPage | None = None) -> None:
    """Make ``app`` answer every error, expected or not, as a problem.

    Where there is an ``error_page``, a browser outside the API gets one for an address that is not there or not taken so.
    """
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(Transient, _transient)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, partial(_http, error_page=error_page))
    app.add_exception_handler(Exception, _bug)


def faults_of(error: RequestValidationError) -> list[Fault]:
    """What the framework found wrong in a request, in words that say what to do."""
    return [_fault(found) for found in error.errors()[:_MOST_FAULTS]]


async def _refused(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, Refused)
    if isinstance(error, Problem):
        return problem(error.status, error.kind, error.detail, faults=error.faults, headers=error.headers)
    status, kind = {NotFound: (404, "not-found"), Conflict: (409, "conflict")}.get(
        type(error), (422, "refused")
    )
    return problem(status, kind, error.detail, faults=error.faults)


async def _transient(request: Request, error: Exception) -> ProblemResponse:
    log.warning("http.unavailable", reason=str(error))
    detail = "This could not be stored just now and nothing of it was kept. Send it again in a moment."
    if request.method in ("GET", "HEAD"):
        detail = "This could not be read just now. Ask again in a moment."
    return problem(503, "unavailable", detail, headers={"Retry-After": "2"})


async def _invalid(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, RequestValidationError)
    faults = faults_of(error)
    if any(fault["type"] == "json_invalid" for fault in error.errors()):
        return problem(400, "malformed-json", "The body is not valid JSON.", faults=faults)
    return problem(422, "invalid-field", "Some fields cannot be used as they are.", faults=faults)


async def _http(request: Request, error: Exception, *, error_page: ErrorPage | None) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, BodyProblem):
        return await _refused(request, error.problem)
    if error_page is not None and _is_for_a_person(request):
        return _on_page(request, error, error_page)
    title = HTTPStatus(error.status_code).phrase
    kind = title.lower().replace(" ", "-")
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return problem(
                404, kind, "There is no such address. Those that there are stand in /openapi.json."
            )
        case HTTPStatus.METHOD_NOT_ALLOWED:
            methods = ", ".join(_methods_at(request))
            detail = f"This address does not take {request.method}. It takes {methods}."
            return problem(405, kind, detail, headers={"Allow": methods})
    return problem(error.status_code, kind, str(error.detail or title), headers=dict(error.headers or {}))


def _is_for_a_person(request: Request) -> bool:
    """Whether a browser shows the answer: who calls the API decides by the problem's type, whatever they say they accept."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/")


def _on_page(request: Request, error: HTTPException, error_page: ErrorPage) -> Response:
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return error_page(404, "There is no such page.")
        case HTTPStatus.METHOD_NOT_ALLOWED:
            answer = error_page(405, "There is no such page, only a button that leads to this address.")
            answer.headers["Allow"] = ", ".join(_methods_at(request))
            return answer
    return error_page(error.status_code, str(error.detail))


def _methods_at(request: Request) -> list[str]:
    """What the address takes, over all of its routes: the framework names those of the first one only."""
    return [
        method
        for method in _METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]


async def _bug(_: Request, error: Exception) -> ProblemResponse:
    log.error("http.bug", reason=type(error).__name__, exc_info=error)
    return problem(500, "internal-error", "Something went wrong on our side; it has been logged.")


def _fault(found: Mapping[str, Any]) -> Fault:
    if found["type"] == "json_invalid":  # its place is a number of characters, not a name
        reason = str(found["ctx"]["error"])
        return Fault(
            "#", f"stops being JSON at character {int(found['loc'][-1]) + 1}: {reason}", "correct it there"
        )
    where = _pointer(found["loc"])
    if found["type"] in _PLAIN_WORDS:
        return Fault(where, *_PLAIN_WORDS[found["type"]])
    if found["type"] == "string_pattern_mismatch" and found["ctx"]["pattern"] == NO_NUL:
        return Fault(where, "holds the character U+0000", "remove it: a faulty program left it there")
    return Fault(where, str(found["msg"]).removeprefix("Value error, "))


def _bounded(sentence: str) -> str:
    """A sentence without its middle, if that is what a huge word in it takes up: how it begins and ends says what is wrong."""
    if len(sentence) <= _LONGEST:
        return sentence
    return f"{sentence[: _LONGEST * 2 // 3 - 1]}…{sentence[-_LONGEST // 3 :]}"


def _pointer(location: Sequence[Any]) -> str:
    """``("body", "reps", 0, "email")`` as the JSON pointer ``#/reps/0/email``; other places by name."""
    place, *rest = [str(part) for part in location] or ["body"]
    return f"#/{'/'.join(rest)}" if place == "body" else f"{place}:{'.'.join(rest)}"
