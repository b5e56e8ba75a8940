"""The words a pact may use, and which of them an unknown word was probably meant to be."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from rapidfuzz import fuzz, process

from leadpact.domain.country import country_code

_COUNTRY_CODES = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
    FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
    JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
    MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
    PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM
    TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW
"""

COUNTRIES = frozenset(_COUNTRY_CODES.split())
"""ISO 3166-1 alpha-2, and XK, which post offices and banks use for Kosovo."""

_MEANT_COUNTRIES = {"EN": "GB", "EL": "GR"}

# Below this share of common letters a suggestion confuses more than it helps ("triage" for "dach").
_LIKENESS_PERCENT = 60
# Words of time are alike without being meant: "months" is no misspelling of "minutes", nor "weekday" of "week".
_MISSPELT_PERCENT = 75
_WORD = re.compile(r"[^\W\d_]+")


def nearest(word: str, choices: Iterable[str], *, alike_percent: int = _LIKENESS_PERCENT) -> str:
    """The choice most like ``word``, or an empty string when none is near."""
    found = process.extractOne(
        word, list(choices), scorer=fuzz.ratio, processor=str.casefold, score_cutoff=alike_percent
    )
    return found[0] if found else ""


def nearest_choice(found: object, words: Iterable[str], keys: Iterable[str]) -> str:
    """What was meant where one of ``words`` or a mapping with one of ``keys`` belongs; an empty string when nothing is near."""
    if isinstance(found, str):
        return nearest(found, words)
    meant = (nearest(str(key), keys) for key in found) if isinstance(found, Mapping) else ()
    return next(filter(None, meant), "")


def nearest_country(word: str) -> str:
    """The country code that ``word`` was meant to be: ``UK`` is GB, ``de`` and ``Deutschland`` are DE; else an empty string."""
    code = word.strip().upper()
    meant = code if code in COUNTRIES else _MEANT_COUNTRIES.get(code) or country_code(word)
    return meant if meant in COUNTRIES else ""


def respelt(text: str, words: Collection[str]) -> str:
    """``text`` with each of its words that is none of ``words`` replaced by the nearest of them, if it is a misspelling of one."""

    def known(found: re.Match[str]) -> str:
        word = found[0].casefold()
        return word if word in words else nearest(word, words, alike_percent=_MISSPELT_PERCENT) or word

    return _WORD.sub(known, text)


def one_of(choices: Iterable[str]) -> str:
    """``a, b or c`` for a sentence that says what belongs here."""
    *most, last = list(choices)
    return f"{', '.join(most)} or {last}" if most else last
