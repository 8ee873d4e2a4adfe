"""When it is done: thin Luigi tasks (require, target, one call). `--module tasks` finds them all here."""

from tasks.clean import CleanTweets
from tasks.count import CountMatches
from tasks.extract import ArchivedDay, ExtractTweets
from tasks.load import LoadCounts, LoadTweets
from tasks.nightly import Nightly
from tasks.posterior import UpdatePosterior
from tasks.report import BuildReport

__all__ = [
    "ArchivedDay",
    "BuildReport",
    "CleanTweets",
    "CountMatches",
    "ExtractTweets",
    "LoadCounts",
    "LoadTweets",
    "Nightly",
    "UpdatePosterior",
]
