"""Keep uploads and their files in the database, where every instance finds them and every backup has them.

A file is stored in pieces of one megabyte, so that neither writing nor reading it needs it whole in memory. Files are at most some
tens of megabytes; a folder would save the database that much and cost a shared disk between instances.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel
from sqlalchemy import insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from leadpact.errors import NotFound, Transient
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact_ingest.receive_file import PIECE_BYTES
from leadpact_ingest.tables import upload, upload_piece


class RefusalView(BaseModel):
    """Why a file was not taken, and what to do about it."""

    because: str
    fix: str


class UploadView(BaseModel):
    """One uploaded file and how far its rows have got. ``rows`` is null until the file was read to its end."""

    id: UUID
    source: str
    filename: str
    status: Literal["received", "processing", "completed", "refused"]
    uploaded_by: str
    received_at: AwareDatetime
    completed_at: AwareDatetime | None = None
    rows: int | None = None
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    skipped: int | None = None
    due_at: AwareDatetime | None = None
    late_by_business_seconds: int | None = None
    notes: list[str] = []
    refusal: RefusalView | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class NewUpload:
    """A file that was received and can be read."""

    id: UUID
    source: str
    filename: str
    encoding: str | None
    sha256: str
    size_bytes: int
    uploaded_by: str
    received_at: datetime
    due_at: datetime | None
    late_by_business_seconds: int | None
    columns: tuple[str, ...]
    notes: tuple[str, ...]


async def keep(tx: Transaction, new: NewUpload, path: Path) -> tuple[UploadView, bool]:
    """Store an upload with its file; if the source's same file is there already, that one, and False."""
    row = {name: getattr(new, name) for name in NewUpload.__slots__}
    statement = upsert(upload).values(**row, status="received")
    # Of two that come with the same file at once the second waits here for the first, and then inserts nothing.
    added = await tx.execute(statement.on_conflict_do_nothing(index_elements=["source", "sha256"]))
    if not added.rowcount:
        return await _earlier(tx, new.source, new.sha256), False
    with path.open("rb") as file:
        number = 0
        while piece := file.read(PIECE_BYTES):
            await tx.execute(insert(upload_piece).values(upload_id=new.id, number=number, bytes=piece))
            number += 1
    return await find(tx, new.id), True


async def find(tx: Transaction, upload_id: UUID) -> UploadView:
    """The upload. Raises ``NotFound``."""
    row = (await tx.execute(select(upload).where(upload.c.id == upload_id))).mappings().first()
    if row is None:
        raise NotFound("There is no such upload.")
    refusal = (
        RefusalView(because=row["refused_because"], fix=row["refused_fix"])
        if row["refused_because"]
        else None
    )
    return UploadView.model_validate({**row, "refusal": refusal})


async def _earlier(tx: Transaction, source: str, sha256: str) -> UploadView:
    same = (upload.c.source == source) & (upload.c.sha256 == sha256)
    found = await find(tx, (await tx.execute(select(upload.c.id).where(same))).scalar_one())
    said = f"This file was uploaded on {found.received_at:%Y-%m-%d at %H:%M} UTC by {found.uploaded_by}; nothing was taken in again."
    return found.model_copy(update={"message": said})


@asynccontextmanager
async def stored_file(uow: UnitOfWork, upload_id: UUID) -> AsyncIterator[Path]:
    """A copy of an upload's file on this host's disk, for as long as the block lasts. Raises ``Transient`` if the disk is full."""
    # Without a buffer: what a full disk did not take would be tried again at the close.
    with tempfile.NamedTemporaryFile(prefix="leadpact-upload-", buffering=0) as copy:
        async with uow.transaction() as tx:
            numbers = await tx.execute(_PIECES, {"id": upload_id})
            for number in numbers.scalars().all():
                _add(copy, (await tx.execute(_PIECE, {"id": upload_id, "number": number})).scalar_one())
        yield Path(copy.name)


def _add(copy: IO[bytes], piece: bytes) -> None:
    left = memoryview(piece)
    try:
        while left:
            left = left[copy.write(left) :]
    except OSError as error:
        raise Transient(f"this host's disk did not take a copy of the upload: {error.strerror}") from error


_PIECES = text("SELECT number FROM upload_piece WHERE upload_id = :id ORDER BY number")
_PIECE = text("SELECT bytes FROM upload_piece WHERE upload_id = :id AND number = :number")
