"""Refuse query parameters that a route does not know: a misspelt condition would silently be none, and find everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastapi import Request
from fastapi.dependencies.models import Dependant

from leadpact.errors import Fault
from leadpact.pact.words import nearest
from leadpact.runtime.problems import Problem


def refuse_unknown_parameters(request: Request, known: Sequence[str]) -> None:
    """Raise ``Problem`` if the query has a parameter that is not ``known``."""
    unknown = [name for name in dict.fromkeys(request.query_params) if name not in known]
    if unknown:
        faults = [
            Fault(f"query:{name}", "is no parameter that is known here", _fix(name, known))
            for name in unknown
        ]
        raise Problem(422, "invalid-field", "There is no such parameter.", faults=faults)


def declared_parameters(dependant: Dependant) -> tuple[str, ...]:
    """The query parameters that a route declares, itself and through what it depends on."""
    return tuple(dict.fromkeys(_declared(dependant)))


def _declared(dependant: Dependant) -> Iterator[str]:
    for parameter in dependant.query_params:
        yield parameter.alias
    for inner in dependant.dependencies:
        yield from _declared(inner)


def _fix(name: str, known: Sequence[str]) -> str:
    if meant := nearest(name, known):
        return f"did you mean {meant}?"
    return f"use one of: {', '.join(known)}" if known else "leave it out: none is taken here"
