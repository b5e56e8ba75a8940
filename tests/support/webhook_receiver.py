"""A web server that behaves as badly as a webhook's receiver may, by path, and remembers what reached it."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Behaviour = Callable[["ReceiverZoo", asyncio.StreamWriter], Awaitable[None]]
GIBIBYTE = 1 << 30


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came off the wire. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class ReceiverZoo:
    """Start with ``running()``. ``answer`` is what ``/scripted`` sends, byte for byte."""

    host: str
    port: int = 0
    scheme: str = "http"
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    bytes_sent: int = 0
    answer: bytes = b""
    visited: asyncio.Event = field(default_factory=asyncio.Event)
    _visits: set[asyncio.Task[None]] = field(default_factory=set)

    def url(self, path: str, *, host: str | None = None) -> str:
        return f"{self.scheme}://{host or self.host}:{self.port}{path}"

    @classmethod
    @asynccontextmanager
    async def running(
        cls, host: str = "127.0.0.1", *, port: int = 0, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[ReceiverZoo]:
        zoo = cls(host, scheme="https" if tls else "http")

        def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            zoo._visits.add(asyncio.create_task(zoo._serve(reader, writer)))

        server = await asyncio.start_server(welcome, host, port, ssl=tls)
        zoo.port = server.sockets[0].getsockname()[1]
        try:
            yield zoo
        finally:
            server.close()
            for visit in zoo._visits:
                visit.cancel()
            await asyncio.gather(*zoo._visits, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        # A caller that hangs up on a misbehaving server is what the tests are about, not an error of the server.
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            try:
                while not writer.is_closing():
                    request = await _read_request(reader)
                    self.received.append(request)
                    self.visited.set()
                    await BEHAVIOURS[request.path](self, writer)
                    await writer.drain()
            finally:
                writer.close()
                await writer.wait_closed()

    async def all_gone(self) -> None:
        """Wait until every caller has closed its connection."""
        await asyncio.gather(*self._visits)

    def send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        self.bytes_sent += len(data)
        writer.write(data)


async def _read_request(reader: asyncio.StreamReader) -> Received:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, path, headers, body)


def status(code: int, *headers: str, body: bytes = b"") -> Behaviour:
    """Answer properly with ``code``, and keep the connection."""

    async def behave(zoo: ReceiverZoo, writer: asyncio.StreamWriter) -> None:
        length = [] if code == 204 else [f"Content-Length: {len(body)}"]
        head = "\r\n".join([f"HTTP/1.1 {code} Zoo", *headers, *length])
        zoo.send(writer, head.encode() + b"\r\n\r\n" + body)

    return behave


def raw(data: bytes) -> Behaviour:
    """Send ``data`` as it is and hang up."""

    async def behave(zoo: ReceiverZoo, writer: asyncio.StreamWriter) -> None:
        zoo.send(writer, data)
        writer.close()

    return behave


def repeat(head: bytes, piece: bytes, *, every_seconds: float = 0.0, times: int = GIBIBYTE) -> Behaviour:
    """Send ``head`` and then ``piece`` over and over, until the caller has had enough."""

    async def behave(zoo: ReceiverZoo, writer: asyncio.StreamWriter) -> None:
        zoo.send(writer, head)
        for _ in range(times):
            zoo.send(writer, piece)
            await writer.drain()
            await asyncio.sleep(every_seconds)

    return behave


async def silence(_zoo: ReceiverZoo, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def reset(_zoo: ReceiverZoo, writer: asyncio.StreamWriter) -> None:
    """Tear the connection down with a TCP reset instead of a farewell."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def scripted(zoo: ReceiverZoo, writer: asyncio.StreamWriter) -> None:
    await raw(zoo.answer)(zoo, writer)


_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
_METADATA = "Location: http://169.254.169.254/latest/meta-data/"

BEHAVIOURS: dict[str, Behaviour] = {
    **{f"/{code}": status(code) for code in (200, 201, 202, 204, 300, 304, 400, 401, 404, 410, 413, 422)},
    **{f"/{code}": status(code) for code in (429, 500, 502, 503, 504, 999)},
    "/text": status(200, "Content-Type: text/plain", body="thanks, Käthe".encode()),
    "/odd-text": status(500, body=b"\x00caf\xe9\x00"),
    "/redirect-inside": status(302, _METADATA),
    "/redirect-to-self": status(307, "Location: /200"),
    "/redirect-for-ever": status(301, "Location: /redirect-for-ever"),
    "/retry-after-seconds": status(429, "Retry-After: 30"),
    "/retry-after-absurd": status(503, "Retry-After: 1000000000"),
    "/retry-after-nonsense": status(503, "Retry-After: soon"),
    "/cookie": status(200, "Set-Cookie: session=mark; Path=/"),
    "/gzip-bomb": status(200, "Content-Encoding: gzip", body=gzip.compress(bytes(20 << 20))),
    "/not-gzip": status(200, "Content-Encoding: gzip", body=b"plain"),
    "/silent": silence,
    "/reset": reset,
    "/scripted": scripted,
    "/hang-up": raw(b""),
    "/half-a-status-line": raw(b"HTTP/1.1 20"),
    "/not-http": raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "/http-0.9": raw(b"<html>hello</html>"),
    "/header-bomb": raw(_OK + b"X-Bomb: " + b"x" * 300_000 + b"\r\n\r\n"),
    "/many-headers": raw(_OK + b"X-Bomb: x\r\n" * 30_000 + b"\r\n"),
    "/injected-header": raw(_OK + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n"),
    "/two-lengths": raw(_OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc"),
    "/negative-length": raw(_OK + b"Content-Length: -1\r\n\r\n"),
    "/short-body": raw(_OK + b"Content-Length: 100\r\n\r\nten bytes."),
    "/broken-chunk": raw(_CHUNKED + b"zz\r\nnot a length\r\n"),
    "/no-length": raw(b"HTTP/1.0 200 OK\r\n\r\nuntil I hang up"),
    "/switch": raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nxxxx"),
    "/huge": repeat(_OK + f"Content-Length: {GIBIBYTE}\r\n\r\n".encode(), bytes(1 << 16), times=1 << 14),
    "/endless": repeat(_CHUNKED, b"10000\r\n" + bytes(1 << 16) + b"\r\n"),
    "/drip-body": repeat(_CHUNKED, b"1\r\n.\r\n", every_seconds=0.02),
    "/drip-500": repeat(_CHUNKED.replace(b"200 OK", b"500 No"), b"1\r\n.\r\n", every_seconds=0.02),
    "/drip-headers": repeat(_OK + b"X-Drip: ", b".", every_seconds=0.02),
    "/continue-for-ever": repeat(b"", b"HTTP/1.1 100 Continue\r\n\r\n", every_seconds=0.001),
}
