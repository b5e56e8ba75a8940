"""Ingest's addresses: the form door, its public keys, and receipts."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from leadpact.access.guarded_route import GuardedRoute
from leadpact.access.scopes import Scope, public, require
from leadpact.clock import Clock
from leadpact.runtime.storable import NO_NUL
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact_ingest.body import FORM_TYPES, JSON_TYPE
from leadpact_ingest.form_door import FormDoor
from leadpact_ingest.form_keys import FormKey, all_keys, make_key, revoke_key
from leadpact_ingest.receipts import ReceiptView, find_receipt
from leadpact_ingest.source_book import SourceBook

FormKeyPath = Annotated[str, Path(max_length=100, pattern=NO_NUL)]


class DirectRoute(APIRoute):
    """A route whose handler gets the request as it is and makes the answer itself.

    FastAPI's layer of dependencies and models costs more than everything else a form's post needs. The
    dependency that every route declares is declared here too; for a public route it has nothing to do.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.endpoint


class NewFormKey(BaseModel):
    """Which form a key is for."""

    model_config = ConfigDict(extra="forbid")

    source: str


def create_form_router(door: FormDoor) -> APIRouter:
    """The door for posts."""
    router = APIRouter(tags=["forms"], route_class=DirectRoute)
    everybody = public("visitors of a form have no token; its public key can do nothing but post")

    @router.post(
        "/v1/forms/{source}", status_code=202, dependencies=[everybody], openapi_extra=_POST_DOCUMENTATION
    )
    async def post_form(request: Request) -> Response:
        """Take one lead. 202 means that it is stored for good; scoring and assignment follow."""
        return await door.post(request)

    @router.api_route(
        "/v1/forms/{source}", methods=["OPTIONS"], dependencies=[everybody], include_in_schema=False
    )
    async def preflight_form(request: Request) -> Response:
        """Say whether a page's script may post."""
        return await door.preflight(request)

    return router


def create_receipts_router(uow: UnitOfWork) -> APIRouter:
    """What became of posts."""
    router = APIRouter(tags=["receipts"], route_class=GuardedRoute)

    @router.get("/v1/receipts/{receipt_id}", dependencies=[require(Scope.INGEST)])
    async def get_receipt(receipt_id: UUID) -> ReceiptView:
        """The lead that a post became, its stage and its owner."""
        async with uow.transaction() as tx:
            return await find_receipt(tx, receipt_id)

    return router


def create_form_keys_router(uow: UnitOfWork, sources: SourceBook, clock: Clock) -> APIRouter:
    """Public keys of forms."""
    router = APIRouter(tags=["form keys"], dependencies=[require(Scope.ADMIN)], route_class=GuardedRoute)

    @router.post("/v1/form-keys", status_code=201)
    async def create_form_key(wanted: NewFormKey) -> FormKey:
        """Make a key. From the first one on, the source takes posts with a key only."""
        source = (await sources.current()).posted(wanted.source)
        async with uow.transaction() as tx:
            made = await make_key(tx, source.name, clock.now())
        sources.look_again()
        return made

    @router.get("/v1/form-keys")
    async def list_form_keys() -> dict[Literal["items"], list[FormKey]]:
        """Every key, those out of use too."""
        async with uow.transaction() as tx:
            return {"items": await all_keys(tx)}

    @router.delete("/v1/form-keys/{key}")
    async def revoke_form_key(key: FormKeyPath) -> FormKey:
        """Put a key out of use, within a second. Revoking a source's last key closes its form."""
        async with uow.transaction() as tx:
            revoked = await revoke_key(tx, key, clock.now())
        sources.look_again()
        return revoked

    return router


_FIELDS = {"schema": {"type": "object", "additionalProperties": True}}
_TEXT = {"schema": {"type": "string"}}
_RECEIPT = {
    "type": "object",
    "required": ["receipt", "status"],
    "properties": {
        "receipt": {"type": "string", "format": "uuid"},
        "status": {"type": "string", "enum": ["accepted", "duplicate"]},
    },
}
_PROBLEMS = {
    400: "The body cannot be read, or the Idempotency-Key cannot be used.",
    401: "The form takes posts with its public key only.",
    403: "Scripts of this page may not post to this form.",
    404: "The pact has no form of this name.",
    413: "The body is larger than 64 kB.",
    415: "The content type or its charset is not taken.",
    422: "A field cannot be used, or there is nothing to reach the person by.",
    503: "It could not be stored just now; nothing was kept.",
}
_POST_DOCUMENTATION: dict[str, Any] = {
    "parameters": [
        {"name": "source", "in": "path", "required": True, "description": "A form of the pact.", **_TEXT},
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "The same key and lead again within 24 hours gets the first answer again.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        },
        {"name": "X-Leadpact-Form-Key", "in": "header", "required": False, **_TEXT},
    ],
    "requestBody": {"required": True, "content": dict.fromkeys((JSON_TYPE, *FORM_TYPES), _FIELDS)},
    "responses": {
        "202": {
            "description": "Stored for good. A visitor's browser gets a page instead.",
            "content": {"application/json": {"schema": _RECEIPT}},
        },
        "303": {"description": "Stored for good; the visitor is sent on to the page that the form asks for."},
        **{
            str(status): {
                "description": description,
                "content": {"application/problem+json": {"schema": {"type": "object"}}},
            }
            for status, description in _PROBLEMS.items()
        },
    },
}
