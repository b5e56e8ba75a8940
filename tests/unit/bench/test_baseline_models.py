"""The baseline writes into the product's tables: it has to know what they ask for."""

from __future__ import annotations

import pytest
from sqlalchemy import Table

from bench.baseline.models import Base
from leadpact.storage.metadata import metadata
from leadpact_ingest import tables as _ingest  # noqa: F401 - puts its tables into the metadata
from leadpact_router import tables as _router  # noqa: F401 - as above

ITS_OWN, ONLY_READ = {"baseline_queue"}, {"account", "rep"}
WRITTEN = [one for one in Base.metadata.sorted_tables if one.name not in ITS_OWN | ONLY_READ]


@pytest.mark.parametrize("model", WRITTEN, ids=lambda table: table.name)
def test_a_model_of_the_baseline_has_every_column_that_must_be_written(model: Table) -> None:
    columns = metadata.tables[model.name].columns
    must = {
        one.name
        for one in columns
        if not one.nullable and one.server_default is None and one.identity is None
    }
    assert must <= set(model.columns.keys()) <= set(columns.keys())
