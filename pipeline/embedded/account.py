"""Under which account the server runs, and what that account can reach. PostgreSQL refuses to run as root."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import SettingsError

#: Accounts that exist already and may do nothing else: PostgreSQL's own, else the one that owns nothing.
UNPRIVILEGED = ("postgres", "nobody")

#: What a server, initdb or psql of ours sees of the environment: no PG* variable and no locale of the user's may change it.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "LANG": "C"}


@dataclass(frozen=True)
class Account:
    """The user that owns the cluster's files and runs its processes; `switch` when we are root and it is not us."""

    name: str
    uid: int
    gid: int
    switch: bool

    def run_as(self, environment: dict[str, str] | None = None) -> dict[str, Any]:
        """Keyword arguments that make subprocess start a program as this account, wherever we stand ourselves."""
        arguments: dict[str, Any] = {"cwd": "/", "env": {**ENVIRONMENT, **(environment or {})}, "stdin": subprocess.DEVNULL}
        if self.switch:
            arguments |= {"user": self.uid, "group": self.gid, "extra_groups": os.getgrouplist(self.name, self.gid), "umask": 0o077}
        return arguments

    def can_enter(self, folder: Path) -> bool:
        """Whether the account can reach `folder`: asked of the kernel, as that account, since rights are more than mode bits."""
        if not self.switch:
            return os.access(folder, os.X_OK)
        # test(1), not Python: our own interpreter may itself lie where the account cannot go.
        return subprocess.run(["/bin/sh", "-c", 'test -x "$1"', "sh", str(folder)], **self.run_as()).returncode == 0

    def can_run(self, program: Path) -> bool:
        """Whether the account can start `program` (asked by `--version`: libraries and mount options count too)."""
        try:
            done = subprocess.run([str(program), "--version"], capture_output=True, **self.run_as())
        except OSError:
            return False
        return done.returncode == 0

    def give(self, folder: Path) -> None:
        """Make `folder`, just made by us, this account's own. Only ever called on what is the server's alone."""
        if not self.switch:
            return
        try:
            os.chown(folder, self.uid, self.gid)
        except OSError as error:
            raise SettingsError(
                f"{folder} cannot be given to the user {self.name}, as whom PostgreSQL would run ({error.strerror})",
                todo="run geobeta as an ordinary user, or set DATABASE_URL to a server",
            ) from error


def account(data: Path) -> Account:
    """Who runs the server whose files are, or will be, in `data`.

    An ordinary user: that user. Root: the owner of the files that are there, so root and an ordinary user can share one cluster;
    for a new one `postgres`, else `nobody`.

    Raises:
        SettingsError: our user id has no passwd entry; or root finds no account to use; or the files are somebody else's.
    """
    us = os.geteuid()
    owner = data.stat().st_uid if data.exists() else None
    if us != 0:
        if owner not in (None, us):
            raise SettingsError(
                f"{data} belongs to {_name(owner)}, and this is {_name(us)}: PostgreSQL runs only as the owner of its files",
                todo="run as that user, or set GEOBETA_DATA to a folder of your own, or DATABASE_URL to a server",
            )
        return _entry(us, switch=False)
    if owner:
        return _entry(owner, switch=True)
    for name in UNPRIVILEGED:
        try:
            return _entry(pwd.getpwnam(name).pw_uid, switch=True)
        except KeyError:
            continue
    raise SettingsError(
        f"PostgreSQL does not run as root, and none of the users {', '.join(UNPRIVILEGED)} exists here",
        todo="run geobeta as an ordinary user, or set DATABASE_URL to a server",
    )


def _entry(uid: int, *, switch: bool) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError as error:
        raise SettingsError(
            f"the user id {uid} has no entry in /etc/passwd, and PostgreSQL's initdb needs one",
            todo="run as a user that has one (in a container: useradd, or --user of an existing one), or set DATABASE_URL to a server",
        ) from error
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, switch)


def _name(uid: int | None) -> str:
    try:
        return pwd.getpwuid(uid or 0).pw_name
    except KeyError:
        return f"user id {uid}"
