"""A whole night with marked secrets, everything logged that can be: they are in no log, file, table or page, nor with luigid."""

from __future__ import annotations

from pathlib import Path

import psycopg2
import pytest

from pipeline.sandbox import lifecycle
from pipeline.settings import read as read_settings
from tests.chain import ROOT, Installation
from tests.mailboxes import mailbox
from tests.servers import Reply, receiving, scripted
from tests.tasks.test_luigid import Luigid, luigid

__all__ = ["luigid"]

pytestmark = pytest.mark.slow

TOKEN = "MARKED-TOKEN-0123456789abcdef"
PASSWORD = "MARKED-PASSWORD-fedcba9876543210"
KEY = "MARKED-KEY-00112233445566778899"
HOOK = "MARKED-HOOK-a1b2c3d4e5f60718"
MAIL = "MARKED-MAIL-8170f6e5d4c3b2a1"
SECRETS = (TOKEN, PASSWORD, KEY, HOOK, MAIL)


def at_debug(folder: Path) -> dict[str, str]:
    """Luigi's own configuration with every logger at DEBUG, also those that ours pins, and all of it into a file too."""
    file = folder / "everything.log"
    logging = (
        (ROOT / "config" / "logging.cfg")
        .read_text()
        .replace("level = INFO", "level = DEBUG")
        .replace("handlers = console", "handlers = console, file")
    )
    logging = logging.replace("keys = console\n", "keys = console, file\n", 1)
    logging += f"\n[handler_file]\nclass = FileHandler\nlevel = DEBUG\nformatter = plain\nargs = ({str(file)!r},)\n"
    (folder / "logging.cfg").write_text(logging)
    luigi = (ROOT / "luigi.cfg").read_text().replace("config/logging.cfg", str(folder / "logging.cfg"))
    (folder / "luigi.cfg").write_text(luigi)
    return {"LUIGI_CONFIG_PATH": str(folder / "luigi.cfg")}


def with_password(url: str) -> str:
    """The database's URL with a password, which a server that asks for none lets pass."""
    head, _, rest = url.partition("@")
    return f"{head}:{PASSWORD}@{rest}"


def held(folder: Path) -> dict[str, list[str]]:
    """Which files below the folder hold which secrets, in names or bytes."""
    found = {
        str(path): [mark for mark in SECRETS if mark in str(path) or (path.is_file() and mark.encode() in path.read_bytes())]
        for path in folder.rglob("*")
    }
    return {path: marks for path, marks in found.items() if marks}


def dumped(url: str) -> str:
    """Every table of the database, as text."""
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("select tablename from pg_tables where schemaname = 'public'")
            tables = [name for (name,) in cursor.fetchall()]
            said = []
            for table in tables:
                cursor.execute(f"select {table}::text from {table}")
                said += [row for (row,) in cursor.fetchall()]
        assert len(tables) > 10
        return "\n".join(said)
    finally:
        connection.close()


def with_luigid(luigid: Luigid) -> str:
    """All that luigid tells: tasks, the graph, errors, workers, resources; and what it wrote itself."""
    said = [str(luigid.ask(method, {})) for method in ("worker_list", "resource_list")]
    tasks: dict[str, object] = {}
    for status in ("", "DONE", "FAILED", "PENDING", "RUNNING"):
        tasks |= luigid.ask("task_list", {"status": status, "upstream_status": ""})
    for name in tasks:
        said += [
            str(luigid.ask(method, {"task_id": name}))
            for method in ("dep_graph", "inverse_dep_graph", "fetch_error", "get_task_status_message")
        ]
    said += [path.read_text(errors="replace") for path in luigid.folder.rglob("*") if path.is_file()]
    assert len(tasks) > 5
    return f"{tasks}" + "\n".join(said)


#: Of one whom a study leaves out: the owner wrote it into studies.toml, and there it stays.
AUTHOR = "987650012300987654"


@pytest.mark.parametrize("refused", [False, True], ids=["a good night", "a night that fails"])
def test_a_night_at_debug_keeps_its_secrets(installation: Installation, luigid: Luigid, refused: bool) -> None:
    """Token, passwords, author key and webhook reach whom they are for, and are found nowhere else."""
    installation.settings += '[alarms]\nmail_to = ["team@example.org"]\n'
    installation.write()
    installation.environ = {
        "X_BEARER_TOKEN": TOKEN,
        "GEOBETA_AUTHOR_KEY": KEY,
        "DATABASE_URL": with_password(installation.database_url),
        **at_debug(installation.folder),
    }
    with scripted(posts=60) as api, receiving() as hook, mailbox(login=True) as box:
        if refused:
            hook.always, box.refuse = Reply(status=403, body=HOOK.encode()), {"DATA": f"554 we know {MAIL}"}
        channels = {"GEOBETA_WEBHOOK_URL": f"{hook.url}/{HOOK}", "GEOBETA_SMTP_URL": f"smtp://me:{MAIL}@127.0.0.1:{box.port}"}
        installation.environ |= channels
        # one page, then a failure that is tried again, then one that is not
        problem = {"title": "Unauthorized", "detail": "Unauthorized", "status": 401}
        api.script = {2: Reply(status=503), **{number: Reply(status=401, document=problem) for number in range(3, 50)}}
        installation.studies = installation.studies.replace("[water]", f'exclude = {{ authors = ["{AUTHOR}"] }}\n\n[water]')
        installation.write()
        # the sandbox takes any token: it is asked with one like the real API, and keeps books of its own
        url = api.url if refused else lifecycle.ensure_running(read_settings(installation.environment(X_BEARER_TOKEN="")))
        night = installation.luigi("Nightly", "--date", "2026-11-10", *luigid.arguments(), local=False, X_BASE_URL=url)
        assert night.returncode == (30 if refused else 0)
        assert {seen.headers["authorization"] for seen in api.seen} == ({f"Bearer {TOKEN}"} if refused else set())
        commands = [("plan", "--date", "2026-11-10"), ("status",), ("report", "--date", "2026-11-10", "--debug")]
        commands += [("alarms",), ("alarms", "--test", "--debug"), ("doctor", "--offline")]
        said = [installation.python("pipeline", *command, X_BASE_URL=url).stdout for command in commands]
        assert ({seen.path for seen, _ in hook.posts}, set(box.logins)) == ({f"/{HOOK}"}, {("me", MAIL)})
    log = (installation.folder / "everything.log").read_text()
    # it was really at debug level, the HTTP library too
    assert "DEBUG   Starting new HTTP connection" in log
    output = night.stdout + "".join(said)
    tables, scheduler = dumped(installation.database_url), with_luigid(luigid)
    if not refused:
        assert installation.query("select count(distinct author_key) > 10 from tweets") == [(True,)]
        assert list(installation.data.glob("reports/*/*/index.html"))
    for mark in (*SECRETS, AUTHOR):
        assert mark not in output
        assert mark not in tables
        assert mark not in scheduler
    assert held(installation.folder) == {}
    naming = [path for path in installation.folder.rglob("*") if path.is_file() and AUTHOR.encode() in path.read_bytes()]
    assert naming == [installation.folder / "config" / "studies.toml"]
