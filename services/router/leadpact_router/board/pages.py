"""Serve the board: pages that read without scripts, forms that post, and a stream that says when to look again."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from pydantic import ValidationError

from leadpact.access.guarded_route import GuardedRoute
from leadpact.access.scopes import Caller, Scope, public, require
from leadpact.clock import Clock
from leadpact.errors import Fault, NotFound, Refused, Transient
from leadpact.pact.book import PactBook
from leadpact.runtime.pages import cursor, read_cursor
from leadpact.runtime.problems import BodyProblem, Problem, faults_of
from leadpact.runtime.storable import NO_NUL
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_router.board.changes import Changes
from leadpact_router.board.filters import LeadSearch, chosen, read_people
from leadpact_router.board.now import read_board, read_pact_line, read_pact_text
from leadpact_router.board.render import STATIC_FILES, page
from leadpact_router.endpoints.desk import (
    Attempt,
    Closing,
    Contact,
    Desk,
    Meeting,
    Pause,
    Rejection,
    Report,
    Resumption,
)
from leadpact_router.endpoints.leads import refuse_unknown_words
from leadpact_router.endpoints.roster import RepIdPath
from leadpact_router.lead import CLOSED_STAGES, Stage
from leadpact_router.offline import bring_back
from leadpact_router.release_held import FLOOR_CHANGED
from leadpact_router.timeline import timeline
from leadpact_router.views import Assignment, Hold, LeadStory, page_of_leads, read_story
from leadpact_router.webhooks.fan_out import QUEUED
from leadpact_router.webhooks.read import (
    DeliveryFilter,
    DeliveryState,
    delivery_place,
    page_of_deliveries,
    read_delivery,
    read_endpoints,
)
from leadpact_router.webhooks.registry import replay_one

_PAGE = 50
_OF_ONE_LEAD = 20

Reader = Annotated[Caller, require(Scope.READ)]
Worker = Annotated[Caller, require(Scope.WORK)]
Admin = Annotated[Caller, require(Scope.ADMIN)]
Asked = Annotated[str, Query(max_length=200, pattern=NO_NUL)]
Typed = Annotated[str, Form(max_length=2_000, pattern=NO_NUL)]
AssignmentId = Annotated[UUID, Form()]


class PageRoute(GuardedRoute):
    """A route whose errors are pages too. Who is not signed in gets the gatekeeper's own answer: the way to the door."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except BodyProblem as error:
                return _page_of(error.problem)
            except (Refused, Transient, RequestValidationError) as error:
                if isinstance(error, Problem) and error.status in (303, 401):
                    raise
                return _page_of(error)

        return answer


@dataclass(frozen=True, slots=True)
class Board:
    """What the pages are made from."""

    uow: UnitOfWork
    book: PactBook
    clock: Clock
    wake: Wake
    desk: Desk

    async def frame(self, tx: Transaction, caller: Caller) -> dict[str, Any]:
        """What every page shows around itself."""
        return {
            "caller": caller,
            "pact": await read_pact_line(tx, self.book),
            "now": self.clock.now(),
            "may_work": caller.may(Scope.WORK),
            "may_administer": caller.may(Scope.ADMIN),
        }

    async def show_now(self, request: Request, caller: Caller, template: str) -> HTMLResponse:
        """What is going on."""
        async with self.uow.transaction() as tx:
            frame = await self.frame(tx, caller)
            board = await read_board(tx, self.book, frame["now"])
        return page(template, **frame, board=board, address=_address(request))

    async def show_lead(self, lead_id: UUID, caller: Caller, *, fault: str = "") -> HTMLResponse:
        """One lead; ``fault`` says what was wrong with what was just sent."""
        async with self.uow.transaction() as tx:
            frame = await self.frame(tx, caller)
            story = await read_story(tx, lead_id, frame["now"])
            deliveries, _ = await page_of_deliveries(tx, DeliveryFilter(lead_id=lead_id), limit=_OF_ONE_LEAD)
            pact = (await self.book.current(tx)).pact
        return page(
            "lead.html",
            status=422 if fault else 200,
            **frame,
            story=story,
            lead=story.lead,
            open=next((one for one in story.assignments if one.ended_at is None), None),
            happened=timeline(story),
            turns=_turns(story),
            deliveries=deliveries,
            is_closed=story.lead.stage in CLOSED_STAGES,
            reasons=pact.rejection_reasons,
            pause_states=sorted(pact.pause_states),
            fault=fault,
        )

    async def show_leads(self, caller: Caller, search: LeadSearch, after: UUID | None) -> HTMLResponse:
        """A list of leads."""
        async with self.uow.transaction() as tx:
            frame = await self.frame(tx, caller)
            people = await read_people(tx)
            wanted = search.wanted(people)
            found, following = await page_of_leads(tx, wanted, now=frame["now"], limit=_PAGE, after=after)
            if not found:
                await refuse_unknown_words(tx, self.book, wanted)
        next_page = following and _next_page(asdict(search), following)
        return page(
            "leads.html",
            **frame,
            leads=found,
            search=search,
            stages=list(Stage),
            people=people,
            next_page=next_page,
        )

    async def show_deliveries(
        self, request: Request, caller: Caller, state: DeliveryState | None, after: int | None
    ) -> HTMLResponse:
        """Who is told what, and whether they took it."""
        async with self.uow.transaction() as tx:
            frame = await self.frame(tx, caller)
            found, following = await page_of_deliveries(
                tx, DeliveryFilter(state=state), limit=_PAGE, after=after
            )
            endpoints = await read_endpoints(tx)
        next_page = following and _next_page({"state": state}, following)
        return page(
            "deliveries.html",
            **frame,
            deliveries=found,
            endpoints=endpoints,
            state=state,
            states=list(DeliveryState),
            next_page=next_page,
            address=_address(request),
        )

    async def done(
        self,
        lead_id: UUID,
        caller: Caller,
        doing: Callable[[], Coroutine[Any, Any, Any]],
        *,
        unsaid: str = "Choose a reason from the list.",
    ) -> Response:
        """Do it and show the lead as it is now. What is refused is said on its page, and nothing has changed.

        ``unsaid`` is said when a field was left out.
        """
        try:
            await doing()
        except ValidationError:
            return await self.show_lead(lead_id, caller, fault=unsaid)
        except Refused as refused:
            return await self.show_lead(lead_id, caller, fault=refused.detail)
        return RedirectResponse(f"/leads/{lead_id}", status_code=303)


def create_board_router(board: Board, changes: Changes) -> APIRouter:
    """All pages."""
    router = APIRouter(include_in_schema=False, route_class=PageRoute)
    _add_board(router, board, changes)
    _add_leads(router, board)
    _add_deliveries(router, board)
    return router


def _add_board(router: APIRouter, board: Board, changes: Changes) -> None:
    @router.get("/")
    async def start(request: Request, caller: Reader) -> HTMLResponse:
        return await board.show_now(request, caller, "board.html")

    @router.get("/board/now")
    async def refresh(request: Request, caller: Reader) -> HTMLResponse:
        return await board.show_now(request, caller, "now.html")

    @router.get("/board/stream", dependencies=[require(Scope.READ)])
    async def stream() -> StreamingResponse:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(changes.stream(), media_type="text/event-stream", headers=headers)

    @router.get("/board/static/{name}", dependencies=[public("style and scripts say nothing of anybody")])
    async def static(name: str) -> Response:
        file = STATIC_FILES.get(name)
        if file is None:
            raise NotFound(f"There is no file {name}.")
        # The address holds the file's fingerprint, so whoever has it once has it for good.
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(file.content, media_type=file.media_type, headers=headers)

    @router.post("/reps/{rep_id}/return", dependencies=[require(Scope.ADMIN)])
    async def return_rep(rep_id: RepIdPath) -> Response:
        async with board.uow.transaction() as tx:
            await bring_back(tx, rep_id, board.clock.now())
        board.wake.poke([FLOOR_CHANGED])
        return RedirectResponse("/", status_code=303)

    @router.get("/pact")
    async def pact(caller: Reader) -> HTMLResponse:
        async with board.uow.transaction() as tx:
            frame = await board.frame(tx, caller)
            source = await read_pact_text(tx)
        return page("pact.html", **frame, source=source)


def _add_leads(router: APIRouter, board: Board) -> None:
    @router.get("/leads")
    async def leads(
        caller: Reader,
        stage: Asked = "",
        owner: Asked = "",
        source: Asked = "",
        q: Asked = "",
        after: Asked = "",
    ) -> HTMLResponse:
        search = LeadSearch(stage, owner, source, q)
        return await board.show_leads(caller, search, read_cursor(after or None, UUID))

    @router.get("/leads/{lead_id}")
    async def lead(lead_id: UUID, caller: Reader) -> HTMLResponse:
        return await board.show_lead(lead_id, caller)

    @router.post("/leads/{lead_id}/accept")
    async def accept(lead_id: UUID, caller: Worker, assignment_id: AssignmentId) -> Response:
        return await board.done(lead_id, caller, lambda: board.desk.accept(assignment_id, Report()))

    @router.post("/leads/{lead_id}/contact")
    async def contact(
        lead_id: UUID, caller: Worker, assignment_id: AssignmentId, channel: Typed = "call"
    ) -> Response:
        return await board.done(
            lead_id, caller, lambda: board.desk.contact(assignment_id, Contact(channel=channel))
        )

    @router.post("/leads/{lead_id}/reject")
    async def reject(
        lead_id: UUID, caller: Worker, assignment_id: AssignmentId, reason: Typed = "", note: Typed = ""
    ) -> Response:
        async def doing() -> None:
            said = Rejection(reason=reason, note=note.strip() or None)
            await board.desk.reject(assignment_id, said)

        return await board.done(lead_id, caller, doing)

    @router.post("/leads/{lead_id}/attempt")
    async def attempt(
        lead_id: UUID, caller: Worker, assignment_id: AssignmentId, channel: Typed = "call"
    ) -> Response:
        return await board.done(
            lead_id, caller, lambda: board.desk.attempt(assignment_id, Attempt(channel=channel))
        )

    @router.post("/leads/{lead_id}/meeting")
    async def meeting(lead_id: UUID, caller: Worker, assignment_id: AssignmentId) -> Response:
        return await board.done(lead_id, caller, lambda: board.desk.meeting(assignment_id, Meeting()))

    @router.post("/leads/{lead_id}/pause")
    async def pause(
        lead_id: UUID, caller: Worker, assignment_id: AssignmentId, state: Typed = ""
    ) -> Response:
        async def doing() -> None:
            await board.desk.pause(assignment_id, Pause(state=state))

        return await board.done(lead_id, caller, doing, unsaid="Choose a state from the list.")

    @router.post("/leads/{lead_id}/resume")
    async def resume(lead_id: UUID, caller: Worker, assignment_id: AssignmentId) -> Response:
        return await board.done(lead_id, caller, lambda: board.desk.resume(assignment_id, Resumption()))

    @router.post("/leads/{lead_id}/close")
    async def close(lead_id: UUID, caller: Worker, reason: Typed = "") -> Response:
        async def doing() -> None:
            await board.desk.close(lead_id, Closing(reason=reason.strip()))

        return await board.done(lead_id, caller, doing, unsaid="Say in a few words why it is closed.")


def _add_deliveries(router: APIRouter, board: Board) -> None:
    @router.get("/deliveries")
    async def deliveries(
        request: Request, caller: Reader, state: Asked = "", after: Asked = ""
    ) -> HTMLResponse:
        asked = chosen("state", state, DeliveryState)
        place = read_cursor(after or None, delivery_place)
        return await board.show_deliveries(request, caller, asked, place)

    @router.get("/deliveries/{delivery_id}")
    async def delivery(delivery_id: UUID, caller: Reader) -> HTMLResponse:
        async with board.uow.transaction() as tx:
            frame = await board.frame(tx, caller)
            found, attempts, body = await read_delivery(tx, delivery_id)
        return page("delivery.html", **frame, delivery=found, attempts=attempts, body=body)

    @router.post("/deliveries/{delivery_id}/replay", dependencies=[require(Scope.ADMIN)])
    async def replay(delivery_id: UUID) -> Response:
        async with board.uow.transaction() as tx:
            await replay_one(tx, delivery_id, board.clock.now())
        board.wake.poke([QUEUED])
        return RedirectResponse(f"/deliveries/{delivery_id}", status_code=303)


def _turns(story: LeadStory) -> list[Assignment | Hold]:
    """Whose the lead was and when it waited, the newest first; before all, the wait that goes on."""
    goes_on = story.holds[0] if story.holds and story.lead.held_since is not None else None

    def place(one: Assignment | Hold) -> tuple[bool, datetime, bool]:
        if isinstance(one, Hold):
            return one is goes_on, one.held_at, False
        return False, one.assigned_at, True

    return sorted([*story.assignments, *story.holds], key=place, reverse=True)


def _address(request: Request) -> str:
    """Where the caller reaches us, for commands that are to be copied."""
    return str(request.base_url).rstrip("/")


def _next_page(asked: dict[str, Any], place: object) -> str:
    """The address of the page after ``place`` of the same list."""
    query = {name: value for name, value in asked.items() if value}
    return "?" + urlencode({**query, "after": cursor(place)})


def error_page(status: int, detail: str, faults: Sequence[Fault] = ()) -> HTMLResponse:
    """What is wrong, as a page. It is the same for everybody, signed in or not."""
    return page("error.html", status=status, detail=detail, faults=faults)


def _page_of(error: Refused | Transient | RequestValidationError) -> HTMLResponse:
    faults: Sequence[Fault] = error.faults if isinstance(error, Refused) else ()
    match error:
        case Problem():
            status, detail = error.status, error.detail
        case NotFound():
            status, detail = 404, error.detail
        case Refused():
            status, detail = 422, error.detail
        case Transient():
            status, detail = 503, "The database does not answer just now. Try again in a moment."
        case RequestValidationError() if any(found["loc"][0] == "path" for found in error.errors()):
            status, detail = 404, "There is no such page."
        case RequestValidationError():
            status, detail, faults = 422, "Some fields cannot be used as they are.", faults_of(error)
    return error_page(status, detail, faults)
