"""A gatekeeper for tests that are not about access: it knows everybody."""

from __future__ import annotations

from fastapi import Request

from leadpact.access.scopes import Caller, Scope


class OpenGatekeeper:
    """Mirrors `leadpact.access.scopes.Gatekeeper`."""

    async def admit(self, request: Request, scope: Scope) -> Caller:
        return Caller("test", "test", frozenset({scope}))
