"""Where one embedded cluster lies: its files, its socket, its lock; and how its files come into being.

`<GEOBETA_DATA>/postgres/` holds `data/` (the cluster), `server.log` and `lock`. Only where geobeta runs as root and the account that
runs PostgreSQL cannot reach that folder (a clone under /root), `data/` lies in `/var/lib/geobeta/<digest of the folder>/` instead, and
the file `location` says so. The socket lies in a folder of its own in /tmp whose name follows from the cluster's path, so the URL stays
the same over restarts and whatever GEOBETA_DATA's length (a socket's path has room for 107 bytes).
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pipeline import faults
from pipeline.embedded import binaries as programs
from pipeline.embedded.account import Account, account
from pipeline.embedded.binaries import Binaries
from pipeline.errors import SettingsError
from pipeline.progress import Progress
from pipeline.settings import Settings
from pipeline.storage import digest, fsync_directory, write_bytes

#: The role and the database that geobeta uses in its own cluster.
ROLE = DATABASE = "geobeta"
PORT = 5432  # part of the socket's name only: nothing listens on TCP

#: Not TMPDIR, which may differ between a shell and cron and may be long. The first that is writable holds the socket.
SOCKET_PARENTS = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))


@dataclass(frozen=True)
class Cluster:
    """One cluster's places. Nothing here needs to exist yet."""

    home: Path
    data: Path
    sockets: Path
    account: Account
    durable: bool

    @property
    def lock(self) -> Path:
        """The mutex round initdb, start and stop."""
        return self.home / "lock"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.home / "server.log"

    @property
    def url(self) -> str:
        """A libpq URL of geobeta's database, the same over restarts."""
        return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(self.sockets), safe='')}"


def locate(settings: Settings) -> Cluster:
    """Find the places of the cluster of these settings; makes nothing but the folder `postgres` in GEOBETA_DATA.

    Raises:
        SettingsError: nobody can run a server here; see pipeline.embedded.account.account.
    """
    home = (settings.data / "postgres").resolve()
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{home} cannot be made ({error.strerror})", todo="set GEOBETA_DATA to a folder that you may write") from error
    location = home / "location"
    if settings.database.data_directory is not None:
        data = settings.database.data_directory.resolve()
    elif location.exists():
        data = Path(location.read_text(encoding="utf-8").strip())
    else:
        data = home / "data"
    who = account(data)
    if not who.can_enter(data.parent):
        if data.exists() or settings.database.data_directory is not None:
            raise SettingsError(
                f"{data.parent} cannot be entered by the user {who.name}, as whom PostgreSQL runs",
                todo="let that user pass through the folders above it (chmod o+x), or set another GEOBETA_DATA",
            )
        data = programs.SHARED / digest(str(home)) / "data"
        programs.make_shared(data.parent)
        write_bytes(location, f"{data}\n".encode())
    return Cluster(home, data, _sockets(data, who), who, settings.database.fsync)


def _sockets(data: Path, who: Account) -> Path:
    parent = next((folder for folder in SOCKET_PARENTS if os.access(folder, os.W_OK | os.X_OK)), None)
    if parent is None:
        raise SettingsError(
            f"none of {', '.join(map(str, SOCKET_PARENTS))} can be written: no place for PostgreSQL's socket",
            todo="make /tmp writable, or set DATABASE_URL to a server",
        )
    return parent / f"geobeta-{who.uid}-{digest(str(data))}"


def make_sockets(cluster: Cluster) -> None:
    """Make the socket's folder: 0700 and the account's own, since whoever can enter it can enter the database.

    Raises:
        SettingsError: something that is not ours has that name (/tmp is everybody's).
    """
    try:
        cluster.sockets.mkdir(mode=0o700)
        cluster.account.give(cluster.sockets)
    except FileExistsError:
        pass
    if not sockets_are_ours(cluster):
        raise SettingsError(
            f"{cluster.sockets} is there and is not a folder of mode 0700 that belongs to {cluster.account.name}",
            todo="see what it is and remove it: geobeta puts its database socket there",
        )


def sockets_are_ours(cluster: Cluster) -> bool:
    """Whether the socket's folder is there and only the server's account (and root) can have put anything into it."""
    try:
        found = cluster.sockets.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == cluster.account.uid and stat.S_IMODE(found.st_mode) == 0o700


def initialise(cluster: Cluster, binaries: Binaries, progress: Progress) -> None:
    """Make the cluster's files if they are not there: in a temporary folder, then one rename. Call it under the lock.

    A kill at any moment leaves a `.initdb-` folder, which the next call sweeps out, and never half a cluster.

    Raises:
        SettingsError: the files are another major version's, or initdb failed (with its own words).
    """
    for leftover in cluster.data.parent.glob(".initdb-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    if cluster.data.exists():
        label = cluster.data / "PG_VERSION"
        version = label.read_text(encoding="ascii").strip() if label.exists() else "(none)"
        if version != str(binaries.major):
            raise SettingsError(
                f"{cluster.data} holds files of PostgreSQL {version}, and the programs in {binaries.folder} are of {binaries.major}",
                todo="set [database] binaries to that version's, save what you need with its pg_dump, then move the folder away",
            )
        return
    progress(None, "making the embedded PostgreSQL's files (once)")
    cluster.data.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".initdb-", dir=cluster.data.parent))
    cluster.account.give(temporary)
    done = subprocess.run(
        [
            str(binaries.program("initdb")),
            *("-D", str(temporary), "-U", ROLE, "--auth=trust", "--encoding=UTF8"),
            # builtin: the same order of text on every machine and after every upgrade of its C library (since PostgreSQL 17)
            *(["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if binaries.major >= 17 else ["--locale=C.UTF-8"]),
            *([] if cluster.durable else ["--no-sync"]),
        ],
        capture_output=True,
        text=True,
        errors="replace",
        **cluster.account.run_as(),
    )
    if done.returncode != 0:
        shutil.rmtree(temporary, ignore_errors=True)
        raise SettingsError(
            f"initdb failed in {cluster.data.parent}: {(done.stderr or done.stdout).strip()[-600:]}",
            todo="mend what it says (disk full? rights?), or set DATABASE_URL to a server",
        )
    faults.point("embedded.before_rename")
    temporary.rename(cluster.data)
    fsync_directory(cluster.data.parent)
