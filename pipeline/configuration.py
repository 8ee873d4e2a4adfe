"""The configuration as a whole: what settings.py reads, and the rules of all studies, which only their matchers (and X) can judge."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping

from pipeline import extract_counts, matchers, settings
from pipeline.complaints import Fault, refuse
from pipeline.errors import SettingsError


def load(environ: Mapping[str, str] | None = None, *, need: settings.Need = "all") -> settings.Settings:
    """Read config/ and the environment, and make every study's matcher once, so that a bad rule is refused before any work.

    So is one that X should count and cannot be asked for.

    Args:
        environ: the environment; None for this process's.
        need: as for settings.read.

    Raises:
        SettingsError: lists every fault with its file, its key, what was got and what is wanted.
    """
    found = settings.read(environ, need=need)
    faults = []
    for study in found.studies.values():
        key = "match"
        try:
            matchers.build(study.match)
            if study.mode == "counts":
                key = "mode"
                extract_counts.check(found, study)
        except SettingsError as error:
            got, _, wanted = error.what.partition("; wanted is ")
            got = f'"counts", but {got}' if key == "mode" else got
            faults.append(Fault(str(found.config / "studies.toml"), f"[{study.name}] {key}", got, wanted or error.todo))
    if faults:
        refuse(faults)
    return found


def check_data_folder(found: settings.Settings) -> None:
    """Make the data folder, and see that it can be written to, so that a wrong one is refused before any work.

    Raises:
        SettingsError: it cannot.
    """
    try:
        found.data.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=found.data).close()
    except OSError as error:
        got = f"{found.data} ({error.strerror})"
        refuse([Fault("environment", "GEOBETA_DATA", got, "a folder that can be made and written to (default: var/ in the repository)")])
