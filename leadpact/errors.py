"""Say what went wrong in the one way that decides what happens next.

    LeadpactError
    ├── Refused         the caller's mistake: answer with what, where and how to fix it
    │   ├── NotFound        nothing of that name
    │   └── Conflict        right in itself, but not in the present state
    ├── Transient       nobody's mistake and it passes: again later, commit nothing
    └── Poison          this message can never be applied: dead-letter it with reason and origin

Anything else that is raised is a bug. In a loop it ends the process, so that it is restarted and seen; a
single message that raises it is set aside like poison, so that one bad event does not stop everybody's leads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class LeadpactError(Exception):
    """Root of every error that this project raises on purpose."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a request: ``where`` is a JSON pointer, a field or a place in a file."""

    where: str
    what: str
    fix: str = ""


class Refused(LeadpactError):
    """The caller asked for something that cannot be done as asked. Nothing has been changed."""

    def __init__(self, detail: str, *, faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = tuple(faults)


class NotFound(Refused):
    """There is nothing of that name."""


class Conflict(Refused):
    """The request is sound but the thing it speaks of is in a state that forbids it."""


class Transient(LeadpactError):
    """A passing fault (connection lost, deadlock, broker away). Roll back and come again."""


class Poison(LeadpactError):
    """A message that will never be applied, however often it is tried."""
