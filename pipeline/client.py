"""The X client as the settings want it: the real API with its token, or the sandbox, started for it. One place, for all that ask X."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pipeline import errors, storage
from pipeline.errors import PaymentRequired, PipelineError, Unauthorized, UsageCapExceeded
from pipeline.progress import Progress, silent
from pipeline.sandbox import lifecycle
from pipeline.settings import Settings
from pipeline.sources import x_api, x_endpoints

#: What the sandbox accepts where there is no token.
SANDBOX_TOKEN: Final = "sandbox"

#: What the whole account is refused for: whatever else is asked in the same night would be refused as well.
FINAL: Final = (UsageCapExceeded, PaymentRequired, Unauthorized)

#: A night lasts no longer than this.
FORGOTTEN_SECONDS: Final = 7 * 86400


def build(
    settings: Settings,
    *,
    night: str | None = None,
    on_request: Callable[[], None] = lambda: None,
    account: x_endpoints.Account | None = None,
    progress: Progress = silent,
) -> x_api.Client:
    """A client that is ready to ask; starts the sandbox where that answers.

    Args:
        night: the night's id: what X refuses the account for is remembered under it, and nothing more is asked in it.
    """
    base_url = settings.base_url
    if settings.synthetic and base_url is None:
        base_url = lifecycle.ensure_running(settings)
    x = settings.x
    return x_api.Client(
        token=settings.bearer_token.get_secret_value() if settings.bearer_token else SANDBOX_TOKEN,
        base_url=base_url,
        timeout_seconds=x.timeout_seconds,
        answer_seconds=x.answer_seconds,
        attempts=x.attempts,
        longest_wait_seconds=x.longest_wait_seconds,
        pace=None if settings.synthetic else settings.data / "locks" / "search-all.pace",
        on_request=on_request,
        account=account,
        gate=None if night is None else Gate(settings.data / "locks", night),
        progress=progress,
    )


class Gate:
    """Shut for the rest of the night once X has refused the whole account; all processes of the night see it. The next night tries once."""

    def __init__(self, folder: Path, night: str) -> None:
        self.path = folder / f"refused-{night}.json"

    def check(self) -> None:
        """Raise what was raised when it was shut; nothing while it is open."""
        if not self.path.exists():
            return
        told = json.loads(self.path.read_bytes())
        kind = getattr(errors, told["kind"])
        raise kind(f"not asked, for earlier this night {told['what']}", todo=told["todo"])

    def note(self, error: PipelineError) -> None:
        """Shut it where the error is one of FINAL."""
        if not isinstance(error, FINAL):
            return
        # of nights that are long over: another one that runs just now still has to read its own
        for path in self.path.parent.glob("refused-*.json"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > FORGOTTEN_SECONDS:
                    path.unlink()
        kind = next(kind for kind in FINAL if isinstance(error, kind))
        storage.write_json(self.path, {"kind": kind.__name__, "what": error.what, "todo": error.todo})
