"""Record what sales and the CRM report: a lead accepted, tried, reached, met, paused, given back or closed. One verb, one module.

* Saying the same again changes nothing and announces nothing.
* ``occurred_at`` is when it happened and may lie in the past: a contact reported late still counts from when
  it was made. Both times are announced. What lies in the future is taken as now. A pause alone counts from
  when we hear of it, so that nobody stops a clock in hindsight.
* Once the lead was taken away, given back or closed, its former owner cannot accept, reject or pause it, nor
  newly try or contact it: ``Conflict`` names who has it. What was done *before* is recorded all the same,
  because what happened in time counts; the lead stays where it is.
* The person reached, or the lead closed, it weighs no longer on the owner's open limit. Given back as never
  having been a lead (a reason whose outcome is `disqualify`), it does not count as a turn either.
* What a machine sent is no contact: an automatic reply is on record as an attempt, and stops nothing.
"""

from __future__ import annotations

from leadpact_router.work.accept import accept
from leadpact_router.work.attempt import attempt
from leadpact_router.work.close import Closed, close
from leadpact_router.work.contact import contact
from leadpact_router.work.meeting import book_meeting
from leadpact_router.work.pause import pause, resume
from leadpact_router.work.recorded import Recorded
from leadpact_router.work.reject import reject

__all__ = [
    "Closed",
    "Recorded",
    "accept",
    "attempt",
    "book_meeting",
    "close",
    "contact",
    "pause",
    "reject",
    "resume",
]
