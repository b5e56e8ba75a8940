"""A web form: any page that posts its fields, with or without a script.

Whoever knows the form's public key may post; a source that was never given a key takes posts without. Field names are free. Names
that begin with ``_`` and the redirects of other form services steer the answer and are never part of the lead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from leadpact.pact.sources import FormSource
from leadpact.runtime.problems import Problem
from leadpact_ingest.body import Fields, read_fields
from leadpact_ingest.source import Post, Posted

KEY_HEADER = "x-leadpact-form-key"
_KEY_FIELD = "_key"
_KEY_PARAMETER = "key"
_REDIRECTS = ("_next", "redirect", "retURL")  # Formspree's and ours, many scripts', Salesforce Web-to-Lead's
_TRAPS = ("_gotcha", "bot-field")  # Formspree's and Netlify's names for the field that only robots fill in


@dataclass(frozen=True, slots=True)
class PlainForm:
    """One ``kind: form`` source."""

    name: str
    agreed: FormSource

    kind: ClassVar = "form"

    @property
    def intent(self) -> str:
        return self.agreed.intent

    @property
    def default_country(self) -> str | None:
        return self.agreed.default_country

    @property
    def origins(self) -> frozenset[str]:
        return frozenset(self.agreed.origins)

    @property
    def thank_you(self) -> frozenset[str]:
        return frozenset(self.agreed.thank_you)

    def read(self, post: Post) -> Posted:
        fields = read_fields(post.body, post.media_type)
        return Posted(
            answers={name: value for name, value in fields.items() if not _steers(name)},
            form_key=post.headers.get(KEY_HEADER)
            or post.query.get(_KEY_PARAMETER)
            or _first(fields, _KEY_FIELD),
            go_to=_first(fields, *_REDIRECTS) or _first(dict(post.query), *_REDIRECTS),
            is_trap=_first(fields, *_TRAPS) is not None,
        )

    def authenticate(self, post: Post, posted: Posted, form_keys: frozenset[str] | None) -> None:
        if form_keys is not None and posted.form_key not in form_keys:
            raise Problem(
                401,
                "form-key-unknown",
                "This form takes posts with its public key only. Send a key that is in use in the header "
                "X-Leadpact-Form-Key, as ?key=… or in a hidden field _key.",
                headers={"WWW-Authenticate": "LeadpactFormKey"},
            )


def _steers(name: str) -> bool:
    return name.startswith("_") or name in _REDIRECTS or name in _TRAPS


def _first(fields: Fields, *names: str) -> str | None:
    """The first of ``names`` that was filled in, as text."""
    return next(_filled(fields, names), None)


def _filled(fields: Fields, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        value = fields.get(name)
        for one in value if isinstance(value, list) else [value]:
            if one is not None and str(one).strip():
                yield str(one).strip()
