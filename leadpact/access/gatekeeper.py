"""Recognise callers: programs by bearer token, browsers by a cookie that page scripts cannot read.

A cookie is sent by the browser whoever made it ask, so a request that changes something and is recognised by cookie must also show that it comes
from our own pages: ``Sec-Fetch-Site: same-origin`` or, from browsers that do not send it, an ``Origin`` that is our host.
A bearer token is never sent by itself and needs no such proof.
"""

from __future__ import annotations

from urllib.parse import quote

from fastapi import Request

from leadpact.access.scopes import Caller, Scope
from leadpact.access.tokens import recognise_session, recognise_token
from leadpact.clock import Clock
from leadpact.runtime.problems import Problem
from leadpact.storage.unit_of_work import UnitOfWork

COOKIE = "leadpact_session"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class DatabaseGatekeeper:
    """Looks every caller up: a revoked token is refused at its next request."""

    def __init__(self, uow: UnitOfWork, clock: Clock) -> None:
        self._uow = uow
        self._clock = clock

    async def admit(self, request: Request, scope: Scope) -> Caller:
        """The caller, if known and allowed; else the 401 or 403 that says what is missing."""
        caller = await self._recognise(request)
        if caller is None:
            raise _not_known(request, scope)
        if caller.via_cookie and request.method not in _SAFE_METHODS:
            refuse_cross_site(request)
        if not caller.may(scope):
            raise Problem(
                403,
                "missing-scope",
                f"This needs a token with the scope {scope!s}; yours has {_words(caller)}.",
            )
        return caller

    async def _recognise(self, request: Request) -> Caller | None:
        scheme, _, credential = request.headers.get("authorization", "").partition(" ")
        cookie = request.cookies.get(COOKIE)
        if not credential and not cookie:
            return None
        async with self._uow.transaction() as tx:
            if credential:
                bearer = scheme.lower() == "bearer"
                return await recognise_token(tx, credential.strip(), self._clock.now()) if bearer else None
            return await recognise_session(tx, cookie or "", self._clock.now())


def refuse_cross_site(request: Request) -> None:
    """Raise the 403 problem unless the browser says that the request comes from our own pages."""
    site = request.headers.get("sec-fetch-site")
    # An origin is a scheme and a host with its port, nothing else. Whatever is sent in its place is only compared, never parsed.
    origin_host = request.headers.get("origin", "").partition("://")[2]
    ours = site == "same-origin" if site else origin_host == request.headers.get("host")
    if not ours:
        raise Problem(
            403, "cross-site", "This request changes something and does not come from Leadpact's own page."
        )


def _not_known(request: Request, scope: Scope) -> Problem:
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return Problem(303, "sign-in", "Sign in first.", headers={"Location": f"/sign-in?next={quote(path)}"})
    return Problem(
        401,
        "not-signed-in",
        f"This needs a bearer token with the scope {scope!s}: send `Authorization: Bearer <token>`. "
        "A token that was sent is unknown, expired or revoked.",
        headers={"WWW-Authenticate": f'Bearer realm="leadpact", scope="{scope!s}"'},
    )


def _words(caller: Caller) -> str:
    return ", ".join(sorted(caller.scopes)) or "none"
