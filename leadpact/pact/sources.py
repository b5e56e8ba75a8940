"""Say what each source of leads has agreed to deliver: in which form, for which intent, within which limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from leadpact.pact.base import Name, PactSection, mistake
from leadpact.pact.condition import CaptureCondition
from leadpact.pact.phrases import CapText, DurationText, LocalTimeText, MoneyText, PaceText
from leadpact.pact.words import COUNTRIES, nearest_country

EXAMPLE_ORIGIN = "https://www.acme.example"


def _must_be_a_country(code: str) -> str:
    if code not in COUNTRIES:
        raise mistake("a country code of ISO 3166 such as DE", nearest_country(code))
    return code


def _must_be_an_origin(text: str) -> str:
    if not _is_web_address(text) or text != "{0.scheme}://{0.netloc}".format(urlsplit(text)):
        raise mistake(f"an origin such as {EXAMPLE_ORIGIN}: scheme and host in small letters, no path")
    return text


def _must_be_a_web_address(text: str) -> str:
    if not _is_web_address(text):
        raise mistake(f"a web address such as {EXAMPLE_ORIGIN}/thank-you")
    return text


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    plain = text.isascii() and text.isprintable() and " " not in text and "\\" not in text
    has_host = bool(parts.hostname) and "@" not in parts.netloc and parts.netloc == parts.netloc.lower()
    return plain and has_host and parts.scheme in ("https", "http")


Country = Annotated[
    str, AfterValidator(_must_be_a_country), WithJsonSchema({"type": "string", "pattern": "^[A-Z]{2}$"})
]
Origin = Annotated[
    str, AfterValidator(_must_be_an_origin), WithJsonSchema({"type": "string", "format": "uri"})
]
WebAddress = Annotated[
    str, AfterValidator(_must_be_a_web_address), WithJsonSchema({"type": "string", "format": "uri"})
]


class FormSource(PactSection):
    """A web form that posts one lead at a time. Its key is a secret of the installation, not of the pact."""

    kind: Literal["form"]
    intent: Name
    """What the visitor asked for: `demo_request`, `contact_request`, ..."""
    default_country: Country | None = None
    """Where a phone number without a country code is dialled from."""
    origins: tuple[Origin, ...] = ()
    """Pages whose scripts may post; left out, only plain form posts and servers can."""
    thank_you: tuple[WebAddress, ...] = ()
    """The addresses that a visitor may be sent on to, and no others."""


class EventScanSource(PactSection):
    """Badge scans of a fair or an event, uploaded as a file."""

    kind: Literal["event_scan"]
    intent: Name = "event_visit"
    default_country: Country | None = None
    ends: LocalTimeText
    """When the event closes: from then the promise to upload runs."""
    upload_within: DurationText | None = None
    """How soon after the end the file is promised; left out, nothing is promised."""
    calendar: Name | None = None
    """Whose working hours count for `upload_within`."""
    release: PaceText | None = None
    """Clocks of a file's leads start one by one at this pace, within the pool's hours; left out, all at once. Pools with other hours have
    turns of their own, each at this pace."""

    @model_validator(mode="after")
    def _a_promise_in_business_time_needs_a_calendar(self) -> Self:
        if self.upload_within is not None and self.calendar is None:
            raise mistake("`calendar` beside `upload_within`: whose working hours count")
        return self


class SyndicationSource(PactSection):
    """Leads bought from a vendor, uploaded as a file and paid by the piece."""

    kind: Literal["syndication"]
    intent: Name = "content_download"
    default_country: Country | None = None
    accept: CaptureCondition | None = None
    """What a lead must be to be accepted and paid; left out, every valid one is."""
    cap: CapText | None = None
    """Leads over the cap are refused; left out, there is none."""
    cost_per_lead: MoneyText | None = None
    """What an accepted lead costs, for the reports."""
    release: PaceText | None = None
    """Clocks of a file's leads start one by one at this pace, within the pool's hours; left out, all at once. Pools with other hours have
    turns of their own, each at this pace."""


Source = Annotated[FormSource | EventScanSource | SyndicationSource, Field(discriminator="kind")]
Sources = Mapping[Name, Source]
