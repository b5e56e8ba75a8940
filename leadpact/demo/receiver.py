"""Run the example receiver as the CRM of the demo: another process, on a port of its own, that knows nothing but its secret.

It is the file that the documents tell people to copy, so what it accepts was really signed, sent and checked.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from leadpact.errors import Refused

_ACCEPTED = re.compile(r"(?P<type>[a-z_]+\.[a-z_]+) -> (?P<rep>.+)$")
_REFUSED = '" 401 '


@dataclass(slots=True)
class Receiver:
    """What the receiver has said so far."""

    accepted: list[tuple[str, str]] = field(default_factory=list)
    """Type and rep of each webhook that was genuine and new, in the order they came."""
    refused: int = 0

    def hear(self, line: str) -> None:
        """Take in one line of its log."""
        found = _ACCEPTED.search(line)
        if found:
            self.accepted.append((found["type"], found["rep"]))
        elif _REFUSED in line:
            self.refused += 1


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@asynccontextmanager
async def run_receiver(script: Path, port: int, secret: str) -> AsyncIterator[Receiver]:
    """The receiver, listening on ``port``, until the block ends. Raises ``Refused`` if it does not start."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-u",
        str(script),
        str(port),
        env={**os.environ, "LEADPACT_WEBHOOK_SECRET": secret},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    receiver = Receiver()
    if not await process.stderr.readline():  # it says where it listens once it does
        raise Refused(f"The receiver {script} does not run on port {port}.")
    hearing = asyncio.create_task(_hear(process.stderr, receiver))
    try:
        yield receiver
    finally:
        process.terminate()
        await process.wait()
        await hearing


async def _hear(log: asyncio.StreamReader, receiver: Receiver) -> None:
    async for line in log:
        receiver.hear(line.decode(errors="replace").rstrip())
