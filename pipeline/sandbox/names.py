"""The two sets of names of API v2: on 2026-08-07 the official description renamed tweets to posts (facts/x-api.md)."""

from __future__ import annotations

from typing import Any, Final

#: Old name → new name: parameters, fields and expansions.
NEW: Final = {
    "tweet.fields": "post.fields",
    "tweets": "posts",
    "referenced_tweets": "referenced_posts",
    "referenced_tweets.id": "referenced_posts.id",
    "referenced_tweets.id.author_id": "referenced_posts.id.author_id",
    "edit_history_tweet_ids": "edit_history_post_ids",
    "note_tweet": "note_post",
    "retweet_count": "repost_count",
    "tweet_count": "post_count",
    "total_tweet_count": "total_post_count",
}
OLD: Final = {new: old for old, new in NEW.items()}


def renamed(document: Any) -> Any:
    """A document whose keys carry the new names; values stay."""
    if isinstance(document, dict):
        return {NEW.get(key, key): renamed(value) for key, value in document.items()}
    if isinstance(document, list):
        return [renamed(value) for value in document]
    return document
