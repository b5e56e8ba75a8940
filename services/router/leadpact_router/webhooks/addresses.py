"""Refuse every address at which an outgoing call could reach what the public cannot.

Whoever registers a webhook chooses where our server connects to. Without a guard that is a way into the operator's
own network: to databases, admin pages and the cloud's metadata service. The guard has two halves:

* ``check_url`` judges what is written, when an endpoint is saved and again at every attempt. It asks no name server.
* ``why_refused`` judges one address. The connector (``http.py``) asks it about every answer of the resolver and then
  connects to an address that was judged, so a name that changes its mind between the two gains nothing.

A URL is parsed by the library that will call it, so that what is judged is what is called. Unusual spellings (``127.1``,
``0x7f000001``, ``%6c``, a trailing dot) are refused for what they are, wherever they lead: there is no honest use for
them, and each is a chance for two parsers to disagree.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

import httpx

from leadpact.errors import Refused

PUBLIC_PORTS = frozenset({443})
LONGEST_URL = 2048
LONGEST_HOST = 253

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DEFAULT_PORT = {"http": 80, "https": 443}
_PRIVATE_ENDINGS = (
    *(".localhost", ".localdomain", ".local", ".internal", ".intranet"),
    *(".lan", ".home", ".corp", ".home.arpa"),
)


class AddressRefused(Refused, ValueError):
    """This URL or address is not called. A ``ValueError`` too, so that a pydantic validator may raise it."""


@dataclass(frozen=True, slots=True)
class RefusedNetwork:
    """A range that is not called, and what it is. ``private`` ones are called if the operator allows them."""

    network: IPv4Network | IPv6Network
    what: str
    private: bool = False


def _refused(network: str, what: str, *, private: bool = False) -> RefusedNetwork:
    return RefusedNetwork(ip_network(network), what, private)


REFUSED_NETWORKS: tuple[RefusedNetwork, ...] = (
    # IPv4, from the IANA special-purpose address registry (RFC 6890 and its updates).
    _refused("0.0.0.0/8", "an address of 'this network'"),
    _refused("10.0.0.0/8", "a private address", private=True),
    _refused("100.64.0.0/10", "a carrier-grade NAT address", private=True),
    _refused("127.0.0.0/8", "a loopback address", private=True),
    _refused("169.254.0.0/16", "a link-local address, where clouds keep their metadata"),
    _refused("172.16.0.0/12", "a private address", private=True),
    _refused("192.0.0.0/24", "an address for IETF protocols"),
    _refused("192.0.2.0/24", "an address for documentation"),
    _refused("192.88.99.0/24", "a 6to4 relay address"),
    _refused("192.168.0.0/16", "a private address", private=True),
    _refused("198.18.0.0/15", "a benchmarking address"),
    _refused("198.51.100.0/24", "an address for documentation"),
    _refused("203.0.113.0/24", "an address for documentation"),
    _refused("224.0.0.0/4", "a multicast address"),
    _refused("240.0.0.0/4", "a reserved or broadcast address"),
    # Looks public, but inside Azure it is the host's own control service.
    _refused("168.63.129.16/32", "a cloud platform's control address"),
    # IPv6. Those that carry an IPv4 address inside (6to4, Teredo, NAT64) would be a way around the list above.
    _refused("::1/128", "a loopback address", private=True),
    _refused("::/128", "the unspecified address"),
    _refused("64:ff9b::/96", "a NAT64 address"),
    _refused("64:ff9b:1::/48", "a local NAT64 address"),
    _refused("100::/64", "a discard-only address"),
    _refused("2001::/23", "an address for IETF protocols"),
    _refused("2001:db8::/32", "an address for documentation"),
    _refused("2002::/16", "a 6to4 address"),
    _refused("3fff::/20", "an address for documentation"),
    _refused("5f00::/16", "a segment-routing address"),
    _refused("fc00::/7", "a private address", private=True),
    _refused("fe80::/10", "a link-local address"),
    _refused("ff00::/8", "a multicast address"),
    # Only 2000::/3 is global unicast (RFC 4291); the rest of the space, named above or not, is nobody's public host.
    _refused("::/3", "not a global unicast address"),
    _refused("4000::/2", "not a global unicast address"),
    _refused("8000::/1", "not a global unicast address"),
)
"""Judged from the top: the first range that holds an address names it."""


def why_refused(address: IPv4Address | IPv6Address, *, allow_private: bool = False) -> str | None:
    """What this address is, if it may not be called; else None.

    ``allow_private`` lets through loopback, private, unique-local and carrier-grade NAT addresses, and no others: an
    operator who calls a CRM in the next rack has not thereby opened the metadata service.
    """
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    for refused in REFUSED_NETWORKS:
        if address in refused.network:
            return None if refused.private and allow_private else refused.what
    return None


def check_url(url: str, *, allow_private: bool = False, ports: Collection[int] = PUBLIC_PORTS) -> None:
    """Return if ``url`` is one that a webhook may be sent to, as far as can be told without asking a name server.

    Public endpoints are ``https`` on one of ``ports``. With ``allow_private``, ``http``, any port and the names and
    addresses of private networks are good too. Raises ``AddressRefused`` with a sentence that says what to change.
    """
    parts = _parse(url)
    _check_scheme(parts, allow_private=allow_private)
    if parts.userinfo:
        raise AddressRefused(
            "The address must not hold a user name or password; the signature says who calls."
        )
    _check_port(parts, allow_private=allow_private, ports=ports)
    _check_host(parts.raw_host.decode("ascii"), allow_private=allow_private)


def _parse(url: str) -> httpx.URL:
    if len(url) > LONGEST_URL:
        raise AddressRefused(f"The address is longer than {LONGEST_URL} characters.")
    if "\\" in url or any(char.isspace() or not char.isprintable() for char in url):
        raise AddressRefused("The address must not hold spaces, control characters or backslashes.")
    try:
        return httpx.URL(url)
    except httpx.InvalidURL as error:
        raise AddressRefused(f"The address cannot be read: {error}") from error


def _check_scheme(parts: httpx.URL, *, allow_private: bool) -> None:
    if parts.scheme == "https" or (parts.scheme == "http" and allow_private):
        return
    raise AddressRefused(
        "The address must start with https://, so that nobody on the way can read the leads."
    )


def _check_port(parts: httpx.URL, *, allow_private: bool, ports: Collection[int]) -> None:
    port = _DEFAULT_PORT[parts.scheme] if parts.port is None else parts.port
    if not 0 < port < 2**16:
        raise AddressRefused(f"There is no port {port}.")
    if not allow_private and port not in ports:
        allowed = ", ".join(str(allowed) for allowed in sorted(ports))
        raise AddressRefused(f"Port {port} is not called; allowed: {allowed}.")


def _check_host(host: str, *, allow_private: bool) -> None:
    literal = _literal(host)
    if literal is not None:
        what = why_refused(literal, allow_private=allow_private)
        if what is not None:
            raise AddressRefused(f"{literal} is {what}, which is not called.")
        return
    labels = host.split(".")
    if len(host) > LONGEST_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused("The address needs a plain host name, such as crm.acme.example.")
    if not allow_private and (len(labels) == 1 or host.endswith(_PRIVATE_ENDINGS)):
        raise AddressRefused(f"{host} is a name inside a private network, which is not called.")


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    """The IP address that ``host`` spells, None if it is a name. Any spelling but the plain one is refused."""
    if "%" in host:
        raise AddressRefused("The host must not hold a percent sign: no scope, no encoded letters.")
    if ":" in host:
        return ip_address(host)  # the parser has already made sure that it is one
    if not _NUMBER.fullmatch(host.rpartition(".")[2]):
        return None
    try:
        return IPv4Address(host)
    except ValueError:
        raise AddressRefused(f"{host} is no plain IPv4 address: write four decimal numbers.") from None
