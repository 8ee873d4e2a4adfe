"""The error tree. An error's type says whether trying again can help, or whether a person is needed.

PipelineError
├── TransientError              trying again later can help
│   ├── SourceUnavailable       the source is down, slow, or cut its answer short
│   ├── RateLimited             the source says when to come back (retry_after)
│   ├── BudgetReached           the limit that the settings set is used up until the next UTC day or month
│   ├── DatabaseUnavailable     the database did not answer in time
│   └── AlreadyRunning          another process is making the same partition
└── PermanentError              a person has to change something first
    ├── SettingsError           config/ or the environment is wrong
    ├── DayNotOver              the local day (and the 90 minutes after it) has not ended yet
    ├── MissingData             no source holds that day, or an earlier stage's output is gone
    ├── SourceRefused           the source understood the request and said no
    │   ├── BadRequest          HTTP 400: the query itself was refused
    │   ├── Unauthorized        HTTP 401: the token is wrong or gone
    │   ├── PaymentRequired     HTTP 402: no credits
    │   ├── Forbidden           HTTP 403: the access level does not allow it
    │   │   ├── OperatorRefused ... an operator of the query (400 or 403)
    │   │   └── ArchiveRefused  ... the full archive, so days older than the recent window
    │   └── UsageCapExceeded    HTTP 429 without a reset: the monthly cap
    ├── UnexpectedAnswer        the source answered in a shape nobody has described
    ├── SuspiciousExtract       an empty or shrunken extract would replace rows that are there
    ├── ArchiveError            a file given to import cannot be read at all
    ├── InvalidCounts           counts that no set of tweets can give (k > n, negative, not finite)
    └── LoadMismatch            the database holds other rows than were sent
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

#: What the system says of a place that cannot be written to.
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


class PipelineError(Exception):
    """Base of every error that the pipeline raises on purpose.

    Args:
        what: what was got and what was wanted, in one line.
        todo: what to do about it, in one line; shown after the message.
    """

    def __init__(self, what: str, *, todo: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.todo = todo

    def __str__(self) -> str:
        return f"{self.what}\n  what to do: {self.todo}" if self.todo else self.what

    def __reduce__(self) -> tuple[object, ...]:
        # Luigi sends exceptions between processes; the default reduce would lose keyword arguments.
        return (_restore, (type(self), self.args, self.__dict__))


def _restore(kind: type[PipelineError], args: tuple[object, ...], state: dict[str, object]) -> PipelineError:
    error = kind.__new__(kind)
    Exception.__init__(error, *args)
    error.__dict__.update(state)
    return error


class TransientError(PipelineError):
    """Trying again can help. `retry_after` is in seconds, None where nobody knows."""

    def __init__(self, what: str, *, todo: str = "", retry_after: float | None = None) -> None:
        super().__init__(what, todo=todo)
        self.retry_after = retry_after


class SourceUnavailable(TransientError):
    """The source is down, slow, or cut its answer short."""


class RateLimited(TransientError):
    """The source asked to come back later: `retry_after` seconds."""


class BudgetReached(TransientError):
    """The next request could pass [x] max_posts_per_day or max_usd_per_month; `retry_after` is until the next UTC day or month."""


class DatabaseUnavailable(TransientError):
    """The database did not answer in time."""


class AlreadyRunning(TransientError):
    """Another process is making the same partition, and did not finish while we waited."""


class PermanentError(PipelineError):
    """Trying again changes nothing; a person has to."""


class SettingsError(PermanentError):
    """config/ or the environment is wrong: names the file, the key, what was got and what is wanted."""


class DayNotOver(PermanentError):
    """The local day, and the 90 minutes in which tweets may still be edited, have not passed."""


class MissingData(PermanentError):
    """No source holds that day, or the output of an earlier stage is gone."""


class SourceRefused(PermanentError):
    """The source understood the request and said no."""


class BadRequest(SourceRefused):
    """HTTP 400: the query was refused; the message is the source's own."""


class Unauthorized(SourceRefused):
    """HTTP 401: the token is wrong, expired or missing."""


class PaymentRequired(SourceRefused):
    """HTTP 402: the account has no credits left."""


class Forbidden(SourceRefused):
    """HTTP 403: the access level does not allow this endpoint or operator."""


class OperatorRefused(Forbidden):
    """The access level lacks an operator of the query, such as point_radius."""


class ArchiveRefused(Forbidden):
    """The access level lacks search/all, so a day that is older than the recent window cannot be asked for."""


class UsageCapExceeded(SourceRefused):
    """HTTP 429 with the title UsageCapExceeded: the monthly cap is used up."""


class UnexpectedAnswer(PermanentError):
    """The source answered in a shape that nobody has described."""


class SuspiciousExtract(PermanentError):
    """An empty or much smaller extract would replace rows that are there."""


class ArchiveError(PermanentError):
    """A file given to import cannot be read at all."""


class InvalidCounts(PermanentError, ValueError):
    """Counts that no set of tweets can give: k > n, negative, or not finite."""


class LoadMismatch(PermanentError):
    """The database holds other rows than were sent to it."""


def expired(what: str) -> MissingData:
    """The error where tweets are asked for that are no longer kept."""
    return MissingData(
        f"the tweets of {what} were removed after retention_days ([content] in settings.toml)",
        todo="what was counted of them stays as it is; a new rule, box or policy cannot reach back so far",
    )


@contextlib.contextmanager
def named_disk_errors() -> Iterator[None]:
    """Turn the system's word on a full disk, or on one that may not be written to, into a PermanentError."""
    try:
        yield
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        where = f"{error.filename}: " if error.filename else ""
        raise PermanentError(
            f"the disk said: {where}{error.strerror or error}",
            todo="make room, or see who may write in GEOBETA_DATA (default var/); then run again: what was done stays done",
        ) from error
