"""Reach into a running transaction: end it, break its connection, or stop it there while others go on.

Every statement and every commit of the simulation's engine passes a hook. A step that something is to happen to runs under a
`Script`, which says what happens and before which statement, before the commit, or after it: then it is done, and whoever asked for it never hears
so. Scripts travel with the task, so two steps can be in the middle of their transactions at once, each at its own place.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import await_only

from leadpact.errors import Transient
from leadpact.storage.unit_of_work import Transaction, UnitOfWork


class Crash(BaseException):
    """The process dies here. No handler of the product's may catch it."""


class Does(Enum):
    """What happens at the point."""

    CRASH = "crash"
    BREAK = "lost connection"
    PAUSE = "pause"


class At(Enum):
    """Points that are no statement."""

    COMMIT = "before the commit"
    SECOND_COMMIT = "before the second commit"  # there is none, where one message is one transaction
    AFTER = "after the commit"


Point = int | At
"""The number of a statement, counted from 1 over all transactions of the step, or a named point."""


@dataclass
class Script:
    """What happens to a step. ``happened``: the step got as far."""

    does: Does
    at: Point
    happened: bool = False
    statements: int = 0
    commits: int = 0
    is_there: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def statement(self) -> None:
        self.statements += 1
        self.reached(self.statements)

    def commit(self) -> None:
        self.commits += 1
        self.reached(At.COMMIT if self.commits == 1 else At.SECOND_COMMIT)

    def reached(self, point: Point) -> None:
        """Called where the product is about to do something."""
        if self.happened or point != self.at:
            return
        self.happened = True
        match self.does:
            case Does.CRASH:
                raise Crash
            case Does.BREAK if point is At.AFTER:
                raise Transient("the answer to the commit was lost")
            case Does.BREAK:
                # As the engine names what the driver raises; hooks of the engine are not asked for it themselves.
                raise OperationalError(None, None, ConnectionResetError("the connection was lost"))
            case Does.PAUSE:
                self.is_there.set()
                await_only(self.go_on.wait())


SCRIPT: ContextVar[Script | None] = ContextVar("script", default=None)


REWRITES: list[Callable[[str], str]] = []
"""What is done to every statement on its way: nothing, but by a sabotage."""


@dataclass
class Drawing:
    """What stands in for ``random()`` where PostgreSQL would draw: the scheduler changes it from step to step."""

    salt: int = 0

    def order(self) -> str:
        """An order of cursors that depends on the salt and on nothing else. Few salts, so that statements stay prepared."""
        return f"ORDER BY md5('{self.salt % 16}' || c.topic || c.shard)"


def watch(engine: AsyncEngine, drawing: Drawing) -> None:
    """Let scripts happen to the transactions of ``engine``, and let the scheduler choose which cursors are claimed."""

    def before_statement(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> tuple[str, Any]:
        script = SCRIPT.get()
        if script is not None:
            script.statement()
        for rewrite in REWRITES:
            statement = rewrite(statement)
        return statement.replace("ORDER BY random()", drawing.order()), parameters

    def before_commit(_: Any) -> None:
        script = SCRIPT.get()
        if script is not None:
            script.commit()

    event.listen(engine.sync_engine, "before_cursor_execute", before_statement, retval=True)
    event.listen(engine.sync_engine, "commit", before_commit)


class ScriptedUnitOfWork(UnitOfWork):
    """The product's transactions, with one more point: behind the commit, before the caller learns of it."""

    def named(self, source: str) -> ScriptedUnitOfWork:
        return ScriptedUnitOfWork(self._engine, source=source, wake=self._wake)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with super().transaction() as tx:
            yield tx
        script = SCRIPT.get()
        if script is not None:
            script.reached(At.AFTER)
