"""Make the one database engine of a process, with time limits on every session."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import URL, Dialect, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from leadpact.errors import Refused, Transient

# An open transaction holds back every reader of the log and every vacuum: none may idle, and no statement may run for ever.
SESSION_LIMITS = {
    "idle_in_transaction_session_timeout": "10s",
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "timezone": "UTC",
}

# More than all services together have: what falls out is prepared again, a round trip before each use.
_STATEMENTS_KEPT = 500


def create_engine(url: str, *, application: str, pool_size: int = 8) -> AsyncEngine:
    """An engine for ``url`` (``postgresql://…`` or ``postgresql+asyncpg://…``) whose sessions are named ``application``.

    Raises ``Refused`` for what is no address.
    """
    engine = create_async_engine(
        _address(url),
        pool_size=pool_size,
        max_overflow=4,
        pool_timeout=10,
        # The connection that was used last is used next. Taken in turns, each would have to prepare every statement for itself, and
        # the server plan it anew five times on each, long after the process has warmed up.
        pool_use_lifo=True,
        # Errors are logged, and what a statement was given, or a row holds, is people's data.
        hide_parameters=True,
        connect_args={
            "timeout": 10,
            "command_timeout": 60,
            "prepared_statement_cache_size": _STATEMENTS_KEPT,
            "server_settings": {"application_name": f"leadpact-{application}", **SESSION_LIMITS},
        },
    )
    event.listen(engine.sync_engine, "handle_error", _drop_detail)
    event.listen(engine.sync_engine, "handle_error", _name_as_the_databases, retval=True)
    event.listen(engine.sync_engine, "do_connect", _connect)
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _refuse_closed(_: object, record: ConnectionPoolEntry, __: object) -> None:
    """Let the pool connect anew after a restart of the server.

    A server that ends closes its connections, and the driver has seen it: no need to ask, which would be three round trips before every
    transaction. What only asking could find, a network that went away in silence, comes out as ``Transient``.
    """
    if record.driver_connection.is_closed():  # type: ignore[union-attr]  # asyncpg's connection, which ships no types
        raise InvalidatePoolError


def _address(url: str) -> URL:
    try:
        address = make_url(asyncpg_url(url))
        mode = address.query.get("sslmode")
        if mode is not None:  # what libpq calls `sslmode`, asyncpg calls `ssl`; the words are the same
            address = address.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
        if address.drivername == "postgresql+asyncpg":
            address.get_dialect()().create_connect_args(address)  # finds a port that is no number
            return address
    except (ArgumentError, ValueError):
        pass  # what they say repeats parts of the address, which holds a password
    raise Refused(
        "The database's address cannot be read; write it as postgresql://user:password@host:5432/name."
    )


def _drop_detail(context: ExceptionContext) -> None:
    """Forget the server's detail line: it quotes the row, as in ``Key (email)=(jo@globex.example) already exists``."""
    cause = getattr(context.original_exception, "__cause__", None)
    if getattr(cause, "detail", None):
        cause.detail = None  # type: ignore[union-attr]  # asyncpg's error has it


def _connect(dialect: Dialect, _: object, arguments: list[Any], named: dict[str, Any]) -> Any:
    try:
        return dialect.connect(*arguments, **named)
    except OSError as error:
        raise _unreachable(error) from error


def _name_as_the_databases(context: ExceptionContext) -> OperationalError | None:
    error = context.original_exception
    return _unreachable(error) if isinstance(error, OSError) else None


def _unreachable(error: OSError) -> OperationalError:
    """The database is not to be reached, or did not answer in time.

    The driver lets the system's errors through as they are. Named here, where they can only be the database's, none that comes from
    whatever else is done while a transaction is open, such as writing a file, is taken for one.
    """
    return OperationalError(None, None, error)


async def require_reachable(engine: AsyncEngine) -> None:
    """Return once the server has let us in.

    Raises ``Transient`` with the server's or the system's reason, ``Refused`` for an option that the driver does not know.
    """
    try:
        async with engine.connect():
            pass
    except TypeError as error:  # how the driver's `connect` answers a word behind the ? that it does not know
        raise Refused(f"The database {_shown(engine)} cannot be used: {error}") from error
    except DBAPIError as error:
        reason = str(error.orig or error).partition("\n")[0]
        raise Transient(f"The database {_shown(engine)} cannot be used: {reason}") from error


def _shown(engine: AsyncEngine) -> str:
    return engine.url.render_as_string(hide_password=True)


def asyncpg_url(url: str) -> str:
    """The same address with the driver's name in it, so that users may write it as libpq does."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+asyncpg://" + url.removeprefix(prefix)
    return url
