"""What a study may say of its prior, of forgetting and of authors: three forms of a prior, pools, and whom it leaves out."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from pipeline.doctor import configured
from pipeline.errors import SettingsError
from pipeline.settings import read
from pipeline.study import Exclude
from tests.settings_files import AREAS, STUDIES, configure, refusal
from tests.test_settings_faults import assert_told

__all__ = ["configure"]

ID = "987654321987654321"


def study(configure, line=""):
    """The study as it is read with this line."""
    return read(configure(studies=f"{STUDIES}{line}\n")).study("transport")


# ---- priors -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prior", "alpha", "beta", "said"),
    [
        ("{ alpha = 2, beta = 8.5 }", 2, 8.5, "alpha 2, beta 8.5"),
        ("{ beta = 9 }", 1, 9, "alpha 1, beta 9"),
        ("{ mean = 0.03, strength = 50 }", 1.5, 48.5, "3 % expected, worth 50 tweets"),
        ('{ pool = "traffic" }', 1, 1, "learnt from the pool traffic; until that says something, alpha 1, beta 1"),
        (
            '{ mean = 0.03, strength = 50, pool = "a-2" }',
            *(1.5, 48.5),
            "learnt from the pool a-2; until that says something, 3 % expected, worth 50 tweets",
        ),
    ],
)
def test_a_prior_is_said_in_one_of_three_ways(configure, prior, alpha, beta, said):
    """By parameters, by mean and strength, (by a range: below); with a pool, that is what holds until the others tell more."""
    found = study(configure, f"prior = {prior}").prior
    assert (found.parameters.alpha, found.parameters.beta) == pytest.approx((alpha, beta), rel=1e-14)
    assert found.said == said


def test_a_range_is_90_percent_sure_unless_said(configure):
    """And is told as it was said."""
    found = study(configure, "prior = { lower = 0.01, upper = 0.05 }").prior
    assert found.parameters == study(configure, "prior = { lower = 0.01, upper = 0.05, sure = 0.9 }").prior.parameters
    assert found.said == "90 % sure: 1 % to 5 %"


SHARES = st.floats(1e-4, 0.2) | st.floats(1e-4, 0.9999) | st.floats(-0.2, 1.2)


@settings(max_examples=150)
@given(SHARES, SHARES, st.floats(0.01, 0.999))
def test_a_range_that_is_accepted_has_these_quantiles(lower, upper, sure):
    """Whatever is typed: it is refused as a fault of this prior, or so much lies below, between and above."""
    with tempfile.TemporaryDirectory() as folder:
        prior = f"prior = {{ lower = {lower!r}, upper = {upper!r}, sure = {sure!r} }}\n"
        for name, content in (("areas", AREAS), ("studies", STUDIES + prior), ("settings", "")):
            Path(folder, f"{name}.toml").write_text(content)
        try:
            found = read({"GEOBETA_CONFIG": folder}).study("transport").prior.parameters
        except SettingsError as error:
            assert "[transport] prior" in str(error)  # noqa: PT017
            return
    assert 0 < lower < upper < 1
    tails = special.betainc(found.alpha, found.beta, lower), special.betaincc(found.alpha, found.beta, upper)
    assert tails == pytest.approx(((1 - sure) / 2,) * 2, rel=1e-9)


# ---- forgetting, caps ---------------------------------------------------------------------------------------------------


def test_how_a_study_forgets(configure):
    """Set, chosen, or by a window; nothing and nobody is forgotten or capped unless said."""
    usual = study(configure)
    assert (usual.forget, usual.window, usual.author_cap, usual.alarms, bool(usual.exclude)) == (1.0, None, None, True, False)
    assert study(configure, 'forget = "auto"').forget == "auto"
    found = study(configure, "forget = 1\nwindow = 28\nauthor_cap = 20\nalarms = false")
    assert (found.forget, found.window, found.author_cap, found.alarms) == (1.0, 28, 20, False)


FAULTS = [
    ("prior = { alpha = 1.0, mean = 0.5 }", "prior", "{'alpha': 1.0, 'mean': 0.5}", "one way to say it, not alpha/beta and mean/strength"),
    ("prior = { mean = 0.5, sure = 0.9 }", "prior", "'sure': 0.9", "not mean/strength and lower/upper/sure"),
    ("prior = { mean = 0.5 }", "prior", "{'mean': 0.5}", "strength beside mean: a table such as"),
    ("prior = { sure = 0.8 }", "prior", "{'sure': 0.8}", "lower and upper beside sure"),
    ("prior = { lower = 0.1, upper = 0.05 }", "prior", "'upper': 0.05", "the lower one first"),
    ("prior = { lower = 0.05, upper = 0.05 }", "prior", "'upper': 0.05", "the lower one first"),
    ("prior = { lower = 1, upper = 5 }", "prior", "{'lower': 1, 'upper': 5}", "percent? 5 % is 0.05"),
    ("prior = { lower = 0.0, upper = 0.05 }", "prior", "'lower': 0.0", "a lower end above 0"),
    ("prior = { lower = 0.0499999, upper = 0.05 }", "prior", "'lower': 0.0499999", "a wider range"),
    ("prior = { lower = 0.01, upper = 0.05, sure = 90 }", "prior.sure", "90", "such as 0.9"),
    ("prior = { mean = 3, strength = 50 }", "prior", "'mean': 3", "percent? 3 % is 0.03"),
    ("prior = { mean = 0.03, strength = 0 }", "prior", "'strength': 0", "a number of tweets above 0"),
    ('prior = { mean = "3 %", strength = 50 }', "prior.mean", "'3 %'", "the share expected, above 0 and below 1"),
    ('prior = { pool = "Traffic" }', "prior.pool", "'Traffic'", "lower-case letters"),
    ("prior = { pool = true }", "prior.pool", "True", "lower-case letters"),
    ('forget = "automatic"', "forget", "'automatic'", '"auto"'),
    ("forget = true", "forget", "True", "at most 1"),
    ("window = 0", "window", "0", "1 or more"),
    ("window = 28.0", "window", "28.0", "a whole number of days"),
    ('window = 28\nforget = "auto"', "window", "28", 'no such line beside forget = "auto"'),
    ("author_cap = 0", "author_cap", "0", "1 or more"),
    ('author_cap = 5\nmode = "counts"', "author_cap", "5", 'no such line where mode = "counts"'),
    ('exclude = { clients = ["a"] }\nmode = "counts"', "exclude", "", 'no such line where mode = "counts"'),
    ('exclude = { clients = "Robot" }', "exclude.clients", "'Robot'", 'such as ["TweetMyJOBS"]'),
    ('exclude = { clients = ["Robot", " "] }', "exclude.clients", "' '", "with a name each"),
    ("alarms = 1", "alarms", "1", "true or false"),
]


@pytest.mark.parametrize(("line", "key", "got", "wanted"), FAULTS)
def test_a_fault_in_what_is_new_is_told_with_file_key_got_and_wanted(configure, line, key, got, wanted):
    """One line too many, one refusal that says where, what, and what instead."""
    assert_told(refusal(configure(studies=f"{STUDIES}{line}\n")), "studies.toml", f"[transport] {key}", got, wanted)


# ---- whom it leaves out -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exclude", "wanted"),
    [
        (f'{{ authors = ["7", "@a{ID}"] }}', "place 2"),
        (f'{{ authors = ["0{ID}"] }}', "place 1"),
        (f"{{ authors = [{ID}] }}", "in quotes"),
        (f'{{ authors = "{ID}" }}', "a list of users' ids"),
        (f'{{ author = ["{ID}"] }}', "authors?"),
        (f'["{ID}"]', "a table such as"),
        (f'{{ authors = ["{ID}"] }}\nmode = "counts"', "no such line"),
    ],
)
def test_a_refusal_shows_no_author(configure, exclude, wanted):
    """It goes to logs and to Luigi's page: the place in the list is told, not who stands there."""
    message = refusal(configure(studies=f"{STUDIES}exclude = {exclude}\n"))
    assert_told(message, "studies.toml", "[transport] exclude", "", wanted)
    assert ID not in message


@pytest.mark.parametrize("key", ["excluded", "authors", "leave_out"])
def test_a_mistyped_key_shows_no_author(configure, key):
    """Whatever an unknown key of a study holds, it may be meant for those left out."""
    message = refusal(configure(studies=f'{STUDIES}{key} = {{ authors = ["{ID}"] }}\n'))
    assert_told(message, "studies.toml", f"[transport] {key}", "an unknown key", "exclude")
    assert ID not in message


def test_a_study_that_is_shown_shows_no_author(configure):
    """Nor does a dump of it; they are there when asked for."""
    found = study(configure, f'exclude = {{ authors = ["{ID}"], clients = ["Robot"] }}')
    assert found.exclude.authors == (ID,)
    for shown in (repr(found), str(found), f"{found.exclude}", str(found.model_dump()), found.model_dump_json()):
        assert ID not in shown
        assert "Robot" in shown
    assert bool(found.exclude) is True
    assert bool(Exclude()) is False


# ---- pools --------------------------------------------------------------------------------------------------------------

PLACES = AREAS + AREAS.replace("london", "leeds") + AREAS.replace("london", "bath")
#: Two studies of one pool.
POOLED = f'{STUDIES}prior = {{ pool = "rides" }}\n' + (f'{STUDIES}prior = {{ pool = "rides", beta = 9 }}\nforget = "auto"\n').replace(
    "[transport]", "[leeds]"
).replace('"london"', '"leeds"')


def test_studies_of_one_pool_ask_the_same_in_different_areas(configure):
    """Whatever else they say differs; other pools, and studies of none, are free."""
    other = STUDIES.replace("[transport]", "[other]").replace("tube", "boat")
    for prior in ("", 'prior = { pool = "boats" }\n'):
        assert len(read(configure(areas=PLACES, studies=POOLED + other + prior)).studies) == 3


@pytest.mark.parametrize(
    ("part", "spoiled", "key", "got", "wanted"),
    [
        (
            '["tube", "bus"]',
            '["tube"]',
            "match",
            "another rule or mode than transport",
            "the same rule and mode in all studies of the pool rides",
        ),
        ("match =", 'mode = "counts"\nmatch =', "match", "another rule or mode", "the same rule and mode"),
        ('"leeds"', '"london"', "area", "'london', as transport of the same pool", "another area"),
    ],
)
def test_studies_that_cannot_learn_from_each_other_are_refused(configure, part, spoiled, key, got, wanted):
    """Another rule, another way of counting, the same tweets twice: the later study is named."""
    first, second = POOLED.split("[leeds]")
    message = refusal(configure(areas=PLACES, studies=f"{first}[leeds]{second.replace(part, spoiled)}"))
    assert_told(message, "studies.toml", f"[leeds] {key}", got, wanted)


@pytest.mark.parametrize(("members", "warned"), [(1, 1), (3, 1), (4, 0)])
def test_a_pool_too_small_to_learn_from_is_one_of_the_doctor_s_warnings(configure, members, warned):
    """It is accepted: more areas may come. With three others each has something to learn from."""
    names = ["bath", "leeds", "london", "ripon"][:members]
    areas = "".join(AREAS.replace("london", name) for name in names)
    table = f'{STUDIES}prior = {{ pool = "rides" }}\n'
    found = read(
        configure(
            areas=areas, studies="".join(table.replace("[transport]", f"[{name}]").replace('"london"', f'"{name}"') for name in names)
        )
    )
    warnings = [finding for finding in configured.studies(found, datetime(2026, 11, 20, tzinfo=UTC)) if finding.state == "warning"]
    assert [finding.check for finding in warnings] == ["pool rides"] * warned
    assert all(", ".join(names) in finding.what for finding in warnings)
