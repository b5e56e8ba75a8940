"""Say what one webhook call came to, in values that can be stored, shown and decided on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

LONGEST_RETRY_AFTER = timedelta(days=365)
_SECONDS = re.compile(r"[0-9]+", re.ASCII)


class CallFault(StrEnum):
    """Why there was no answer."""

    REFUSED_ADDRESS = "refused_address"
    UNKNOWN_HOST = "unknown_host"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    BROKEN_ANSWER = "broken_answer"


@dataclass(frozen=True, slots=True)
class CallResult:
    """Either a ``status`` came back, or a ``fault`` says why none did.

    ``detail`` is a sentence about the fault, ``body`` the beginning of the answer's body as text that PostgreSQL can
    hold (what is not UTF-8, and NUL, shows as U+FFFD). ``retry_after`` is how long the receiver asks us to wait.
    """

    status: int | None
    fault: CallFault | None
    detail: str
    elapsed_ms: int
    body: str = ""
    retry_after: timedelta | None = None

    @property
    def is_success(self) -> bool:
        """Only 2xx says that the receiver has it (Standard Webhooks); a redirect is a failure."""
        return self.status is not None and 200 <= self.status < 300


def parse_retry_after(value: str, now: datetime) -> timedelta | None:
    """The wait that a ``Retry-After`` header asks for (RFC 9110 §10.2.3): whole seconds or an HTTP date.

    Never negative, never above ``LONGEST_RETRY_AFTER``; None if the header is neither of the two.
    """
    value = value.strip()
    if _SECONDS.fullmatch(value):
        # Digits beyond what a year needs say no more than "very long", and int() refuses thousands of them.
        too_long = len(value) > 10
        return LONGEST_RETRY_AFTER if too_long else min(timedelta(seconds=int(value)), LONGEST_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(value)
        wait = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    except (ValueError, OverflowError):
        return None
    return min(max(wait, timedelta()), LONGEST_RETRY_AFTER)
