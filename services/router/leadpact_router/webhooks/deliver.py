"""Deliver every webhook at least once, however often this process is killed, and let no bad receiver hold up the others.

Each call takes three steps with three types: *claim* (a transaction: the delivery is ours until its lease ends), *call* (no
transaction: the network may take its time), *record* (a transaction, for failures too). A turn of the loop records whatever
has come back and claims whatever is due, in one transaction; the calls run beside it.

* Killed between the call and its record: the lease ends and the same event is sent again under the same ``webhook-id``.
  That is the promise: at least once, with an id that lets the receiver act once.
* Two deliverers: ``SKIP LOCKED`` and the lease keep a delivery with one of them; a holder that outlived its lease
  records nothing but its attempt.
* One lead's events go out in the order in which they were queued (`fan_out.py` says which that is): a later one waits for an earlier one, up to ``ORDERED_ATTEMPTS`` failures.
* A dead receiver costs its own few connections, and after ``FAILURES_TO_PAUSE`` failures one call every half minute.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from uuid import UUID

import httpx
import structlog

from leadpact.bus.consume import backoff_seconds
from leadpact.clock import Clock, wait_for
from leadpact.errors import Transient
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_router.webhooks.claim import Claimed, claim
from leadpact_router.webhooks.fan_out import QUEUED
from leadpact_router.webhooks.http import call
from leadpact_router.webhooks.metrics import WebhookMetrics
from leadpact_router.webhooks.record import Called, record
from leadpact_router.webhooks.schedule import (
    STANDARD_POLICY,
    Disable,
    GiveUp,
    Retry,
    RetryPolicy,
    next_attempt,
)

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.5
RETURNED = "webhooks.returned"


class Deliverer:
    """Makes the calls of one process. Any number of processes may have one."""

    def __init__(
        self,
        uow: UnitOfWork,
        clock: Clock,
        wake: Wake,
        client: httpx.AsyncClient,
        metrics: WebhookMetrics,
        *,
        policy: RetryPolicy = STANDARD_POLICY,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._uow = uow
        self._clock = clock
        self._wake = wake
        self._client = client
        self._metrics = metrics
        self._policy = policy
        self._chance = chance
        self._sleeper = wake.sleeper([QUEUED, RETURNED])
        self._calls: dict[asyncio.Task[Called], Claimed] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until ``stop``; then let the calls under way come back and record them."""
        failures = 0
        try:
            while not stop.is_set():
                try:
                    await self.turn()
                    failures = 0
                except Transient as error:
                    failures += 1
                    log.warning("webhooks.deliverer_waits", failures=failures, reason=str(error))
                    await wait_for(stop, backoff_seconds(failures))
                    continue
                await self._sleeper.wait(stop, POLL_SECONDS)
            await self.finish()
        finally:
            for task in self._calls:
                task.cancel()

    async def turn(self) -> None:
        """Record what has come back and begin what is due. Raises ``Transient``: then nothing is forgotten."""
        await self._settle(begin=True)

    async def finish(self) -> None:
        """Let the calls under way come back and record each. What cannot be recorded comes again when its lease ends."""
        try:
            while self._calls:
                await asyncio.wait(self._calls, return_when=asyncio.FIRST_COMPLETED)
                await self._settle(begin=False)
        except Transient as error:
            log.warning("webhooks.calls_unrecorded", calls=len(self._calls), reason=str(error))

    async def _settle(self, *, begin: bool) -> None:
        returned = [task for task in self._calls if task.done()]
        calls = [task.result() for task in returned]
        now = self._clock.now()
        async with self._uow.transaction() as tx:
            await record(tx, calls, now)
            claimed = await claim(tx, self._busy(returned), now) if begin else []
        for task in returned:
            del self._calls[task]
        for one in claimed:
            self._begin(one)
        self._tell(calls)

    def _busy(self, returned: Sequence[asyncio.Task[Called]]) -> Counter[UUID]:
        return Counter(claimed.endpoint_id for task, claimed in self._calls.items() if task not in returned)

    def _begin(self, claimed: Claimed) -> None:
        task = asyncio.create_task(self._call(claimed), name=f"webhook {claimed.request.message_id}")
        self._calls[task] = claimed
        task.add_done_callback(lambda _: self._wake.poke([RETURNED]))

    async def _call(self, claimed: Claimed) -> Called:
        began_at = self._clock.now()
        result = await call(self._client, claimed.request)
        ended_at = self._clock.now()
        then = next_attempt(
            claimed.attempt,
            result,
            ended_at,
            self._chance(),
            policy=self._policy,
            failing_since=claimed.failing_since,
        )
        return Called(claimed, began_at, ended_at, result, then)

    def _tell(self, calls: Sequence[Called]) -> None:
        for one in calls:
            self._metrics.called(one)
            call_log = log.bind(
                endpoint_id=str(one.claimed.endpoint_id),
                event_id=one.claimed.request.message_id,
                attempt=one.claimed.attempt,
                outcome=one.outcome,
            )
            match one.then:
                case Retry(at):
                    call_log.info("webhooks.call_failed", next_at=at.isoformat())
                case GiveUp(reason):
                    call_log.warning("webhooks.given_up", reason=reason)
                case Disable(reason):
                    call_log.error("webhooks.endpoint_disabled", reason=reason)
