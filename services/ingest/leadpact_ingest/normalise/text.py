"""Make text comparable: strip what nobody sees and treat placeholders as nothing said."""

import re
import unicodedata

_INVISIBLE = {
    ord(character): None
    for character in (
        "\u00ad\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064"
        "\u2066\u2067\u2068\u2069\ufeff"
    )
}
"""Zero-width marks and direction overrides. The joiners U+200C and U+200D stay: Persian, Hindi and emoji need them."""

_FORMULA_STARTS = frozenset("=+-@")
"""An apostrophe before one of these is a spreadsheet's guard, ours in an error file among them, not the value."""
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f]")
_BLANKS = re.compile(r"[^\S\n]+")
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


def clean(text: str) -> str:
    """The text without invisible marks, control characters and outer blanks; inner runs of blanks become one.

    Line breaks stay, as LF: messages have paragraphs. The script and the case are the writer's own.
    """
    if text.isascii() and text.isalnum():
        return text
    text = unicodedata.normalize("NFC", text).translate(_INVISIBLE)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _BLANKS.sub(" ", _CONTROL.sub("", text)).strip()
    return text[1:] if text[:1] == "'" and text[1:2] in _FORMULA_STARTS else text


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
