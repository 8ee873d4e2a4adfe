"""Faults of a configuration: one valid configuration, one thing spoiled; each is told with file, key, got and wanted."""

import contextlib
import re
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.settings import (
    Area,
    Study,
    XSettings,
    read,
)
from tests.settings_files import AREAS, SECTIONS, STUDIES, configure, refusal

__all__ = ["configure"]


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
    ("[content]\nretention_days = 0", "[content] retention_days", "0", "or no such line: for good"),
    ("[alarms]\nshare_per_year = 0.05", "[alarms] share_per_year", "0.05", "from 0.1 to 12; 0 for no such alarms"),
    ("[alarms]\nvolume_per_year = 13", "[alarms] volume_per_year", "13", "from 0.1 to 12"),
    ("[alarms]\ncoverage_per_year = -1", "[alarms] coverage_per_year", "-1", "0 for no such alarms"),
    ('[alarms]\nmail_to = "team@example.org"', "[alarms] mail_to", "'team@example.org'", "a list of addresses"),
    ('[alarms]\nmail_to = ["team@example.org", "team"]', "[alarms] mail_to", "'team'", "a list of addresses"),
    ('[alarms]\nmail_to = ["a@example.org, b@example.org"]', "[alarms] mail_to", "b@example.org", "a list of addresses"),
    ('[alarms]\nmail_from = "geobeta"', "[alarms] mail_from", "'geobeta'", "an address"),
    ("[alarms]\ntimeout_seconds = 0", "[alarms] timeout_seconds", "0", "above 0"),
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
        ("GEOBETA_WEBHOOK_URL", "hooks.example.org/hunter2hunter2", "takes a POST"),
        ("GEOBETA_WEBHOOK_URL", "https://hooks.example.org:none/hunter2hunter2", "takes a POST"),
        ("GEOBETA_WEBHOOK_URL", "smtp://hunter2hunter2@example.org", "takes a POST"),
        ("GEOBETA_SMTP_URL", "https://me:hunter2hunter2@example.org", "smtp://"),
        ("GEOBETA_SMTP_URL", "smtp://me:hunter2 hunter2@example.org", "smtp://"),
        ("GEOBETA_SMTP_URL", "smtp://", "smtp://"),
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
