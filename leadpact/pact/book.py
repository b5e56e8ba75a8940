"""Keep every version of the pact that was ever applied, and hand out the one in force.

A version is immutable. Consumers ask for the current one in each of their transactions: a new version is in force from the next batch
on, without a restart. Reading it costs one index look-up; the text is parsed once per version and process.

It is parsed by today's rules. A version that was applied under older ones (a holiday's name has changed since, a check was added) may not
be readable any more: whatever needs an old one is refused, alone; what needs the one in force waits until a corrected one is applied.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

from leadpact.errors import Conflict, NotFound, Transient
from leadpact.pact.model import Pact
from leadpact.pact.read import PactErrors, parse_pact
from leadpact.storage.unit_of_work import Transaction

_IN_FORCE = text("SELECT max(version) FROM pact_version")
# What this very transaction has stored may still be rolled back, and its number then go to another text: it is not remembered.
_STORED = text(
    """
    SELECT text, coalesce(xmin = CAST(pg_current_xact_id_if_assigned() AS xid), false) AS is_our_own
    FROM pact_version WHERE version = :version
    """
)


@dataclass(frozen=True, slots=True)
class AppliedPact:
    """A pact with the number under which it is in force."""

    version: int
    pact: Pact


class NoPactYet(Transient):
    """Nothing has been applied: events wait until a pact is."""


class UnreadablePact(Conflict):
    """This version of Leadpact cannot read that version of the pact."""


class UnreadablePactInForce(Transient):
    """Nothing can be decided by the version in force: events wait until one is applied that can be read."""


class PactBook:
    """Applied pacts, parsed once."""

    def __init__(self) -> None:
        self._parsed: dict[int, AppliedPact] = {}

    async def current(self, tx: Transaction) -> AppliedPact:
        """The version in force. Raises ``NoPactYet`` if none was ever applied, ``UnreadablePactInForce`` if it cannot be read."""
        version = (await tx.execute(_IN_FORCE)).scalar()
        if version is None:
            raise NoPactYet("no pact has been applied yet: run `leadpact pact apply FILE`")
        try:
            return await self.at(tx, version)
        except UnreadablePact as error:
            raise UnreadablePactInForce(
                f"{error} Apply a corrected pact: `leadpact pact apply FILE`"
            ) from error

    async def at(self, tx: Transaction, version: int) -> AppliedPact:
        """One particular version. Raises ``NotFound`` or ``UnreadablePact``."""
        if version in self._parsed:
            return self._parsed[version]
        row = (await tx.execute(_STORED, {"version": version})).first()
        if row is None:
            raise NotFound(f"There is no pact version {version}")
        applied = AppliedPact(version, _parsed(version, row.text))
        if not row.is_our_own:
            self._parsed[version] = applied
        return applied

    async def apply(self, tx: Transaction, source: str, *, applied_by: str) -> tuple[AppliedPact, bool]:
        """Store ``source`` as the next version; False beside it if it already is the one in force.

        Raises ``PactErrors`` for a file with mistakes: then nothing is stored.
        """
        pact = parse_pact(source, name="pact")
        # Two who apply at once take turns, so that numbers have no gaps and the unchanged check sees the other's version.
        await tx.execute(text("SELECT pg_advisory_xact_lock(hashtext('leadpact pact apply'))"))
        row = (
            await tx.execute(
                text("SELECT version, fingerprint FROM pact_version ORDER BY version DESC LIMIT 1")
            )
        ).first()
        if row is not None and row.fingerprint == pact.fingerprint:
            return AppliedPact(row.version, pact), False
        applied = AppliedPact(row.version + 1 if row else 1, pact)
        await tx.execute(
            text(
                "INSERT INTO pact_version (version, fingerprint, text, applied_by) VALUES (:version, :fingerprint, :text, :by)"
            ),
            {"version": applied.version, "fingerprint": pact.fingerprint, "text": source, "by": applied_by},
        )
        return applied, True


def _parsed(version: int, text: str) -> Pact:
    try:
        return parse_pact(text, name=f"pact version {version}", is_in_force=True)
    except PactErrors as error:
        raise UnreadablePact(
            f"This version of Leadpact cannot read what was applied once: {error}."
        ) from error
