"""What the chapters of the story do: post, look until something is so, and let time pass."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

import httpx

from leadpact.client import Api
from leadpact.clock import ScaledClock, wait_for
from leadpact.demo.example import FormPost
from leadpact.demo.page import Page, clock_time

FAST = 600.0
"""How many times as fast the clock runs while everybody would only wait: ten minutes a second."""

FIRST_TOUCH = "demo-first-touch"
"""The promise that the story is about: see the example's pact."""

_PATIENCE_SECONDS = 15.0
_LOOK_EVERY_SECONDS = 0.1

T = TypeVar("T")


class Interrupted(Exception):
    """The reader has seen enough."""


class Scene:
    """A running Leadpact, its clock, and two who speak to it: ``api`` as an administrator, ``visitor`` as anybody."""

    def __init__(
        self, api: Api, visitor: httpx.AsyncClient, clock: ScaledClock, page: Page, stop: asyncio.Event
    ) -> None:
        self.api = api
        self._visitor = visitor
        self._clock = clock
        self._page = page
        self._stop = stop

    @property
    def now(self) -> datetime:
        return self._clock.now()

    async def post(self, form: FormPost) -> httpx.Response:
        """A visitor presses the button."""
        headers = {"Content-Type": "application/json"}
        return await self._visitor.post(f"/v1/forms/{form.source}", content=form.body, headers=headers)

    async def lead(self, lead_id: str) -> Any:
        """A lead with all that is known of it."""
        return await self.api.get(f"/v1/leads/{lead_id}")

    async def lead_of(self, receipt: str) -> Any:
        """The lead that a post became, once it has an owner and a clock, or is held."""
        found = await self.until(
            lambda: self.api.get(f"/v1/receipts/{receipt}"), lambda view: view["lead"] is not None
        )
        return await self.until(
            lambda: self.lead(found["lead"]["id"]),
            lambda story: story["lead"]["due_at"] or story["lead"]["held_since"],
        )

    async def clock_of(self, lead_id: str, *, hop: int) -> Any:
        """How long a lead's first owner (hop 1), or a later one, has for the first touch; None while there is no such clock."""
        clocks = await self.api.all_items("/v1/clocks", lead=lead_id, policy=FIRST_TOUCH)
        return next((clock for clock in clocks if clock["hop"] == hop), None)

    async def about(self, clock: Any) -> str:
        """What a clock says of itself."""
        said: str = (await self.api.get(f"/v1/clocks/{clock['id']}"))["explanation"]
        return said

    async def upload(self, upload_id: str) -> Any:
        """A file, once all of its rows are settled."""
        return await self.until(
            lambda: self.api.get(f"/v1/uploads/{upload_id}"),
            lambda upload: upload["status"] in ("completed", "refused"),
        )

    async def until(self, read: Callable[[], Awaitable[T]], holds: Callable[[T], object]) -> T:
        """Read again and again until it holds, or patience ends: then the check says what was seen."""
        for _ in range(int(_PATIENCE_SECONDS / _LOOK_EVERY_SECONDS)):
            found = await read()
            if holds(found):
                break
            await self._pause(_LOOK_EVERY_SECONDS)
        return found

    async def run_until(self, at: datetime) -> None:
        """Let the clock run fast until ``at``, then at its own pace again."""
        with self._page.waiting("") as line:
            self._clock.run_at(FAST)
            while (left := self._clock.seconds_until(at)) > 0:
                line.update(f"{clock_time(self.now)}, ten minutes a second")
                await self._pause(min(left, _LOOK_EVERY_SECONDS))
            self._clock.run_at(1)

    async def _pause(self, seconds: float) -> None:
        if await wait_for(self._stop, seconds):
            raise Interrupted
