"""The registrable domain behind a host name or a web address: what a company owns, not what it named a server."""

from functools import cache
from urllib.parse import urlsplit

from publicsuffixlist import PublicSuffixList


def registrable_domain(host: str) -> str | None:
    """`shop.acme.co.uk` → `acme.co.uk`; None for a bare suffix, an IP address or text that is no host name.

    The public suffix list is the one inside the installed package: no network, the same answer everywhere.
    """
    try:
        ascii_host = host.strip().strip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    if "." not in ascii_host or ascii_host.rpartition(".")[2].isdigit():
        return None
    return _suffixes().privatesuffix(ascii_host)


def domain_of_website(address: str) -> str | None:
    """The registrable domain of a web address written with or without a scheme; None if there is none."""
    try:
        host = urlsplit(address if "://" in address else f"//{address.lstrip('/')}").hostname
    except ValueError:
        return None
    return registrable_domain(host) if host and " " not in host else None


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
