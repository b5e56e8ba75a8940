"""Which addresses are called: a corpus of the tricks that are known, and the ordinary ones that must pass."""

from __future__ import annotations

import contextlib
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadpact.errors import Refused
from leadpact_router.webhooks.addresses import (
    REFUSED_NETWORKS,
    AddressRefused,
    check_url,
    why_refused,
)

GOOD_URLS = [
    "https://crm.acme.example/hooks/leads",
    "https://crm.acme.example",
    "https://crm.acme.example:443/x?token=a%20b#part",
    "HTTPS://CRM.Acme.Example/",
    "https://bücher.example/hook",
    "https://xn--bcher-kva.example/hook",
    "https://hooks_2.acme-corp.example/",
    "https://8.8.8.8/hook",
    "https://[2606:4700:4700::1111]/hook",
    "https://localhost.acme.example/",
    "https://internal.acme.example/",
    "https://10.example/",
    "https://127.0.0.1.nip.example/",
    "https://acme.example/@user",
    "https://acme.example/?next=http://127.0.0.1/",
]

# Where a spelling has no name of its own, the comment says what it would reach.
REFUSED_EVERYWHERE = [
    # no URL to call, or not one that two readers would read alike
    "",
    "crm.acme.example",
    "//crm.acme.example/",
    "https:///hook",
    "https:crm.acme.example",
    "https://",
    "https://.",
    "https://..example/",
    "https://crm..example/",
    "https://crm.acme.example./",
    "https://-crm.example/",
    "https://crm-.example/",
    "https://[::1",
    "https://[127.0.0.1]/",
    "https://[v1.x]/",
    "https://crm.example:99999/",
    "https://crm.example:0/",
    "https://crm.example:443:80/",
    "https://crm.example:port/",
    "https://crm.example\\@127.0.0.1/",
    "https://127.0.0.1\\.example/",
    "https://crm .example/",
    "https://crm.example /",
    "https://crm\t.example/",
    "https://crm.example/\r\nX-Injected: 1",
    "https://crm.example/\x00",
    " https://crm.example/",
    "https://crm.example/\u202egro",
    "https://" + "a" * 64 + ".example/",
    "https://" + "a." * 130 + "example/",
    "https://crm.example/" + "a" * 2048,
    # other schemes
    "ftp://crm.example/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "unix:///var/run/docker.sock",
    "javascript:alert(1)",
    "data:text/plain,x",
    "ws://crm.example/",
    # user names and passwords, some made to look like the host
    "https://user@crm.example/",
    "https://user:password@crm.example/",
    "https://crm.example:443@127.0.0.1/",
    "https://crm.example%40@127.0.0.1/",
    # IPv4 in any spelling but the plain one
    "https://127.1/",
    "https://127.0.1/",
    "https://0/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://127.0.0.01/",
    "https://127.0.0.1./",
    "https://256.256.256.256/",
    "https://127.0.0.257/",
    "https://127.0.0.1.1/",
    "https://169.254.43518/",
    "https://0xa9fea9fe/",
    "https://2852039166/",
    "https://0251.0376.0251.0376/",
    "https://134744072/",  # 8.8.8.8: public, and still no honest spelling
    "https://crm.0x7f/",
    "https://crm.example.1/",
    # letters in disguise
    "https://１２７.0.0.1/",
    "https://①②⑦.0.0.1/",
    "https://ⓛocalhost/",
    "https://loc\u00adalhost/",
    "https://%6c%6fcalhost/",
    "https://127%2e0%2e0%2e1/",
    "https://127.0.0.1%00.example/",
    # scoped IPv6
    "https://[::1%25lo]/",
    "https://[::1%lo]/",
    "https://[fe80::1%25eth0]/",
    "https://[2606:4700:4700::1111%25eth0]/",
    # never called, not even when private addresses are
    "https://169.254.169.254/latest/meta-data/",
    "https://169。254。169。254/",
    "https://[::ffff:169.254.169.254]/",
    "https://[64:ff9b::a9fe:a9fe]/",  # 169.254.169.254 by NAT64
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::]/",  # 127.0.0.1 by 6to4
    "https://[2001:0:7f00:1::]/",  # Teredo
    "https://[::127.0.0.1]/",
    "https://[::]/",
    "https://[fe80::1]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[2001:db8::1]/",
    "https://[3fff::1]/",
    "https://[5f00::1]/",
    "https://[100::1]/",
    "https://0.0.0.0/",
    "https://192.0.0.192/",
    "https://192.0.2.1/",
    "https://192.88.99.1/",
    "https://198.18.0.1/",
    "https://198.51.100.1/",
    "https://203.0.113.1/",
    "https://224.0.0.1/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://168.63.129.16/",
]

PRIVATE = [
    "https://localhost/",
    "https://LOCALHOST/",
    "https://hook.localhost/",
    "https://printer.local/",
    "https://metadata.google.internal/",
    "https://crm.corp/",
    "https://nas.home.arpa/",
    "https://crm/",
    "https://127.0.0.1/",
    "https://127.255.255.254/",
    "https://127。0。0。1/",
    "https://10.1.2.3/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://100.100.100.200/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "http://crm.example/",
    "http://127.0.0.1:8080/hook",
    "https://crm.example:22/",
    "https://crm.example:8443/",
    "https://crm.example:6379/",
    "https://crm.example:80/",
]


@pytest.mark.parametrize("url", GOOD_URLS)
def test_an_ordinary_address_is_called(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize("url", REFUSED_EVERYWHERE + PRIVATE)
def test_a_dangerous_address_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        check_url(url)
    sentence = str(caught.value)
    assert sentence[-1] in ".'"
    assert " " in sentence


@pytest.mark.parametrize("url", REFUSED_EVERYWHERE)
def test_allowing_private_addresses_opens_nothing_else(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_url(url, allow_private=True)


@pytest.mark.parametrize("url", PRIVATE + GOOD_URLS)
def test_private_addresses_are_called_where_the_operator_allows_them(url: str) -> None:
    check_url(url, allow_private=True)


def test_the_corpus_is_as_large_as_it_claims() -> None:
    refused = REFUSED_EVERYWHERE + PRIVATE
    assert len(refused) == len(set(refused)) >= 120


def test_further_ports_are_called_where_the_operator_lists_them() -> None:
    check_url("https://crm.example:8443/", ports={443, 8443})
    with pytest.raises(AddressRefused, match="Port 8444 is not called; allowed: 443, 8443"):
        check_url("https://crm.example:8444/", ports={443, 8443})


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://crm.example/", "must start with https://"),
        ("https://a:hunter2@crm.example/", "must not hold a user name or password"),
        ("https://10.0.0.1/", "10.0.0.1 is a private address"),
        ("https://[::ffff:127.0.0.1]/", "loopback address"),
        ("https://127.1/", "write four decimal numbers"),
        ("https://metadata.google.internal/", "a name inside a private network"),
        ("https://169.254.169.254/", "where clouds keep their metadata"),
    ],
)
def test_a_refusal_says_what_is_wrong(url: str, sentence: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        check_url(url)
    assert sentence in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_refusal_is_the_caller_s_mistake_and_a_value_error() -> None:
    assert issubclass(AddressRefused, Refused)
    assert issubclass(AddressRefused, ValueError)


@pytest.mark.parametrize("network", [refused.network for refused in REFUSED_NETWORKS], ids=str)
def test_both_ends_of_every_listed_network_are_refused(network: IPv4Network | IPv6Network) -> None:
    assert why_refused(network[0]) is not None
    assert why_refused(network[-1]) is not None


@pytest.mark.parametrize(
    "just_outside",
    [
        *("9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0"),
        *("169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0"),
        *(
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2000::",
            "2001:200::",
            "2003::",
            "2606:4700::1",
        ),
    ],
)
def test_the_neighbours_of_refused_networks_are_called(just_outside: str) -> None:
    assert why_refused(ip_address(just_outside)) is None


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_that_the_standard_library_calls_special_is_refused(address: IPv4Address) -> None:
    """Its copy of the IANA registry is the second opinion."""
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert why_refused(address) is not None


@given(st.ip_addresses(v=6))
def test_an_ipv6_address_outside_global_unicast_is_refused(address: IPv6Address) -> None:
    if address.ipv4_mapped is None and not (address.is_global and address in IPv6Network("2000::/3")):
        assert why_refused(address) is not None


@given(st.ip_addresses(v=4), st.booleans())
def test_a_mapped_address_is_judged_as_the_address_inside(address: IPv4Address, allow_private: bool) -> None:
    mapped = IPv6Address(f"::ffff:{address}")
    assert why_refused(mapped, allow_private=allow_private) == why_refused(
        address, allow_private=allow_private
    )


@given(st.text(max_size=60), st.sampled_from(["{}", "https://{}/", "https://crm.example{}"]))
def test_no_text_breaks_the_check(text: str, frame: str) -> None:
    with contextlib.suppress(AddressRefused):
        check_url(frame.format(text))
