"""Make the one database engine of a process, with time limits on every session."""

from __future__ import annotations

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from leadpact.errors import Refused, Transient

# An open transaction holds back every reader of the log and every vacuum: none may idle, and no statement may run for ever.
SESSION_LIMITS = {
    "idle_in_transaction_session_timeout": "10s",
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "timezone": "UTC",
}


def create_engine(url: str, *, application: str, pool_size: int = 8) -> AsyncEngine:
    """An engine for ``url`` (``postgresql://…`` or ``postgresql+asyncpg://…``) whose sessions are named ``application``.

    Raises ``Refused`` for what is no address.
    """
    try:
        address = make_url(asyncpg_url(url))
    except ArgumentError as error:
        raise Refused(
            "The database's address cannot be read; write it as postgresql://user:password@host:5432/name."
        ) from error
    return create_async_engine(
        address,
        pool_size=pool_size,
        max_overflow=4,
        pool_timeout=10,
        # A server that was restarted leaves dead connections in the pool; one round trip finds them before work begins.
        pool_pre_ping=True,
        connect_args={
            "timeout": 10,
            "command_timeout": 60,
            "server_settings": {"application_name": f"leadpact-{application}", **SESSION_LIMITS},
        },
    )


async def require_reachable(engine: AsyncEngine) -> None:
    """Return once the server has let us in. Raises ``Transient`` with the server's or the system's reason."""
    try:
        async with engine.connect():
            pass
    except (DBAPIError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
        address = engine.url.render_as_string(hide_password=True)
        raise Transient(f"The database {address} cannot be used: {reason}") from error


def asyncpg_url(url: str) -> str:
    """The same address with the driver's name in it, so that users may write it as libpq does."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+asyncpg://" + url.removeprefix(prefix)
    return url
