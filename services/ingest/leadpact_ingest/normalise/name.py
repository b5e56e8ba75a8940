"""Split a whole name into parts, only when a source gives nothing but the whole.

The parts are a guess in Western order; the whole name stays beside them and is the truth.
"""

from nameparser import HumanName


def split_name(full_name: str) -> tuple[str | None, str | None]:
    """First and last name of a name in one piece; a single word is a last name only if nothing says otherwise.

    >>> split_name("Dr. Jan van der Berg"), split_name("van der Berg, Jan"), split_name("Madonna")
    (('Jan', 'van der Berg'), ('Jan', 'van der Berg'), ('Madonna', None))
    """
    parsed = HumanName(full_name)
    first = " ".join(part for part in (parsed.first, parsed.middle) if part)
    return first or None, parsed.last or None


def joined_name(first: str | None, last: str | None) -> str | None:
    """The whole name from its parts, in the order of the script: family name first in Han, kana and Hangul."""
    if first and last and _family_name_first(first + last):
        return f"{last} {first}"
    return " ".join(part for part in (first, last) if part) or None


def _family_name_first(text: str) -> bool:
    letters = [character for character in text if character.isalpha()]
    return bool(letters) and all(
        "\u3040" <= c <= "\u30ff" or "\u3400" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7a3" for c in letters
    )
