"""Every kind of promise that there is. A new kind is a module in this package and a line here."""

from __future__ import annotations

from leadpact_sla_timer.policies.first_touch import FirstTouch
from leadpact_sla_timer.policy import Policy

POLICIES: tuple[Policy, ...] = (FirstTouch(),)
