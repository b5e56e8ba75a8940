"""The key of an e-mail address, taken out of what people type, paste and export; two mailboxes are never merged into one.

Whatever recognises people by their address reads it here, so that one way of writing it never leads to two people. The key is NFKC,
lower case, punycode domain. Plus tags and dots stay, because whether they name the same person is a matter of policy, not of
syntax. Whether the mailbox exists is not asked: no network here.
"""

import re
import unicodedata
from typing import NamedTuple

from email_validator import EmailNotValidError, validate_email

from leadpact.domain.clean_text import clean

MAX_CHARACTERS = 254
"""RFC 5321 §4.5.3.1.3: a path is at most 256 octets, two of them angle brackets."""

_HIDDEN_JOINERS = {ord(character): None for character in "\u200c\u200d"}
_IN_BRACKETS = re.compile(r"<\s*([^<>\s]+@[^<>\s]+)\s*>")
_SEPARATORS = re.compile(r"[;,|\s/]+")
_EDGES = " \t\n.,;:<>()[]\"'`"


class EmailKey(NamedTuple):
    """A readable address: its key, its domain as machines and as people write it, and whether the text needed repair."""

    key: str
    ascii_domain: str
    domain: str
    repaired: bool


class Unreadable(NamedTuple):
    """Not an address; `reason` is a clause such as `there is no @`."""

    reason: str


def read_email_key(text: str) -> EmailKey | Unreadable:
    """The address in `text` in key form, after the usual repairs; `Unreadable` with the reason otherwise.

    Repairs: blanks and invisible marks, `mailto:`, `Name <a@b>`, trailing punctuation, full-width characters,
    and the first of several addresses.
    """
    candidate = _candidate(text)
    if "@" not in candidate:
        return Unreadable("there is no @ in it")
    if len(candidate) > MAX_CHARACTERS:
        return Unreadable(f"it has {len(candidate)} characters where at most {MAX_CHARACTERS} are allowed")
    try:
        address = validate_email(candidate, check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        return Unreadable(_clause(str(error)))
    ascii_domain = address.ascii_domain.lower()
    return EmailKey(
        f"{address.local_part.lower()}@{ascii_domain}",
        ascii_domain,
        address.domain,
        candidate != text.strip(),
    )


def _candidate(text: str) -> str:
    """What is left of `text` after the repairs that cannot change whose address it is."""
    text = unicodedata.normalize("NFKC", clean(text)).translate(_HIDDEN_JOINERS)
    in_brackets = _IN_BRACKETS.search(text)
    if in_brackets:
        text = in_brackets[1]
    if text[:7].casefold() == "mailto:":
        text = text[7:].partition("?")[0]
    text = text.strip(_EDGES)
    if text.count("@") > 1:
        text = next((part for part in _SEPARATORS.split(text) if part.count("@") == 1), text)
    return text.strip(_EDGES)


def _clause(sentence: str) -> str:
    """A library's sentences as the second half of ours; what they quote of the address is at most a character."""
    return "; ".join(part[:1].lower() + part[1:] for part in sentence.rstrip(".").split(". "))
