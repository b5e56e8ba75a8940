"""Find the registrable domain behind a host name or a web address: what a company owns, not what it named a server.

A lead and its account are joined by it, so everybody reads it here.
"""

import re
from functools import cache
from urllib.parse import urlsplit

from publicsuffixlist import PublicSuffixList

_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+")


def registrable_domain(host: str) -> str | None:
    """`shop.acme.co.uk` → `acme.co.uk`; None for a bare suffix, an IP address or text that is no host name.

    The public suffix list is the one inside the installed package: no network, the same answer everywhere.
    """
    try:
        ascii_host = host.strip().strip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    if not _HOST.fullmatch(ascii_host) or ascii_host.rpartition(".")[2].isdigit():
        return None
    return _suffixes().privatesuffix(ascii_host)


def domain_of_website(address: str) -> str | None:
    """The registrable domain of a web address written with or without a scheme; None if there is none.

    A mail address is none, though it looks like a host with a user's name before it.
    """
    address = address.strip()
    has_scheme = "://" in address
    try:
        parts = urlsplit(address if has_scheme else f"//{address.lstrip('/')}")
    except ValueError:
        return None
    is_mail_address = parts.username is not None and not has_scheme
    return registrable_domain(parts.hostname) if parts.hostname and not is_mail_address else None


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
