"""Know the domains where anybody can have a mailbox: an address there says nothing about the employer, and no company owns it."""

from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable


def is_free_mail(domain: str) -> bool:
    """Whether anybody can have an address at `domain`."""
    return is_listed(domain, _free_mail())


def is_listed(domain: str, listed: frozenset[str]) -> bool:
    """Whether `domain` or a parent of it is in the list."""
    labels = domain.split(".")
    return any(".".join(labels[start:]) in listed for start in range(len(labels) - 1))


def read_domains(file: Traversable) -> frozenset[str]:
    """A list of domains, one a line; a line that begins with # is a remark."""
    lines = file.read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


@cache
def _free_mail() -> frozenset[str]:
    return read_domains(resources.files("leadpact.domain").joinpath("free_mail.txt"))
