import contextlib
import os
import pickle
import re
import subprocess
import sys
import tomllib
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from pipeline.errors import SettingsError
from pipeline.geo import BoundingBox
from pipeline.settings import (
    ROOT,
    Area,
    DatabaseSettings,
    ImportSettings,
    LoadSettings,
    Prior,
    SandboxSettings,
    Study,
    XSettings,
    read,
)

AREAS = """
[london]
box = "-0.51,51.28,0.33,51.69"
timezone = "Europe/London"
"""
STUDIES = """
[transport]
question = "What share speaks of transport?"
area = "london"
start = 2026-11-01
match = { words = ["tube", "bus"] }
"""
FILES = {"areas.toml": AREAS, "studies.toml": STUDIES, "settings.toml": ""}


@pytest.fixture
def configure(tmp_path):
    """Write one valid configuration, a part of it spoiled, and give the environment that leads to it."""

    def write(**changes):
        folder = tmp_path / "config"
        folder.mkdir(exist_ok=True)
        for name, text in FILES.items():
            (folder / name).write_text(changes.get(name.removesuffix(".toml"), text), encoding="utf-8")
        return {"GEOBETA_CONFIG": str(folder), "GEOBETA_DATA": str(tmp_path / "var"), **changes.get("environment", {})}

    return write


def refusal(environ, **arguments):
    """The message with which the configuration is refused."""
    with pytest.raises(SettingsError) as caught:
        read(environ, **arguments)
    return str(caught.value)


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
    assert (transport.prior.alpha, transport.prior.beta) == (1.0, 1.0)
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

SECTIONS = {"x": XSettings, "database": DatabaseSettings, "import": ImportSettings, "load": LoadSettings, "sandbox": SandboxSettings}


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
    """What settings.toml sets is what holds without it; so do the optional keys of areas.toml."""
    tables = tomllib.loads((ROOT / "config" / "settings.toml").read_text(encoding="utf-8"))
    for name, model in SECTIONS.items():
        assert model.model_validate(tables[name]) == model()
    london = tomllib.loads((ROOT / "config" / "areas.toml").read_text(encoding="utf-8"))["london"]
    needed = {key: london[key] for key in ("box", "timezone")}
    assert Area.model_validate({**london, "name": "london"}) == Area.model_validate({**needed, "name": "london"})


def test_every_variable_that_is_read_is_explained():
    """The environment is documented in settings.toml."""
    source = (ROOT / "pipeline" / "settings.py").read_text(encoding="utf-8")
    variables = set(re.findall(r'"((?:GEOBETA|X|DATABASE)_[A-Z_]+)"', source))
    assert len(variables) == 6
    explained = (ROOT / "config" / "settings.toml").read_text(encoding="utf-8")
    assert all(f"#   {variable} " in explained for variable in variables)


def test_every_field_says_what_is_wanted():
    """Each key of a file has the sentence that its refusal shows."""
    for model in (Area, Study, Prior, *SECTIONS.values()):
        assert issubclass(model, BaseModel)
        assert [key for key, field in model.model_fields.items() if key != "name" and not field.description] == []


# ---- faults: one valid configuration, one thing spoiled ----------------------------------------------------------------

AREA_FAULTS = [
    ("timezone = ", "timezone = 5 #", "[london] timezone", "5", "an IANA time zone"),
    ("Europe/London", "Europe/Londn", "[london] timezone", "'Europe/Londn'", 'an IANA time zone such as "Europe/London"'),
    ("Europe/London", "America/MexicoCity", "[london] timezone", "MexicoCity", 'such as "America/Mexico_City"'),
    ("Europe/London", "../../etc/passwd", "[london] timezone", "'../../etc/passwd'", "an IANA time zone"),
    ("Europe/London", "Europe", "[london] timezone", "'Europe'", "an IANA time zone"),
    ("Europe/London", "", "[london] timezone", "''", "an IANA time zone"),
    ('timezone = "Europe/London"', "", "[london] timezone", "nothing", "an IANA time zone"),
    ("box = ", "boxx = 1\nbox = ", "[london] boxx", "an unknown key", "box?"),
    ("timezone = ", "time-zone = 1\ntimezone = ", "[london] time-zone", "an unknown key", "timezone?"),
    ("box = ", "zzz = 1\nbox = ", "[london] zzz", "an unknown key (with 1)", "box, timezone, largest_place"),
    ("-0.51,51.28,0.33,51.69", "somewhere", "[london] box", "'somewhere'", "west,south,east,north"),
    ("-0.51,51.28,0.33,51.69", "51.28,-100.51,51.69,-100.33", "[london] box", "51.28", '"-100.51,51.28,-100.33,51.69"'),
    ("[london]", "[London]", "[London]", "'London'", "lower-case letters"),
    ("[london]", '["lon/don"]', "[lon/don]", "'lon/don'", "lower-case letters"),
    ("[london]", '["../up"]', "[../up]", "'../up'", "lower-case letters"),
    ("[london]", '[""]', "[]", "''", "lower-case letters"),
    ("[london]", f"[{'a' * 61}]", "[aaa", "aaa", "at most 60"),
    ("[london]", "stray = 1\n[london]", "stray", "1", "a table"),
    ("[london]", '[london]\nname = "paris"', "[london] name", "'paris'", "no such key"),
    ("box = ", "largest_place = 0\nbox = ", "[london] largest_place", "0", "above 0"),
    ("box = ", "largest_place = true\nbox = ", "[london] largest_place", "True", "above 0"),
    ("box = ", "largest_place = inf\nbox = ", "[london] largest_place", "inf", "above 0"),
    ("box = ", "evidence = []\nbox = ", "[london] evidence", "[]", "a list of one or more"),
    ("box = ", 'evidence = ["dot"]\nbox = ', "[london] evidence", "dot", '"place_within"'),
    ("box = ", 'evidence = "point"\nbox = ', "[london] evidence", "'point'", "a list of one or more"),
    ("box = ", 'evidence = ["point", "point"]\nbox = ', "[london] evidence", "['point', 'point']", "stands twice"),
    ("box = ", 'source = "twitter"\nbox = ', "[london] source", "'twitter'", '"archive"'),
    ("box = ", 'places = ["a b"]\nbox = ', "[london] places", "'a b'", "ids of X places"),
    ("box = ", 'raw = "yes"\nbox = ', "[london] raw", "'yes'", "true or false"),
]
STUDY_FAULTS = [
    ('"london"', '"paris"', "[transport] area", "'paris'", "an area of areas.toml: london"),
    ('area = "london"', "", "[transport] area", "nothing", "the name of an area"),
    ("2026-11-01", '"1 November"', "[transport] start", "'1 November'", "YYYY-MM-DD"),
    ("2026-11-01", "2026-11-01T00:00:00", "[transport] start", "2026-11-01 00:00:00", "YYYY-MM-DD"),
    ("2026-11-01", "1999-11-01", "[transport] start", "1999", "2006-03-21"),
    ("2026-11-01", "2026", "[transport] start", "2026", "YYYY-MM-DD"),
    ('["tube", "bus"]', "[]", "[transport] match", "{'words': []}", "words with something in it"),
    ('["tube", "bus"]', '["tube", "  "]', "[transport] match", "'  '", "words with something in it"),
    ('words = ["tube", "bus"]', 'regex = ""', "[transport] match", "{'regex': ''}", "regex with something in it"),
    ('{ words = ["tube", "bus"] }', "{}", "[transport] match", "{}", "a rule such as"),
    ('{ words = ["tube", "bus"] }', '"tube"', "[transport] match", "'tube'", "a rule such as"),
    ("match = ", "prior = { alpha = 0 }\nmatch = ", "[transport] prior.alpha", "0", "above 0"),
    ("match = ", "prior = { beta = -1.5 }\nmatch = ", "[transport] prior.beta", "-1.5", "above 0"),
    ("match = ", "prior = { alpha = nan }\nmatch = ", "[transport] prior.alpha", "nan", "above 0"),
    ("match = ", 'prior = { alpha = "1" }\nmatch = ', "[transport] prior.alpha", "'1'", "above 0"),
    ("match = ", "prior = { alfa = 1 }\nmatch = ", "[transport] prior.alfa", "an unknown key", "alpha?"),
    ("match = ", "prior = [1, 1]\nmatch = ", "[transport] prior", "[1, 1]", "a table such as"),
    ("match = ", "forget = 0\nmatch = ", "[transport] forget", "0", "at most 1"),
    ("match = ", "forget = 1.01\nmatch = ", "[transport] forget", "1.01", "at most 1"),
    ("What share speaks of transport?", " ", "[transport] question", "' '", "one sentence"),
    ("question = ", "# question = ", "[transport] question", "nothing", "one sentence"),
    ("[transport]", "[Transport]", "[Transport]", "'Transport'", "lower-case letters"),
]
SETTING_FAULTS = [
    ("[x]\npage_size = 5", "[x] page_size", "5", "from 10 to 500"),
    ("[x]\npage_size = 100.5", "[x] page_size", "100.5", "from 10 to 500"),
    ("[x]\nsettle_minutes = 60", "[x] settle_minutes", "60", "90 or more"),
    ("[x]\ntimeout = 5", "[x] timeout", "an unknown key", "timeout_seconds?"),
    ("[x]\ntimeout_seconds = 0", "[x] timeout_seconds", "0", "above 0"),
    ("[x]\nattempts = true", "[x] attempts", "True", "from 1 to 100"),
    ("[twitter]", "[twitter]", "an unknown table", "[x], [database]"),
    ("x = 1", "x", "1", "a table, [x]"),
    ("[database]\nbinaries = 5", "[database] binaries", "5", "a folder"),
    ("[import]\nbatch_rows = 0", "[import] batch_rows", "0", "from 1"),
    ("[load]\nraw = 1", "[load] raw", "1", "true or false"),
    ("[sandbox]\nseed = -1", "[sandbox] seed", "-1", "0 or more"),
]


def assert_told(message, file, key, got, wanted):
    """One fault: a line with file and key, one with what was got, one with what is wanted."""
    where, *rest = [line.strip() for line in message.splitlines() if "the configuration has" not in line]
    assert file in where
    assert f": {key}" in where
    assert "a fault" in message.splitlines()[0]  # one, and no others that follow from it
    got_line = next(line for line in rest if line.startswith("got:"))
    assert got in got_line
    assert wanted in message[message.index("wanted:") :]


@pytest.mark.parametrize(("part", "spoiled", "key", "got", "wanted"), AREA_FAULTS)
def test_a_fault_in_areas_is_told_with_file_key_got_and_wanted(configure, part, spoiled, key, got, wanted):
    """One spoiled line of areas.toml, one refusal that says where, what, and what instead."""
    assert part in AREAS
    assert_told(refusal(configure(areas=AREAS.replace(part, spoiled, 1)), need="areas"), "areas.toml", key, got, wanted)


@pytest.mark.parametrize(("part", "spoiled", "key", "got", "wanted"), STUDY_FAULTS)
def test_a_fault_in_studies_is_told_with_file_key_got_and_wanted(configure, part, spoiled, key, got, wanted):
    """One spoiled line of studies.toml, one refusal that says where, what, and what instead."""
    assert part in STUDIES
    assert_told(refusal(configure(studies=STUDIES.replace(part, spoiled, 1))), "studies.toml", key, got, wanted)


@pytest.mark.parametrize(("text", "key", "got", "wanted"), SETTING_FAULTS)
def test_a_fault_in_settings_is_told_with_file_key_got_and_wanted(configure, text, key, got, wanted):
    """One bad line of settings.toml, one refusal that says where, what, and what instead."""
    assert_told(refusal(configure(settings=text)), "settings.toml", key, got, wanted)


@pytest.mark.parametrize(
    ("variable", "value", "wanted"),
    [
        ("DATABASE_URL", "mysql://root:hunter2hunter2@host/db", "postgresql://"),
        ("DATABASE_URL", "hunter2hunter2", "postgresql://"),
        ("X_BEARER_TOKEN", "Bearer hunter2hunter2", "the bearer token alone"),
        ("X_BEARER_TOKEN", "hunter2hunter2\nX-Header: 1", "the bearer token alone"),
        ("X_BASE_URL", "ftp://example.org", "https://"),
        ("X_BASE_URL", "localhost:8080", "https://"),
        ("X_BASE_URL", "https://user:hunter2hunter2@example.org", "https://"),
        ("GEOBETA_AUTHOR_KEY", "hunter2hunter2", "16 or more"),
    ],
)
def test_a_fault_in_the_environment_is_told_without_the_secret(configure, variable, value, wanted):
    """The variable is named and what is wanted; the value of a secret is not shown."""
    message = refusal(configure(environment={variable: value}))
    assert_told(message, "environment", variable, "", wanted)
    assert "hunter2" not in message


def test_all_faults_are_listed_at_once(configure):
    """Somebody with four faults in three files and the environment mends them in one go."""
    message = refusal(
        configure(
            areas=AREAS.replace("Europe/London", "London").replace("51.28", "91.28"),
            studies=STUDIES + "forget = 2\n",
            settings="[x]\nattempts = 0\n[y]\n",
            environment={"X_BASE_URL": "nowhere"},
        )
    )
    assert message.startswith("the configuration has 6 faults")
    assert message.count("got:") == message.count("wanted:") == 6
    for key in ("[london] timezone", "[london] box", "[transport] forget", "[x] attempts", "[y]", "X_BASE_URL"):
        assert key in message


def test_a_faulty_area_is_not_called_unknown_too(configure):
    """A study whose area is there but has a fault is not listed beside it: one fault, one entry."""
    message = refusal(configure(areas=AREAS.replace("Europe/London", "London")))
    assert message.startswith("the configuration has a fault")
    assert "[transport]" not in message


def test_areas_that_cannot_be_read_are_one_fault(configure):
    """The studies' areas are not called unknown on top of it."""
    for broken in ("[london", AREAS + AREAS):
        message = refusal(configure(areas=broken))
        assert message.startswith("the configuration has a fault")
        assert "[transport]" not in message


def test_advice_stands_below_what_is_wanted(configure):
    """One "what to do" a refusal."""
    message = refusal(configure(areas=re.sub(r"box = .*", 'box = "51.28,-0.51,51.69,95.33"', AREAS)))
    assert message.count("what to do") == 1


def test_a_table_or_key_that_stands_twice_is_refused(configure):
    """TOML knows no duplicates; the refusal says which line."""
    assert "line" in refusal(configure(areas=AREAS + AREAS))
    assert "line" in refusal(configure(studies=STUDIES + 'question = "Another?"\n'))


def test_a_missing_folder_or_file_is_told(configure, tmp_path):
    """No config folder, no areas.toml: the refusal says which; settings.toml may be missing."""
    assert "GEOBETA_CONFIG" in refusal({"GEOBETA_CONFIG": str(tmp_path / "nowhere")})
    environ = configure()
    (tmp_path / "config" / "settings.toml").unlink()
    assert read(environ).x == XSettings()
    (tmp_path / "config" / "areas.toml").unlink()
    message = refusal(environ)
    assert "areas.toml" in message
    assert "no such file" in message


def test_text_that_is_not_utf8_is_told_and_a_byte_order_mark_is_not(configure, tmp_path):
    """Windows editors write both: the one is refused with the byte, the other read."""
    environ = configure()
    path = tmp_path / "config" / "studies.toml"
    path.write_bytes(STUDIES.replace("bus", "autobús").encode("latin-1"))
    assert "UTF-8" in refusal(environ)
    path.write_bytes(STUDIES.replace("bus", "autobús").encode("utf-8-sig"))
    assert read(environ).study("transport").match == {"words": ["tube", "autobús"]}


def test_a_command_that_needs_less_reads_less(configure):
    """`database stop` works while studies.toml is being edited."""
    environ = configure(studies="[half")
    assert read(environ, need="areas").studies == {}
    environ = configure(studies="[half", areas="[half")
    assert read(environ, need="settings").areas == {}
    assert "studies.toml" in refusal(environ)


TOML_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=12) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=80)
@given(st.sampled_from([Area, Study, *SECTIONS.values()]), st.data())
def test_any_value_is_taken_or_refused_as_invalid(model, data):
    """No value of any type makes a table fail in another way than with pydantic's ValidationError."""
    valid = {
        Area: {"name": "london", "box": "-0.51,51.28,0.33,51.69", "timezone": "Europe/London"},
        Study: {"name": "a", "question": "?", "area": "london", "start": date(2026, 11, 1), "match": {"words": ["a"]}},
    }.get(model, {})
    key = data.draw(st.sampled_from(sorted(model.model_fields.keys() | {"other"})))
    with contextlib.suppress(ValidationError):
        model.model_validate({**valid, key: data.draw(TOML_VALUES)})


# ---- environment --------------------------------------------------------------------------------------------------------


def test_relative_folders_start_where_the_person_is(configure, tmp_path, monkeypatch):
    """GEOBETA_CONFIG and GEOBETA_DATA are taken from the current directory and made absolute."""
    configure()
    monkeypatch.chdir(tmp_path)
    found = read({"GEOBETA_CONFIG": "config", "GEOBETA_DATA": "made/here"})
    assert (found.config, found.data) == (tmp_path / "config", tmp_path / "made" / "here")


def test_an_empty_variable_is_not_set(configure):
    """`X_BEARER_TOKEN=` in a crontab means no token."""
    found = read(configure(environment={"X_BEARER_TOKEN": " ", "DATABASE_URL": "", "X_BASE_URL": "", "GEOBETA_AUTHOR_KEY": ""}))
    assert (found.bearer_token, found.database_url, found.base_url, found.author_key) == (None, None, None, None)
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
    assert not found.synthetic


def test_reading_settings_imports_neither_pandas_nor_pyarrow(configure):
    """Every command and every Luigi task reads them at its start: it must be cheap."""
    code = "import sys; from pipeline import settings; settings.read(); print(sorted({'pandas', 'pyarrow', 'scipy'} & sys.modules.keys()))"
    environ = {**os.environ, **configure(), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True, cwd=Path("/"))
    assert done.stdout.strip() == "[]"
