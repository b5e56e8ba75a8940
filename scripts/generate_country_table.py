"""Write `leadpact/domain/countries.json` from Unicode CLDR, as packed in Babel.

Run it after Babel was updated: `python scripts/generate_country_table.py`. The output is a function of Babel's
version alone, one line per country, so that a change of names is a readable difference.
"""

import json
from collections import defaultdict
from pathlib import Path

from babel import Locale, localedata
from babel.core import get_global
from babel.languages import get_official_languages

from leadpact.domain.clean_text import folded

OUTPUT = Path(__file__).parents[1] / "leadpact/domain/countries.json"
WRITTEN_OTHERWISE = ("zh_Hant", "sr_Latn", "pt_PT", "es_MX", "fr_CA", "de_AT", "de_CH")
"""Variants of a language whose country names differ from the language's own."""
NOT_COUNTRIES = {"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ"}


def countries() -> list[str]:
    """The alpha-2 codes that CLDR lists, without groupings and pseudo-regions."""
    codes = (str(code) for code in Locale("en").territories)
    return sorted(code for code in codes if len(code) == 2 and code.isalpha() and code not in NOT_COUNTRIES)


def locales() -> list[str]:
    """Every language that is official somewhere, and the variants that name countries differently."""
    official = {
        language.partition("_")[0]
        for country in get_global("territory_languages")
        for language in get_official_languages(country, regional=True, de_facto=True)
    }
    plain = [name for name in localedata.locale_identifiers() if name in official]
    return sorted([*plain, *WRITTEN_OTHERWISE])


def table() -> dict[str, list[str]]:
    """Code → its names, folded; English decides a name that two languages give to two countries, else nobody gets it."""
    codes = countries()
    claims: dict[str, set[str]] = defaultdict(set)
    for locale in locales():
        for code in codes:
            if name := folded(Locale.parse(locale).territories.get(code, "")):
                claims[name].add(code)
    owners = {name: next(iter(claimed)) for name, claimed in claims.items() if len(claimed) == 1}
    owners |= {folded(Locale("en").territories[code]): code for code in codes}
    owners |= {
        alias.lower(): to[0]
        for alias, to in get_global("territory_aliases").items()
        if _is_alpha3(alias, to, codes)
    }
    owners |= {code.lower(): code for code in codes}
    names: dict[str, list[str]] = defaultdict(list)
    for name, code in sorted(owners.items()):
        names[code].append(name)
    return dict(sorted(names.items()))


def _is_alpha3(alias: str, replacements: list[str], codes: list[str]) -> bool:
    return len(alias) == 3 and alias.isalpha() and len(replacements) == 1 and replacements[0] in codes


def main() -> None:
    """Write the table."""
    lines = (
        f"{json.dumps(code)}: {json.dumps(names, ensure_ascii=False)}" for code, names in table().items()
    )
    OUTPUT.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
