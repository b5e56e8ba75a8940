"""Read one e-mail address out of what people type, paste and export; never merge two mailboxes into one.

The result is a key: NFKC, lower case, punycode domain. Plus tags and dots stay, because whether they name
the same person is a matter of policy, not of syntax. Whether the mailbox exists is not asked: no network here.
"""

import re
import unicodedata
from functools import cache
from importlib import resources
from typing import NamedTuple

from email_validator import EmailNotValidError, validate_email

from leadpact_ingest.normalise.text import clean

MAX_CHARACTERS = 254
"""RFC 5321 §4.5.3.1.3: a path is at most 256 octets, two of them angle brackets."""

_HIDDEN_JOINERS = {ord(character): None for character in "\u200c\u200d"}
_IN_BRACKETS = re.compile(r"<\s*([^<>\s]+@[^<>\s]+)\s*>")
_SEPARATORS = re.compile(r"[;,|\s/]+")
_EDGES = " \t\n.,;:<>()[]\"'`"
_ROLE_WORDS = """
abuse accounting accounts admin administrator all billing booking bookings buchhaltung careers contact contacto
contato customercare customerservice datenschutz dev dpo einkauf enquiries enquiry events feedback finance ftp
hallo hello help helpdesk hi hostmaster hr info infos inquiries invoice invoices it jobs kontakt legal mail
mailbox mailer-daemon marketing media news newsletter noc no-reply noreply office orders partners payments poczta
post postmaster presse press privacy procurement purchasing recruitment root sales security service services shop
spam staff subscribe support sysadmin team tech vendas ventas verkauf vertrieb web webmaster welcome
"""
"""RFC 2142's mailbox names and those seen in practice: a desk, not a person."""
_ROLE_NAMES = frozenset(_ROLE_WORDS.split())


class Email(NamedTuple):
    """A readable address and what had to be done to read it."""

    key: str
    domain: str
    repaired: bool
    flags: tuple[str, ...]


class Unreadable(NamedTuple):
    """Not an address; `reason` is a clause such as `there is no @`."""

    reason: str


def read_email(text: str) -> Email | Unreadable:
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
    key = f"{address.local_part.lower()}@{address.ascii_domain.lower()}"
    return Email(key, address.ascii_domain.lower(), candidate != text.strip(), _flags(key, address.domain))


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


def _flags(key: str, domain: str) -> tuple[str, ...]:
    local, _, ascii_domain = key.rpartition("@")
    found = {
        "free_mail": is_free_mail(ascii_domain),
        "disposable": is_disposable(ascii_domain),
        "role_address": local.partition("+")[0] in _ROLE_NAMES,
        "mixed_script": any(_mixes_scripts(label) for label in (*domain.split("."), local)),
    }
    return tuple(flag for flag, holds in found.items() if holds)


def _mixes_scripts(label: str) -> bool:
    """Latin beside Cyrillic or Greek in one label: how one company's name is made to look like another's."""
    scripts = {
        unicodedata.name(character, "").partition(" ")[0] for character in label if character.isalpha()
    }
    return "LATIN" in scripts and bool(scripts & {"CYRILLIC", "GREEK"})


def is_free_mail(domain: str) -> bool:
    """Whether anybody can have an address at `domain`, so that it says nothing about the employer."""
    return _listed(domain, "free_mail.txt")


def is_disposable(domain: str) -> bool:
    """Whether `domain` gives out addresses to be thrown away."""
    return _listed(domain, "disposable_domains.txt")


def _listed(domain: str, file_name: str) -> bool:
    """Whether `domain` or a parent of it is in the list."""
    labels = domain.split(".")
    listed = _domains(file_name)
    return any(".".join(labels[start:]) in listed for start in range(len(labels) - 1))


@cache
def _domains(file_name: str) -> frozenset[str]:
    lines = resources.files("leadpact_ingest.data").joinpath(file_name).read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))
