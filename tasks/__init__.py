"""When it is done: thin Luigi tasks (require, target, one call). `--module tasks` finds them all here."""

import warnings

# Luigi warns of settings that it reads all the same (rpc-retry-*), and of its own RangeDaily's parameters.
warnings.filterwarnings("ignore", message=r".*not consumed by the task")
warnings.filterwarnings("ignore", message=r'Parameter "param_name" with value "None"')

from tasks.archive import ImportArchive, ImportArchives, ImportBundle
from tasks.clean import CleanTweets
from tasks.count import CountMatches
from tasks.digest import SendDigest
from tasks.extract import ArchivedDay, ExtractTweets
from tasks.extract_counts import ExtractCounts
from tasks.load import LoadCounts, LoadTweets, LoadTweetsRange
from tasks.nightly import Nightly
from tasks.posterior import UpdatePosterior
from tasks.report import BuildReport

__all__ = [
    "ArchivedDay",
    "BuildReport",
    "CleanTweets",
    "CountMatches",
    "ExtractCounts",
    "ExtractTweets",
    "ImportArchive",
    "ImportArchives",
    "ImportBundle",
    "LoadCounts",
    "LoadTweets",
    "LoadTweetsRange",
    "Nightly",
    "SendDigest",
    "UpdatePosterior",
]
