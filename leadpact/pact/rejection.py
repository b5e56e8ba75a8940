"""Say for which reasons sales may give a lead back, and what becomes of it then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from leadpact.pact.base import Name, PactSection


class RejectionReason(PactSection):
    """What a rejection for this reason leads to, and whether the rep must say more."""

    outcome: Literal["recycle", "nurture", "disqualify"]
    note: Literal["required", "optional"] = "optional"


RejectionReasons = Mapping[Name, RejectionReason]
