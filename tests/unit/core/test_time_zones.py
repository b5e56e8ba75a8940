"""The list of all time zones is read once."""

from __future__ import annotations

import zoneinfo

import pytest

from leadpact.domain.time_zones import available_timezones
from leadpact.pact.calendar_section import CalendarSection
from leadpact_router.roster import RepEntry, faults_of_reps


def test_it_is_the_installations_list() -> None:
    assert available_timezones() == zoneinfo.available_timezones()


def test_neither_a_calendar_nor_a_rep_reads_it_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    available_timezones()

    def read_anew() -> set[str]:
        raise AssertionError("read anew")

    monkeypatch.setattr(zoneinfo, "available_timezones", read_anew)
    CalendarSection.model_validate({"timezone": "Europe/Berlin", "hours": "always"})
    reps = [RepEntry(name, name, f"{name}@acme.example", "Europe/Berlin") for name in ("ana", "ben")]
    assert list(faults_of_reps(reps)) == []
