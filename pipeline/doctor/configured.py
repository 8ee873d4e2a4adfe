"""What is written down: the three files, the environment, the studies, and luigi.cfg."""

from __future__ import annotations

import configparser
import difflib
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from pipeline import alarms as judged
from pipeline import configuration, days, sending
from pipeline import settings as configured
from pipeline.complaints import Fault, Faulty
from pipeline.doctor.finding import Finding, fault, ok, refused, unknown, warning
from pipeline.errors import SettingsError
from pipeline.settings import Settings
from pipeline.stats.pooling import FEWEST

#: Variables that geobeta, its tests and its tasks know.
VARIABLES: Final = ("CONFIG", "DATA", "AUTHOR_KEY", "WEBHOOK_URL", "SMTP_URL", "FORCE", "NIGHT", "KILL_AT", "KILL_FILE")
#: What a night's exit code is made of (luigi.cfg); Luigi's own default is 0 for each.
CODES: Final = ("already_running", "missing_data", "not_run", "task_failed", "scheduling_error", "unhandled_exception")
LOCAL: Final = ("localhost", "127.0.0.1", "::1")


def read(environ: Mapping[str, str] | None) -> tuple[Settings | None, list[Finding]]:
    """The settings, as far as they can be read, and what is wrong with them.

    Where areas.toml or studies.toml is faulty, what else can be looked at is: then there are no areas and no studies.
    """
    try:
        found = configuration.load(environ)
    except SettingsError as error:
        findings = [_fault(each) for each in error.faults] if isinstance(error, Faulty) else [refused("settings", error)]
    else:
        areas, studies = len(found.areas), len(found.studies)
        told = f"{areas} area{'' if areas == 1 else 's'}, {studies} stud{'y' if studies == 1 else 'ies'} in {found.config}"
        return found, [ok("settings", told)]
    try:
        found = configured.read(environ, need="settings")
    except SettingsError:
        return None, [*findings, unknown("the rest", "not looked at: it needs the settings")]
    return found, [*findings, unknown("areas", "not looked at: mend the settings first")]


def _fault(found: Fault) -> Finding:
    file = Path(found.file).name
    where = f"{file}, {found.key}" if found.key else file
    return fault("settings", _line(f"{where}: got {found.got}"), _line(f"wanted: {found.wanted}"))


def _line(text: str) -> str:
    return " ".join(text.split())


def environment(environ: Mapping[str, str] | None) -> Iterator[Finding]:
    """Variables that look like ours and are not: a mistyped one is silently another folder."""
    given = os.environ if environ is None else environ
    known = [f"GEOBETA_{name}" for name in VARIABLES]
    for name in sorted(given):
        if name.startswith("GEOBETA_") and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            yield warning("environment", f"{name} is no variable of geobeta's", f"{close[0]}?" if close else "take it away")
    if "X_BEARER_TOKEN" not in given:
        for name in ("TWITTER_BEARER_TOKEN", "BEARER_TOKEN"):
            if given.get(name):
                yield warning("environment", f"{name} is set, and geobeta reads X_BEARER_TOKEN", "put the token there to ask the X API")
    if given.get("GEOBETA_FORCE", "").strip():
        yield warning("environment", "GEOBETA_FORCE is set: empty results replace rows that are there", "set it for one run only")


def studies(settings: Settings, now: datetime) -> Iterator[Finding]:
    """What will not be counted, though it is written there, and what is fetched for nobody."""
    quiet = True
    for study in settings.studies.values():
        newest = days.last_over(settings.area(study.area).zone, now, settings.x.settle)
        if study.start > newest:
            quiet = False
            yield warning(
                f"[{study.name}]", f"begins on {study.start}, after the newest day that is over ({newest})", "nothing is counted till then"
            )
    for name in settings.areas.keys() - {study.area for study in settings.studies.values()}:
        quiet = False
        yield warning(f"[{name}]", "no study asks about this area, so no night fetches it", "add a study to studies.toml, or leave it")
    for name, area in settings.areas.items():
        if area.sample is not None and not settings.x.ask_counts and area.source != "archive":
            quiet = False
            yield fault(
                f"[{name}] sample",
                "a sample is drawn by the counts endpoint's volumes, and [x] ask_counts is false",
                "set ask_counts = true in settings.toml, or take the line `sample` out of areas.toml",
            )
    for pool, members in _pools(settings).items():
        if len(members) <= FEWEST:
            quiet = False
            yield warning(
                f"pool {pool}",
                f"{len(members)} stud{'y' if len(members) == 1 else 'ies'} ({', '.join(members)}): a prior is learnt from {FEWEST} others"
                " at least, so each keeps its own",
                "ask the same in more areas, or take `pool` out of studies.toml",
            )
    if not settings.studies:
        yield warning("studies", f"{settings.config / 'studies.toml'} has none: a night does nothing", "add one; the sample shows how")
    elif quiet:
        yield ok("studies", "each has begun, each area has one")


def alarms(settings: Settings) -> Iterator[Finding]:
    """Who is told of shifts: a mail server without an addressee, or the reverse, tells nobody."""
    if settings.smtp_url is None and settings.alarms.mail_to:
        yield warning(
            "alarms", "[alarms] mail_to is set, and GEOBETA_SMTP_URL is not: no mail is sent", "set it: smtp://user:password@host:587"
        )
    elif settings.smtp_url is not None and not settings.alarms.mail_to:
        yield warning("alarms", "GEOBETA_SMTP_URL is set, and [alarms] mail_to is not: no mail is sent", "say who is to have it")
    else:
        told = " and ".join(sending.channels(settings))
        yield ok("alarms", f"{f'told by {told}' if told else 'in the digests alone: no channel is set'}. {judged.promise(settings)}")


def luigi(path: Path | None, environ: Mapping[str, str] | None) -> Iterator[Finding]:
    """luigi.cfg: an exit code for every failure, and a scheduler that only this machine sees.

    Args:
        path: the file; None for the one that a night reads: LUIGI_CONFIG_PATH, else the repository's.
    """
    given = (os.environ if environ is None else environ).get("LUIGI_CONFIG_PATH", "").strip()
    file = path or (Path(given) if given else configured.ROOT / "luigi.cfg")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        text = file.read_text(encoding="utf-8")
        parser.read_string(text)
    except FileNotFoundError:
        yield fault("luigi.cfg", f"{file} is not there", "run Luigi from the repository's folder, or set LUIGI_CONFIG_PATH")
        return
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        yield fault("luigi.cfg", _line(f"{file} cannot be read: {error}"), "take the repository's luigi.cfg")
        return
    silent = [name for name in CODES if _number(parser.get("retcode", name, fallback="0")) in (0, None)]
    if silent:
        yield fault(
            "luigi.cfg",
            f"[retcode] {', '.join(silent)}: zero or nothing, so such a night would look like a good one",
            "take the [retcode] table of the repository's luigi.cfg",
        )
    host = parser.get("core", "scheduler-host", fallback=parser.get("core", "scheduler_host", fallback="localhost")).strip()
    if host not in LOCAL:
        yield warning("luigi.cfg", f"the scheduler is at {host}: its page has no login", "keep luigid on 127.0.0.1, or shield it")
    elif not silent:
        yield ok("luigi.cfg", f"every failure has an exit code; the scheduler is at {host}")


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _pools(settings: Settings) -> dict[str, list[str]]:
    """The pools of priors, and the studies of each."""
    found: dict[str, list[str]] = {}
    for study in settings.studies.values():
        if study.prior.pool is not None:
            found.setdefault(study.prior.pool, []).append(study.name)
    return found
