"""Say what makes a lead valuable: who they are (fit), what they did (engagement), and what to call the sum (bands)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from leadpact.pact.base import Count, Flag, Name, PactSection, Points, Sentence, mistake, must_be_a_name
from leadpact.pact.condition import FitCondition
from leadpact.pact.phrases import HalfLifeText


class FitRule(PactSection):
    """Points for what a lead is. Every rule that holds counts, once."""

    name: Sentence | None = None
    """What explanations call it; left out, its condition."""
    when: FitCondition
    points: Points

    @property
    def label(self) -> str:
        """What an explanation calls this rule."""
        return self.name or str(self.when)


class ActivityPoints(PactSection):
    """Points for one kind of activity, each time or only the first time."""

    points: Points
    once: Flag = False


def _bare_points(found: object) -> object:
    return {"points": found} if isinstance(found, int) else found


ActivityPointsOrNumber = Annotated[
    ActivityPoints, BeforeValidator(_bare_points, json_schema_input_type=int | ActivityPoints)
]


class Engagement(PactSection):
    """Points for what a lead did, halving with every `half_life` of wall time and never more than `cap` in sum."""

    half_life: HalfLifeText = Field(default_factory=lambda: timedelta(days=14))
    """Wall time in which interest cools by half; left out, 14 days."""
    cap: Count | None = None
    """Left out, there is none."""
    points: Mapping[Name, ActivityPointsOrNumber] = Field(default_factory=dict)
    """By kind of activity. A kind worth nothing in itself is listed with 0, so that conditions may name it."""


@dataclass(frozen=True, slots=True)
class Band:
    """A name for the scores from ``at_least`` up to the next band; None takes all the rest."""

    name: str
    at_least: float | None


@dataclass(frozen=True, slots=True)
class Bands:
    """Names for scores, highest first; the last takes the rest, so that every score has one."""

    bands: tuple[Band, ...]

    def of(self, score: float) -> str:
        """The band that ``score`` belongs to."""
        return next(band.name for band in self.bands if band.at_least is None or score >= band.at_least)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(band.name for band in self.bands)


_AT_LEAST = r">=\s*(-?\d{1,6}(?:\.\d{1,3})?)"


def _read_bands(found: object) -> Bands:
    if not isinstance(found, Mapping) or not found:
        raise mistake('bands from high to low, such as {hot: ">= 80", warm: ">= 50", cold: "else"}')
    bands = tuple(_read_band(name, bound) for name, bound in found.items())
    bounds = [band.at_least for band in bands]
    if None in bounds[:-1] or bounds[-1] is not None:
        raise mistake('"else" for the last band and only there, so that every score has a band')
    falling = [bound for bound in bounds if bound is not None]
    if falling != sorted(set(falling), reverse=True):
        raise mistake("bands from high to low, each bound below the one before")
    return Bands(bands)


def _read_band(name: str, bound: object) -> Band:
    if bound == "else":
        return Band(must_be_a_name(name), None)
    match = re.fullmatch(_AT_LEAST, bound.strip()) if isinstance(bound, str) else None
    if match is None:
        raise mistake(f'">= NUMBER" in quotes, or "else", for the band {name}')
    return Band(must_be_a_name(name), float(match[1]))


def _print_bands(bands: Bands) -> dict[str, str]:
    return {band.name: "else" if band.at_least is None else f">= {band.at_least:g}" for band in bands.bands}


BandsMapping = Annotated[
    Bands,
    PlainValidator(_read_bands),
    PlainSerializer(_print_bands, return_type=dict[str, Any]),
    WithJsonSchema(
        {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"type": "string", "pattern": f"^({_AT_LEAST}|else)$"},
            "examples": [{"hot": ">= 80", "warm": ">= 50", "cold": "else"}],
        }
    ),
]

USUAL_BANDS = Bands((Band("hot", 80), Band("warm", 50), Band("cold", None)))


class Scoring(PactSection):
    """A lead's score is its fit plus its engagement, and every point of it has a name."""

    fit: tuple[FitRule, ...] = ()
    engagement: Engagement = Field(default_factory=Engagement)
    bands: BandsMapping = Field(default_factory=lambda: USUAL_BANDS)
    """From high to low; left out, hot from 80, warm from 50, and cold."""
