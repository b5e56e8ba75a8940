"""An e-mail address as people are recognised by it, with what its look says about the lead."""

import unicodedata
from functools import cache
from importlib import resources
from typing import NamedTuple

from leadpact.domain.email_key import Unreadable, read_email_key
from leadpact.domain.mail_domains import is_free_mail as is_free_mail
from leadpact.domain.mail_domains import is_listed, read_domains

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


def read_email(text: str) -> Email | Unreadable:
    """The address in `text` in key form, after the usual repairs; `Unreadable` with the reason otherwise."""
    found = read_email_key(text)
    if isinstance(found, Unreadable):
        return found
    return Email(found.key, found.ascii_domain, found.repaired, _flags(found.key, found.domain))


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


def is_disposable(domain: str) -> bool:
    """Whether `domain` gives out addresses to be thrown away."""
    return is_listed(domain, _disposable())


@cache
def _disposable() -> frozenset[str]:
    return read_domains(resources.files("leadpact_ingest.data").joinpath("disposable_domains.txt"))
