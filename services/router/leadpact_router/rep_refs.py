"""Know whom the pact means: it names reps by their id, as it is written, or by their e-mail address, in any case."""

from __future__ import annotations

from collections.abc import Iterable


class RepRefs:
    """Some reps, each given by id and e-mail address."""

    def __init__(self, reps: Iterable[tuple[str, str]]) -> None:
        self._ids: dict[str, str] = {}
        self._by_email: dict[str, str] = {}
        for rep_id, email in reps:
            self._ids[rep_id] = self._by_email[email] = rep_id

    def id_of(self, ref: str) -> str | None:
        """The id of the rep that ``ref`` means; None if it is none of these."""
        return self._ids.get(ref) or self._by_email.get(ref.lower())
