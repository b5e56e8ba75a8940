"""Bound how long a caller may take, and how much may be in hand, so that who sends nothing keeps nobody else waiting.

What a proxy in front does as well, for where there is none: a connection has ten seconds to send the head of a request
(``PromptConnection``), a body has to keep coming (``InHand``), and the probes are answered however many requests are in hand: a supervisor
that heard nothing would end a process that is only busy. The rule for bodies, some seconds and a pace after them, is the one of Apache's
mod_reqtimeout: https://httpd.apache.org/docs/2.4/mod/mod_reqtimeout.html
"""

from __future__ import annotations

import asyncio
from asyncio import TimerHandle, Transport
from collections.abc import Collection

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from leadpact.runtime.problems import BodyProblem, Problem, problem

log = structlog.get_logger(__name__)

HEAD_SECONDS = 10.0
BODY_SECONDS = 20.0
BODY_BYTES_PER_SECOND = 500
MOST_IN_HAND = 500

_CLOSE = {"Connection": "close"}  # the rest of the body may still come, and nobody will read it


class PromptConnection(HttpToolsProtocol):
    """uvicorn's connection, closed when the head of a request is not there in time.

    Browsers open connections ahead that they may never use; those are closed without a word too.
    """

    _waiting: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._wait_for_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._waiting is None:
            self._wait_for_head()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # What comes after an answer (the rest of a body that nobody reads, an empty line) stops uvicorn's own timer and begins no request.
        if self._waiting is None and self._is_idle():
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait_for_head(self) -> None:
        self._waiting = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if self._is_idle():
            self.transport.close()
        else:  # another request of this connection is in hand, and its answer is still to be sent
            self._wait_for_head()

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


class InHand:
    """An application that takes so many requests at a time, each as long as its body keeps coming.

    ``always`` are the paths that are answered however many there are.
    """

    def __init__(self, app: ASGIApp, always: Collection[str]) -> None:
        self._app = app
        self._always = frozenset(always)
        self._in_hand = 0
        self._is_full = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._always:
            await self._app(scope, receive, send)
        elif self._in_hand >= MOST_IN_HAND:
            self._tell_that_it_is_full()
            detail = f"{MOST_IN_HAND} requests are in hand. Nothing of this one was kept; send it again in a moment."
            await problem(503, "unavailable", detail, headers={"Retry-After": "2"})(scope, receive, send)
        else:
            self._in_hand += 1
            try:
                await self._app(scope, _Coming(receive).receive, send)
            finally:
                self._in_hand -= 1
                self._is_full = self._is_full and self._in_hand > MOST_IN_HAND // 2

    def _tell_that_it_is_full(self) -> None:
        """Once, until half of the hands are free again."""
        if not self._is_full:
            log.warning("http.hands_full", in_hand=self._in_hand)
        self._is_full = True


class _Coming:
    """A request's messages, while its body keeps coming."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._began_at = asyncio.get_running_loop().time()
        self._bytes = 0
        self._is_complete = False

    async def receive(self) -> Message:
        if self._is_complete:  # what is waited for now is only that the caller goes away
            return await self._receive()
        try:
            async with asyncio.timeout_at(
                self._began_at + BODY_SECONDS + self._bytes / BODY_BYTES_PER_SECOND
            ):
                message = await self._receive()
        except TimeoutError as error:
            detail = (
                f"The body came too slowly: after {BODY_SECONDS:g} s it has to come at {BODY_BYTES_PER_SECOND} bytes a second. "
                "Nothing was kept; send it again."
            )
            raise BodyProblem(Problem(408, "request-timeout", detail, headers=_CLOSE)) from error
        except asyncio.CancelledError as error:  # how the server ends what is still in hand when it stops
            detail = (
                "This process is stopping, and the body was not complete. Nothing was kept; send it again."
            )
            raise BodyProblem(Problem(503, "unavailable", detail, headers=_CLOSE)) from error
        self._bytes += len(message.get("body", b""))
        self._is_complete = not message.get("more_body", False)
        return message
