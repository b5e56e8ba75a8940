"""Know the sources of the pact in force and their form keys without asking the database for every post.

A snapshot is read at most once a second per process, whatever the rush: a new pact or a revoked key counts from the next one on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from leadpact.pact.book import NoPactYet, PactBook
from leadpact.pact.words import nearest, one_of
from leadpact.runtime.problems import Problem
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact_ingest.form_keys import live_keys
from leadpact_ingest.source import PostedSource, UploadedSource
from leadpact_ingest.sources import AnySource, PlainForm, source_of

FRESH_FOR_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources of one pact version, with the form keys that are in use."""

    pact_version: int
    by_name: Mapping[str, AnySource]
    form_keys: Mapping[str, frozenset[str]]

    def posted(self, name: str) -> PostedSource:
        """The form of that name. Raises ``Problem`` 404, which names the nearest one."""
        source = self._named(name)
        if isinstance(source, PlainForm):
            return source
        raise Problem(
            404, "unknown-source", f"{name} does not post: it uploads files, at /v1/uploads?source={name}."
        )

    def uploaded(self, name: str) -> UploadedSource:
        """The source of files of that name. Raises ``Problem`` 404, which names those that there are."""
        source = self._named(name)
        if not isinstance(source, PlainForm):
            return source
        uploading = [name for name, other in self.by_name.items() if not isinstance(other, PlainForm)]
        instead = (
            f"Files are taken for {one_of(uploading)}." if uploading else "The pact has no source of files."
        )
        raise Problem(404, "unknown-source", f"{name} is a form. {instead}")

    def _named(self, name: str) -> AnySource:
        source = self.by_name.get(name)
        if source is None:
            meant = nearest(name[:100], self.by_name)
            hint = f" Is it {meant}?" if meant else ""
            raise Problem(404, "unknown-source", f"The pact has no source of this name.{hint}")
        return source


class SourceBook:
    """Hands out the present snapshot."""

    def __init__(
        self, uow: UnitOfWork, pact_book: PactBook, *, fresh_for_seconds: float = FRESH_FOR_SECONDS
    ) -> None:
        self._uow = uow
        self._pact_book = pact_book
        self._fresh_for_seconds = fresh_for_seconds
        self._reading = asyncio.Lock()
        self._latest: Sources | None = None
        self._fresh_until = 0.0
        self._changes = 0

    async def current(self) -> Sources:
        """The sources as they were at most a second ago. Raises ``Transient``, or ``Problem`` 503 before any pact is applied."""
        running = asyncio.get_running_loop()
        if self._latest is not None and running.time() < self._fresh_until:
            return self._latest
        async with self._reading:
            if self._latest is None or running.time() >= self._fresh_until:
                changes = self._changes
                self._latest = await self._read(self._latest)
                # What changed while it was read may not be in it.
                if changes == self._changes:
                    self._fresh_until = running.time() + self._fresh_for_seconds
            return self._latest

    def look_again(self) -> None:
        """Something has changed here: the next who asks is told. Other processes learn of it within a second."""
        self._fresh_until = 0.0
        self._changes += 1

    async def _read(self, before: Sources | None) -> Sources:
        try:
            async with self._uow.transaction() as tx:
                applied = await self._pact_book.current(tx)
                keys = await live_keys(tx)
        except NoPactYet as error:
            detail = "No pact has been applied yet, so there is no source to take leads for."
            raise Problem(503, "no-pact", detail, headers={"Retry-After": "10"}) from error
        if before is not None and before.pact_version == applied.version:
            return Sources(applied.version, before.by_name, keys)
        by_name = {name: source_of(applied.pact, name) for name in applied.pact.sources}
        return Sources(applied.version, by_name, keys)
