from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from leadpact.pact.phrases import (
    AttemptsText,
    CapText,
    DurationText,
    HalfLifeText,
    LocalTimeText,
    MoneyText,
    PaceText,
    WarningText,
)


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        (CapText, "500 per month"),
        (CapText, "1 per day"),
        (MoneyText, "45 EUR"),
        (MoneyText, "0.50 USD"),
        (HalfLifeText, "36 hours"),
        (HalfLifeText, "14 days"),
        (WarningText, "80%"),
        (LocalTimeText, "2026-04-24T18:00 Europe/Berlin"),
        (LocalTimeText, "2026-01-01T00:00 UTC"),
        (LocalTimeText, "2026-07-01T09:30 America/Argentina/Buenos_Aires"),
        (DurationText, "2 business hours"),
        (DurationText, "24 hours"),
    ],
)
def test_a_phrase_prints_as_it_is_written(phrase: Any, text: str) -> None:
    adapter = TypeAdapter[Any](phrase)
    assert adapter.dump_python(adapter.validate_python(text), mode="json") == text


@pytest.mark.parametrize(("text", "span"), [("2 weeks", timedelta(days=14)), ("1 hour", timedelta(hours=1))])
def test_a_half_life_is_wall_time(text: str, span: timedelta) -> None:
    assert TypeAdapter(HalfLifeText).validate_python(text) == span


def test_of_an_hour_that_comes_twice_the_first_is_meant() -> None:
    twice = TypeAdapter(LocalTimeText).validate_python("2026-10-25T02:30 Europe/Berlin")
    assert twice.astimezone(UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("phrase", "found"),
    [
        (CapText, 500),
        (CapText, "-1 per day"),
        (CapText, "500 per year"),
        (CapText, "٥ per day"),
        (MoneyText, "45"),
        (MoneyText, "45.123 EUR"),
        (MoneyText, "-45 EUR"),
        (HalfLifeText, "0 days"),
        (HalfLifeText, "a fortnight"),
        (WarningText, "0%"),
        (WarningText, "100%"),
        (WarningText, 80),
        (LocalTimeText, "2026-04-31T18:00 Europe/Berlin"),
        (LocalTimeText, "2026-04-24T18:00 Europe"),
        (LocalTimeText, "2026-04-24T18:00 ../etc/passwd"),
        (LocalTimeText, "2026-04-24T18:00+02:00"),
        (DurationText, "1 day"),
        (DurationText, 2),
        (DurationText, "soon"),
    ],
)
def test_a_phrase_that_could_mean_something_else_is_refused(phrase: Any, found: object) -> None:
    with pytest.raises(ValidationError, match="expected "):
        TypeAdapter[Any](phrase).validate_python(found)


@pytest.mark.parametrize(
    ("phrase", "found", "meant"),
    [
        (DurationText, "2 buisness hours", "2 business hours"),
        (DurationText, "24 Business Hrs", "24 business hours"),
        (DurationText, "1 day", ""),
        (DurationText, "2 hrs", ""),
        (DurationText, "2 months", ""),
        (DurationText, "soon", ""),
        (DurationText, f"2 buisness hours{' ' * 80}", ""),
        (CapText, "500 per moth", "500 per month"),
        (CapText, "500/week", "500 per week"),
        (CapText, "500 a day", "500 per day"),
        (CapText, "500 per year", ""),
        (CapText, "500 per weekday", ""),
        (CapText, 500, ""),
        (PaceText, "30/hour", "30 per hour"),
        (HalfLifeText, "2 wekks", "2 weeks"),
        (MoneyText, "45 eur", "45 EUR"),
        (MoneyText, "EUR 45.50", "45.50 EUR"),
        (MoneyText, "EUR 45 USD", ""),
        (MoneyText, "45", ""),
        (MoneyText, "45 per", ""),
        (WarningText, "80 percent", "80%"),
        (WarningText, "80 %", "80%"),
        (WarningText, "2 busines hours lft", "2 business hours left"),
        (WarningText, "2 busines hours left", "2 business hours left"),
        (WarningText, "2 months left", ""),
        (WarningText, "100 percent", ""),
        (AttemptsText, "5 witin 10 busines days over 2 chanels", "5 within 10 business days over 2 channels"),
        (
            AttemptsText,
            "5 within 10 buisness days over 2 channels",
            "5 within 10 business days over 2 channels",
        ),
        (AttemptsText, "5 within 1 day", ""),
    ],
)
def test_a_misspelt_phrase_is_answered_with_the_one_that_was_meant(
    phrase: Any, found: object, meant: str
) -> None:
    adapter = TypeAdapter[Any](phrase)
    with pytest.raises(ValidationError) as refused:
        adapter.validate_python(found)
    (error,) = refused.value.errors()
    assert error["ctx"]["suggestion"] == meant
    if meant:
        adapter.validate_python(meant)
