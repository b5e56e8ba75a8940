"""Say when a lead is ready for sales, and what must be known of it before it is handed over."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from leadpact.pact.base import PactSection, mistake
from leadpact.pact.condition import ReadinessCondition

LeadField = Literal[
    "email",
    "phone",
    "first_name",
    "last_name",
    "company",
    "country",
    "state",
    "employees",
    "industry",
    "job_title",
    "products",
    "consent",
]
"""What a pact may ask to be known before sales is given a lead; named as in the canonical lead."""

Criteria = Annotated[tuple[ReadinessCondition, ...], Field(min_length=1)]


class Readiness(PactSection):
    """The criteria of a marketing-qualified lead: any of a list, or all of it."""

    any: Criteria | None = None
    all: Criteria | None = None
    needs: tuple[LeadField, ...] = ()
    """Fields without which a lead that meets the criteria is kept back until they are known."""

    @model_validator(mode="after")
    def _either_any_or_all(self) -> Self:
        if (self.any is None) == (self.all is None):
            raise mistake("either `any` or `all`, with a list of conditions")
        return self


class Qualification(PactSection):
    """Which leads marketing may call qualified; without `mql` every lead is."""

    mql: Readiness | None = None
