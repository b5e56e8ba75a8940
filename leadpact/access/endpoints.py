"""Tokens over HTTP, and the door through which a browser signs in."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from leadpact.access.gatekeeper import COOKIE, refuse_cross_site
from leadpact.access.guarded_route import GuardedRoute
from leadpact.access.scopes import AdminCaller, Scope, public
from leadpact.access.tokens import (
    SESSION_LASTS,
    close_session,
    create_token,
    list_tokens,
    open_session,
    recognise_token,
    revoke_token,
)
from leadpact.clock import Clock
from leadpact.runtime.problems import Problem
from leadpact.runtime.storable import NO_NUL
from leadpact.storage.unit_of_work import UnitOfWork

TokenIdPath = Annotated[str, Path(max_length=64, pattern=NO_NUL)]

_MOST_FORM_BYTES = 4_096
_pages = Environment(loader=PackageLoader("leadpact.access", "pages"), autoescape=True)


class NewToken(BaseModel):
    """What to make."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100, pattern=NO_NUL)
    scopes: list[str] = Field(min_length=1)
    expires_in_days: float | None = Field(None, gt=0, le=3_660)


class TokenShown(BaseModel):
    """A token without its secret."""

    id: str
    name: str
    scopes: list[Scope]
    created_at: AwareDatetime
    expires_at: AwareDatetime | None
    revoked_at: AwareDatetime | None
    last_used_at: AwareDatetime | None


def create_access_router(uow: UnitOfWork, clock: Clock) -> APIRouter:
    """Routes for tokens and sessions."""
    router = APIRouter(tags=["access"], route_class=GuardedRoute)

    @router.post("/v1/tokens", status_code=201)
    async def make(wanted: NewToken, caller: AdminCaller) -> dict[str, str]:
        """Make a token. The answer is the only time that it can be read."""
        now = clock.now()
        expires_at = now + timedelta(days=wanted.expires_in_days) if wanted.expires_in_days else None
        async with uow.transaction() as tx:
            token = await create_token(
                tx, name=wanted.name, scopes=wanted.scopes, now=now, expires_at=expires_at
            )
        return {"id": token.split("_")[1], "token": token}

    @router.get("/v1/tokens")
    async def show(caller: AdminCaller) -> dict[str, list[TokenShown]]:
        """Every token that was ever made, without the secrets."""
        async with uow.transaction() as tx:
            tokens = await list_tokens(tx)
        return {"items": [TokenShown.model_validate(token, from_attributes=True) for token in tokens]}

    @router.delete("/v1/tokens/{token_id}", status_code=204)
    async def revoke(token_id: TokenIdPath, caller: AdminCaller) -> Response:
        """Revoke a token and sign out every browser that used it."""
        async with uow.transaction() as tx:
            await revoke_token(tx, token_id, clock.now())
        return Response(status_code=204)

    @router.get(
        "/sign-in", include_in_schema=False, dependencies=[public("whoever signs in is not known yet")]
    )
    async def sign_in_page(next: str = "/") -> HTMLResponse:
        return HTMLResponse(_pages.get_template("sign_in.html").render(next=_own_path(next), fault=None))

    @router.post(
        "/sign-in", include_in_schema=False, dependencies=[public("whoever signs in is not known yet")]
    )
    async def sign_in(request: Request) -> Response:
        refuse_cross_site(request)
        form = await _small_form(request)
        target = _own_path(form.get("next", "/"))
        now = clock.now()
        async with uow.transaction() as tx:
            caller = await recognise_token(tx, form.get("token", "").strip(), now)
            cookie = await open_session(tx, caller, now) if caller else None
        if cookie is None:
            fault = "That token is unknown, expired or revoked."
            page = _pages.get_template("sign_in.html").render(next=target, fault=fault)
            return HTMLResponse(page, status_code=401)
        return _with_cookie(RedirectResponse(target, status_code=303), request, cookie)

    @router.post(
        "/sign-out", include_in_schema=False, dependencies=[public("it only ends the caller's own session")]
    )
    async def sign_out(request: Request) -> Response:
        refuse_cross_site(request)
        async with uow.transaction() as tx:
            await close_session(tx, request.cookies.get(COOKIE, ""))
        answer = RedirectResponse("/sign-in", status_code=303)
        answer.delete_cookie(COOKIE)
        return answer

    return router


def _with_cookie(answer: Response, request: Request, cookie: str) -> Response:
    answer.set_cookie(
        COOKIE,
        cookie,
        max_age=int(SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


def _own_path(path: str) -> str:
    """``path`` if it stays on this server, else the start page: no open redirect."""
    stays = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if stays else "/"


async def _small_form(request: Request) -> dict[str, Any]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_FORM_BYTES:
            raise Problem(413, "too-large", f"A sign-in is shorter than {_MOST_FORM_BYTES} bytes.")
    return {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
