"""A key under which one company's spellings meet; for matching only, never shown and never stored over the name.

Case, accents, punctuation, `&`/`and`, a leading `The` before more than one word and the legal form at the end
(in Japanese and Russian also at the start) are folded away. What is left is never empty: a firm called `AG` stays `ag`.
"""

import re
import unicodedata
from functools import cache

from leadpact.domain.clean_text import folded

# Seeded from the legal forms that GLEIF's Entity Legal Forms list (ISO 20275) gives most often, as people write them.
_LEGAL_FORMS = """
gmbh & co kgaa|gmbh & co kg|gmbh & co ohg|gmbh & co|ag & co kgaa|ag & co kg|ag & co|se & co kgaa|se & co kg|ug & co kg
ug haftungsbeschrankt|gesellschaft mit beschrankter haftung|aktiengesellschaft|ggmbh|gmbh|kgaa|mbh|ag|kg|ohg|gbr|ug|eg|ev|e k|ek|e v|e g|e u|se
incorporated|inc|corporation|corp|limited liability company|l l c|llc|llp|lllp|l p|lp|pllc|pbc|p c|pc|company|co
public limited company|plc|p l c|private limited|pvt ltd|pvt limited|pte ltd|pty ltd|proprietary limited|sdn bhd|bhd|limited|ltd|cic|dac|uc
societe anonyme|societe par actions simplifiee|sarl|s a r l|sas|s a s|sasu|eurl|sa|s a|snc|scop|sci|gie
sociedad anonima|sociedad limitada|s l u|slu|s l|sl|s a u|sau|sa de cv|s a de c v|s de r l de c v|sapi de cv|sociedad anonima de capital variable
ltda|limitada|eireli|epp|mei|s a s bic|lda|unipessoal lda
societa per azioni|societa a responsabilita limitata|spa|s p a|srl|s r l|srls|s r l s|sapa|scarl|sas di
besloten vennootschap|naamloze vennootschap|b v|bv|bvba|n v|nv|v o f|vof|c v|cv|srl bv
aktiebolag|ab publ|ab|a s|as|asa|aps|a p s|oyj|oy ab|oy|ans|hf|ehf|i s|k s|p s
sp z o o sp k|sp z o o|spolka z ograniczona odpowiedzialnoscia|spolka akcyjna|sp j|sp k|s r o|sro|spol s r o|a s|kft|zrt|nyrt|bt
d o o|doo|d d|dd|j d o o|ood|eood|ad|ead|srl d|s c s|sia|uab|ou|as
anonim sirketi|limited sirketi|ltd sti|san ve tic ltd sti|san ve tic a s|a s
kabushiki kaisha|kabushikigaisha|k k|kk|godo kaisha|yugen kaisha|co ltd|company limited
ооо|оао|зао|пао|ао|ип|тов|пат|фгуп|нко|ано
pt|tbk|jsc|cjsc|ojsc|pjsc|ooo|zao|oao|wll|w l l|fzco|fze|fz llc|saog|ksc
"""
_LEADING_FORMS = frozenset({"ооо", "оао", "зао", "пао", "ао", "ип", "тов", "ooo", "oao", "zao", "pt", "kk"})
"""Forms that are written before the name. `AS`, `SE` and the like are not: `AS Roma` is not called Roma."""

_ASIAN_FORMS = re.compile(
    "株式会社|有限会社|合同会社|合資会社|合名会社|一般社団法人|医療法人|学校法人|㈱|㈲|\\(株\\)|\\(有\\)"
    "|股份有限公司|有限责任公司|有限責任公司|有限公司|集团公司|주식회사|유한회사|\\(주\\)|㈜"
)


def company_key(name: str) -> str | None:
    """The matching key of a company's name; None when nothing but punctuation was written.

    >>> company_key("Müller & Söhne GmbH & Co. KG"), company_key("株式会社山田製作所"), company_key("The Boring Company")
    ('muller and sohne', '山田製作所', 'boring company')
    """
    text = _ASIAN_FORMS.sub(" ", unicodedata.normalize("NFKC", name)) or name
    words = folded(text.replace("&", " & ").replace("+", " & ").replace("&", " and ")).split()
    words = _without_legal_forms(words)
    if len(words) > 2 and words[0] == "the":
        words = words[1:]
    return " ".join(words) or folded(name) or None


def _without_legal_forms(words: list[str]) -> list[str]:
    """Take forms off the end, longest first, and one off the front, as long as a name of its own remains."""
    if len(words) > 1 and words[0] in _LEADING_FORMS:
        words = words[1:]
    while length := _form_at_the_end(words):
        words = words[:-length]
    return words


def _form_at_the_end(words: list[str]) -> int:
    forms = _forms()
    for length in range(min(len(words) - 1, _longest_form()), 0, -1):
        tail = tuple(words[-length:])
        if tail in forms and not _is_the_name_itself(words, length):
            return length
    return 0


def _is_the_name_itself(words: list[str], length: int) -> bool:
    """`The Boring Company`: after an article, `company` is a noun and not a form."""
    return length == 1 and words[-1] in {"company", "co", "corporation"} and words[0] in {"the", "a", "la"}


@cache
def _forms() -> frozenset[tuple[str, ...]]:
    written = _LEGAL_FORMS.replace("&", "and").replace("\n", "|").split("|")
    return frozenset(tuple(form.split()) for form in written if form)


@cache
def _longest_form() -> int:
    return max(len(form) for form in _forms())
