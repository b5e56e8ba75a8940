"""Make one webhook call: to a judged address only, within one deadline, and always come back with a result.

What a hostile or broken receiver can do to us, and what stops it:

* **Lead us inside the operator's network.** ``GuardedBackend`` sits where the socket is opened. It resolves the name once,
  judges all answers (one refused answer refuses the call: a name with a public and a private address is an attack, not
  an accident), and connects to an address that it judged. There is no second look-up, so DNS rebinding gains nothing.
  Host header, SNI and certificate check keep the name. Redirects are not followed, and no proxy is taken from the
  environment: behind a proxy it would be the proxy that resolves.
* **Hold us.** httpx's time limits are per read, and a body that drips one byte a second never trips them. One
  ``asyncio.timeout`` is around everything, from the wait for a connection to the last byte.
* **Fill us.** 16 KiB of the answer are read, as they come: nothing is decompressed.
* **Mark us.** Cookies are not kept.

The status line is the answer. Once it is there, what befalls the body (drips, breaks off, never ends) changes nothing:
a receiver that has said 200 has the event, and calling it again would only double it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address
from typing import Any
from zlib import crc32

import httpcore
import httpx

from leadpact_router.webhooks.addresses import PUBLIC_PORTS, AddressRefused, check_url, why_refused
from leadpact_router.webhooks.call_result import CallFault, CallResult, parse_retry_after
from leadpact_router.webhooks.signing import signed_headers

CALL_DEADLINE = timedelta(seconds=15)
CONNECT_TIMEOUT_SECONDS = 5.0
READ_LIMIT_BYTES = 16 * 1024
KEPT_BODY_BYTES = 4 * 1024
RESOLVER_THREADS = 8
POOLS = 16

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""All addresses of a host for a port. Raises ``OSError`` (``socket.gaierror``) if it has none."""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """One attempt to deliver one event. All of ``secrets`` sign it: the active one and, in a rotation, the old one."""

    url: str
    message_id: str
    attempted_at: datetime
    body: bytes
    secrets: tuple[str, ...] = field(repr=False)
    is_replay: bool = False

    def headers(self) -> dict[str, str]:
        """What is sent beside the body. ``x-leadpact-replay`` is a hint for people and is not signed."""
        headers = {
            "content-type": "application/json",
            "accept": "*/*",
            "accept-encoding": "identity",
            "user-agent": "Leadpact-Webhooks",
            **signed_headers(self.secrets, self.message_id, self.attempted_at, self.body),
        }
        return headers | {"x-leadpact-replay": "1"} if self.is_replay else headers


def webhook_client(
    *,
    allow_private: bool = False,
    ports: Collection[int] = PUBLIC_PORTS,
    resolve: Resolve | None = None,
    ssl_context: ssl.SSLContext | None = None,
    max_connections: int = 400,
) -> httpx.AsyncClient:
    """The client that every webhook call goes through; close it with the process.

    ``max_connections`` is for each of ``POOLS``. ``resolve`` stands in for the host's resolver, ``ssl_context`` for the usual certificate authorities.
    """
    transport = GuardedTransport(
        allow_private=allow_private,
        ports=ports,
        resolve=resolve or SystemResolver(),
        ssl_context=ssl_context or httpx.create_ssl_context(trust_env=False),
        max_connections=max_connections,
    )
    return httpx.AsyncClient(
        transport=transport,
        trust_env=False,
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        # Only connecting has a limit of its own, so that a second address gets its turn; the deadline covers the rest.
        timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_SECONDS),
    )


async def call(
    client: httpx.AsyncClient, request: WebhookRequest, *, deadline: timedelta = CALL_DEADLINE
) -> CallResult:
    """Send ``request`` and say what it came to. Nothing that the other side does makes this raise."""
    clock = asyncio.get_running_loop().time
    started = clock()
    answer = _Answer()
    fault: CallFault | None = None
    detail = ""
    try:
        async with asyncio.timeout(deadline.total_seconds()):
            await _exchange(client, request, answer)
    except (TimeoutError, httpx.TransportError, httpx.InvalidURL, AddressRefused) as error:
        if answer.status is None:
            fault, detail = _explain(error, deadline)
    elapsed = timedelta(seconds=clock() - started)
    return CallResult(
        status=answer.status,
        fault=fault,
        detail=detail,
        elapsed_ms=round(elapsed / timedelta(milliseconds=1)),
        body=_text(answer.body),
        retry_after=parse_retry_after(answer.retry_after, request.attempted_at + elapsed),
    )


@dataclass(slots=True)
class _Answer:
    """What has come back so far; whatever ends the call, this much is known."""

    status: int | None = None
    retry_after: str = ""
    body: bytearray = field(default_factory=bytearray)


async def _exchange(client: httpx.AsyncClient, request: WebhookRequest, answer: _Answer) -> None:
    async with client.stream(
        "POST", request.url, headers=request.headers(), content=request.body
    ) as response:
        answer.status = response.status_code
        answer.retry_after = response.headers.get("retry-after", "")
        async for chunk in response.aiter_raw():
            answer.body += chunk
            if len(answer.body) >= READ_LIMIT_BYTES:
                return


def _explain(error: Exception, deadline: timedelta) -> tuple[CallFault, str]:
    match error:
        case AddressRefused():
            return CallFault.REFUSED_ADDRESS, str(error)
        case httpx.InvalidURL():
            return CallFault.REFUSED_ADDRESS, f"The address cannot be read: {error}"
        case TimeoutError():
            return CallFault.TIMEOUT, f"no answer within {deadline.total_seconds():g} s"
        case httpx.TimeoutException():
            return CallFault.TIMEOUT, f"no connection within {CONNECT_TIMEOUT_SECONDS:g} s"
        case httpx.ConnectError():
            return _why_not_connected(error), str(error)
        case _:
            return CallFault.BROKEN_ANSWER, str(error) or "the connection broke before an answer came"


def _why_not_connected(error: httpx.ConnectError) -> CallFault:
    causes = tuple(_causes(error))
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return CallFault.TLS
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return CallFault.UNKNOWN_HOST
    return CallFault.CONNECT


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _text(body: bytes | bytearray) -> str:
    return body[:KEPT_BODY_BYTES].decode("utf-8", "replace").replace("\0", "\ufffd")


class SystemResolver:
    """The host's own resolver, on threads of its own: a slow name server then holds up webhooks and nothing else."""

    def __init__(self, threads: int = RESOLVER_THREADS) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="webhook-resolver")

    async def __call__(self, host: str, port: int) -> list[str]:
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        answers = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return list(dict.fromkeys(str(address[0]) for *_, address in answers))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens sockets only to addresses that it has resolved and judged itself."""

    def __init__(self, resolve: Resolve, *, allow_private: bool) -> None:
        self._resolve = resolve
        self._allow_private = allow_private
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first of the host's addresses that answers. Raises ``AddressRefused`` if one is refused."""
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in await self._judged_addresses(host, port):
            try:
                stream = await self._sockets.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
                return _Connection(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _judged_addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved: {error.strerror}") from error
        for address in addresses:
            what = why_refused(ip_address(address), allow_private=self._allow_private)
            if what is not None:
                raise AddressRefused(f"{host} resolves to {address}, {what}, which is not called.")
        return addresses


class _Connection(httpcore.AsyncNetworkStream):
    """A connection that is closed when its TLS handshake is cut short.

    httpcore closes it after an error, but not after a cancellation, which is what a deadline is: every receiver that
    takes the connection and then says nothing would cost us a socket for good.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
    ) -> httpcore.AsyncNetworkStream:
        try:
            return await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except asyncio.CancelledError:
            await self._stream.aclose()
            raise

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - as above
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as above
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class GuardedTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 over ``GuardedBackend``; every URL is checked again at every attempt.

    Made from the public parts of httpx and httpcore. httpx's own transport takes no network backend, and to replace its
    pool from outside would leave no guard at all, silently, on the day that its private attribute is renamed.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        ports: Collection[int],
        resolve: Resolve,
        ssl_context: ssl.SSLContext,
        max_connections: int,
    ) -> None:
        self._check = partial(check_url, allow_private=allow_private, ports=ports)
        backend = GuardedBackend(resolve, allow_private=allow_private)
        # A pool looks at all of its connections whenever a request begins or ends, so one large pool would cost the square of its
        # size. A receiver is always called through the same small one.
        self._pools = [
            httpcore.AsyncConnectionPool(
                ssl_context=ssl_context,
                max_connections=max_connections,
                keepalive_expiry=5.0,
                network_backend=backend,
            )
            for _ in range(POOLS)
        ]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request. Raises ``AddressRefused``, or httpx's errors as its own transport does."""
        self._check(str(request.url))
        with _httpx_errors(request):
            response = await self._pool_of(request.url).handle_async_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response, request),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        for pool in self._pools:
            await pool.aclose()

    def _pool_of(self, url: httpx.URL) -> httpcore.AsyncConnectionPool:
        return self._pools[crc32(url.netloc) % POOLS]


class _Body(httpx.AsyncByteStream):
    """The answer's body as it comes off the wire."""

    def __init__(self, response: httpcore.Response, request: httpx.Request) -> None:
        self._response = response
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors(self._request):
            async for chunk in self._response.aiter_stream():
                yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()


@contextmanager
def _httpx_errors(request: httpx.Request) -> Iterator[None]:
    """Raise httpcore's errors as the httpx errors that callers of a transport expect, the cause kept."""
    try:
        yield
    except httpcore.TimeoutException as error:
        raise httpx.TimeoutException(str(error), request=request) from error
    except httpcore.ConnectError as error:
        raise httpx.ConnectError(str(error), request=request) from error
    except httpcore.NetworkError as error:
        raise httpx.NetworkError(str(error), request=request) from error
    except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
        raise httpx.ProtocolError(str(error), request=request) from error
