"""A study: one table of studies.toml. Its rule, its prior, how it forgets, whom it leaves out.

What a rule means is the matchers' affair; what the numbers are good for, stats/'s.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, PlainValidator, ValidationInfo, field_validator, model_validator

from pipeline.errors import SettingsError
from pipeline.toml_tables import Table, as_day, as_tuple, from_settings_error, wanted

if TYPE_CHECKING:
    from pipeline.stats import priors

#: The ways to say a prior, each by its keys; `sure` may be left out of the last.
_FORMS: Final = (("alpha", "beta"), ("mean", "strength"), ("lower", "upper", "sure"))
_PRIOR_WANTED: Final = (
    "a table such as { alpha = 1.0, beta = 1.0 }, { mean = 0.03, strength = 50.0 }, { lower = 0.01, upper = 0.05, sure = 0.9 }"
    ' or { pool = "traffic" }'
)

_POOL_WANTED: Final = "the pool's name: lower-case letters, digits and hyphens, such as traffic"


class Prior(Table):
    """What is believed before the first tweet, in one of three ways; with `pool`, that until other studies tell more."""

    alpha: float | None = Field(None, gt=0, description="a number above 0")
    beta: float | None = Field(None, gt=0, description="a number above 0")
    mean: float | None = Field(None, description="the share expected, above 0 and below 1")
    strength: float | None = Field(None, description="how many tweets that belief is worth, above 0")
    lower: float | None = Field(None, description="a share above 0")
    upper: float | None = Field(None, description="a share below 1")
    sure: float = Field(0.9, gt=0, lt=1, description="how sure that the share lies between lower and upper: above 0, below 1, such as 0.9")
    pool: str | None = Field(None, pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", description=_POOL_WANTED)

    @model_validator(mode="after")
    def _one_form(self) -> Prior:
        given = [form for form in _FORMS if any(name in self.model_fields_set for name in form)]
        if len(given) > 1:
            raise ValueError(f"one way to say it, not {' and '.join('/'.join(form) for form in given)}: {_PRIOR_WANTED}")
        # alpha or beta alone leaves the other at 1
        if given and given[0] != _FORMS[0] and (missing := [name for name in given[0][:2] if getattr(self, name) is None]):
            there = [name for name in given[0] if name in self.model_fields_set]
            raise ValueError(f"{' and '.join(missing)} beside {' and '.join(there)}: {_PRIOR_WANTED}")
        try:
            _ = self.parameters
        except SettingsError as error:
            raise ValueError(wanted(error)) from error
        return self

    @cached_property
    def parameters(self) -> priors.Prior:
        """Beta(alpha, beta): what is believed while nothing is learnt from others.

        Raises:
            SettingsError: nobody can believe that.
        """
        from pipeline.stats import priors

        if self.mean is not None and self.strength is not None:
            return priors.from_mean_and_strength(mean=self.mean, strength=self.strength)
        if self.lower is not None and self.upper is not None:
            return priors.from_range(lower=self.lower, upper=self.upper, sure=self.sure)
        return priors.Prior(self.alpha or 1.0, self.beta or 1.0)

    @property
    def plain(self) -> bool:
        """Whether it is said by alpha and beta, and learnt from nobody: then these two say all of it."""
        return self.mean is None and self.lower is None and self.pool is None

    @property
    def said(self) -> str:
        """As a person would say it."""
        if self.mean is not None:
            own = f"{100 * self.mean:g} % expected, worth {self.strength:g} tweets"
        elif self.lower is not None and self.upper is not None:
            own = f"{100 * self.sure:g} % sure: {100 * self.lower:g} % to {100 * self.upper:g} %"
        else:
            own = f"alpha {self.parameters.alpha:g}, beta {self.parameters.beta:g}"
        return own if self.pool is None else f"learnt from the pool {self.pool}; until that says something, {own}"


class Exclude(Table):
    """Whose tweets are neither trials nor matches."""

    # people's ids: neither printed (repr) nor dumped (exclude), and refusals do not show them
    authors: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(
        (),
        repr=False,
        exclude=True,
        description='a list of users\' ids, in quotes, such as ["783214"], or of the keys that the table author_counts shows',
    )
    clients: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(
        (), description='a list of programs that tweets are sent with, such as ["TweetMyJOBS"]'
    )

    @field_validator("authors")
    @classmethod
    def _ids_or_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for number, author in enumerate(value, 1):
            if not re.fullmatch(r"[1-9][0-9]{0,19}|[0-9a-f]{32}", author):
                raise ValueError(
                    'a list of ids (digits, in quotes) or keys (32 characters, 0-9 and a-f), such as ["783214"];'
                    f" the author at place {number} is neither (@names change hands)"
                )
        return value

    @field_validator("clients")
    @classmethod
    def _named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(client.strip() for client in value):
            raise ValueError('a list of programs with a name each, such as ["TweetMyJOBS"]')
        return value

    def __bool__(self) -> bool:
        return bool(self.authors or self.clients)


def _forget(value: Any) -> Any:
    # a plain union would be told of as two faults, one a kind
    if value != "auto" and (isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1):
        raise ValueError
    return value if value == "auto" else float(value)


class Study(Table):
    """A question about one area. The field's description is what a refusal asks for."""

    name: str
    question: str = Field(min_length=1, pattern=r"\S", description="the question in one sentence")
    area: str = Field(description="the name of an area of areas.toml")
    start: Annotated[dt.date, BeforeValidator(from_settings_error(as_day))] = Field(
        description="the first day that counts, such as 2026-11-01"
    )
    mode: Literal["tweets", "counts"] = Field("tweets", description='one of "tweets", "counts"')
    match: dict[str, object] = Field(description='a rule such as { words = ["tube", "bus"] } or { regex = "delay(s|ed)?" }')
    prior: Prior = Field(Prior(), description=_PRIOR_WANTED)
    forget: Annotated[float | Literal["auto"], PlainValidator(_forget)] = Field(
        1.0, description='a number above 0 and at most 1 (1 forgets nothing), or "auto"'
    )
    window: int | None = Field(None, ge=1, le=10_000, description="a whole number of days, 1 or more, or no such line: all days")
    author_cap: int | None = Field(
        None, ge=1, description="a whole number, 1 or more: an author's tweets of one day count as so many at most; or no such line"
    )
    exclude: Exclude = Field(Exclude(), description='a table such as { authors = ["783214"], clients = ["TweetMyJOBS"] }')
    alarms: bool = Field(True, description="true or false: whether shifts of this study are told")

    @field_validator("match")
    @classmethod
    def _not_empty(cls, value: dict[str, object]) -> dict[str, object]:
        # which words and options there are, only the matcher of that name knows: configuration.load asks it
        if not value:
            raise ValueError
        for key, rule in value.items():
            texts = rule if isinstance(rule, list) else [rule]
            if not texts or any(isinstance(text, str) and not text.strip() for text in texts):
                raise ValueError(f"{key} with something in it: an empty rule would match nothing or everything")
        return value

    @field_validator("window")
    @classmethod
    def _one_way_to_forget(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("forget") == "auto":
            raise ValueError('no such line beside forget = "auto": each says which days count')
        return value

    @field_validator("author_cap", "exclude")
    @classmethod
    def _known_authors(cls, value: Any, info: ValidationInfo) -> Any:
        if value and info.data.get("mode") == "counts":
            raise ValueError('no such line where mode = "counts": X counts and says of no tweet whose it is')
        return value


def contradictions(studies: Mapping[str, Study]) -> Iterator[tuple[str, str, str, str]]:
    """Studies of one pool that cannot learn from each other: (study, key, got, wanted)."""
    pools: dict[str, list[Study]] = {}
    for study in studies.values():
        if study.prior.pool is not None:
            pools.setdefault(study.prior.pool, []).append(study)
    for name, members in pools.items():
        first = members[0]
        for number, study in enumerate(members[1:], 1):
            if (study.match, study.mode) != (first.match, first.mode):
                got = f"another rule or mode than {first.name} of the same pool"
                yield study.name, "match", got, f"the same rule and mode in all studies of the pool {name}"
            if same := [other.name for other in members[:number] if other.area == study.area]:
                got = f"{study.area!r}, as {same[0]} of the same pool"
                yield study.name, "area", got, f"another area: the pool {name} would count its tweets twice"
