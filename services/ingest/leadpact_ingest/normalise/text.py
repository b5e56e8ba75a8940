"""Make text comparable: strip what nobody sees and treat placeholders as nothing said."""

import re
import unicodedata

from leadpact.domain.clean_text import clean as clean

_NOT_WORDS = re.compile(r"[\W_]+")
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


def folded(text: str) -> str:
    """A key for comparing words: compatibility forms, case, accents and punctuation folded away.

    >>> folded("Côte d’Ivoire")
    'cote d ivoire'
    """
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    letters = "".join(character for character in decomposed if not unicodedata.combining(character))
    return _NOT_WORDS.sub(" ", unicodedata.normalize("NFKC", letters)).strip()
