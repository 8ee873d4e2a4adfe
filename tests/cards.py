"""A study's card and a page, from made-up days; and what a browser would see of it."""

from __future__ import annotations

import html
import html.parser
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.report import page
from pipeline.report.card import Card, card
from pipeline.settings import Area
from pipeline.study import Study
from tests.report_days import LAST, made_days, study_days

AREA = Area(name="mexico-city", box="-99.365,19.048,-98.940,19.592", timezone="America/Mexico_City")
EVIL = "</script></style><script>alert(1)</script>{{ 7*7 }}&amp;\"'><img src=x onerror=alert(2)>"


def a_study(**changes: Any) -> Study:
    """A study, one field spoiled a test."""
    given: dict[str, Any] = {"name": "traffic", "question": "What share speaks of traffic?", "area": "mexico-city"}
    return Study(**(given | {"start": LAST - timedelta(days=13), "match": {"words": ["tráfico", "choque"]}} | changes))


def a_card(days: Any = None, *, study: Study | None = None, truth: float | None = None, **known: Any) -> Card:
    """Its card, from made-up days."""
    frame = made_days() if days is None else days
    return card(study or a_study(), AREA, study_days(frame, **known), report_day=LAST, truth=truth)


def rendered(*cards: Card) -> str:
    """The page of LAST with these cards."""
    return page.render(cards, LAST, revision="abcdef012345", made_at=datetime(2026, 11, 23, 8, tzinfo=UTC))


class Tags(html.parser.HTMLParser):
    """What a browser would see: tags with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def seen(*cards: Card) -> str:
    """The text of a page with these cards, without its pictures, with plain blanks."""
    bare = re.sub(r"<(svg|style)\b.*?</\1>|<[^>]*>", " ", rendered(*cards), flags=re.S)
    return " ".join(html.unescape(bare).split())
