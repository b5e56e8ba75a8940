"""Say of every route who may call it.

A route carries exactly one of two dependencies: ``require(Scope.…)`` or ``public("why anybody may")``. A test walks every route of every
service and fails for one that carries neither, so forgetting is not possible.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request


class Scope(StrEnum):
    """What a token may do. ``admin`` may do everything."""

    INGEST = "ingest"  # post leads and files
    READ = "read"  # see leads, clocks, deliveries
    WORK = "work"  # accept, contact, reject; record activities
    ADMIN = "admin"  # pact, reps, accounts, tokens, webhook endpoints


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the token's id and name, and what it may do. ``via_cookie`` marks a signed-in browser."""

    token_id: str
    name: str
    scopes: frozenset[Scope]
    via_cookie: bool = False

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes


class Gatekeeper(Protocol):
    """Recognises callers. ``app.state.gatekeeper`` is one."""

    async def admit(self, request: Request, scope: Scope) -> Caller:
        """The caller, if it is known and may; else raises the 401 or 403 problem that says which scope is missing."""
        ...


@dataclass(frozen=True, slots=True)
class Requirement:
    """Admits callers that hold ``scope``."""

    scope: Scope

    async def __call__(self, request: Request) -> Caller:
        # A guarded route asks before it reads the body, and its endpoint asks who it was: one look is enough.
        admitted: dict[Scope, Caller] = request.scope.setdefault("leadpact.admitted", {})
        if self.scope not in admitted:
            gatekeeper: Gatekeeper = request.app.state.gatekeeper
            admitted[self.scope] = await gatekeeper.admit(request, self.scope)
        return admitted[self.scope]


@dataclass(frozen=True, slots=True)
class OpenDoor:
    """Admits everybody, for the stated reason."""

    reason: str

    async def __call__(self) -> None:
        """Nothing to check."""


def require(scope: Scope) -> Any:
    """``caller: Annotated[Caller, require(Scope.READ)]`` or ``dependencies=[require(Scope.READ)]``."""
    return Depends(Requirement(scope))


def public(reason: str) -> Any:
    """``dependencies=[public("the form door")]``: anybody may call this route, because ``reason``."""
    return Depends(OpenDoor(reason))


# For endpoints that need to know who asks: ``async def make(caller: AdminCaller)``. They stand at module level because FastAPI
# resolves annotations there.
IngestCaller = Annotated[Caller, require(Scope.INGEST)]
ReadCaller = Annotated[Caller, require(Scope.READ)]
WorkCaller = Annotated[Caller, require(Scope.WORK)]
AdminCaller = Annotated[Caller, require(Scope.ADMIN)]
