"""Draw ids from the seed: the product's own making of ids, with the seed in the place of the system's entropy and clock."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from unittest.mock import patch

from leadpact import ids
from leadpact.clock import Clock


@contextmanager
def seeded_ids(chance: random.Random, clock: Clock) -> Iterator[None]:
    """Until the block ends, ids depend on ``chance`` and ``clock`` alone."""
    entropy = SimpleNamespace(urandom=chance.randbytes)
    wall = SimpleNamespace(time_ns=lambda: int(clock.now().timestamp()) * 1_000_000_000)
    with patch.object(ids, "os", entropy), patch.object(ids, "time", wall), patch.object(ids, "_last", 0):
        yield


def another_process() -> None:
    """From here on ids are made as by a process that knows nothing of those before: no longer in one rising line."""
    ids._last = 0
