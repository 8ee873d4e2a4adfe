"""Files of made-up lines of every shape and era, with odd values in any field; and bytes turned, cut and put in. For test_agreement.py."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests import posts
from tests.posts import NOON, make_tweet


def _apart(text: str) -> list[str]:
    """What stands two blanks or more apart."""
    return [one for line in text.splitlines() for one in line.strip().split("  ") if one]


#: Values, as JSON text, that no field or another one has.
ODD = _apart(
    r"""
    null  true  false  0  1  -1  -0  -0.0  7.0  20  9007199254740993  9223372036854775807  9223372036854775808  181  90.5  1.0E1  1e1
    1e999  -1e999  1e-400  0.1e-5  1.25e18  19.40000000000000000001  12345678901234567890.5  NaN  Infinity  -Infinity
    ""  " "  "0"  "12"  "012"  "12x"  "1e5"  "-5"  "9223372036854775808"  "\u0663\u0664"  "null"  "1793815200123"
    "\ud83d"  "\ude00 \ud83d"  "\ud83d\ude00"  "a\u0000b"  "\t"  "é"  "é"  "&amp;lt; <b>x</b>"  "2026-11-05"
    "Thu Nov 05 18:00:00 +0000 2026"  "Thu Nov 05 18:00:00 -0630 2026"  "Thu Nov 31 18:00:00 +0000 2026"  "Tue Mar 21 20:50:14 +0000 2006"
    "2026-11-05T18:00:00.999Z"  "2026-11-05T18:00:60Z"  "2126-11-05T18:00:00Z"
    []  [[]]  {}  {"a":1}  [1]  [1,2]  [null,null]  ["1","2"]  [-99.15,19.4]  [181.0,0]  [1,2,3,4]  [4,3,2,1]  [-99.15,19.4,3]  [1e1,-0]
    [[-99.2,19.3],[-99.1,19.4]]  [[[177,-19],[177,-16],[-178,-16],[-178,-19]]]  {"coordinates":[1.5,2.5]}  {"coordinates":null}
    {"type":"Point","coordinates":["1","2"]}  {"id":"8","full_name":"Somewhere"}  {"id":8,"name":"","country":"X"}  {"bbox":[-1,-2,1,2]}
    {"text":"whole"}  {"full_text":"whole"}  {"id_str":"8"}  {"id":8}  {"id":8.5}  ["20"]
    [{"type":"retweeted","id":"1"}]  [{"type":"quoted"},5]  {"initial_tweet_id":"20"}  {"edit_tweet_ids":["21","20"]}
    """
)
ODD += [
    "1" + "0" * 30,
    "9" * 5000,
    "-" + "8" * 4301,
    "[" * 60 + "]" * 60,
    '{"a":' * 60 + "1" + "}" * 60,
    '"\t\x01"',
    '"\ud83d"',
    f'"{12:020}"',
]
#: Fields that some shape gives a meaning, to be put where they do not stand.
FIELDS = _apart(
    """
    id  id_str  created_at  text  full_text  extended_tweet  note_tweet  note_post  user  author  author_id  coordinates  geo  place
    place_id  bounding_box  bbox  lang  source  is_quote_status  retweeted_status  quoted_status  edit_history  edit_info
    edit_history_tweet_ids  edit_history_post_ids  referenced_tweets  data  includes  places  meta  errors  statuses  results  rows
    doc  tweet  key  value  delete  limit  username  timestamp_ms  tweet_count  public_metrics  retweet_count  action  reason  title
    type  detail  name  country
    """
)
#: What stands on a line beside documents.
OTHER_LINES = _apart(
    r"""
    [  ]  {  }  ]}  ]};  },  {}  []  {"rows":[  {"total_rows":3,"offset":0,"rows":[  {"statuses": [  {"data":[  window.YTD.tweets.part0 = [
    hello  5  "text"  null  nul  {"a":  "a"}  {"a": "b  c"}  \  "  ,  {"text": "\  ud83d\ude00"}  {"id": tru  [[[[[[[[[[[1]]]]]]]]]]]
    window.YTD.tweets.part0 = [{}]
    """
)
OTHER_LINES += ["", "   ", "\t", "\ufeff{}"]

SAMPLES: dict[str, Any] = posts.shapes() | posts.notices()
SAMPLES["edit"] = posts.make_page(posts.make_post(edit_history_tweet_ids=[str(posts.snowflake()), str(posts.snowflake(sequence=9))]))
SAMPLES["v1 both texts"] = make_tweet(text="cut…", full_text="cut no more")
SAMPLES["v1 three texts"] = make_tweet(text="cut…", extended_tweet={"full_text": "cut less…"}, note_tweet={"text": "cut no more"})
# numbers that could stand the other way round
SAMPLES["v1 old point"] = make_tweet(coordinates=None, place=None, lang="", geo={"type": "Point", "coordinates": [51.5, -0.1]})
SAMPLES["v1 antimeridian"] = make_tweet(coordinates=None, geo=None, place={"id": "1", "bounding_box": posts.ring(177, -19, -178, -16)})
SAMPLES["v1 edit"] = make_tweet(sequence=9, edit_history={"edit_tweet_ids": [str(posts.snowflake(sequence=9)), str(posts.snowflake())]})
SAMPLES["v2 event"] = {"data": {"delete": {"tweet": {"id": "1", "author_id": "8"}, "event_at": "2026-11-05T18:00:00Z"}}}
SAMPLES["event"] = {"user_suspend": {"id": 8, "timestamp_ms": "1793815200123"}}
SAMPLES["two keys"] = {"delete": {"status": {"id": 1, "id_str": "1", "user_id": 7}, "timestamp_ms": "1793815200123"}, "other": 1}
SAMPLES["v2 without a time"] = posts.make_page(posts.make_post(created_at=...), posts.make_post(id="20", created_at=...))
BACKWARDS = [str(posts.snowflake(sequence=number)) for number in (9, 5, 0)]
SAMPLES["v2 edit, newest first"] = posts.make_page(posts.make_post(id=BACKWARDS[1], edit_history_tweet_ids=BACKWARDS))
ASKED = {"__twarc": {"url": "https://api.twitter.com/2/tweets/search/all?expansions=geo.place_id&query=lluvia+OR+%23agua&max_results=9"}}
SAMPLES["v2 searched page"] = posts.make_page() | ASKED
SAMPLES["v2 searched post"] = posts.make_flat(**ASKED)
SAMPLES["v1 searched page"] = {"statuses": [make_tweet()], "search_metadata": {"query": "%23lluvia+hoy"}}
SAMPLES["retweet"] = make_tweet(text="RT @a: b", retweeted_status=make_tweet(text="b"), is_quote_status=True, coordinates=None, geo=None)
SAMPLES["nowhere"] = make_tweet(coordinates=None, geo=None, place=None)
SAMPLES["old"] = make_tweet(id=20, id_str="20", created_at="Tue Mar 21 20:50:14 +0000 2006", place=None)
SAMPLES["quoted"] = make_tweet(is_quote_status=True, quoted_status=make_tweet(), coordinates=None)
SAMPLES["page of several"] = posts.make_page(*(posts.make_post(sequence=n) for n in range(3)), posts.make_post(geo={"place_id": "none"}))


def paths(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a document something stands, outermost first."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, one in inner for path in ((*before, key), *paths(one, (*before, key)))]


#: Kinds of which a file may have nothing else, as most files do: what a reader takes many at a time it must take alone, too.
FAMILIES = [sorted(SAMPLES)] * 2
FAMILIES += [[name for name in sorted(SAMPLES) if name.startswith("v1 ")] + ["retweet", "nowhere", "old", "quoted", "delete", "limit"]]
FAMILIES += [[name for name in sorted(SAMPLES) if name.startswith("v2 ")] + ["edit", "page of several", "empty_page"]]
PATHS = {name: paths(sample) for name, sample in SAMPLES.items()}


@st.composite
def documents(draw: st.DrawFn, names: list[str]) -> str:
    """A document as JSON text: of one of these shapes, spoiled in none, one or two places, with keys written twice or in escapes."""
    name = draw(st.sampled_from(names))
    value = copy.deepcopy(SAMPLES[name])
    put = []
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 1, 2, 3]))):
        odd = draw(st.integers(0, len(ODD) - 1))
        put.append(odd)
        path = draw(st.sampled_from(PATHS[name]))
        _spoil(value, path, draw(st.sampled_from(["replace", "replace", "remove", "add"])), draw(st.sampled_from(FIELDS)), f"@@{odd}@@")
    text = json.dumps(value, ensure_ascii=draw(st.booleans()), separators=draw(st.sampled_from([(",", ":"), (", ", ": ")])))
    for odd in put:
        text = text.replace(f'"@@{odd}@@"', ODD[odd])
    if text.startswith('{"') and draw(st.integers(0, 5)) == 0:
        key, odd = draw(st.sampled_from(FIELDS)), ODD[draw(st.integers(0, len(ODD) - 1))]
        if draw(st.booleans()):
            key = f"\\u{ord(key[0]):04x}{key[1:]}"
        text = f'{{"{key}":{odd},{text[1:]}' if draw(st.booleans()) else f'{text[:-1]},"{key}":{odd}}}'
    return text


def _spoil(value: Any, path: tuple[Any, ...], how: str, field: str, odd: str) -> None:
    for key in path[:-1]:
        if (
            not isinstance(value, (dict, list))
            or (isinstance(value, dict) and key not in value)
            or (isinstance(value, list) and key >= len(value))
        ):
            return
        value = value[key]
    if not isinstance(value, (dict, list)) or (isinstance(value, list) and path[-1] >= len(value)):
        return
    if how == "remove":
        value.pop(path[-1], None) if isinstance(value, dict) else value.pop(path[-1])
    elif how == "add" and isinstance(value, dict):
        value[field] = odd
    else:
        value[path[-1]] = odd


@st.composite
def some_lines(draw: st.DrawFn, names: list[str]) -> list[str]:
    """One document, on a line of its own, or cut in two, or indented, or a row; or a line that is none."""
    kind = draw(st.sampled_from(["line"] * 30 + ["cut", "cut", "lost end", "row", "indented", "list"] + ["other"] * 5))
    if kind == "other":
        return [draw(st.sampled_from(OTHER_LINES))]
    text = draw(documents(names))
    if kind in ("cut", "lost end"):
        place = draw(st.integers(1, 2000)) % len(text)
        return [text[:place]] if kind == "lost end" else [text[:place], text[place:]]
    if kind == "indented":
        try:
            return json.dumps(json.loads(text), indent=draw(st.sampled_from([1, "\t"]))).split("\n")
        except ValueError:
            return [text]
    return [{"line": text, "row": text + ",", "list": f"[{text}, {text}]"}[kind]]


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A file of a few dozen lines."""
    names = draw(st.sampled_from(FAMILIES))
    lines = [line for some in draw(st.lists(some_lines(names), min_size=28, max_size=36)) for line in some]
    end = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    head = draw(st.sampled_from(["", "", "", "\ufeff"]))
    tail = draw(st.sampled_from([end, ""]))
    return (head + end.join(lines) + tail).encode("utf-8", "surrogatepass")


def plain_lines(count: int) -> list[bytes]:
    """Made-up lines for `turned`, one post or notice each."""
    samples = [*SAMPLES.values()]
    made = [samples[n % len(samples)] if n % 3 else make_tweet(at=NOON, sequence=n, text=f"número {n} 😀") for n in range(count)]
    return [json.dumps(one, ensure_ascii=n % 2 == 0).encode() for n, one in enumerate(made)]


Turn = Callable[[random.Random, bytes], bytes]


def _put(chance: random.Random, line: bytes, *what: bytes) -> bytes:
    """Put one of these in somewhere."""
    place = chance.randrange(len(line) + 1)
    return line[:place] + chance.choice(what) + line[place:]


def _instead(chance: random.Random, line: bytes, length: int, make: Callable[[bytes], bytes]) -> bytes:
    """Put something else in the place of a few bytes somewhere."""
    place = chance.randrange(len(line))
    return line[:place] + make(line[place : place + length]) + line[place + length :]


def _value(chance: random.Random, line: bytes, *what: bytes) -> bytes:
    """Put one of these in the place of a whole value."""
    text = line.decode("utf-8", "surrogateescape")
    begins = [place + 1 for place, sign in enumerate(text) if sign == ":"]
    if not begins:
        return line
    place = chance.choice(begins)
    try:
        _, end = json.JSONDecoder(strict=False).raw_decode(text, place + len(text[place:]) - len(text[place:].lstrip()))
    except ValueError:
        return line
    return b"".join([text[:place].encode("utf-8", "surrogateescape"), chance.choice(what), text[end:].encode("utf-8", "surrogateescape")])


def _nested(opening: bytes, inside: bytes, closing: bytes) -> list[bytes]:
    return [opening * depth + inside + closing * depth for depth in (100, 900, 100_000)]


def _random_bytes(chance: random.Random, most: int) -> bytes:
    return bytes(chance.randrange(256) for _ in range(chance.randrange(1, most + 1)))


#: What may happen to the bytes of a line.
TURNS: dict[str, Turn] = {
    "cut": lambda chance, line: line[: chance.randrange(len(line))],
    "beheaded": lambda chance, line: line[chance.randrange(len(line)) :],
    "split": lambda chance, line: _put(chance, line, b"\n", b"\r\n"),
    "split thrice": lambda chance, line: _put(chance, _put(chance, _put(chance, line, b"\n"), b"\n"), b"\n\n"),
    "joined": lambda chance, line: line + line,
    "bit": lambda chance, line: _instead(chance, line, 1, lambda byte: bytes([byte[0] ^ 1 << chance.randrange(8)])),
    "byte": lambda chance, line: _instead(chance, line, 1, lambda _: _random_bytes(chance, 1)),
    "put in": lambda chance, line: _put(chance, line, _random_bytes(chance, 4)),
    "left out": lambda chance, line: _instead(chance, line, chance.randrange(1, 20), lambda _: b""),
    "reversed": lambda chance, line: _instead(chance, line, 20, lambda some: some[::-1]),
    "sign": lambda chance, line: _put(chance, line, b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b" "),
    "mark": lambda chance, line: chance.choice([b"\xef\xbb\xbf", b"\x1e", b"\xff\xfe"]) + line,
    "ends": lambda chance, line: line + chance.choice([b"\r", b"\r\r", b",", b";", b" ", b"\x00", b"\x0c"]),
    "NUL": lambda chance, line: _put(chance, line, b"\x00", b"\\u0000"),
    "surrogate": lambda chance, line: _put(chance, line, b"\\ud83d", b"\\ude00", b"\xed\xa0\xbd", b"\xed\xa0\xbd\xed\xb8\x80"),
    "UTF-8": lambda chance, line: _put(chance, line, b"\xff", b"\xc3", b"\xf0\x9f\x98", b"\xc0\x80", b"\xf4\x90\x80\x80"),
    "deep": lambda chance, line: _value(chance, line, *_nested(b"[", b"", b"]")),
    "deep objects": lambda chance, line: _value(chance, line, *_nested(b'{"a":', b"1", b"}")),
    "huge": lambda chance, line: _value(chance, line, b"9" * 5000, b"-" + b"9" * 5000, b"1e999", b"1" + b"0" * 400, b"0." + b"3" * 5000),
    "odd": lambda chance, line: _value(chance, line, *(odd.encode("utf-8", "surrogatepass") for odd in ODD)),
    "key": lambda chance, line: f'{{"{chance.choice(FIELDS)}":{chance.choice(ODD)},'.encode("utf-8", "surrogatepass") + line[1:],
}


def turned(lines: list[bytes], count: int, seed: int, per_file: int = 5) -> list[tuple[bytes, list[str]]]:
    """(a file of whole lines and some with their bytes turned, what was done to them): `count` of these over all files."""
    chance = random.Random(seed)
    names = sorted(TURNS)
    made = []
    for first in range(0, count, per_file):
        done = [names[n % len(names)] for n in range(first, min(first + per_file, count))]
        content = []
        for name in done:
            content.append(chance.choice(lines))
            content.append(TURNS[name](chance, chance.choice(lines)))
        end = chance.choice([b"\n", b"\n", b"\r\n"])
        made.append((end.join(content) + chance.choice([end, b""]), done))
    return made
