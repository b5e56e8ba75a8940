"""Where a click came from: `utm_*` parameters and advertising click ids, verbatim.

The form's own fields are believed before the page's address, and that before the referrer's. The first of the
three that has any `utm_*` gives all of them: campaign and medium of two different visits are never mixed.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from leadpact_ingest.normalise.text import clean
from leadpact_ingest.problem import FieldProblem

MAX_PARAMETERS = 20
MAX_VALUE_CHARACTERS = 1_024

CLICK_IDS = (
    "gclid", "gbraid", "wbraid", "gclsrc", "dclid", "msclkid", "fbclid", "_fbc", "_fbp", "li_fat_id", "ttclid", "twclid",
    "ScCid", "epik", "rdt_cid", "irclickid", "ObClid",
)  # fmt: skip
"""As the advertising platforms spell them: Google, Microsoft, Meta, LinkedIn, TikTok, X, Snap, Pinterest, Reddit, …"""

_SPELLINGS = {re.sub(r"[\W_]", "", name).lower(): name for name in CLICK_IDS}
_UTM = re.compile(r"utm[\s_.\-]?([a-z][a-z_ ]{0,40})", re.IGNORECASE)


class Attribution(NamedTuple):
    """`utm` and `click_ids` by parameter name; `found_in` is `body`, `page_url`, `referrer` or None."""

    utm: dict[str, str]
    click_ids: dict[str, str]
    found_in: str | None


def parameter_name(field: str) -> str | None:
    """The attribution parameter that a field name spells (`UTM Source` → `utm_source`); None if it is not one."""
    utm = _UTM.fullmatch(field.strip())
    if utm:
        return "utm_" + re.sub(r"[\s_]+", "_", utm[1].lower().strip())
    return _SPELLINGS.get(re.sub(r"[\W_]", "", field).lower())


def read_attribution(
    body: Mapping[str, str], page_url: str | None, referrer: str | None
) -> Attribution | FieldProblem:
    """Attribution from a body's parameters, else the page's, else the referrer's address.

    Too many parameters or an overlong one is a problem: it is never a campaign.
    """
    places = {"body": body, "page_url": _query(page_url), "referrer": _query(referrer)}
    found = {place: _named(parameters) for place, parameters in places.items()}
    utm_place = next(
        (place for place, named in found.items() if any(name.startswith("utm_") for name in named)), None
    )
    utm = {k: v for k, v in found[utm_place].items() if k.startswith("utm_")} if utm_place else {}
    clicks: dict[str, str] = {}
    for named in found.values():
        clicks = {k: v for k, v in named.items() if not k.startswith("utm_")} | clicks
    problem = _problem({**utm, **clicks})
    return problem or Attribution(utm, clicks, utm_place)


def _query(address: str | None) -> dict[str, str]:
    try:
        return dict(parse_qsl(urlsplit(address or "").query))
    except ValueError:
        return {}


def _named(parameters: Mapping[str, str]) -> dict[str, str]:
    named = ((parameter_name(field), clean(value)) for field, value in parameters.items())
    return {name: value for name, value in named if name and value}


def _problem(parameters: Mapping[str, str]) -> FieldProblem | None:
    if len(parameters) > MAX_PARAMETERS:
        message = f"There are {len(parameters)} campaign parameters; at most {MAX_PARAMETERS} are taken."
        return FieldProblem("utm", message, "Send only the parameters that your reports use.")
    for name, value in parameters.items():
        if len(value) > MAX_VALUE_CHARACTERS:
            message = f"`{name}` has {len(value)} characters; at most {MAX_VALUE_CHARACTERS} are taken."
            return FieldProblem(name, message, "Shorten the campaign parameter.")
    return None
