"""config/ and the environment, read once and checked whole. What a rule means is the matchers' affair, not checked here.

Every fault is listed at once, with its file, its key, what was got and what is wanted.
"""

from __future__ import annotations

import datetime as dt
import difflib
import os
import re
import tomllib
import zoneinfo
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BeforeValidator, Field, InstanceOf, SecretStr, ValidationError, field_validator

from pipeline import environment
from pipeline.complaints import Fault, faults_of, refuse
from pipeline.errors import SettingsError
from pipeline.geo import INSIDE, BoundingBox, parse_box
from pipeline.study import Study, contradictions
from pipeline.toml_tables import Table, as_tuple, from_settings_error

ROOT: Final = Path(__file__).resolve().parent.parent
NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
NAME_WANTED: Final = "a name of lower-case letters, digits and hyphens, at most 60 characters, such as mexico-city"

#: Which files a command needs: `database stop` must work while studies.toml is being edited.
Need: TypeAlias = Literal["all", "areas", "settings"]


class Sample(Table):
    """How many posts of a day are taken where all would be too dear."""

    posts: int = Field(ge=50, le=1_000_000, description="a whole number, 50 or more")


class Area(Table):
    """A named bounding box with a time zone: one table of areas.toml. The field's description is what a refusal asks for."""

    name: str
    box: Annotated[InstanceOf[BoundingBox], BeforeValidator(from_settings_error(parse_box))] = Field(
        description='a box as a bounding-box tool gives it, such as "-0.51,51.28,0.33,51.69" (west,south,east,north)'
    )
    timezone: str = Field(description='an IANA time zone such as "Europe/London"')
    largest_place: float = Field(4.0, gt=0, description="a number above 0: how many times the box's surface a place may have")
    evidence: Annotated[tuple[Literal["point", "place_within", "place_centroid"], ...], BeforeValidator(as_tuple)] = Field(
        INSIDE, min_length=1, description='a list of one or more of "point", "place_within", "place_centroid"'
    )
    source: Literal["auto", "x", "archive", "both"] = Field("auto", description='one of "auto", "x", "archive", "both"')
    places: Annotated[tuple[Annotated[str, Field(pattern=r"^[0-9A-Za-z]+$")], ...], BeforeValidator(as_tuple)] = Field(
        (), description='a list of ids of X places, such as ["457b4814b4240d87"]'
    )
    sample: Sample | None = Field(None, description="a table such as { posts = 500 }, or no such line: every post")
    raw: bool = Field(False, description="true or false")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            zoneinfo.ZoneInfo(value)
        except (ValueError, OSError, KeyError) as error:  # an unknown name is a KeyError; odd paths and folders raise the others
            close = difflib.get_close_matches(value, zoneinfo.available_timezones(), n=1, cutoff=0.8)
            raise ValueError(f'an IANA time zone such as "{close[0] if close else "Europe/London"}"') from error
        return value

    @field_validator("evidence", "places")
    @classmethod
    def _no_doubles(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a list in which nothing stands twice")
        return value

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The time zone as an object."""
        return zoneinfo.ZoneInfo(self.timezone)

    @property
    def policy(self) -> tuple[object, ...]:
        """What decides which tweets are inside the area, and on which day: every digest of that holds this, so that none forgets a part."""
        return (self.box.csv, self.timezone, self.largest_place, sorted(self.evidence))


class XSettings(Table):
    """[x]: how the X API is asked."""

    page_size: int | None = Field(None, ge=10, le=500, description="a whole number from 10 to 500, or no such line: the endpoint's largest")
    timeout_seconds: float = Field(30.0, gt=0, le=600, description="seconds, above 0 and at most 600")
    answer_seconds: float = Field(120.0, gt=0, le=3600, description="seconds, above 0 and at most 3600")
    attempts: int = Field(6, ge=1, le=100, description="a whole number from 1 to 100")
    longest_wait_seconds: float = Field(960.0, ge=0, le=86400, description="seconds, from 0 to 86400")
    archive_search: bool = Field(True, description="true or false")
    recent_days: int = Field(7, ge=1, le=7, description="a whole number from 1 to 7")
    ask_counts: bool = Field(True, description="true or false")
    max_posts_per_day: int | None = Field(None, ge=0, description="a whole number, or no such line: no limit")
    max_usd_per_month: float | None = Field(None, ge=0, description="US dollars, or no such line: no limit")
    settle_minutes: int = Field(90, ge=90, le=100_000, description="a whole number, 90 or more: tweets may be edited for an hour")

    @property
    def settle(self) -> timedelta:
        """How long after its end a day counts as over."""
        return timedelta(minutes=self.settle_minutes)


def _path(value: Any) -> Any:
    return Path(value).expanduser() if isinstance(value, str) and value.strip() else value


class DatabaseSettings(Table):
    """[database]: the embedded server, and how long to wait for any server."""

    start_timeout_seconds: float = Field(600.0, gt=0, description="seconds, above 0")
    statement_timeout_seconds: float = Field(0.0, ge=0, description="seconds, 0 for no limit")
    connect_timeout_seconds: int = Field(10, ge=2, le=600, description="a whole number of seconds from 2 to 600")
    lock_timeout_seconds: float = Field(600.0, gt=0, description="seconds to wait for another loader of the same partition, above 0")
    fsync: bool = Field(True, description="true, or false for a database that may be lost with the machine (tests)")
    data_directory: Annotated[Path | None, BeforeValidator(_path)] = Field(None, description="a folder, or no such line")
    binaries: Annotated[Path | None, BeforeValidator(_path)] = Field(None, description="a folder, or no such line")


class ImportSettings(Table):
    """[import]: how archives are read."""

    batch_rows: int = Field(16384, ge=1, le=10_000_000, description="a whole number from 1 to 10000000")
    keep_raw: bool = Field(False, description="true or false")


class LoadSettings(Table):
    """[load]: what goes into the database."""

    raw: bool = Field(False, description="true or false")


class ContentSettings(Table):
    """[content]: how long what people wrote is kept."""

    retention_days: int | None = Field(None, ge=1, le=100_000, description="a whole number of days, or no such line: for good")


class AlarmSettings(Table):
    """[alarms]: how often a false one may come, of each study and kind of shift; and who is told. Where to is in the environment."""

    share_per_year: float = Field(2.0, ge=0, le=12, description="a number from 0.1 to 12; 0 for no such alarms")
    volume_per_year: float = Field(1.0, ge=0, le=12, description="a number from 0.1 to 12; 0 for no such alarms")
    coverage_per_year: float = Field(1.0, ge=0, le=12, description="a number from 0.1 to 12; 0 for no such alarms")
    mail_to: Annotated[tuple[Annotated[str, Field(pattern=r"^[^@\s<>,]+@[^@\s<>,]+$")], ...], BeforeValidator(as_tuple)] = Field(
        (), description='a list of addresses, such as ["team@example.org"]'
    )
    mail_from: str | None = Field(None, pattern=r"^[^@\s<>,]+@[^@\s<>,]+$", description="an address, or no such line: the first of mail_to")
    timeout_seconds: float = Field(20.0, gt=0, le=600, description="seconds, above 0 and at most 600")

    @field_validator("share_per_year", "volume_per_year", "coverage_per_year")
    @classmethod
    def _a_rate_or_none(cls, value: float) -> float:
        if 0 < value < 0.1:
            raise ValueError("a number from 0.1 to 12; 0 for no such alarms")
        return value


class Step(Table):
    """One of [[sandbox.steps]]: from that day on, a topic's weight is so many times what it was."""

    day: dt.date = Field(description="a day such as 2026-11-01")
    topic: str = Field(description='a topic of the made-up city, such as "traffic"')
    factor: float = Field(gt=0, description="a number above 0")


class SandboxSettings(Table):
    """[sandbox]: the made-up city."""

    seed: int = Field(1, ge=0, lt=2**63, description="a whole number, 0 or more")
    tweets_per_day: int = Field(600, ge=0, le=10_000_000, description="a whole number from 0 to 10000000")
    idle_exit_seconds: float = Field(900.0, gt=0, description="seconds, above 0")
    author_effect: float = Field(0.0, ge=0, le=10, description="a number from 0 to 10")
    session: float = Field(1.0, ge=1, description="a number, 1 or more")
    rhythm: float = Field(0.0, ge=0, le=10, description="a number from 0 to 10")
    bots: float = Field(0.0, ge=0, le=1, description="a share, from 0 to 1")
    drift: float = Field(0.0, ge=-1, le=1, description="a number from -1 to 1")
    steps: Annotated[tuple[Step, ...], BeforeValidator(as_tuple)] = Field(
        (), description='a list of tables such as { day = 2026-11-01, topic = "traffic", factor = 2.0 }'
    )
    containment: Literal["recorded", "documented"] = Field("recorded", description='one of "recorded", "documented"')


class Settings(Table):
    """Everything that config/ and the environment say; see `read`."""

    root: Path
    config: Path
    data: Path
    areas: dict[str, Area]
    studies: dict[str, Study]
    x: XSettings
    database: DatabaseSettings
    imports: ImportSettings
    load: LoadSettings
    content: ContentSettings
    alarms: AlarmSettings
    sandbox: SandboxSettings
    database_url: SecretStr | None = None
    bearer_token: SecretStr | None = None
    base_url: str | None = None
    author_key: SecretStr | None = None
    webhook_url: SecretStr | None = None
    smtp_url: SecretStr | None = None

    @property
    def synthetic(self) -> bool:
        """Whether what the X source gives is made up: without a token, the sandbox answers."""
        return self.bearer_token is None

    def area(self, name: str) -> Area:
        """The area of that name.

        Raises:
            SettingsError: there is none; says which there are.
        """
        if name not in self.areas:
            raise SettingsError(
                f"got the area {name!r}, wanted one of {self.config / 'areas.toml'}: {', '.join(self.areas) or 'it has none'}"
            )
        return self.areas[name]

    def study(self, name: str) -> Study:
        """The study of that name.

        Raises:
            SettingsError: there is none; says which there are.
        """
        if name not in self.studies:
            there = ", ".join(self.studies) or "it has none"
            raise SettingsError(f"got the study {name!r}, wanted one of {self.config / 'studies.toml'}: {there}")
        return self.studies[name]


_SECTIONS: Final[dict[str, tuple[str, type[Table]]]] = {
    "x": ("x", XSettings),
    "database": ("database", DatabaseSettings),
    "import": ("imports", ImportSettings),
    "load": ("load", LoadSettings),
    "content": ("content", ContentSettings),
    "alarms": ("alarms", AlarmSettings),
    "sandbox": ("sandbox", SandboxSettings),
}


def read(environ: Mapping[str, str] | None = None, *, need: Need = "all") -> Settings:
    """Read the config folder and the environment.

    Args:
        environ: the environment; None for this process's. An empty variable counts as not set.
        need: "all"; "areas" leaves studies.toml unread; "settings" leaves areas.toml unread too.

    Raises:
        SettingsError: lists every fault: file, key, got, wanted.
    """
    given = {key: value.strip() for key, value in (os.environ if environ is None else environ).items() if value.strip()}
    faults: list[Fault] = []
    config = _folder(given, "GEOBETA_CONFIG", ROOT / "config")
    if not config.is_dir():
        refuse([Fault("environment", "GEOBETA_CONFIG", str(config), "a folder with areas.toml, studies.toml and settings.toml")])
    sections = _read_sections(config / "settings.toml", faults)
    area_tables = _read_toml(config / "areas.toml", faults, required=True) if need != "settings" else {}
    study_tables = _read_toml(config / "studies.toml", faults, required=True) if need == "all" else {}
    areas = _read_tables(config / "areas.toml", area_tables, Area, faults)
    studies = _read_tables(config / "studies.toml", study_tables, Study, faults)
    areas_unread = any(fault.file == str(config / "areas.toml") and not fault.key for fault in faults)
    for study in studies.values():
        if study.area not in area_tables and not areas_unread and need == "all":
            wanted = f"an area of areas.toml: {', '.join(area_tables) or 'it has none'}"
            faults.append(Fault(str(config / "studies.toml"), f"[{study.name}] area", repr(study.area), wanted))
    for name, key, got, wanted in contradictions(studies):
        faults.append(Fault(str(config / "studies.toml"), f"[{name}] {key}", got, wanted))
    found = environment.secrets(given, faults)
    if faults:
        refuse(faults)
    data = _folder(given, "GEOBETA_DATA", ROOT / "var")
    return Settings(root=ROOT, config=config, data=data, areas=areas, studies=studies, **sections, **found)


def _folder(given: Mapping[str, str], variable: str, default: Path) -> Path:
    # what a person types is meant from where they are; the default is the repository's, wherever cron starts
    return Path(given[variable]).expanduser().absolute() if variable in given else default


def _read_toml(path: Path, faults: list[Fault], *, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        if required:
            faults.append(Fault(str(path), "", "no such file", "a file with one table for each; the repository's config/ has a sample"))
    except OSError as error:
        faults.append(Fault(str(path), "", str(error), "a file that can be read"))
    except UnicodeDecodeError as error:
        faults.append(Fault(str(path), "", f"bytes that are not UTF-8 ({error.reason} at byte {error.start})", "text in UTF-8"))
    except tomllib.TOMLDecodeError as error:
        faults.append(Fault(str(path), "", f"a line that is not TOML: {error}", "TOML (https://toml.io), each table and key once"))
    return {}


def _read_tables(path: Path, tables: Mapping[str, Any], kind: type[Any], faults: list[Fault]) -> dict[str, Any]:
    """One model a table; the faulty ones are listed and left out."""
    good: dict[str, Any] = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            faults.append(Fault(str(path), name, repr(table), "a table, [some-name], with the keys under it"))
            continue
        if not NAME.fullmatch(name) or len(name) > 60:
            faults.append(Fault(str(path), f"[{name}]", repr(name), NAME_WANTED))
        if "name" in table:
            faults.append(Fault(str(path), f"[{name}] name", repr(table["name"]), "no such key: the name is what stands in [ ]"))
        try:
            good[name] = kind.model_validate({**table, "name": name})
        except ValidationError as error:
            faults.extend(faults_of(error, str(path), f"[{name}] ", kind, table))
    return good


def _read_sections(path: Path, faults: list[Fault]) -> dict[str, Any]:
    tables = _read_toml(path, faults, required=False)
    for name in tables.keys() - _SECTIONS.keys():
        faults.append(Fault(str(path), f"[{name}]", "an unknown table", f"one of [{'], ['.join(_SECTIONS)}]"))
    sections: dict[str, Any] = {}
    for name, (attribute, kind) in _SECTIONS.items():
        table = tables.get(name, {})
        if not isinstance(table, dict):
            faults.append(Fault(str(path), name, repr(table), f"a table, [{name}], with the keys under it"))
            continue
        try:
            sections[attribute] = kind.model_validate(table)
        except ValidationError as error:
            faults.extend(faults_of(error, str(path), f"[{name}] ", kind, table))
    if database := sections.get("database"):
        sections["database"] = database.model_copy(
            update={key: _beside(path, getattr(database, key)) for key in ("data_directory", "binaries")}
        )
    return sections


def _beside(file: Path, path: Path | None) -> Path | None:
    return None if path is None else (file.parent.parent / path).absolute()
