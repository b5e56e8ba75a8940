"""A head count out of `1,234`, `201-500`, `10k+` or `mehr als 5.000`: the lower bound is what "at least" may rely on."""

import re
from typing import NamedTuple

_NUMBER = re.compile(r"\d{1,3}(?:[.,'’ \u00a0\u202f]\d{3})+(?!\d)|\d+(?:[.,]\d+)?")
_FACTORS = {"k": 1_000, "tsd": 1_000, "m": 1_000_000, "mio": 1_000_000}
_UPPER_ONLY = re.compile(
    r"^\s*(?:<|≤|up to|less than|fewer than|under|below|bis|unter|weniger als|moins de|hasta|menos de|fino a)",
    re.I,
)
_SELF = re.compile(
    r"^\s*(?:self[- ]employed|freelancer?|solo|just me|only me|selbstst?ändig)\b", re.IGNORECASE
)
MAX_EMPLOYEES = 20_000_000
"""No employer on earth has more; a larger number is a phone number or a revenue in the wrong column."""


class HeadCount(NamedTuple):
    """`at_least` people; `as_range` is the text when it was not one exact number."""

    at_least: int
    as_range: str | None


def read_employees(text: str) -> HeadCount | None:
    """The head count that `text` states; None when it states none."""
    if _SELF.match(text):
        return HeadCount(1, text)
    numbers = [_value(match, text) for match in _NUMBER.finditer(text)]
    if not numbers or max(numbers) > MAX_EMPLOYEES:
        return None
    if _UPPER_ONLY.match(text):
        return HeadCount(1, text)
    exact = (
        len(numbers) == 1
        and text.strip().replace(" ", "").rstrip("kK").replace(",", "").replace(".", "").isdigit()
    )
    return HeadCount(numbers[0], None if exact else text)


def _value(match: re.Match[str], text: str) -> int:
    written = match[0]
    suffix = re.match(r"\s*(k|m|tsd|mio)\b", text[match.end() :], re.IGNORECASE)
    if re.fullmatch(r"\d{1,3}(?:[.,'’ \u00a0\u202f]\d{3})+", written):
        number = float(re.sub(r"\D", "", written))
    else:
        number = float(written.replace(",", "."))
    return int(number * (_FACTORS[suffix[1].lower()] if suffix else 1))
