"""A lead's time zone is told from what they said, their number or their country, and only if there is one answer."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from phonenumbers.timezone import time_zones_for_geographical_number, time_zones_for_number

from leadpact_router import timezone_of_lead
from leadpact_router.timezone_of_lead import timezone_of


@pytest.mark.parametrize(
    ("draft", "zone"),
    [
        (
            {"extras": {"timezone": "America/Denver"}, "phone": "+4930123456", "country": "DE"},
            "America/Denver",
        ),
        ({"extras": {"Time Zone": "America/Denver"}}, "America/Denver"),
        ({"extras": {"tz": "Europe/Vienna"}}, "Europe/Vienna"),
        ({"extras": {"timezone": "CEST, I think"}, "country": "FR"}, "Europe/Paris"),
        ({"extras": {"timezone": "../../../etc/passwd"}}, None),
        ({"extras": {"timezone": ["Europe/Vienna"], "tz": 2}}, None),
        ({"extras": {"their timezone": "Europe/Vienna"}}, None),
        ({"phone": "+12125551234", "country": "DE"}, "America/New_York"),
        ({"phone": "+14155551234"}, "America/Los_Angeles"),
        ({"phone": "+13135551234"}, "America/New_York"),  # Detroit, which keeps the same time
        ({"phone": "+18005551234", "country": "US"}, None),
        ({"phone": "+12684641234"}, "America/Antigua"),  # a mobile, but all of that area code are there
        ({"phone": "+12", "country": "US"}, None),
        ({"phone": "+4915112345678"}, "Europe/Berlin"),
        ({"phone": "+447712345678"}, "Europe/London"),
        ({"phone": "+61290001234"}, "Australia/Sydney"),
        ({"phone": "+61412345678", "country": "AU"}, None),  # a mobile may be in Perth
        ({"phone": "+34612345678"}, None),
        ({"phone": "+80012345678", "country": "CH"}, "Europe/Zurich"),
        ({"phone": "+", "country": "CH"}, "Europe/Zurich"),
        ({"phone": "+1", "country": "GB"}, "Europe/London"),
        ({"country": "DE"}, "Europe/Berlin"),  # Büsingen keeps the same time
        ({"country": "SE"}, "Europe/Stockholm"),
        ({"country": "US"}, None),
        ({"country": "ES"}, None),  # the Canaries do not
        ({"country": "ZZ"}, None),
        ({}, None),
    ],
)
def test_there_is_one_answer_or_none(draft: dict[str, Any], zone: str | None) -> None:
    assert timezone_of(draft) == zone


def test_every_country_with_one_zone_has_it() -> None:
    found = {country: timezone_of({"country": country}) for country in phonenumbers.SUPPORTED_REGIONS}
    named = {country: zone for country, zone in found.items() if zone}
    assert all(ZoneInfo(zone) for zone in named.values())
    assert len(named) > 200


def test_numbers_say_what_the_numbering_plan_says() -> None:
    """The short way over the calling code, or in North America the area code, gives what parsing each number would have given."""
    compared = 0
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in range(11):
            number = phonenumbers.example_number_for_type(region, kind)
            if number is None:
                continue
            compared += 1
            zones_of = (
                time_zones_for_geographical_number if number.country_code == 1 else time_zones_for_number
            )
            zones = zones_of(number)
            found = timezone_of(
                {"phone": phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)}
            )
            if found is None:
                assert len(zones) > 1
            else:
                assert {timezone_of_lead._rule(zone) for zone in zones} == {timezone_of_lead._rule(found)}
    assert compared > 1000


def test_most_numbers_are_told_without_being_parsed() -> None:
    with patch.object(timezone_of_lead, "parse", side_effect=AssertionError("parsed")):
        assert timezone_of({"phone": "+493098765432"}) == "Europe/Berlin"
        assert timezone_of({"phone": "+33123987654"}) == "Europe/Paris"
        assert timezone_of({"phone": "+14165550188"}) == "America/Toronto"
