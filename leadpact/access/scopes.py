"""Say of every route who may call it.

A route carries exactly one of two dependencies: ``require(Scope.…)`` or ``public("why anybody may")``. A test walks every route of every
service and fails for one that carries neither, so forgetting is not possible.

What is required of callers includes that they ask in words that the route knows: of an API's route, unknown parameters are refused here,
after the question who asks. Forms are public: whatever trackers append to their addresses is passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request

from leadpact.runtime.parameters import refuse_unknown_parameters

_API = "/v1/"


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
    """Admits callers that hold ``scope`` and, under ``/v1``, use no parameter that the route does not know."""

    scope: Scope

    async def __call__(self, request: Request) -> Caller:
        gatekeeper: Gatekeeper = request.app.state.gatekeeper
        caller = await gatekeeper.admit(request, self.scope)
        if request.scope["route"].path.startswith(_API):
            refuse_unknown_parameters(request)
        return caller


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
