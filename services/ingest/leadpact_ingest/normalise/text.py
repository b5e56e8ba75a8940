"""Read what somebody said: strip what nobody sees, and treat placeholders as nothing said."""

import re

from leadpact.domain.clean_text import clean as clean

_PLACEHOLDER_WORDS = """
n/a|na|n.a.|n/a.|none|null|nil|nan|unknown|undefined|tbd|xxx|not available|not provided|not applicable|not specified
k.a.|k. a.|keine angabe|keine|entfällt|unbekannt|s/o|n.c.|nc|sin datos|ninguno|nessuno|geen|inget|nvt|n.v.t.
なし|無し|無|无|没有|없음|нет|#n/a|#ref!|#name?|#value!|#null!|#num!|#div/0!|[not provided]|(none)|(blank)
"""
_PLACEHOLDERS = frozenset(word for line in _PLACEHOLDER_WORDS.split("\n") for word in line.split("|") if word)
_ALSO_NAMES = frozenset({"Null", "Nil", "Na", "Nan"})
"""People have these names, spelt like this; an export writes `NULL`, `null`, `NaN` or `N/A` for no name."""
_ONLY_MARKS = re.compile(r"[-–—_.?*/\\~#]+")


def said(text: str) -> str | None:
    """The cleaned text, or None when it is empty or only a placeholder (`n/a`, `-`, `k.A.`, `なし`)."""
    text = clean(text)
    if not text or _ONLY_MARKS.fullmatch(text):
        return None
    return None if text.casefold() in _PLACEHOLDERS and text not in _ALSO_NAMES else text
