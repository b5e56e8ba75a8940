"""The level that a job title states, by the first rule that matches; None rather than a guess."""

import re

LEVELS = ("c_level", "vp", "director", "manager", "senior", "entry")

# An assistant to a chief is not one and a vice president is not the president, so these stand before them.
_RULES: tuple[tuple[str, str, str], ...] = (
    (
        "entry",
        r"assistant(?:e|in)? (?:to|of|der|des|du|de la)|intern|trainee|(?:werk)?student(?:in)?|praktikant(?:in)?|stagiaire|étudiante?|estudiante|studente|apprenti\w*|azubi",
        "",
    ),
    (
        "vp",
        r"[es]?vp|(?:vice|vize)[- ]?pr[eéä]sident\w*|bereichsleit(?:er|erin|ung)",
        "副社長|副总裁",
    ),
    (
        "c_level",
        r"c[efimoprst]o|cdo|ciso|chro|chief|c[- ]?(?:level|suite)|(?:co[- ]?)?founder|(?:co|business|company)[- ]?owner|^owner"
        r"|pr[eéä]sident\w*|managing (?:director|partner)|geschäftsführ(?:er|erin|ung|ender|ende)|vorst[aä]nd\w*"
        r"|inhaber(?:in)?|(?:mit)?gründer(?:in)?|pdg|direct(?:eur|rice) général|directrice générale|director(?:a)? general"
        r"|amministratore delegato",
        "代表取締役|社長|总经理|總經理|대표이사",
    ),
    (
        "director",
        r"director\w*|direct(?:eur|rice)|direttore|direttrice|direktor(?:in)?|head|(?!team|projekt|gruppen)\w*leit(?:er|erin|ung)",
        "部長|总监|總監|이사",
    ),
    (
        "manager",
        r"\w*manager(?:in)?|gerente|responsabile|responsable|(?:team)?lead|(?:team|projekt|gruppen)leit(?:er|erin|ung)|supervisor",
        "課長|经理|經理|팀장",
    ),
    ("senior", r"senior|sr|principal|staff|expert", "主任"),
    (
        "entry",
        r"junior|jr|entry[- ]?level|assistant(?:e|in)?|associate|coordinator|clerk|sachbearbeiter(?:in)?",
        "",
    ),
)


def _pattern(words: str, without_spaces: str) -> re.Pattern[str]:
    """Whole words; scripts that write no spaces between words match anywhere."""
    anywhere = f"|(?:{without_spaces})" if without_spaces else ""
    return re.compile(rf"(?<!\w)(?:{words})(?!\w){anywhere}", re.IGNORECASE)


_PATTERNS = tuple((level, _pattern(words, without_spaces)) for level, words, without_spaces in _RULES)


def seniority_of(job_title: str) -> str | None:
    """One of `LEVELS` from a job title in a dozen languages' usual words; None when it states no level."""
    return next((level for level, pattern in _PATTERNS if pattern.search(job_title)), None)
