"""Uploads over HTTP: hand in a file, see how far it has got, fetch the rows that were not taken.

A file is opened before it is stored: what cannot be read, or has nobody in it to reach, is answered at once and leaves nothing
behind. What can be read is stored, answered, and taken in in the background.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import text

from leadpact.access.guarded_route import GuardedRoute
from leadpact.access.scopes import IngestCaller, Scope, require
from leadpact.clock import Clock
from leadpact.errors import Fault
from leadpact.ids import new_id
from leadpact.runtime.problems import Problem
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_ingest.files.child import rows_of
from leadpact_ingest.files.limits import FileRefused, Refusal
from leadpact_ingest.files.table import TableFacts
from leadpact_ingest.headers import map_headers
from leadpact_ingest.problem import FieldProblem
from leadpact_ingest.process_upload import UPLOADS
from leadpact_ingest.receive_file import ReceivedFile, receive_file
from leadpact_ingest.rejects import Reject, rejects_csv
from leadpact_ingest.source import UploadedSource
from leadpact_ingest.source_book import SourceBook
from leadpact_ingest.upload_store import NewUpload, UploadView, find, keep

_REJECTS_AT_A_TIME = 500
_STATUS = {Refusal.UNSUPPORTED: 415, Refusal.TOO_LARGE: 413, Refusal.UNREADABLE: 422}


class UploadDoor:
    """Takes files in and shows what became of them."""

    def __init__(
        self, uow: UnitOfWork, sources: SourceBook, clock: Clock, wake: Wake, *, at_most_bytes: int
    ) -> None:
        self._uow = uow
        self._sources = sources
        self._clock = clock
        self._wake = wake
        self._at_most_bytes = at_most_bytes

    async def take(
        self,
        request: Request,
        source_name: str,
        filename: str | None,
        encoding: str | None,
        uploaded_by: str,
    ) -> tuple[UploadView, bool]:
        """The upload, and whether it is new. Raises ``Problem`` for what is no readable table of people."""
        source = (await self._sources.current()).uploaded(source_name)
        async with receive_file(request, filename, at_most_bytes=self._at_most_bytes) as file:
            facts = await _opened(file, encoding)
            new = self._new_upload(source, file, encoding, facts, uploaded_by)
            async with self._uow.transaction() as tx:
                upload, is_new = await keep(tx, new, file.path)
        self._wake.poke([UPLOADS])
        return upload, is_new

    async def show(self, upload_id: UUID) -> UploadView:
        """The upload as it stands. Raises ``NotFound``."""
        async with self._uow.transaction() as tx:
            return await find(tx, upload_id)

    async def rejects(self, upload_id: UUID) -> AsyncIterator[bytes]:
        """The rejected rows so far, as CSV. Page by page, so that no transaction waits for a slow reader."""
        after, columns = 0, await self._columns(upload_id)
        while True:
            async with self._uow.transaction() as tx:
                found = await tx.execute(
                    _REJECTS, {"id": upload_id, "after": after, "limit": _REJECTS_AT_A_TIME}
                )
                page = found.all()
            pieces = rejects_csv(
                columns, [Reject(row.cells, [FieldProblem(*one) for one in row.problems]) for row in page]
            )
            if after:
                next(pieces)  # the header is in the first page
            yield b"".join(pieces)
            if len(page) < _REJECTS_AT_A_TIME:
                return
            after = page[-1].row

    async def _columns(self, upload_id: UUID) -> list[str]:
        async with self._uow.transaction() as tx:
            found = await tx.execute(text("SELECT columns FROM upload WHERE id = :id"), {"id": upload_id})
            columns: list[str] = found.scalar_one()
        return columns

    def _new_upload(
        self,
        source: UploadedSource,
        file: ReceivedFile,
        encoding: str | None,
        facts: TableFacts,
        uploaded_by: str,
    ) -> NewUpload:
        received_at = self._clock.now()
        late_by = source.late_by(received_at)
        return NewUpload(
            id=new_id(),
            source=source.name,
            filename=file.filename,
            encoding=encoding,
            sha256=file.sha256,
            size_bytes=file.size_bytes,
            uploaded_by=uploaded_by,
            received_at=received_at,
            due_at=source.due_at,
            late_by_business_seconds=None if late_by is None else int(late_by.total_seconds()),
            columns=facts.columns,
            notes=facts.notes,
        )


async def _opened(file: ReceivedFile, encoding: str | None) -> TableFacts:
    """What the file is; read as far as its first rows. Raises ``Problem``."""
    try:
        async with rows_of(file.path, file.filename, encoding) as table:
            facts = table.facts
    except FileRefused as refused:
        raise Problem(
            _STATUS[refused.refusal], "unreadable-file", refused.detail, faults=refused.faults
        ) from refused
    problem = map_headers(facts.columns, facts.samples).problem
    if problem is not None:
        fault = Fault(problem.field, problem.message, problem.fix)
        raise Problem(422, "unreadable-file", f"{problem.message} {problem.fix}", faults=[fault])
    return facts


def create_uploads_router(door: UploadDoor) -> APIRouter:
    """The addresses of uploads."""
    router = APIRouter(tags=["uploads"], route_class=GuardedRoute)

    @router.post(
        "/v1/uploads",
        status_code=202,
        openapi_extra=_FILE_DOCUMENTATION,
        responses={200: {"model": UploadView, "description": "The same file was uploaded before."}},
    )
    async def post_upload(
        request: Request,
        response: Response,
        caller: IngestCaller,
        source: Annotated[str, Query(description="An event_scan or syndication source of the pact.")],
        filename: Annotated[
            str | None, Query(description="What the file is called, if it is the body itself.")
        ] = None,
        encoding: Annotated[
            str | None, Query(max_length=40, description="A CSV's encoding, if it is known.")
        ] = None,
    ) -> UploadView:
        """Hand in a CSV or XLSX file. Its rows are taken in in the background."""
        upload, is_new = await door.take(request, source, filename, encoding, caller.name)
        response.headers["Location"] = f"/v1/uploads/{upload.id}"
        response.status_code = 202 if is_new else 200
        return upload

    @router.get("/v1/uploads/{upload_id}", dependencies=[require(Scope.INGEST)])
    async def get_upload(upload_id: UUID) -> UploadView:
        """How far a file has got."""
        return await door.show(upload_id)

    @router.get(
        "/v1/uploads/{upload_id}/rejects.csv",
        dependencies=[require(Scope.INGEST)],
        response_class=StreamingResponse,
        responses={200: {"content": {"text/csv": {}}}},
    )
    async def get_rejects(upload_id: UUID) -> StreamingResponse:
        """The rows that were not taken: their own columns, then what is wrong and how to fix it."""
        upload = await door.show(upload_id)
        name = quote(f"rejects of {upload.filename.rpartition('.')[0] or upload.filename}.csv", safe="")
        return StreamingResponse(
            door.rejects(upload_id),
            media_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
                "Cache-Control": "no-store",
            },
        )

    return router


_REJECTS = text(
    """
    SELECT row, cells, problems FROM upload_reject WHERE upload_id = :id AND row > :after ORDER BY row LIMIT :limit
    """
)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILE_DOCUMENTATION: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
            "text/csv": _BINARY,
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": _BINARY,
        },
    }
}
