"""The list of source kinds: a new one is a module here, a line in this file and its section in the pact."""

from __future__ import annotations

from leadpact.pact.model import Pact
from leadpact.pact.sources import EventScanSource, FormSource, SyndicationSource
from leadpact_ingest.sources.event_scan import EventScan
from leadpact_ingest.sources.plain_form import PlainForm
from leadpact_ingest.sources.syndication import Syndication

AnySource = PlainForm | EventScan | Syndication


def source_of(pact: Pact, name: str) -> AnySource:
    """The source that ``pact`` calls ``name``, ready to take what it sends."""
    match pact.sources[name]:
        case FormSource() as agreed:
            return PlainForm(name, agreed)
        case EventScanSource() as agreed:
            calendar = pact.calendars[agreed.calendar].build() if agreed.calendar else None
            return EventScan(name, agreed, calendar)
        case SyndicationSource() as agreed:
            return Syndication(name, agreed)


__all__ = ["AnySource", "EventScan", "PlainForm", "Syndication", "source_of"]
