"""Write one JSON object per line, to standard output unless told otherwise, and never a person's data.

A line is an event name (``router.lead_assigned``) plus fields. Names, addresses, bodies and tokens are never passed to a
log call; as a second line of defence, fields with such names are dropped here.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog

_PERSONAL = frozenset(
    {
        "email",
        "phone",
        "first_name",
        "last_name",
        "full_name",
        "name",
        "body",
        "raw",
        "token",
        "secret",
        "authorization",
        "password",
    }
)


def configure_logging(level: str, *, service: str, stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's loggers for this process."""
    stream = stream or sys.stdout
    logging.basicConfig(level=level.upper(), format="%(message)s", stream=stream, force=True)
    # Access lines would repeat addresses with personal query strings; requests are counted in the metrics instead.
    logging.getLogger("uvicorn.access").disabled = True
    for noisy in ("uvicorn.error", "httpx", "httpcore", "sqlalchemy", "asyncio", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # It says which byte of a malformed form is wrong; so does the answer to whoever sent it, and anybody may send one.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    # While a broker is away it writes several lines a second at ERROR; the relay and the consumers say so once, in our words.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_service(service),
        _drop_personal,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        # A cached logger would keep the first configuration for the life of the process, also under a test that captures lines.
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        processor=structlog.processors.JSONRenderer(), foreign_pre_chain=shared
    )
    for handler in logging.getLogger().handlers:
        handler.setFormatter(formatter)


def _add_service(service: str) -> Any:
    def add(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
        return {"service": service, **event}

    return add


def _drop_personal(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in _PERSONAL}
