"""Take a form's post: a clear answer at once, and 202 only after it is stored for good.

In order: who posts to what, is it small enough and readable, may it be sent from there, is it a lead, and is it new. Whatever fails says so
with nothing half done. Scoring and routing happen later and elsewhere; the visitor does not wait for them.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from leadpact.clock import Clock
from leadpact.errors import Fault, Transient
from leadpact.ids import new_id
from leadpact.runtime.problems import BodyProblem, Problem, problem
from leadpact_ingest import cors
from leadpact_ingest.accept import (
    Accepted,
    Duplicate,
    KeyReused,
    Outcome,
    RawPost,
    Submission,
    TrappedPost,
)
from leadpact_ingest.body import MAX_BODY_BYTES, MediaType
from leadpact_ingest.canonical import Unusable, canonicalise
from leadpact_ingest.group_commit import GroupCommit
from leadpact_ingest.idempotency import claim_of_post, read_key
from leadpact_ingest.metrics import UNKNOWN_SOURCE, IngestMetrics
from leadpact_ingest.pages import refusal_page, thank_you_page
from leadpact_ingest.source import Post, Posted, PostedSource
from leadpact_ingest.source_book import SourceBook

log = structlog.get_logger(__name__)

Writer = GroupCommit[Submission | TrappedPost, Outcome]


class FormDoor:
    """Answers posts to ``/v1/forms/{source}``."""

    def __init__(self, sources: SourceBook, writer: Writer, clock: Clock, metrics: IngestMetrics) -> None:
        self._sources = sources
        self._writer = writer
        self._clock = clock
        self._metrics = metrics

    async def preflight(self, request: Request) -> Response:
        """Answer a browser that asks whether a page's script may post."""
        source = (await self._sources.current()).posted(request.path_params["source"])
        return cors.preflight(source.origins, request.headers)

    async def post(self, request: Request) -> Response:
        """Answer a post. Every refusal is an RFC 9457 problem, or a page for a visitor without a script."""
        running = asyncio.get_running_loop()
        began = running.time()
        name, headers = UNKNOWN_SOURCE, {}
        try:
            sources = await self._sources.current()
            source = sources.posted(request.path_params["source"])
            name, headers = source.name, cors.answer_headers(source.origins, request.headers)
            outcome, response = await self._take(request, source, sources.form_keys.get(source.name))
        except Problem as refused:
            outcome = "unavailable" if refused.status == 503 else "refused"
            response = _refusal(request, refused)
        except Transient as passing:
            log.warning("ingest.unavailable", reason=str(passing))
            outcome, response = "unavailable", _refusal(request, _unavailable())
        response.headers.update(headers)
        self._metrics.received.labels(name, outcome).inc()
        self._metrics.request_seconds.labels(name).observe(running.time() - began)
        return response

    async def _take(
        self, request: Request, source: PostedSource, form_keys: frozenset[str] | None
    ) -> tuple[str, Response]:
        """What was decided, in a word for the metrics, and the answer. Raises ``Problem`` or ``Transient``."""
        content_type = request.headers.get("content-type", "")
        media_type = MediaType.parse(content_type)
        cors.check_sender(source.origins, request.headers, media_type)
        key = read_key(request.headers.get("idempotency-key"))
        raw = RawPost(content_type, await _read_body(request))
        post = Post(media_type, raw.body, request.headers, request.query_params)
        posted = source.read(post)
        source.authenticate(post, posted, form_keys)
        if posted.is_trap:
            outcome = await self._writer.submit(TrappedPost(new_id(), source, self._clock.now(), raw))
            return "honeypot", _answer(request, source, posted, outcome)  # which looks like any other
        outcome = await self._writer.submit(self._submission(source, posted, raw, key))
        is_new = isinstance(outcome, Accepted) and not outcome.is_repeat
        return "accepted" if is_new else "duplicate", _answer(request, source, posted, outcome)

    def _submission(self, source: PostedSource, posted: Posted, raw: RawPost, key: str | None) -> Submission:
        received_at = self._clock.now()
        draft = canonicalise(posted.answers, received_at=received_at, default_country=source.default_country)
        if isinstance(draft, Unusable):
            faults = [Fault(f"#/{field}", message, fix) for field, message, fix in draft.problems]
            raise Problem(422, "invalid-field", "This cannot become a lead as it is.", faults=faults)
        return Submission(new_id(), source, draft, claim_of_post(draft, key), received_at, raw)


async def _read_body(request: Request) -> bytes:
    """The whole body, or a ``Problem`` before more than the limit was read."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, "unsupported-media-type", "Send the body as it is, without Content-Encoding.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
        raise _too_large()
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise _too_large()
    except BodyProblem as error:
        raise error.problem from error
    except ClientDisconnect as error:
        raise Problem(400, "incomplete-body", "The connection ended before the body did.") from error
    return bytes(body)


def _answer(request: Request, source: PostedSource, posted: Posted, outcome: Outcome) -> Response:
    match outcome:
        case KeyReused():
            raise Problem(
                422,
                "idempotency-key-reused",
                "This Idempotency-Key was used for another lead. Use a new key for each new lead.",
            )
        case Accepted(receipt_id, is_repeat):
            return _thanks(request, source, posted) or _receipt(receipt_id, "accepted", is_repeat=is_repeat)
        case Duplicate(receipt_id):
            return _thanks(request, source, posted) or _receipt(receipt_id, "duplicate")


def _receipt(receipt_id: UUID, status: str, *, is_repeat: bool = False) -> Response:
    headers = {"Location": f"/v1/receipts/{receipt_id}", "Cache-Control": "no-store"}
    if is_repeat:
        headers["Idempotency-Replayed"] = "true"
    return JSONResponse({"receipt": str(receipt_id), "status": status}, status_code=202, headers=headers)


def _thanks(request: Request, source: PostedSource, posted: Posted) -> Response | None:
    """For a visitor in a browser: on to the listed address that the form asks for, else a page. None for a program."""
    if not _is_visitor(request):
        return None
    if posted.go_to in source.thank_you:
        return RedirectResponse(posted.go_to, status_code=303)
    if posted.go_to is not None:
        log.info("ingest.redirect_not_listed", source=source.name)
    return thank_you_page()


def _refusal(request: Request, refused: Problem) -> Response:
    if _is_visitor(request):
        page = refusal_page(refused.status, refused.detail, refused.faults)
        page.headers.update(refused.headers)
        return page
    return problem(
        refused.status, refused.kind, refused.detail, faults=refused.faults, headers=refused.headers
    )


def _is_visitor(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _too_large() -> Problem:
    detail = f"The body is larger than {MAX_BODY_BYTES // 1024} kB. Lists of leads go to /v1/uploads."
    # What was not read would otherwise be taken for the connection's next request.
    return Problem(413, "too-large", detail, headers={"Connection": "close"})


def _unavailable() -> Problem:
    detail = "This could not be stored just now and nothing of it was kept. Send it again in a moment."
    return Problem(503, "unavailable", detail, headers={"Retry-After": "2"})
