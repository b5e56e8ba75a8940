"""What people do after they became leads: pages seen, webinars attended, mails opened. Taken in here, applied by the router's consumer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from leadpact.access.scopes import Scope, require
from leadpact.clock import Clock
from leadpact.events import ActivityRecorded
from leadpact.ids import new_id
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact_router.endpoints.fields import Line, Moment, happened_at
from leadpact_router.endpoints.repeats import IdempotencyKey, answer_once

_MOST_DETAILS = 8_192
_UNSTORABLE = re.compile(r"[\0\ud800-\udfff]")


def _key_form(address: str) -> str:
    """The form in which leads' addresses are compared."""
    try:
        found = validate_email(address.strip(), check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        raise ValueError("must be an e-mail address such as kathe@company.example") from error
    return f"{found.local_part.lower()}@{found.ascii_domain.lower()}"


def _e164(number: str) -> str:
    try:
        found = phonenumbers.parse(number)
    except phonenumbers.NumberParseException as error:
        raise ValueError("must be a number with its country code, such as +493012345678") from error
    return phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)


def _can_be_stored(details: dict[str, JsonValue]) -> dict[str, JsonValue]:
    written = json.dumps(details, allow_nan=False)
    if len(written) > _MOST_DETAILS:
        raise ValueError(f"must be shorter than {_MOST_DETAILS} characters of JSON")
    if any(_UNSTORABLE.search(text) for text in _texts(details)):
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
    email: Annotated[str, Field(max_length=254), AfterValidator(_key_form)] | None = None
    phone: Annotated[str, Field(max_length=40), AfterValidator(_e164)] | None = None
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
    router = APIRouter(tags=["activities"])

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
