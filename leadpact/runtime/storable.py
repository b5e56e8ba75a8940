"""Say what text can be stored, so that a route refuses the rest before it reaches a statement.

PostgreSQL's text cannot hold U+0000, and half of a surrogate pair is no text in UTF-8. JSON can spell both.
"""

from __future__ import annotations

import re

NO_NUL = r"^[^\x00]*$"
"""A pattern for any text but one with U+0000. What comes in a path, a query or pydantic's JSON has no halves of pairs."""

_HALF_OF_A_PAIR = re.compile("[\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can hold ``text``."""
    return "\0" not in text and not has_half_of_a_pair(text)


def has_half_of_a_pair(text: str) -> bool:
    """Whether half of a surrogate pair stands alone in ``text``."""
    return not text.isascii() and _HALF_OF_A_PAIR.search(text) is not None
