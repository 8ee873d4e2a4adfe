"""The contract of every matcher: the modules of pipeline/matchers are found here by themselves. A new one needs no edit,
unless its value is no list of texts: then a line in VALUES."""

from __future__ import annotations

import pickle

import pyarrow as pa
import pytest

from pipeline import matchers
from pipeline.errors import SettingsError

#: A value for each kind that finds "bus" and "tram"; for kinds not named here, a list of the two words.
VALUES: dict[str, object] = {}
DEFAULT = ["bus", "tram"]

KINDS = matchers.names()
TEXTS = ["the bus", None, "a tram and a bus", "", "nothing", "tram", None]


def build(kind: str, **options: object) -> matchers.Matcher:
    """The matcher of that kind that finds the two words."""
    return matchers.build({kind: VALUES.get(kind, DEFAULT), **options})


def test_the_kinds_are_the_files() -> None:
    """Words and patterns are there, and nothing that begins with an underscore."""
    assert {"words", "regex"} <= set(KINDS)
    assert not any(kind.startswith("_") for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_label_for_each_text_or_null(kind: str) -> None:
    """As many labels as texts, in their order; null for null and for no match; every label is one of the rules."""
    matcher = build(kind)
    labels = matcher.match(pa.array(TEXTS))
    assert isinstance(labels, pa.Array)
    assert labels.type == pa.string()
    assert [label is not None for label in labels.to_pylist()] == [True, False, True, False, False, True, False]
    assert set(labels.drop_null().to_pylist()) <= set(matcher.rules)
    assert labels[2].as_py() == matcher.rules[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("texts", [[], [None], [None, None]])
def test_nothing_to_match_is_no_match(kind: str, texts: list[None]) -> None:
    """Empty and all-null arrays, in chunks or not, give nulls of type string."""
    matcher = build(kind)
    for given in (pa.array(texts, pa.string()), pa.chunked_array([pa.array(texts, pa.string())]), pa.chunked_array([], pa.string())):
        labels = matcher.match(given)
        assert labels.type == pa.string()
        assert labels.to_pylist() == [None] * len(given)


@pytest.mark.parametrize("kind", KINDS)
def test_chunks_and_slices_change_nothing(kind: str) -> None:
    """A text's label depends on the text alone: not on its neighbours, the chunk or the offset it stands at."""
    matcher = build(kind)
    whole = pa.array(TEXTS)
    labels = matcher.match(whole).to_pylist()
    assert matcher.match(pa.chunked_array([whole.slice(0, 3), whole.slice(3, 0), whole.slice(3)])).to_pylist() == labels
    assert matcher.match(whole.slice(2)).to_pylist() == labels[2:]
    assert matcher.match(whole.cast(pa.large_string())).to_pylist() == labels
    assert [matcher.match(pa.array([value], pa.string()))[0].as_py() for value in TEXTS] == labels


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_again(kind: str) -> None:
    """Two matchers of one rule, and one matcher twice, give the same labels; a matcher may go to another process."""
    first, second = build(kind), build(kind)
    labels = first.match(pa.array(TEXTS))
    assert first.rules == second.rules
    assert first.match(pa.array(TEXTS)) == labels
    assert second.match(pa.array(TEXTS)) == labels
    assert pickle.loads(pickle.dumps(first)).match(pa.array(TEXTS)) == labels


@pytest.mark.parametrize("kind", KINDS)
def test_exact_says_which_text_is_wanted(kind: str) -> None:
    """Rules are for folded texts unless they say exact = true; then case matters."""
    assert build(kind).exact is False
    exact = build(kind, exact=True)
    assert exact.exact is True
    assert exact.match(pa.array(["the bus", "the BUS"])).is_valid().to_pylist() == [True, False]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [None, 7, [], [""], {"a": 1}, [["a"]]])
def test_a_value_that_is_no_rule_is_refused(kind: str, value: object) -> None:
    """Never a TypeError from the depths: a SettingsError that says what to do."""
    with pytest.raises(SettingsError) as caught:
        matchers.build({kind: value})
    assert caught.value.todo


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_can_hang_a_night(kind: str) -> None:
    """Rules that take a backtracking engine exponential time on these texts (over 2**200 steps) come to an end: time is linear."""
    hostile = ["a" * 50_000 + "!", "a " * 25_000 + "!", "#" * 50_000, "\u0301" * 50_000]
    rules = {"words": ["a a a a b", "aa b"], "regex": [r"^(a+)+$", r"(a|aa)+b", r"(a*)*b", r"^(([a-z])+.)+[A-Z]([a-z])+$", "(x+x+)+y"]}
    matcher = matchers.build({kind: rules.get(kind, VALUES.get(kind, DEFAULT))})
    assert matcher.match(pa.array(hostile)).null_count >= 3
