"""Webhook calls against real sockets: each way a receiver can misbehave has one known outcome."""

from __future__ import annotations

import asyncio
import random
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook

from leadpact_router.webhooks.call_result import CallFault, CallResult
from leadpact_router.webhooks.http import KEPT_BODY_BYTES, WebhookRequest, call, webhook_client
from leadpact_router.webhooks.schedule import STANDARD_STEPS, Disable, Retry, next_attempt
from leadpact_router.webhooks.signing import new_secret, verify
from tests.support.webhook_receiver import ReceiverZoo

SECRET = new_secret()
BODY = '{"data":{"rep_name":"Käthe"},"timestamp":"2026-03-02T09:00:00Z","type":"lead.assigned"}'.encode()
SHORT = timedelta(milliseconds=400)
PATIENT = timedelta(seconds=5)


def request_to(url: str, *, secrets: tuple[str, ...] = (SECRET,), is_replay: bool = False) -> WebhookRequest:
    return WebhookRequest(
        url=url,
        message_id="0195-evt",
        attempted_at=datetime.now(UTC),
        body=BODY,
        secrets=secrets,
        is_replay=is_replay,
    )


class Names:
    """A name server of our own: each look-up of a name takes its next answer, the last one for good."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = {name.replace("_", "."): list(answer) for name, answer in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host not in self._answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        answers = self._answers[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
async def zoo() -> AsyncIterator[ReceiverZoo]:
    async with ReceiverZoo.running() as zoo:
        yield zoo


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with webhook_client(allow_private=True) as client:
        yield client


class TestAnOrdinaryCall:
    async def test_arrives_signed_as_the_reference_library_expects(
        self, zoo: ReceiverZoo, client: httpx.AsyncClient
    ) -> None:
        result = await call(client, request_to(zoo.url("/text")))
        assert (result.status, result.fault, result.detail) == (200, None, "")
        assert result.body == "thanks, Käthe"
        assert 0 <= result.elapsed_ms < 5_000
        [received] = zoo.received
        assert (received.method, received.body) == ("POST", BODY)
        assert Webhook(SECRET).verify(received.body, received.headers)["type"] == "lead.assigned"
        verify(SECRET, received.headers, received.body, now=datetime.now(UTC))

    async def test_says_who_calls_and_asks_for_nothing_compressed(
        self, zoo: ReceiverZoo, client: httpx.AsyncClient
    ) -> None:
        await call(client, request_to(zoo.url("/200")))
        headers = zoo.received[0].headers
        assert headers["host"] == f"127.0.0.1:{zoo.port}"
        assert headers["content-type"] == "application/json"
        assert headers["accept-encoding"] == "identity"
        assert headers["user-agent"] == "Leadpact-Webhooks"
        assert headers["webhook-id"] == "0195-evt"
        assert "x-leadpact-replay" not in headers

    async def test_carries_both_signatures_while_a_secret_is_rotated(
        self, zoo: ReceiverZoo, client: httpx.AsyncClient
    ) -> None:
        new = new_secret()
        await call(client, request_to(zoo.url("/200"), secrets=(new, SECRET)))
        for held in (new, SECRET):
            Webhook(held).verify(zoo.received[0].body, zoo.received[0].headers)

    async def test_is_marked_when_it_is_a_replay(self, zoo: ReceiverZoo, client: httpx.AsyncClient) -> None:
        await call(client, request_to(zoo.url("/200"), is_replay=True))
        assert zoo.received[0].headers["x-leadpact-replay"] == "1"

    async def test_reuses_the_connection_of_the_one_before(
        self, zoo: ReceiverZoo, client: httpx.AsyncClient
    ) -> None:
        for _ in range(3):
            assert (await call(client, request_to(zoo.url("/200")))).is_success
        assert (len(zoo.received), zoo.connections) == (3, 1)

    async def test_does_not_show_the_secret_in_its_repr(self) -> None:
        assert SECRET not in repr(request_to("https://crm.example/"))


GOLDEN: dict[str, int | CallFault] = {
    "/200": 200,
    "/201": 201,
    "/202": 202,
    "/204": 204,
    "/300": 300,
    "/304": 304,
    "/400": 400,
    "/401": 401,
    "/404": 404,
    "/410": 410,
    "/413": 413,
    "/422": 422,
    "/429": 429,
    "/500": 500,
    "/502": 502,
    "/503": 503,
    "/504": 504,
    "/999": 999,
    "/odd-text": 500,
    "/redirect-inside": 302,
    "/redirect-to-self": 307,
    "/redirect-for-ever": 301,
    "/retry-after-seconds": 429,
    "/cookie": 200,
    "/gzip-bomb": 200,
    "/not-gzip": 200,
    "/silent": CallFault.TIMEOUT,
    "/reset": CallFault.BROKEN_ANSWER,
    "/hang-up": CallFault.BROKEN_ANSWER,
    "/half-a-status-line": CallFault.BROKEN_ANSWER,
    "/not-http": CallFault.BROKEN_ANSWER,
    "/http-0.9": CallFault.BROKEN_ANSWER,
    "/header-bomb": CallFault.BROKEN_ANSWER,
    "/many-headers": CallFault.BROKEN_ANSWER,
    "/injected-header": CallFault.BROKEN_ANSWER,
    "/two-lengths": CallFault.BROKEN_ANSWER,
    "/negative-length": CallFault.BROKEN_ANSWER,
    "/short-body": 200,
    "/broken-chunk": 200,
    "/no-length": 200,
    "/switch": CallFault.BROKEN_ANSWER,
    "/huge": 200,
    "/endless": 200,
    "/drip-body": 200,
    "/drip-500": 500,
    "/drip-headers": CallFault.TIMEOUT,
    "/continue-for-ever": CallFault.TIMEOUT,
}


class TestAMisbehavingReceiver:
    @pytest.mark.parametrize(("path", "outcome"), GOLDEN.items())
    async def test_has_one_known_outcome_and_costs_no_more_than_the_deadline(
        self, zoo: ReceiverZoo, client: httpx.AsyncClient, path: str, outcome: int | CallFault
    ) -> None:
        result = await call(client, request_to(zoo.url(path)), deadline=SHORT)
        assert (result.status or result.fault) == outcome
        assert (result.detail == "") == (result.fault is None)
        assert result.elapsed_ms < 2_000
        assert len(zoo.received) == 1, "one call is one request: nothing is followed or repeated"
        assert (await call(client, request_to(zoo.url("/204")))).status == 204, "the next call is not harmed"

    async def test_that_sends_a_gibibyte_is_cut_off_after_what_the_socket_holds(
        self, zoo: ReceiverZoo, client: httpx.AsyncClient
    ) -> None:
        result = await call(client, request_to(zoo.url("/huge")), deadline=PATIENT)
        assert result.elapsed_ms < 2_000
        assert len(result.body) == KEPT_BODY_BYTES
        assert zoo.bytes_sent < 32 << 20

    async def test_that_compresses_is_not_inflated(self, zoo: ReceiverZoo, client: httpx.AsyncClient) -> None:
        result = await call(client, request_to(zoo.url("/gzip-bomb")))
        assert result.is_success
        assert result.body.startswith("\x1f\ufffd"), "the bytes are kept as they came: gzip's own first two"

    async def test_that_drips_keeps_its_status_and_what_had_come(
        self, zoo: ReceiverZoo, client: httpx.AsyncClient
    ) -> None:
        result = await call(client, request_to(zoo.url("/drip-body")), deadline=SHORT)
        assert result.is_success
        assert 400 <= result.elapsed_ms < 1_500
        assert set(result.body) == {"."}

    async def test_that_never_answers_is_named_as_late(
        self, zoo: ReceiverZoo, client: httpx.AsyncClient
    ) -> None:
        result = await call(client, request_to(zoo.url("/silent")), deadline=SHORT)
        assert (result.fault, result.detail) == (CallFault.TIMEOUT, "no answer within 0.4 s")

    async def test_s_bytes_become_text_that_postgresql_can_hold(
        self, zoo: ReceiverZoo, client: httpx.AsyncClient
    ) -> None:
        result = await call(client, request_to(zoo.url("/odd-text")))
        assert result.body == "\ufffdcaf\ufffd\ufffd"

    async def test_cannot_make_the_caller_raise_whatever_bytes_it_sends(
        self, zoo: ReceiverZoo, client: httpx.AsyncClient
    ) -> None:
        dice = random.Random(85)
        sound = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nRetry-After: 9\r\n\r\nhello"
        for _ in range(150):
            noise = bytearray(sound)
            for _ in range(dice.randrange(1, 8)):
                noise[dice.randrange(len(noise))] = dice.randrange(256)
            zoo.answer = bytes(noise[: dice.randrange(len(noise)) + 1])
            result = await call(client, request_to(zoo.url("/scripted")), deadline=SHORT)
            assert (result.status is None) == (result.fault is not None)

    async def test_sets_no_cookie_that_would_come_back(
        self, zoo: ReceiverZoo, client: httpx.AsyncClient
    ) -> None:
        await call(client, request_to(zoo.url("/cookie")))
        await call(client, request_to(zoo.url("/200")))
        assert "cookie" not in zoo.received[1].headers

    async def test_s_wish_for_rest_reaches_the_schedule_within_bounds(
        self, zoo: ReceiverZoo, client: httpx.AsyncClient
    ) -> None:
        now = datetime.now(UTC)
        waits: dict[str, object] = {}
        for path in ("/retry-after-seconds", "/retry-after-absurd", "/retry-after-nonsense"):
            step = next_attempt(1, await call(client, request_to(zoo.url(path))), now, 0.5)
            assert isinstance(step, Retry)
            waits[path] = (step.at - now) / STANDARD_STEPS[1]
        assert waits == {
            "/retry-after-seconds": 2.0,
            "/retry-after-absurd": 2.0,
            "/retry-after-nonsense": 1.5,
        }
        gone = await call(client, request_to(zoo.url("/410")))
        assert isinstance(next_attempt(1, gone, now, 0.5), Disable)

    async def test_that_is_not_there_is_named_as_such(self, client: httpx.AsyncClient) -> None:
        with socket.socket() as unheard:
            unheard.bind(("127.0.0.1", 0))
            result = await call(client, request_to(f"http://127.0.0.1:{unheard.getsockname()[1]}/"))
        assert result.fault is CallFault.CONNECT

    async def test_is_left_when_the_call_is_cancelled(
        self, zoo: ReceiverZoo, client: httpx.AsyncClient
    ) -> None:
        calling = asyncio.create_task(call(client, request_to(zoo.url("/drip-body"))))
        await zoo.visited.wait()
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        async with asyncio.timeout(2):
            await zoo.all_gone()


class TestTheGuard:
    """The zoo listens on loopback. Without the guard these calls would reach it, so no connection means guarded."""

    async def refused(self, zoo: ReceiverZoo, url: str, **answers: Sequence[Sequence[str]]) -> CallResult:
        async with webhook_client(ports={zoo.port}, resolve=Names(**answers)) as client:
            result = await call(client, request_to(url), deadline=PATIENT)
        assert zoo.connections == 0
        return result

    async def test_refuses_a_public_name_with_a_private_address(self, zoo: ReceiverZoo) -> None:
        result = await self.refused(zoo, f"https://crm.example:{zoo.port}/200", crm_example=[["127.0.0.1"]])
        assert result.fault is CallFault.REFUSED_ADDRESS
        assert result.detail == "crm.example resolves to 127.0.0.1, a loopback address, which is not called."

    @pytest.mark.parametrize(
        "addresses",
        [
            ["8.8.8.8", "127.0.0.1"],
            ["127.0.0.1", "8.8.8.8"],
            ["2606:4700:4700::1111", "::1"],
            ["::ffff:127.0.0.1"],
            ["fe80::1%lo"],
            ["169.254.169.254"],
            ["64:ff9b::7f00:1"],
        ],
    )
    async def test_refuses_a_name_if_any_of_its_addresses_is_refused(
        self, zoo: ReceiverZoo, addresses: list[str]
    ) -> None:
        result = await self.refused(zoo, f"https://crm.example:{zoo.port}/200", crm_example=[addresses])
        assert result.fault is CallFault.REFUSED_ADDRESS

    @pytest.mark.parametrize(
        "host", ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "localhost", "[::1]", "user@127.0.0.1"]
    )
    async def test_checks_the_url_again_when_it_is_called(self, zoo: ReceiverZoo, host: str) -> None:
        result = await self.refused(zoo, f"https://{host}:{zoo.port}/200")
        assert result.fault is CallFault.REFUSED_ADDRESS

    @pytest.mark.parametrize("url", ["", "https://[::1", "https://ex ample/", "nonsense", "https://a:99999/"])
    async def test_answers_for_a_url_that_cannot_be_read(self, zoo: ReceiverZoo, url: str) -> None:
        assert (await self.refused(zoo, url)).fault is CallFault.REFUSED_ADDRESS

    async def test_never_sends_leads_in_the_clear(self, zoo: ReceiverZoo) -> None:
        result = await self.refused(zoo, f"http://crm.example:{zoo.port}/", crm_example=[["8.8.8.8"]])
        assert "https://" in result.detail

    async def test_opens_private_addresses_only_and_not_the_metadata_service(self) -> None:
        names = Names(crm_example=[["169.254.169.254"]])
        async with webhook_client(allow_private=True, resolve=names) as client:
            result = await call(client, request_to("http://crm.example/"), deadline=PATIENT)
        assert result.fault is CallFault.REFUSED_ADDRESS

    async def test_looks_a_name_up_once_and_connects_to_what_it_judged(self, zoo: ReceiverZoo) -> None:
        """DNS rebinding: whoever asked a second time would be sent to the other server."""
        async with ReceiverZoo.running("127.0.0.2", port=zoo.port) as inside:
            names = Names(crm_example=[["127.0.0.1"], ["127.0.0.2"]])
            async with webhook_client(allow_private=True, resolve=names) as client:
                result = await call(client, request_to(zoo.url("/200", host="crm.example")))
            assert result.is_success
            assert names.asked == ["crm.example"]
            assert (zoo.connections, inside.connections) == (1, 0)
        assert zoo.received[0].headers["host"] == f"crm.example:{zoo.port}"

    async def test_judges_again_when_a_later_attempt_opens_a_new_connection(self, zoo: ReceiverZoo) -> None:
        names = Names(crm_example=[["127.0.0.1"], ["169.254.169.254"]])
        async with webhook_client(allow_private=True, resolve=names) as client:
            url = zoo.url("/hang-up", host="crm.example")
            first, second = await call(client, request_to(url)), await call(client, request_to(url))
        assert (first.fault, second.fault) == (CallFault.BROKEN_ANSWER, CallFault.REFUSED_ADDRESS)

    async def test_tries_the_next_judged_address_when_one_does_not_answer(self, zoo: ReceiverZoo) -> None:
        names = Names(crm_example=[["127.0.0.3", "127.0.0.1"]])
        async with webhook_client(allow_private=True, resolve=names) as client:
            assert (await call(client, request_to(zoo.url("/200", host="crm.example")))).is_success

    async def test_names_an_unknown_host(self) -> None:
        async with webhook_client(resolve=Names()) as client:
            result = await call(client, request_to("https://crm.example/"))
        assert (result.fault, result.detail) == (
            CallFault.UNKNOWN_HOST,
            "crm.example cannot be resolved: Name or service not known",
        )

    async def test_names_a_host_without_addresses(self) -> None:
        async with webhook_client(resolve=Names(crm_example=[[]])) as client:
            result = await call(client, request_to("https://crm.example/"))
        assert (result.fault, result.detail) == (CallFault.CONNECT, "crm.example has no address")

    async def test_holds_a_slow_name_server_to_the_deadline(self) -> None:
        async def never(host: str, port: int) -> Sequence[str]:
            await asyncio.Event().wait()
            return []

        async with webhook_client(resolve=never) as client:
            result = await call(client, request_to("https://crm.example/"), deadline=SHORT)
        assert result.fault is CallFault.TIMEOUT
        assert result.elapsed_ms < 2_000

    async def test_uses_the_host_s_own_resolver_unless_told_otherwise(self, zoo: ReceiverZoo) -> None:
        async with webhook_client(allow_private=True) as client:
            result = await call(client, request_to(zoo.url("/200", host="localhost")))
        assert result.is_success

    @pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
    async def test_takes_no_proxy_from_the_environment(
        self, zoo: ReceiverZoo, monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        async with ReceiverZoo.running("127.0.0.2") as proxy:
            monkeypatch.setenv(variable, f"http://127.0.0.2:{proxy.port}")
            async with webhook_client(allow_private=True) as client:
                assert (await call(client, request_to(zoo.url("/200")))).is_success
            assert (proxy.connections, zoo.connections) == (0, 1)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for crm.example that nobody has signed, with its key in the same file."""
    if shutil.which("openssl") is None:
        pytest.skip("makes its certificate with the openssl command, which is not installed")
    folder = tmp_path_factory.mktemp("tls")
    pem = folder / "crm.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-days", "2", "-nodes"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-subj", "/CN=crm.example", "-addext", "subjectAltName=DNS:crm.example"),
            *("-keyout", folder / "key.pem", "-out", folder / "certificate.pem"),
        ],
        check=True,
        capture_output=True,
    )
    pem.write_text((folder / "key.pem").read_text() + (folder / "certificate.pem").read_text())
    return pem


class TestTls:
    @pytest.fixture
    async def tls_zoo(self, certificate: Path) -> AsyncIterator[ReceiverZoo]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        async with ReceiverZoo.running(tls=context) as zoo:
            yield zoo

    async def test_a_certificate_that_nobody_vouches_for_is_refused(self, tls_zoo: ReceiverZoo) -> None:
        names = Names(crm_example=[["127.0.0.1"]])
        async with webhook_client(allow_private=True, resolve=names) as client:
            result = await call(client, request_to(tls_zoo.url("/200", host="crm.example")))
        assert result.fault is CallFault.TLS
        assert "CERTIFICATE_VERIFY_FAILED" in result.detail
        assert tls_zoo.received == []

    async def test_the_certificate_is_checked_for_the_name_and_not_for_the_address(
        self, tls_zoo: ReceiverZoo, certificate: Path
    ) -> None:
        names = Names(crm_example=[["127.0.0.1"]], other_example=[["127.0.0.1"]])
        trusting = ssl.create_default_context(cafile=str(certificate))
        async with webhook_client(allow_private=True, resolve=names, ssl_context=trusting) as client:
            right = await call(client, request_to(tls_zoo.url("/200", host="crm.example")))
            wrong = await call(client, request_to(tls_zoo.url("/200", host="other.example")))
        assert right.is_success
        assert (wrong.fault, len(tls_zoo.received)) == (CallFault.TLS, 1)

    async def test_a_handshake_that_never_ends_is_cut_and_its_connection_closed(
        self, zoo: ReceiverZoo
    ) -> None:
        """A plain web server waits for the end of what it takes for a request, and TLS for its answer."""
        async with webhook_client(allow_private=True) as client:
            result = await call(client, request_to(f"https://127.0.0.1:{zoo.port}/200"), deadline=SHORT)
            assert result.fault is CallFault.TIMEOUT
            async with asyncio.timeout(2):
                await zoo.all_gone()
        assert (zoo.connections, zoo.received) == (1, [])
