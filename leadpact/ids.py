"""Give every stored thing an id that sorts by the time it was made.

Ids are UUIDv7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then random bits. New rows land at the right edge
of their indexes, and old ones are found in an id range. Inside one process ids are strictly increasing.
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
_LOW_BITS = (1 << 62) - 1
_lock = threading.Lock()
_last = 0  # without version and variant


def new_id() -> UUID:
    """A fresh UUIDv7. It carries wall time for locality only: an id's time may say where to look, it decides nothing.

    The first of a millisecond begins at a random place, those after it count on from there (RFC 9562 §6.2, method 2): a batch asks
    for thousands, and randomness is a call to the system each time.
    """
    global _last
    milliseconds = time.time_ns() // 1_000_000
    with _lock:
        if milliseconds > _last >> 80:
            random_bits = int.from_bytes(os.urandom(10)) >> 6
            _last = (milliseconds << 80) | ((random_bits >> 62) << 64) | (random_bits & _LOW_BITS)
        else:
            _last = _next(_last)
        value = _last
    return UUID(int=value | _VERSION_AND_VARIANT)


def first_id_at(at: datetime) -> UUID:
    """The smallest UUIDv7 of that millisecond: ids made earlier sort before it."""
    return UUID(int=(int(at.timestamp() * 1000) << 80) | _VERSION_AND_VARIANT)


def _next(value: int) -> int:
    """``value + 1`` in the random part, stepping over the bits that hold version and variant."""
    if value & _LOW_BITS != _LOW_BITS:
        return value + 1
    middle, top = ((value >> 64) & 0xFFF) + 1, value >> 80
    if middle >> 12:
        middle, top = 0, top + 1
    return (top << 80) | (middle << 64)
