"""The API's fixtures serve the board as well: it is the same router."""

from __future__ import annotations

from tests.integration.router.api.conftest import service

__all__ = ["service"]
