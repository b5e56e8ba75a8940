"""Every kind of promise that there is. A new kind is a module in this package and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from leadpact_sla_timer.policies.attempts import Attempts
from leadpact_sla_timer.policies.decide import Decide
from leadpact_sla_timer.policies.first_touch import FirstTouch
from leadpact_sla_timer.policy import Policy

POLICIES: tuple[Policy, ...] = (FirstTouch(), Attempts(), Decide())

BY_KIND: Mapping[str, Policy] = {policy.kind: policy for policy in POLICIES}
