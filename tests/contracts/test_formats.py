"""One contract for every format module, found by itself: a new format is tested here without an edit."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import formats
from pipeline.formats import Notice, Record, Reject
from tests import posts

MODULES = formats.names()
#: Any JSON value, with the keys that formats look for among the others.
WRAPPING = ["data", "includes", "meta", "rows", "results", "doc", "tweet", "key", "value", "errors", "delete"]
FIELDS = ["id", "id_str", "text", "full_text", "user", "geo", "place", "created_at", "coordinates", "edit_history_tweet_ids", "author_id"]
KEYS = st.sampled_from(WRAPPING + FIELDS)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("18"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=6),
    max_leaves=12,
)
SAMPLES: dict[str, Any] = posts.shapes() | posts.notices()


@pytest.mark.parametrize("name", MODULES)
def test_a_format_is_a_module_with_build(name: str) -> None:
    """It builds without options, says its order, and explains itself."""
    module = importlib.import_module(f"pipeline.formats.{name}")
    assert isinstance(module.build().order, int)
    assert module.__doc__


def test_orders_are_distinct() -> None:
    """Which format is asked first never hangs on the names of files."""
    orders = [known.order for known in formats.formats()]
    assert len(set(orders)) == len(orders) == len(MODULES)


@pytest.mark.parametrize("sample", SAMPLES)
def test_one_format_and_no_other_knows_each_shape(sample: str) -> None:
    """Recognition does not depend on the order in which formats are asked."""
    assert sum(known.recognises(SAMPLES[sample]) for known in formats.formats()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
@given(document=JSON)
def test_a_format_never_fails(name: str, document: Any) -> None:
    """Whatever JSON comes, recognising does not fail, and what is recognised gives at least one outcome."""
    known = importlib.import_module(f"pipeline.formats.{name}").build()
    if known.recognises(document):
        assert list(known.read(document, formats.parse))


@given(document=JSON)
def test_every_document_gives_outcomes_that_fit_the_schema(document: Any) -> None:
    """Nothing is lost: a Record, Notice or Reject comes out of everything, and every Record fits the table."""
    outcomes = list(formats.parse(document))
    assert outcomes
    assert all(isinstance(outcome, (Record, Notice, Reject)) for outcome in outcomes)
    records = [outcome for outcome in outcomes if isinstance(outcome, Record)]
    assert formats.table(records).num_rows == len(records)
