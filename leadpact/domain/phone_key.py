"""The key of a telephone number, E.164: read the way somebody in the sender's country would dial it.

Whatever recognises people by their number reads it here, so that one way of writing it never leads to two people.

Accepted is what is possible (right length for its country), not what is known to be assigned: numbering plans
move faster than their metadata, and ranges kept for drama and tests are real input.
"""

import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, ValidationResult

from leadpact.domain.clean_text import clean

MAX_CHARACTERS = 40

_PREFIX = re.compile(r"^(?:p|tel|phone|mobile|t|m|f)\s*:\s*", re.IGNORECASE)
_AS_TEXT_FORMULA = re.compile(r'^="?([^"]*)"?$')
_FLOAT_CELL = re.compile(r"^\+?\d{6,}\.0+$")
_SCIENTIFIC = re.compile(r"^\d(?:[.,](\d+))?[eE]\+?(\d{1,2})$")
_TRUNK_ZERO = re.compile(r"^(\+\d{1,3})\s*\(0\)")


class Phone(NamedTuple):
    """A possible number in E.164, its extension if it had one, and whether the text needed repair."""

    e164: str
    extension: str | None
    repaired: bool


class Unreadable(NamedTuple):
    """Not a possible number; `reason` is a clause such as `it is too short`."""

    reason: str


def read_phone(text: str, country: str | None = None) -> Phone | Unreadable:
    """The number in `text`, national numbers being read with `country` (ISO alpha-2)."""
    if len(text) > MAX_CHARACTERS:
        return Unreadable(f"it has {len(text)} characters where at most {MAX_CHARACTERS} are allowed")
    written = _repaired(text)
    if written is None:
        return Unreadable("a spreadsheet rounded it to scientific notation and its last digits are lost")
    number = _possible(written, country) or _with_its_country_code(written)
    if number is None:
        return Unreadable(_reason(written, country))
    return Phone(
        phonenumbers.format_number(number, PhoneNumberFormat.E164),
        number.extension or None,
        repaired=written != clean(text),
    )


def _repaired(text: str) -> str | None:
    """What spreadsheets and ad platforms do to numbers, undone; None when digits are lost for good."""
    text = unicodedata.normalize("NFKC", clean(text))
    formula = _AS_TEXT_FORMULA.match(text)
    text = _PREFIX.sub("", (formula[1] if formula else text).strip("' "))
    if _FLOAT_CELL.match(text):
        text = text.partition(".")[0]
    scientific = _SCIENTIFIC.match(text)
    if scientific:
        fraction, exponent = scientific[1] or "", int(scientific[2])
        if len(fraction) < exponent:
            return None
        text = _integer(text) or text
    text = _TRUNK_ZERO.sub(r"\1 ", text)
    return "+" + text[2:] if text.startswith("00") else text


def _integer(text: str) -> str | None:
    try:
        return str(int(Decimal(text.replace(",", "."))))
    except InvalidOperation:
        return None


def _possible(text: str, country: str | None) -> PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, country)
    except NumberParseException:
        return None
    reason = phonenumbers.is_possible_number_with_reason(number)
    return number if reason == ValidationResult.IS_POSSIBLE else None


def _with_its_country_code(text: str) -> PhoneNumber | None:
    """A bare number that already carries its country code; this is a guess, so it has to be a known range."""
    digits = re.sub(r"[\s().\-/]", "", text)
    if not digits.isdigit() or digits.startswith("0"):
        return None
    number = _possible(f"+{digits}", None)
    return number if number and phonenumbers.is_valid_number(number) else None


def _reason(text: str, country: str | None) -> str:
    digits = sum(character.isdigit() for character in text)
    if digits == 0:
        return "there are no digits in it"
    if not text.startswith("+") and country is None:
        return "it has no country code and the country is not known"
    if digits < 7:
        return "it is too short"
    return f"it is not a possible number in {country}" if country else "it is not a possible number"
