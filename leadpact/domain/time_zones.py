"""Know the names of all time zones. `zoneinfo` looks through its folders for them each time, which takes some ten milliseconds."""

import zoneinfo
from functools import cache


@cache
def available_timezones() -> frozenset[str]:
    """The names of the IANA list, as this installation has them; read once for a process."""
    return frozenset(zoneinfo.available_timezones())
