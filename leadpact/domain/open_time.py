"""Answer questions about open time by two binary searches, whatever the span.

The table holds the open spans of some years in order, and before each span the open time that went by
until then. Time used up to an instant is then one lookup, time between two instants a subtraction,
and a deadline one lookup in the other direction. Years are worked out when first asked for and kept.

Everything here is a whole number of microseconds since 1970 UTC; zones and local days are settled before
the spans get here. Spans are half open, in order, and neither touch nor overlap.

Threads may share a table: readers take the current `_Spans` once, and writers replace it as a whole.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import NamedTuple

from leadpact.domain.zone_offsets import EPOCH, year_start

FIRST_YEAR, LAST_YEAR = 1970, 2199
END = datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)
LONGEST_CLOSURE = 2 * 366 * 86_400 * 1_000_000

Span = tuple[int, int]


class _Spans(NamedTuple):
    first_year: int
    last_year: int
    start: int
    end: int
    opens: tuple[int, ...]
    closes: tuple[int, ...]
    used_before: tuple[int, ...]
    used_in_all: int


class OpenTimeTable:
    """The open spans of a calendar, grown year by year as questions reach further.

    `spans_in(year)` gives the spans of one UTC year, cut at its first and last instant. `first_year` to
    `last_year` are worked out at once.

    Raises ValueError when two years pass without an opening (LONGEST_CLOSURE), and when a question
    leaves the years 1970 to 2199.
    """

    def __init__(self, spans_in: Callable[[int], Sequence[Span]], first_year: int, last_year: int) -> None:
        self._spans_in = spans_in
        self._years: dict[int, Sequence[Span]] = {}
        self._growing = Lock()
        self._spans = self._build(first_year, last_year)

    def year(self, year: int) -> Sequence[Span]:
        """The spans of one UTC year."""
        spans = self._years.get(year)
        if spans is None:
            spans = self._years[year] = tuple(self._spans_in(year))
        return spans

    def between(self, a: int, b: int) -> int:
        """Open time in [a, b), zero when b is not after a."""
        if b <= a:
            return 0
        spans = self._reaching(a, b - 1)
        return _used(spans, b) - _used(spans, a)

    def add(self, start: int, amount: int) -> int:
        """The first instant by which `amount` of open time has gone by since `start`.

        An amount that exactly fills a span lands on its close. Nothing to wait for is the next opening.
        """
        if amount == 0:
            return self.next_open(start)
        spans = self._reaching(start, start)
        target = _used(spans, start) + amount
        while target > spans.used_in_all:
            spans = self._longer(spans)
            target = _used(spans, start) + amount  # counted anew: another thread may have added earlier years
        i = bisect_left(spans.used_before, target) - 1
        return spans.opens[i] + target - spans.used_before[i]

    def is_open(self, at: int) -> bool:
        """Whether `at` lies in a span."""
        spans = self._reaching(at, at)
        i = bisect_right(spans.opens, at) - 1
        return i >= 0 and at < spans.closes[i]

    def next_open(self, at: int) -> int:
        """The first open instant that is not before `at`."""
        spans = self._reaching(at, at)
        while not spans.closes or at >= spans.closes[-1]:
            spans = self._longer(spans)
        return max(at, spans.opens[bisect_right(spans.closes, at)])

    def spans(self, a: int, b: int) -> list[Span]:
        """The open spans in [a, b), cut at both ends."""
        if b <= a:
            return []
        spans = self._reaching(a, b - 1)
        first, last = bisect_right(spans.closes, a), bisect_left(spans.opens, b)
        return [(max(spans.opens[i], a), min(spans.closes[i], b)) for i in range(first, last)]

    def _reaching(self, first: int, last: int) -> _Spans:
        """A table that holds both instants."""
        spans = self._spans
        if spans.start <= first and last < spans.end:
            return spans
        return self._grown(_year_of(first), _year_of(last))

    def _longer(self, spans: _Spans) -> _Spans:
        """Half as many years again, so that rebuilding stays in proportion to what has been built."""
        if spans.last_year == LAST_YEAR:
            raise _out_of_range()
        more = 1 + (spans.last_year - spans.first_year) // 2
        return self._grown(spans.first_year, min(spans.last_year + more, LAST_YEAR))

    def _grown(self, first_year: int, last_year: int) -> _Spans:
        with self._growing:  # or two threads would work out the same years, and one of them in vain
            known = self._spans
            first_year, last_year = min(first_year, known.first_year), max(last_year, known.last_year)
            if (first_year, last_year) != (known.first_year, known.last_year):
                self._spans = known = self._build(first_year, last_year)
            return known

    def _build(self, first_year: int, last_year: int) -> _Spans:
        start, end = year_start(first_year) * 1_000_000, year_start(last_year + 1) * 1_000_000
        spans = merged(span for year in range(first_year, last_year + 1) for span in self.year(year))
        _refuse_a_long_closure(spans, start, end)
        used, used_before = 0, []
        for opens, closes in spans:
            used_before.append(used)
            used += closes - opens
        return _Spans(
            first_year,
            last_year,
            start,
            end,
            tuple(opens for opens, _ in spans),
            tuple(closes for _, closes in spans),
            tuple(used_before),
            used,
        )


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same instants as spans in order that neither touch nor overlap."""
    result: list[Span] = []
    for opens, closes in sorted(spans):
        if result and opens <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], closes))
        else:
            result.append((opens, closes))
    return result


def shared(one: Sequence[Span], other: Sequence[Span]) -> list[Span]:
    """The instants that lie in both, for two sequences that are in order and do not overlap themselves."""
    result = []
    i = j = 0
    while i < len(one) and j < len(other):
        opens, closes = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if opens < closes:
            result.append((opens, closes))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return result


def _used(spans: _Spans, at: int) -> int:
    i = bisect_right(spans.opens, at) - 1
    if i < 0:
        return 0
    return spans.used_before[i] + min(at, spans.closes[i]) - spans.opens[i]


def _year_of(at: int) -> int:
    try:
        year = (EPOCH + timedelta(microseconds=at)).year
    except OverflowError:  # before the year 1 or after 9999, where an offset from UTC can lead
        raise _out_of_range() from None
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise _out_of_range()
    return year


def _out_of_range() -> ValueError:
    return ValueError(f"business time is worked out for the years {FIRST_YEAR} to {LAST_YEAR} only")


def _refuse_a_long_closure(spans: Sequence[Span], start: int, end: int) -> None:
    closed_since = start
    for opens, closes in [*spans, (end, end)]:
        if opens - closed_since > LONGEST_CLOSURE:
            raise ValueError(
                "the calendar stays closed for more than two years, so its clocks would never end"
            )
        closed_since = closes
