"""One MetaData for every table, so that migrations see the whole and constraint names are predictable."""

from __future__ import annotations

from typing import Any

from sqlalchemy import MetaData
from sqlalchemy.types import UserDefinedType

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class XID8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id. It crosses the driver as text."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"
