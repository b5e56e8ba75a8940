"""What people do after they became leads: pages seen, webinars attended, mails opened. Taken in here, applied by the router's consumer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationInfo, model_validator

from leadpact.access.guarded_route import GuardedRoute
from leadpact.access.scopes import Scope, require
from leadpact.clock import Clock
from leadpact.domain.clean_text import clean
from leadpact.domain.email_key import EmailKey, read_email_key
from leadpact.domain.phone_key import Phone, read_phone
from leadpact.events import ActivityRecorded
from leadpact.ids import new_id
from leadpact.pact.words import COUNTRIES, nearest_country
from leadpact.runtime.storable import is_storable
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact_router.endpoints.fields import Line, Moment, happened_at
from leadpact_router.endpoints.repeats import IdempotencyKey, answer_once

_MOST_DETAILS = 8_192
_LONGEST = 1_000
"""Of an address or a number with what an export put around it."""


def _key_form(written: str) -> str:
    found = read_email_key(written)
    if not isinstance(found, EmailKey):
        raise ValueError(f"must be an e-mail address such as kathe@company.example: {found.reason}")
    return found.key


def _e164(written: str, said: ValidationInfo) -> str:
    found = read_phone(clean(written), said.data.get("country"))
    if not isinstance(found, Phone):
        raise ValueError(f"must be a phone number such as +493012345678: {found.reason}")
    return found.e164


def _known_country(code: str) -> str:
    if code not in COUNTRIES:
        meant = nearest_country(code)
        raise ValueError(
            "must be a country's two letters, such as DE" + (f"; did you mean {meant}?" if meant else "")
        )
    return code


def _can_be_stored(details: dict[str, JsonValue]) -> dict[str, JsonValue]:
    written = json.dumps(details, allow_nan=False)
    if len(written) > _MOST_DETAILS:
        raise ValueError(f"must be shorter than {_MOST_DETAILS} characters of JSON")
    if not all(is_storable(text) for text in _texts(details)):
        raise ValueError("must not hold the character U+0000 or half of a surrogate pair")
    return details


def _texts(value: JsonValue) -> Iterator[str]:
    """Every text in ``value``, names of fields included."""
    match value:
        case str():
            yield value
        case list():
            yield from (text for inner in value for text in _texts(inner))
        case dict():
            yield from value
            yield from (text for inner in value.values() for text in _texts(inner))


class NewActivity(BaseModel):
    """Something that a person did. Who: by e-mail, phone or lead, whatever the sender knows."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    kind: Line = Field(
        description="The pact gives points to some kinds; others are kept without.", examples=["pricing_page"]
    )
    email: Annotated[str, Field(max_length=_LONGEST), AfterValidator(_key_form)] | None = Field(
        None, description="As it was written: it is read as a form's is."
    )
    country: Annotated[str, Field(max_length=10), AfterValidator(_known_country)] | None = Field(
        None, description="In which a phone number without a country code is dialled.", examples=["DE"]
    )
    phone: Annotated[str, Field(max_length=_LONGEST), AfterValidator(_e164)] | None = Field(
        None, description="As it was written: it is read as a form's is."
    )
    lead_id: UUID | None = None
    occurred_at: Moment | None = Field(None, description="Now if left out.")
    details: Annotated[dict[str, JsonValue], AfterValidator(_can_be_stored)] = {}

    @model_validator(mode="after")
    def _of_somebody(self) -> NewActivity:
        if not (self.email or self.phone or self.lead_id):
            raise ValueError("needs an email, a phone or a lead_id: who did it")
        return self


class Taken(BaseModel):
    """It is stored and will be applied."""

    activity_id: UUID


def create_router(uow: UnitOfWork, clock: Clock) -> APIRouter:
    """The route for activities."""
    router = APIRouter(tags=["activities"], route_class=GuardedRoute)

    @router.post("/v1/activities", status_code=202, dependencies=[require(Scope.WORK)])
    async def record(said: NewActivity, idempotency_key: IdempotencyKey = None) -> Taken:
        """Take an activity in. 202 means that it is stored for good; what it changes follows.

        Of a person who is no lead yet it earns nothing.
        """
        now = clock.now()
        event = ActivityRecorded(
            activity_id=new_id(),
            kind=said.kind,
            occurred_at=happened_at(said.occurred_at, now),
            received_at=now,
            email=said.email,
            phone=said.phone,
            lead_id=said.lead_id,
            details=said.details,
        )
        async with uow.transaction() as tx:

            async def work() -> dict[str, Any]:
                tx.emit(event)
                return {"activity_id": str(event.activity_id)}

            said_json = said.model_dump(mode="json")
            answer = await answer_once(tx, idempotency_key, "activity", said_json, work, status=202)
        return Taken.model_validate(answer)

    return router
