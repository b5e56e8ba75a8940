"""Give every stored thing an id that sorts by the time it was made.

Ids are UUIDv7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then random bits. New rows land at the right edge
of their indexes, and old ones can be pruned by an id range. Inside one process ids are strictly increasing.
"""

from __future__ import annotations

import os
import threading
import time
from datetime import datetime
from typing import NewType
from uuid import UUID

EventId = NewType("EventId", UUID)
ClockId = NewType("ClockId", UUID)

_VERSION_AND_VARIANT = (0x7 << 76) | (0b10 << 62)
_lock = threading.Lock()
_last = 0


def new_id() -> UUID:
    """A fresh UUIDv7. It carries wall time for locality only: nothing reads the time back out of an id."""
    global _last
    milliseconds = time.time_ns() // 1_000_000
    random_bits = int.from_bytes(os.urandom(10)) >> 6
    value = (milliseconds << 80) | ((random_bits >> 62) << 64) | (random_bits & ((1 << 62) - 1))
    with _lock:
        if value <= _last:
            value = _next_random(_last)
        _last = value
    return UUID(int=value | _VERSION_AND_VARIANT)


def first_id_at(at: datetime) -> UUID:
    """The smallest UUIDv7 of that millisecond: ids made earlier sort before it."""
    return UUID(int=(int(at.timestamp() * 1000) << 80) | _VERSION_AND_VARIANT)


def _next_random(value: int) -> int:
    """``value + 1`` in the random part, stepping over the bits that hold version and variant."""
    low = (value & ((1 << 62) - 1)) + 1
    middle = (value >> 64) & 0xFFF
    top = value >> 80
    if low >> 62:
        low, middle = 0, middle + 1
    if middle >> 12:
        middle, top = 0, top + 1
    return (top << 80) | (middle << 64) | low
