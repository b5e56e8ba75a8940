"""Wait for what another task or process will bring about, and fail if it does not come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def eventually(condition: Callable[[], Awaitable[bool]], *, within_seconds: float = 15.0) -> None:
    """Return as soon as ``condition`` holds; it is asked again every few milliseconds."""
    now = asyncio.get_running_loop().time
    give_up_at = now() + within_seconds
    while not await condition():
        assert now() < give_up_at, f"it did not come within {within_seconds:g} s"
        await asyncio.sleep(0.005)
