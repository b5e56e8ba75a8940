"""Yes, no, or neither: what a ticked box turns into on its way through forms and spreadsheets."""

from leadpact.domain.clean_text import folded

_YES_WORDS = """
1|1 0|true|yes|y|t|on|x|ok|checked|agree|agreed|i agree|accept|accepted|opt in|opted in|optin|subscribed|granted|given
ja|oui|si|sim|tak|ano|evet|はい|是|예|да|✓|✔|☑
"""
_NO_WORDS = """
0|0 0|false|no|n|f|off|unchecked|declined|refused|denied|opt out|opted out|optout|unsubscribed|not subscribed
nein|non|nao|nee|nie|ne|hayir|いいえ|否|아니요|нет|✗|✘|☐
"""
_YES = frozenset(word for line in _YES_WORDS.split("\n") for word in line.split("|") if word)
_NO = frozenset(word for line in _NO_WORDS.split("\n") for word in line.split("|") if word)
_AGREEING = (
    "i agree ",
    "i accept ",
    "i consent ",
    "yes ",
    "ja ",
    "ich stimme ",
    "oui ",
    "j accepte ",
    "acepto ",
    "accetto ",
)


def yes_or_no(text: str) -> bool | None:
    """True for a yes, False for a no in a dozen languages; None when the text is neither."""
    word = folded(text) or text.strip()
    if word in _YES or word.startswith(_AGREEING):
        return True
    return False if word in _NO else None
