import os
import pickle
import re
import subprocess
import sys
import tomllib
from datetime import date, timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from pipeline.errors import SettingsError
from pipeline.geo import BoundingBox
from pipeline.settings import (
    ROOT,
    Area,
    XSettings,
    read,
)
from pipeline.study import Exclude, Prior, Study
from tests.settings_files import AREAS, SECTIONS, STUDIES, configure, refusal

__all__ = ["configure"]


# ---- what is read -------------------------------------------------------------------------------------------------------


def test_a_small_configuration_is_read_with_its_defaults(configure, tmp_path):
    """Two tables of four lines are enough; everything else has its documented default."""
    found = read(configure())
    london, transport = found.area("london"), found.study("transport")
    assert london.box == BoundingBox(-0.51, 51.28, 0.33, 51.69)
    assert london.zone.key == "Europe/London"
    assert (london.name, london.largest_place, london.source, london.places, london.raw) == ("london", 4.0, "auto", (), False)
    assert london.evidence == ("point", "place_within", "place_centroid")
    assert (transport.name, transport.start, transport.forget) == ("transport", date(2026, 11, 1), 1.0)
    assert (transport.prior.parameters.alpha, transport.prior.parameters.beta) == (1.0, 1.0)
    assert transport.match == {"words": ["tube", "bus"]}
    assert (found.root, found.config, found.data) == (ROOT, tmp_path / "config", tmp_path / "var")
    assert found.x == XSettings()
    assert (found.x.page_size, found.x.settle) == (None, timedelta(minutes=90))
    assert found.synthetic


def test_every_value_that_is_set_arrives(configure):
    """Each optional key changes what it says."""
    extra = 'largest_place = 2\nevidence = ["point"]\nsource = "both"\nplaces = ["457b4814b4240d87"]\nraw = true\n'
    environ = configure(areas=AREAS + extra, studies=STUDIES + "prior = { alpha = 0.5, beta = 2 }\nforget = 0.9\n")
    found = read(environ)
    london = found.area("london")
    assert (london.largest_place, london.evidence, london.source) == (2.0, ("point",), "both")
    assert (london.places, london.raw) == (("457b4814b4240d87",), True)
    assert (found.study("transport").prior.beta, found.study("transport").forget) == (2.0, 0.9)


def test_the_policy_of_an_area_is_what_decides_who_is_inside_and_when(configure):
    """Box, time zone, largest place, evidence in any order; not where the tweets come from, nor what else is kept of them."""

    def policy(extra="", areas=AREAS):
        return read(configure(areas=areas + extra)).area("london").policy

    same = [policy(), policy('source = "archive"\nplaces = ["457b4814b4240d87"]\nraw = true\n'), policy("largest_place = 4\n")]
    same.append(policy('evidence = ["place_centroid", "point", "place_within"]\n'))
    assert all(found == same[0] for found in same)
    box = read(configure()).area("london").box.csv
    others = [
        policy('evidence = ["point"]\n'),
        policy("largest_place = 3.5\n"),
        policy(areas=AREAS.replace("Europe/London", "Europe/Paris")),
    ]
    others.append(policy(areas=AREAS.replace("-0.51,", "-0.52,")))
    assert box in same[0]
    assert len({str(found) for found in [same[0], *others]}) == 5


def test_what_was_read_cannot_be_changed(configure):
    """Settings are frozen: nobody changes them for somebody else."""
    found = read(configure())
    for thing, name in ((found, "data"), (found.area("london"), "timezone"), (found.x, "attempts")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(thing, name, getattr(thing, name))


def test_settings_survive_the_way_to_another_process(configure):
    """Luigi's workers are other processes: what comes out of a pickle is equal."""
    found = read(configure())
    assert pickle.loads(pickle.dumps(found)) == found


def test_an_unknown_name_is_refused_with_those_there_are(configure):
    """Asking for an area or a study that is not there says which are."""
    found = read(configure())
    with pytest.raises(SettingsError, match=r"'paris'.*london"):
        found.area("paris")
    with pytest.raises(SettingsError, match=r"'weather'.*transport"):
        found.study("weather")


# ---- the sample configuration is the documentation ---------------------------------------------------------------------


def test_the_sample_configuration_is_accepted_from_any_folder(tmp_path, monkeypatch):
    """The default folders are the repository's, whatever the current directory."""
    monkeypatch.chdir(tmp_path)
    found = read({})
    assert (found.config, found.data) == (ROOT / "config", ROOT / "var")
    assert {"mexico-city", "london"} <= found.areas.keys()
    assert {"mexico-city-traffic", "mexico-city-water", "london-transport"} <= found.studies.keys()
    assert all(study.start == date(2026, 11, 1) for study in found.studies.values())


def test_every_key_that_the_samples_mention_is_accepted(configure):
    """Lines that are commented out are put in: they work as they stand."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "config").glob("*.toml")}
    live = {stem: re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE) for stem, text in texts.items()}
    assert live["settings"] != texts["settings"]
    found = read(configure(**live))
    assert found.x.page_size == 100
    assert found.database.data_directory == found.config.parent / "var/postgres"


@pytest.mark.parametrize(("file", "model"), [("areas", Area), ("studies", Study), *(("settings", model) for model in SECTIONS.values())])
def test_every_key_there_is_stands_in_the_samples(file, model):
    """A newcomer finds every key in the sample files, with a comment near it."""
    text = (ROOT / "config" / f"{file}.toml").read_text(encoding="utf-8")
    for key in model.model_fields.keys() - {"name"}:
        assert re.search(rf"^(# )?{key} = ", text, flags=re.MULTILINE), f"{key} is missing in {file}.toml"


def test_the_samples_say_the_defaults():
    """What settings.toml sets is what holds without it; so do the optional keys of areas.toml. But the sample city's authors have likings,
    so that what the design effect does is seen in `make run`."""
    shown = {"sandbox": {"author_effect": 0.25, "session": 1.3}}
    tables = tomllib.loads((ROOT / "config" / "settings.toml").read_text(encoding="utf-8"))
    for name, model in SECTIONS.items():
        assert model.model_validate(tables[name]) == model(**shown.get(name, {}))
    london = tomllib.loads((ROOT / "config" / "areas.toml").read_text(encoding="utf-8"))["london"]
    needed = {key: london[key] for key in ("box", "timezone")}
    assert Area.model_validate({**london, "name": "london"}) == Area.model_validate({**needed, "name": "london"})


def test_every_variable_that_is_read_is_explained():
    """The environment is documented in settings.toml."""
    sources = [(ROOT / "pipeline" / name).read_text(encoding="utf-8") for name in ("settings.py", "environment.py")]
    variables = set(re.findall(r'"((?:GEOBETA|X|DATABASE)_[A-Z_]+)"', "".join(sources)))
    assert len(variables) == 8
    explained = (ROOT / "config" / "settings.toml").read_text(encoding="utf-8")
    assert all(f"#   {variable} " in explained for variable in variables)


def test_every_field_says_what_is_wanted():
    """Each key of a file has the sentence that its refusal shows."""
    for model in (Area, Study, Prior, Exclude, *SECTIONS.values()):
        assert issubclass(model, BaseModel)
        assert [key for key, field in model.model_fields.items() if key != "name" and not field.description] == []


# ---- environment --------------------------------------------------------------------------------------------------------


def test_relative_folders_start_where_the_person_is(configure, tmp_path, monkeypatch):
    """GEOBETA_CONFIG and GEOBETA_DATA are taken from the current directory and made absolute."""
    configure()
    monkeypatch.chdir(tmp_path)
    found = read({"GEOBETA_CONFIG": "config", "GEOBETA_DATA": "made/here"})
    assert (found.config, found.data) == (tmp_path / "config", tmp_path / "made" / "here")


def test_an_empty_variable_is_not_set(configure):
    """`X_BEARER_TOKEN=` in a crontab means no token."""
    found = read(configure(environment={**dict.fromkeys(SECRETS, ""), "X_BEARER_TOKEN": " ", "X_BASE_URL": ""}))
    assert (found.bearer_token, found.database_url, found.base_url, found.author_key) == (None, None, None, None)
    assert (found.webhook_url, found.smtp_url) == (None, None)
    assert found.synthetic


def test_the_environment_is_this_process_s_by_default(configure, monkeypatch):
    """Without an argument, os.environ is read; nothing was read at import."""
    for name, value in configure(environment={"X_BASE_URL": "http://127.0.0.1:8080/"}).items():
        monkeypatch.setenv(name, value)
    assert read().base_url == "http://127.0.0.1:8080"


SECRETS = {
    "X_BEARER_TOKEN": "marked-token-AAAA",
    "DATABASE_URL": "postgresql://me:marked-password@db.example.org/geobeta",
    "GEOBETA_AUTHOR_KEY": "marked-author-key-0123456789",
    "GEOBETA_WEBHOOK_URL": "https://hooks.example.org/marked-hook",
    "GEOBETA_SMTP_URL": "smtp://me:marked-password@mail.example.org:587",
}


def test_secrets_never_show(configure):
    """Not in repr, str, a format, a dump, JSON, or the refusal of something else; they are there when asked for."""
    environ = configure(environment=SECRETS)
    found = read(environ)
    shown = [repr(found), str(found), f"{found}", str(found.model_dump()), found.model_dump_json(), str(vars(found)), str(dict(found))]
    shown.append(refusal({**environ, "X_BASE_URL": "nowhere"}))
    assert not any("marked" in text for text in shown)
    assert found.bearer_token.get_secret_value() == SECRETS["X_BEARER_TOKEN"]
    assert found.database_url.get_secret_value() == SECRETS["DATABASE_URL"]
    assert found.author_key.get_secret_value() == SECRETS["GEOBETA_AUTHOR_KEY"]
    assert found.webhook_url.get_secret_value() == SECRETS["GEOBETA_WEBHOOK_URL"]
    assert found.smtp_url.get_secret_value() == SECRETS["GEOBETA_SMTP_URL"]
    assert not found.synthetic


def test_reading_settings_imports_neither_pandas_nor_pyarrow(configure):
    """Every command and every Luigi task reads them at its start: it must be cheap."""
    code = "import sys; from pipeline import settings; settings.read(); print(sorted({'pandas', 'pyarrow', 'scipy'} & sys.modules.keys()))"
    environ = {**os.environ, **configure(), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True, cwd=Path("/"))
    assert done.stdout.strip() == "[]"
