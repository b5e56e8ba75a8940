"""Answer the probes: alive, ready, and how it is going.

``/livez`` speaks of this process only: a restart cures no database, and a probe that looked at one would turn its outage into
everybody's. ``/readyz`` looks at what a request needs, each check with a deadline; ``?verbose=1`` names them. What only moves the work on behind
the requests, such as the relay to Kafka, is *watched*: it is reported and decides nothing, since a form that is taken out of the load balancer
because a broker is away loses leads that the database would have kept. ``/metrics`` is Prometheus text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from leadpact.access.guarded_route import GuardedRoute
from leadpact.access.scopes import Scope, public, require

PROBES = ("/livez", "/readyz", "/metrics")

_CHECK_SECONDS = 3.0

Check = Callable[[], Awaitable[None]]


def health_router(
    checks: Mapping[str, Check],
    metrics: CollectorRegistry,
    *,
    metrics_public: bool,
    watched: Mapping[str, Check] | None = None,
) -> APIRouter:
    """The three probes of one process. ``checks`` decide whether it is ready; ``watched`` is only reported."""
    router = APIRouter(tags=["health"], route_class=GuardedRoute)
    door: Any = public("the setting metrics_public says so") if metrics_public else require(Scope.READ)
    assert isinstance(door, type(Depends()))

    @router.head("/livez", dependencies=[public("a supervisor has no token")], include_in_schema=False)
    @router.get("/livez", dependencies=[public("a supervisor has no token")])
    async def livez() -> dict[str, str]:
        """This process runs and its event loop turns."""
        return {"status": "alive"}

    @router.head("/readyz", dependencies=[public("a load balancer has no token")], include_in_schema=False)
    @router.get("/readyz", dependencies=[public("a load balancer has no token")])
    async def readyz(request: Request) -> Response:
        """Everything that a request needs is there. 503 otherwise. What is `watched` does not decide."""
        found, seen = await asyncio.gather(_outcomes(checks), _outcomes(watched or {}))
        ready = all(outcome == "ok" for outcome in found.values())
        body: dict[str, object] = {"status": "ready" if ready else "not ready"}
        if not ready or request.query_params.get("verbose"):
            body["checks"] = found
        if seen:
            body["watched"] = seen
        return JSONResponse(body, status_code=200 if ready else 503)

    @router.get("/metrics", dependencies=[door])
    async def metrics_text() -> Response:
        """All metrics in the Prometheus text format."""
        return Response(generate_latest(metrics), media_type=CONTENT_TYPE_LATEST)

    return router


async def _outcomes(checks: Mapping[str, Check]) -> dict[str, str]:
    outcomes = await asyncio.gather(*(_outcome(check) for check in checks.values()))
    return dict(zip(checks, outcomes, strict=True))


async def _outcome(check: Check) -> str:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check()
    except TimeoutError:
        return f"no answer within {_CHECK_SECONDS:g} s"
    except Exception as error:
        return type(error).__name__
    return "ok"
