"""Say what a source of leads is: who may send to it, and how what it sends becomes answers.

A source comes through one of two doors. A ``PostedSource`` gets one lead at a time by HTTP; a ``UploadedSource`` gets a
file of rows. Each kind that the pact can name is one class in ``sources/``, built from its section of the pact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from leadpact.domain.lead import LeadDraft
from leadpact.pact.phrases import Cap
from leadpact_ingest.body import Fields, MediaType
from leadpact_ingest.problem import FieldProblem


@dataclass(frozen=True, slots=True)
class Post:
    """What was sent to a source's address: the body as bytes, headers with lower-case names."""

    media_type: MediaType
    body: bytes
    headers: Mapping[str, str]
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Posted:
    """A post that was understood: answers that may become a lead, and the steering that never does."""

    answers: Fields
    form_key: str | None = None
    go_to: str | None = None
    """Where the visitor wants to be sent on to; it still has to be on the source's list."""
    is_trap: bool = False
    """A field that no person sees was filled in."""


class Source(Protocol):
    """What both kinds of source have: their part of the pact, as far as it travels with a lead."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def intent(self) -> str: ...

    @property
    def default_country(self) -> str | None: ...


class PostedSource(Source, Protocol):
    """A source that posts."""

    @property
    def origins(self) -> frozenset[str]:
        """The pages whose scripts may post."""
        ...

    @property
    def thank_you(self) -> frozenset[str]:
        """The addresses that a visitor may be sent on to."""
        ...

    def read(self, post: Post) -> Posted:
        """The answers in a post. Raises ``Problem``."""
        ...

    def authenticate(self, post: Post, posted: Posted, form_keys: frozenset[str] | None) -> None:
        """Raise ``Problem`` 401 unless the sender may post.

        ``form_keys`` are those of the source that are in use; None if it never had one.
        """
        ...


class UploadedSource(Source, Protocol):
    """A source that uploads files. Who may upload is settled at the door, by token."""

    @property
    def timezone(self) -> str:
        """The IANA zone of times that say none."""
        ...

    @property
    def cap(self) -> Cap | None:
        """How many leads are taken in a period."""
        ...

    @property
    def due_at(self) -> datetime | None:
        """By when the file was promised."""
        ...

    def late_by(self, received_at: datetime) -> timedelta | None:
        """How late a file is, in the time that the promise counts in; zero if it is in time, None without a promise."""
        ...

    def objection(self, draft: LeadDraft) -> FieldProblem | None:
        """Why the contract does not take this lead; None if it does."""
        ...
