"""Posts as text, by substitution: v1.1 as the stream wrote it (keys in its order, `\\/`, ASCII escapes), and v2.

The keys, their order and lengths are those of real files of 2013 to 2021; no value is. A template takes its parts by name.
"""

from __future__ import annotations

from typing import Any, Final

_IMAGES: Final = r"http:\/\/pbs.twimg.com"
_SECURE: Final = r"https:\/\/pbs.twimg.com"
_MIX: Final = 0x9E3779B97F4A7C15
_OTHER_MIX: Final = 0xBF58476D1CE4E5B9
SOURCES: Final = (
    r"\u003ca href=\"http:\/\/twitter.com\/download\/iphone\" rel=\"nofollow\"\u003eTwitter for iPhone\u003c\/a\u003e",
    r"\u003ca href=\"http:\/\/twitter.com\/download\/android\" rel=\"nofollow\"\u003eTwitter for Android\u003c\/a\u003e",
    r"\u003ca href=\"http:\/\/instagram.com\" rel=\"nofollow\"\u003eInstagram\u003c\/a\u003e",
    r"\u003ca href=\"http:\/\/twitter.com\" rel=\"nofollow\"\u003eTwitter Web Client\u003c\/a\u003e",
    r"\u003ca href=\"https:\/\/about.twitter.com\/products\/tweetdeck\" rel=\"nofollow\"\u003eTweetDeck\u003c\/a\u003e",
    r"\u003ca href=\"http:\/\/foursquare.com\" rel=\"nofollow\"\u003eFoursquare\u003c\/a\u003e",
)
CLIENTS: Final = ("Twitter for iPhone", "Twitter for Android", "Instagram", "Twitter Web App", "TweetDeck", "Foursquare")

_USER: Final = (
    r'{"id":%(id)d,"id_str":"%(id)d","name":"%(name)s","screen_name":"u%(hex).10s","location":%(where)s,"url":%(url)s,'
    r'"description":%(about)s,"translator_type":"none","protected":false,"verified":false,"followers_count":%(a)d,"friends_count":%(b)d,'
    r'"listed_count":%(c)d,"favourites_count":%(d)d,"statuses_count":%(e)d,"created_at":"%(joined)s","utc_offset":null,"time_zone":null,'
    r'"geo_enabled":true,"lang":"%(lang)s","contributors_enabled":false,"is_translator":false,"profile_background_color":"%(colour)s",'
    r'"profile_background_image_url":"http:\/\/%(ground)s","profile_background_image_url_https":"https:\/\/%(ground)s",'
    r'"profile_background_tile":false,"profile_link_color":"%(colour)s","profile_sidebar_border_color":"C0DEED",'
    r'"profile_sidebar_fill_color":"DDEEF6","profile_text_color":"333333","profile_use_background_image":true,'
    rf'"profile_image_url":"{_IMAGES}\/profile_images\/%(image)s_normal.jpg",'
    rf'"profile_image_url_https":"{_SECURE}\/profile_images\/%(image)s_normal.jpg",'
    rf'"profile_banner_url":"{_SECURE}\/profile_banners\/%(id)d\/%(banner)d","default_profile":true,"default_profile_image":false,'
    r'"following":null,"follow_request_sent":null,"notifications":null}'
)
_TWEET: Final = (
    r'{"created_at":"%(at)s","id":%(id)d,"id_str":"%(id)d","text":"%(text)s",%(range)s"source":"%(source)s","truncated":%(cut)s,'
    r'"in_reply_to_status_id":%(reply)s,"in_reply_to_status_id_str":%(reply_str)s,"in_reply_to_user_id":%(replied)s,'
    r'"in_reply_to_user_id_str":%(replied_str)s,"in_reply_to_screen_name":%(replied_name)s,"user":%(user)s,"geo":%(geo)s,'
    r'"coordinates":%(point)s,"place":%(place)s,"contributors":null,%(nested)s"is_quote_status":false,%(extended)s"quote_count":0,'
    r'"reply_count":%(replies)d,"retweet_count":%(retweets)d,"favorite_count":%(likes)d,"entities":%(entities)s,%(shown)s"favorited":false,'
    r'"retweeted":false,%(sensitive)s"filter_level":"low","lang":"%(lang)s"%(stamp)s}'
)
_DELETE: Final = (
    r'{"delete":{"status":{"id":%(id)d,"id_str":"%(id)d","user_id":%(author)d,"user_id_str":"%(author)d"},"timestamp_ms":"%(ms)d"}}'
)
_POST: Final = (
    r'{"author_id":"%(author)d","conversation_id":"%(id)d","created_at":"%(iso)s",%(entities)s%(geo)s"id":"%(id)d","lang":"%(lang)s",'
    r'"possibly_sensitive":false,"public_metrics":{"retweet_count":%(retweets)d,"reply_count":%(replies)d,"like_count":%(likes)d,'
    r'"quote_count":0},%(refers)s"reply_settings":"everyone","source":"%(source)s","text":"%(text)s"}'
)
_MEDIA: Final = (
    r'{"id":%(id)d,"id_str":"%(id)d","indices":[90,113],"media_url":"http:\/\/pbs.twimg.com\/media\/%(name)s.jpg",'
    r'"media_url_https":"https:\/\/pbs.twimg.com\/media\/%(name)s.jpg","url":"https:\/\/t.co\/%(link)s",'
    r'"display_url":"pic.twitter.com\/%(link)s","expanded_url":"https:\/\/twitter.com\/u%(name)s\/status\/%(id)d\/photo\/1","type":"photo",'
    r'"sizes":{"small":{"w":680,"h":510,"resize":"fit"},"thumb":{"w":150,"h":150,"resize":"crop"},'
    r'"large":{"w":%(wide)d,"h":1536,"resize":"fit"},"medium":{"w":1200,"h":900,"resize":"fit"}}}'
)
_V2_USER: Final = (
    r'{"created_at":"%(joined)s","description":%(about)s,"id":"%(id)d","location":%(where)s,"name":"%(name)s",'
    r'"pinned_tweet_id":"%(pinned)d","profile_image_url":"https://pbs.twimg.com/profile_images/%(image)s_normal.jpg",'
    r'"protected":false,"public_metrics":{"followers_count":%(a)d,"following_count":%(b)d,"tweet_count":%(e)d,"listed_count":%(c)d},'
    r'"url":"","username":"u%(hex).10s","verified":false}'
)


def user(author: int, names: list[str], template: str = _USER) -> str:
    """The same author is the same user, whenever asked for; every fourth says nothing about himself."""
    mixed = author * _MIX % 2**64
    named = [names[(mixed >> shift) % len(names)] for shift in (3, 11, 17, 23, 29, 31, 37, 41, 43, 45, 47)]
    hexed, other = f"{mixed:016x}", f"{(mixed ^ mixed >> 29) * _OTHER_MIX % 2**64:016x}"
    quarter = mixed % 4
    return template % {
        "id": author,
        "name": f"{named[0].capitalize()} {named[5]} {other[:3]}",
        "hex": hexed,
        "where": f'"{named[1].capitalize()}, {named[2]}"' if quarter else "null",
        "url": rf'"https:\/\/t.co\/{hexed[:10]}"' if quarter == 1 else "null",
        "about": f'"{" ".join(named[3 : 3 + 2 * quarter + 2])} | {other[3:11]}"' if quarter else "null",
        "a": mixed % 4001,
        "b": (mixed >> 5) % 1507,
        "c": mixed % 23,
        "d": (mixed >> 7) % 9001,
        "e": (mixed >> 3) % 60013,
        "joined": f"Tue Apr {mixed % 28 + 1:02d} 14:{mixed % 60:02d}:54 +0000 {2008 + mixed % 11}"
        if template is _USER
        else f"{2008 + mixed % 13}-04-{mixed % 28 + 1:02d}T14:{mixed % 60:02d}:54.000Z",
        "lang": ("es", "en", "es", "pt")[quarter],
        "colour": ("1DA1F2", "C0DEED", "F5F8FA", hexed[:6].upper())[quarter],
        "image": rf"{mixed >> 1}\/{other[:12]}" if template is _USER else f"{mixed >> 1}/{other[:12]}",
        "ground": rf"pbs.twimg.com\/profile_background_images\/{int(other, 16) >> 6}\/{other}.jpeg"
        if quarter > 1
        else r"abs.twimg.com\/images\/themes\/theme1\/bg.png",
        "banner": 1_400_000_000 + mixed % 150_000_000,
        "pinned": mixed >> 1,
    }


def user2(author: int, names: list[str]) -> str:
    """The author as v2's includes.users has him."""
    return user(author, names, _V2_USER)


def tweet(parts: dict[str, Any]) -> str:
    """A v1.1 tweet of the parts that `_TWEET` names; what is not given is null or absent."""
    return _TWEET % {**_NOTHING, **parts}


def photo(identity: int, name: str, link: str) -> str:
    """A photo of a v1.1 tweet."""
    return _MEDIA % {"id": identity, "name": name, "link": link, "wide": 1024 + identity % 1025}


def delete(identity: int, author: int, milliseconds: int) -> str:
    """A delete notice."""
    return _DELETE % {"id": identity, "author": author, "ms": milliseconds}


def post(parts: dict[str, Any]) -> str:
    """A v2 post."""
    return _POST % parts


_NULL: Final = ("reply", "reply_str", "replied", "replied_str", "replied_name", "geo", "point", "place")
_ABSENT: Final = ("range", "nested", "extended", "sensitive", "shown", "stamp")
_NOTHING: Final = dict.fromkeys(_NULL, "null") | dict.fromkeys(_ABSENT, "") | {"cut": "false", "replies": 0, "retweets": 0, "likes": 0}
