"""Make text comparable: strip from it what nobody sees, and fold away how a word is written."""

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


def folded(text: str) -> str:
    """A key for comparing words: compatibility forms, case, accents and punctuation folded away.

    >>> folded("Côte d’Ivoire")
    'cote d ivoire'
    """
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    letters = "".join(character for character in decomposed if not unicodedata.combining(character))
    return _NOT_WORDS.sub(" ", unicodedata.normalize("NFKC", letters)).strip()
