"""A country's ISO 3166-1 alpha-2 code out of its name in any official language, its alpha-3 code or a nickname.

The table is generated from Unicode CLDR by `scripts/generate_country_table.py`; a name that means two countries
in two languages is left out of it, so that an ambiguous word is never read as the wrong place.
"""

import json
from functools import cache
from importlib import resources

from leadpact.domain.clean_text import folded

_ALIASES = {
    "uk": "GB",
    "england": "GB",
    "scotland": "GB",
    "wales": "GB",
    "northern ireland": "GB",
    "great britain": "GB",
    "grossbritannien": "GB",
    "gb eng": "GB",
    "u k": "GB",
    "united kingdom of great britain and northern ireland": "GB",
    "usa": "US",
    "u s a": "US",
    "u s": "US",
    "america": "US",
    "united states of america": "US",
    "the united states": "US",
    "vereinigte staaten von amerika": "US",
    "brd": "DE",
    "bundesrepublik deutschland": "DE",
    "federal republic of germany": "DE",
    "holland": "NL",
    "the netherlands": "NL",
    "czech republic": "CZ",
    "republic of ireland": "IE",
    "eire": "IE",
    "russian federation": "RU",
    "south korea": "KR",
    "korea": "KR",
    "republic of korea": "KR",
    "korea republic of": "KR",
    "north korea": "KP",
    "viet nam": "VN",
    "peoples republic of china": "CN",
    "people s republic of china": "CN",
    "mainland china": "CN",
    "prc": "CN",
    "roc": "TW",
    "taiwan roc": "TW",
    "hongkong": "HK",
    "uae": "AE",
    "u a e": "AE",
    "emirates": "AE",
    "ksa": "SA",
    "rsa": "ZA",
    "turkey": "TR",
    "turkiye": "TR",
    "macedonia": "MK",
    "swaziland": "SZ",
    "burma": "MM",
    "ivory coast": "CI",
    "cape verde": "CV",
    "brasil": "BR",
    "moldova republic of": "MD",
    "iran islamic republic of": "IR",
    "tanzania united republic of": "TZ",
    "bolivia plurinational state of": "BO",
    "venezuela bolivarian republic of": "VE",
    "lao people s democratic republic": "LA",
    "syrian arab republic": "SY",
    "eu": None,
    "europe": None,
}
"""What people write that no locale lists, mapped to a code, or to None where a word only looks like one."""


def country_code(text: str) -> str | None:
    """The alpha-2 code that `text` names; None when it names no country, or more than one.

    >>> country_code("Deutschland"), country_code("usa"), country_code("日本"), country_code("UK"), country_code("XX")
    ('DE', 'US', 'JP', 'GB', None)
    """
    key = folded(text)
    if key in _ALIASES:
        return _ALIASES[key]
    without_note = text.partition("(")[0]
    return _table().get(key) or _table().get(folded(without_note))


@cache
def _table() -> dict[str, str]:
    """Folded name, alpha-2 and alpha-3 code → alpha-2 code."""
    text = resources.files("leadpact.domain").joinpath("countries.json").read_text("utf-8")
    return {name: code for code, names in json.loads(text).items() for name in names}
