"""The page: one file, no network, no script, harmless whatever a study is called, honest about what is missing."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from pipeline import database, storage
from pipeline.report import charts, curves, page, table
from pipeline.report.charts import PALETTE
from pipeline.settings import Settings
from tests.cards import EVIL, Tags, a_card, a_study, rendered
from tests.report_days import LAST, SMALL, days_up_to, made_days, made_hours, run_stages


@pytest.mark.slow
def test_it_loads_nothing_and_runs_nothing() -> None:
    """No script, frame, image or import; every address is inside the page."""
    seen = Tags(rendered(a_card(made_days(20, missing=[3], partial=[5]))))
    assert {tag for tag, _ in seen.tags} & {"script", "iframe", "img", "object", "embed", "form", "base"} == set()
    for tag, attributes in seen.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert "style" not in attributes
        for name in ("href", "src", "xlink:href", "action", "data"):
            assert (attributes.get(name) or "#").startswith(("#", "data:,")), (tag, attributes)
    style = re.search(r"<style>(.*?)</style>", rendered(a_card()), re.S)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_its_policy_allows_its_own_style_alone() -> None:
    """default-src 'none', and the hash is that of the style as it stands in the file."""
    text = rendered(a_card())
    style = re.search(r"<style>(.*?)</style>", text, re.S)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = next(attributes["content"] for tag, attributes in Tags(text).tags if attributes.get("http-equiv") == "Content-Security-Policy")
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def test_whatever_people_write_is_text() -> None:
    """A question, a rule or a reason with markup in it is shown, not obeyed; template marks are not evaluated."""
    days = made_days(6, partial=[2]).assign(coverage_reason=EVIL)
    text = rendered(a_card(days, study=a_study(question=EVIL, match={"words": [EVIL], "exact": True})))
    seen = Tags(text)
    assert {tag for tag, _ in seen.tags} & {"script", "img"} == set()
    assert seen.text.count(EVIL) >= 3
    assert text.count("<style>") == 1


def test_it_says_the_share_so_that_it_can_be_said_aloud() -> None:
    """The share, its interval and the counts behind it stand in words."""
    shown = " ".join(Tags(rendered(a_card())).text.split()).replace("\xa0", " ")
    assert "What share speaks of traffic?" in shown
    assert re.search(r"About \d+ in every [\d,]+ tweets match\.", shown)
    assert re.search(r"the share lies between [\d.]+ and [\d.]+ % with a probability of 95 %", shown)
    assert re.search(r"[\d,]+ tweets over 14 days, of which \d+ matched", shown)
    assert "As of Sunday 22 November 2026" in shown
    assert "99.365° W to 98.94° W, 19.048° N to 19.592° N" in shown
    assert "2026-11-23 08:00 UTC, revision 0a1b2c3d4e5f, run 01234567" in shown
    assert "tráfico" in shown
    for warning in ("Tweets, not people", "Tweets of one author are not independent", "Retweets are not counted"):
        assert warning in shown


@pytest.mark.slow
def test_days_that_are_missing_or_partial_are_named() -> None:
    """Their number, their dates and the reason; the key explains the marks only where there are any."""
    text = rendered(a_card(made_days(14, missing=[3, 4, 9], partial=[11])))
    shown = " ".join(Tags(text).text.split())
    assert "3 days missing and not part of the number: 12–13 Nov 2026, 18 Nov 2026." in shown
    assert "1 day only partly observed. 20 Nov 2026: 50 % observed, the stream was down for 12 h." in shown
    assert "the stream was down for 12 h" in shown
    assert 'class="key partial"' in text
    assert 'class="key missing"' not in rendered(a_card())


@pytest.mark.slow
def test_a_partial_day_shows_its_share_and_which_of_its_hours_are_missing() -> None:
    """In the head, in the notes, and in the table as a strip; a whole day has none of it."""
    days = made_days(14, partial=[13])
    days.loc[13, "coverage"] = 0.875
    text = rendered(a_card(days, hours=made_hours(LAST, "America/Mexico_City", missing=[8, 9, 10])))
    shown = " ".join(Tags(text).text.split()).replace("\xa0", " ")
    assert "As of Sunday 22 November 2026 (88 % of it observed)" in shown
    assert "22 Nov 2026: 88 % observed, missing 08:00 to 11:00 (X did not answer)." in shown
    assert "partial: missing 08:00 to 11:00 (X did not answer)" in shown
    assert text.count('<svg class="hours"') == 1
    assert text.count('<span class="tag partial">partial</span>') == 1
    for word in ('class="hours"', '"tag partial"', "of it observed"):
        assert word not in rendered(a_card())


@pytest.mark.slow
def test_a_sample_is_called_one_wherever_its_number_shows() -> None:
    """Beside the share, in the overview, the notes, the facts, the table, over the pictures, for screen readers and on hovering."""
    days = made_days(14, sampled=range(6, 14))
    text = rendered(a_card(days), a_card(study=a_study(name="other")))
    shown = " ".join(Tags(text).text.split()).replace("\xa0", " ")
    assert text.count('<span class="tag sample">sample</span>') == 2
    assert "As of Sunday 22 November 2026, a sample: 512 of about 8,300 posts, corrected for authors" in shown
    assert "Given the tweets sampled so far" in shown
    assert "The share, from the tweets sampled up to each day" in shown
    assert "8 of the 14 days counted are samples" in shown
    assert "n, tweets counted (samples on 8 of 14 days)" in shown
    assert shown.count("; a sample: 512 of about 8,300 posts") == 4 * 8  # four panels with a title a day
    assert len(re.findall("<td>a sample: 512 of about 8,300 posts(?:; outside what was expected)?</td>", text)) == 8
    assert len(re.findall(r'aria-label="[^"]*\(a sample\)', text)) == 4
    assert "a sample" not in rendered(a_card())


@pytest.mark.slow
def test_what_x_counted_is_called_so_wherever_its_number_shows() -> None:
    """Beside the share, in the overview, the notes, the facts, the rule, the table and on hovering; of authors it knows nothing."""
    by_x = a_study().model_copy(update={"mode": "counts"})
    days = made_days(3).assign(basis="counts", authors=float("nan"))
    text = rendered(a_card(days, study=by_x), a_card(study=a_study(name="other")))
    shown = " ".join(Tags(text).text.split()).replace("\xa0", " ")
    assert text.count('<span class="tag sample">counted by X</span>') == 2
    assert "Given the tweets that X counted so far" in shown
    assert "The share, from what X counted up to each day" in shown
    assert "Counted by X, by its own matching rules; not corrected for authors: X names none. No tweet is stored" in shown
    assert "matched; counted by X, by its own matching rules; not corrected for authors: X names none" in shown
    assert "as X's own search matches it" in shown
    assert len(re.findall(r"; counted by X(?!,)", shown)) == 4 * 3  # four panels with a title a day
    assert text.count('<td class="number">unknown</td>') == 3
    assert "n, tweets counted by X" in shown
    assert "What X counted follows X's rules: places of any size count" in shown
    assert len(re.findall(r'aria-label="[^"]*\(by X\)', text)) == 4
    assert "by X" not in rendered(a_card())


def test_a_sample_with_a_slice_missing_is_partial_too() -> None:
    """Both are said; its observed share is never told as if it were of all tweets."""
    row = a_card(made_days(3, sampled=[1, 2], partial=[2])).rows[0]
    assert (row["status"], row["observed"]) == ("partial", "sample, 50\xa0%")
    assert row["note"] == "partial: the stream was down for 12 h; a sample: 512 of about 8,300 posts"
    assert a_card(made_days(3, sampled=[1, 2])).rows[0]["observed"] == "sample"


def test_a_number_of_an_earlier_day_is_not_shown_as_today_s() -> None:
    """Where the newest days are missing, the page says of which day its number is."""
    shown = Tags(rendered(a_card(made_days(6, missing=[4, 5])))).text
    assert "The newest number is of Friday 20 November 2026" in shown


@pytest.mark.slow
def test_stale_numbers_say_so() -> None:
    """A number made by an earlier rule, box or prior is marked."""
    assert "Run the night again" in rendered(a_card(current=False))
    assert "Run the night again" not in rendered(a_card())


def test_made_up_tweets_are_marked_everywhere() -> None:
    """In the title, on top, at the study, in its notes, with the true share; real ones nowhere."""
    text = rendered(a_card(synthetic=True, truth=0.1))
    assert "(synthetic)</title>" in text
    assert text.count("tag synthetic") == 1
    assert "say nothing about the real place" in text
    assert "True share in the sandbox" in text
    assert "ynthetic" not in re.sub(r"<style>.*?</style>", "", rendered(a_card()), flags=re.S)


def test_a_study_without_any_day_and_a_page_without_any_study_are_pages() -> None:
    """Nothing counted yet is said in words; no picture of nothing is drawn."""
    text = rendered(a_card(made_days(3, missing=[0, 1, 2])))
    assert "There is no number yet" in text
    assert "<svg" not in text
    assert "No study had started" in rendered()


def test_pictures_have_words_and_the_table_has_their_numbers() -> None:
    """Every picture has a label, and every day a row."""
    seen = Tags(rendered(a_card()))
    pictures = [attributes for tag, attributes in seen.tags if tag == "svg"]
    assert len(pictures) == 5
    assert all(attributes["role"] == "img" and len(attributes["aria-label"] or "") > 40 for attributes in pictures)
    rows = re.findall(r'<th scope="row">(2026-11-\d\d)</th>', rendered(a_card()))
    assert rows == [day.isoformat() for day in reversed(days_up_to(LAST, 14))]


@pytest.mark.slow
def test_ids_are_unique_with_many_studies() -> None:
    """Pictures of two studies do not share clip paths, nor headings their anchors."""
    text = rendered(a_card(), a_card(study=a_study(name="water", question="And water?")))
    ids = [attributes["id"] for _, attributes in Tags(text).tags if "id" in attributes]
    assert len(ids) == len(set(ids))


@pytest.mark.slow
def test_what_it_shows_has_a_version() -> None:
    """Whoever changes what pages show raises page.CODE too (old pages are then made anew), and writes the new digest here.

    The pictures are left out here: their specifications, without data, stand for them.
    """
    cards = [
        a_card(made_days(12, missing=[2], partial=[5]), synthetic=True, truth=0.1),
        a_card(current=False, top_influence=0.4, borrowed=0.6, alarms=[{}, {"kind": "volume", "subject": "mexico-city", "said": "fewer"}]),
        a_card(made_days(12).assign(basis="counts"), study=a_study(name="by-x", mode="counts")),
        a_card(study=a_study(exclude={"clients": ["Robot"]}, author_cap=3, window=7), author_cap=3, window_days=7),
        a_card(made_days(12, sampled=range(6, 12), partial=[11]), hours=made_hours(LAST, "America/Mexico_City", missing=[8, 9])),
        a_card(made_days(2, missing=[0, 1])),
    ]
    text = re.sub(r"<svg.*?</svg>|geobeta [\d.]+,", "", rendered(*cards), flags=re.S)
    days = made_days(9)
    newest = {**days.iloc[-1].to_dict(), "prior_alpha": 1.0, "prior_beta": 9.0}
    drawn = [charts.posterior_band(days), charts.daily_shares(days), charts.counts_a_day(days)]
    drawn += [curves.share_density(newest), curves.prior_and_posterior(newest)]
    shapes = [{key: value for key, value in chart.to_dict(validate=False).items() if key not in ("datasets", "$schema")} for chart in drawn]
    looks = storage.digest(re.sub(r"\d\.\d+", "#", json.dumps(shapes)))
    assert (page.CODE, storage.digest(text), looks) == ("report-4", "ec8a6cb52cd5", "5bd42dd4ba02")


# --- from the database -------------------------------------------------------------------------------------------------------


@pytest.fixture
def stored(make_settings: Callable[..., Settings]) -> Settings:
    """An installation that has run two days of two studies."""
    settings = make_settings(settings=SMALL)
    run_stages(settings, days_up_to(LAST, 2))
    return settings


@pytest.mark.slow
def test_build_makes_the_page_and_its_marker_once(stored: Settings) -> None:
    """After build the page is there and current; the copy is the same file; a changed question makes it incomplete."""
    assert not page.has(stored, LAST)
    path = page.build(stored, LAST)
    assert page.has(stored, LAST)
    assert path == page.path(stored, LAST)
    assert (stored.data / "report.html").read_bytes() == path.read_bytes()
    asked = stored.study("traffic").model_copy(update={"question": "Something else?"})
    changed = stored.model_copy(update={"studies": {**stored.studies, "traffic": asked}})
    assert not page.has(changed, LAST)
    path.unlink()
    assert not page.has(stored, LAST)


@pytest.mark.slow
def test_the_copy_stays_that_of_the_latest_day(stored: Settings) -> None:
    """A backfill of an older day does not turn report.html back."""
    page.build(stored, LAST)
    older = page.build(stored, LAST - timedelta(days=1))
    assert 'content="2026-11-21"' in older.read_text("utf-8")
    assert 'content="2026-11-22"' in (stored.data / "report.html").read_text("utf-8")


@pytest.mark.slow
def test_counts_that_change_while_the_page_is_made_are_in_it(stored: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """No marker is ever left on a page that shows older rows: it is made again."""
    drawn = []
    real = table.truth

    def truth(*arguments: Any) -> float | None:
        drawn.append(arguments)
        if len(drawn) == 1:
            with database.transaction(stored) as connection:
                connection.execute(
                    sqlalchemy.text("update daily_counts set trials = trials + 1000 where study = 'traffic' and day = :day"), {"day": LAST}
                )
        return real(*arguments)

    monkeypatch.setattr(table, "truth", truth)
    text = page.build(stored, LAST).read_text("utf-8")
    assert len(drawn) == 4
    assert re.search(r"<td class=\"number\">1,0\d\d</td>", text)
    assert page.has(stored, LAST)


# --- in a browser ------------------------------------------------------------------------------------------------------------


class Browser:
    """Headless Chromium, spoken to over a pipe (Chrome DevTools protocol), so that no package and no port is needed."""

    def __init__(self, program: str, folder: str) -> None:
        ours_out, theirs_in = os.pipe(), os.pipe()
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={folder}"]
        flags += ["--no-first-run", "--disable-background-networking", "--disable-dev-shm-usage", "about:blank"]
        command = 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", command, "bash", str(theirs_in[0]), str(ours_out[1]), program, *flags],
            pass_fds=(theirs_in[0], ours_out[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in[0])
        os.close(ours_out[1])
        self._write, self._read = os.fdopen(theirs_in[1], "wb"), os.fdopen(ours_out[0], "rb")
        self._buffer, self._number = b"", 0
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self.session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            chunk = os.read(self._read.fileno(), 1 << 16)
            assert chunk, "Chromium has gone"
            self._buffer += chunk
        text, self._buffer = self._buffer.split(b"\0", 1)
        message: dict[str, Any] = json.loads(text)
        return message

    def call(self, method: str, params: dict[str, Any] | None = None) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params or {}}
        if hasattr(self, "session"):
            message["sessionId"] = self.session
        self._write.write(json.dumps(message).encode() + b"\0")
        self._write.flush()
        while True:
            answer = self._message()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def open(self, path: Path, *, width: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True})
        self.events.clear()
        self.call("Page.navigate", {"url": path.as_uri()})
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._message())

    def evaluate(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", {"expression": expression, "returnByValue": True})["result"].get("value")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._write.close()
        self._read.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for this module; skips where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium here (apt-get install chromium)")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        running = Browser(program, folder)
        try:
            yield running
        finally:
            running.close()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("width", [380, 1200])
def test_a_browser_shows_it_without_a_complaint_or_a_request(browser: Browser, tmp_path: Path, width: int) -> None:
    """No console message, no refused style, no request but the file; nothing sticks out sideways; the pictures have a size."""
    file = tmp_path / "page.html"
    evil = a_card(study=a_study(name="evil", question=EVIL, match={"words": [EVIL]}))
    file.write_text(rendered(a_card(made_days(30, missing=[3], partial=[5]), synthetic=True), evil), encoding="utf-8")
    browser.open(file, width=width)
    asked = [event["params"]["request"]["url"] for event in browser.events if event.get("method") == "Network.requestWillBeSent"]
    assert [url for url in asked if url not in (file.as_uri(), "data:,")] == []
    spoken = [
        event
        for event in browser.events
        if event.get("method") in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
    ]
    assert spoken == []
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate("[...document.querySelectorAll('figure svg')].every(svg => svg.getBoundingClientRect().width > 250)")
    assert browser.evaluate("getComputedStyle(document.querySelector('.share')).fontWeight") == "700"


@pytest.mark.browser
@pytest.mark.slow
def test_a_browser_turns_it_dark(browser: Browser, tmp_path: Path) -> None:
    """The page and its pictures follow the reader's choice of a dark ground, and stay readable on it."""
    file = tmp_path / "page.html"
    file.write_text(rendered(a_card()), encoding="utf-8")
    browser.open(file, width=1000)
    mean = f"getComputedStyle(document.querySelector('svg [stroke=\"{PALETTE['mean']}\"]')).stroke"
    light = browser.evaluate("getComputedStyle(document.body).backgroundColor"), browser.evaluate(mean)
    browser.call("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
    dark = browser.evaluate("getComputedStyle(document.body).backgroundColor"), browser.evaluate(mean)
    browser.call("Emulation.setEmulatedMedia", {"features": []})
    assert light[0] != dark[0]
    assert light[1] != dark[1]
    assert dark[1] == "rgb(169, 211, 255)"
