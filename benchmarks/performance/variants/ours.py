"""geobeta: `ours.py WHAT ARCHIVE OUT QUESTION`, in a process of its own, as a worker starts it.

WHAT is `import` (the archive to its extract), `all` (and the days cleaned, and counted: what the others do, with full cleaning), or$
`select` (the days of the question cleaned and counted, from an extract that is there).
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.settings import Settings


def read(question: Path) -> dict[str, Any]:
    """The question of a file."""
    content: dict[str, Any] = json.loads(question.read_text(encoding="utf-8"))
    return content


def configure(out: Path, question: dict[str, Any]) -> None:
    """The question as a user writes it: an area, a study."""
    config = out / "config"
    config.mkdir(exist_ok=True)
    box = ",".join(map(str, question["box"]))
    evidence = json.dumps(question["evidence"])
    name = question["name"]
    area = f'[{name}]\nbox = "{box}"\ntimezone = "{question["timezone"]}"\nsource = "archive"\nevidence = {evidence}\n'
    (config / "areas.toml").write_text(area, encoding="utf-8")
    words = f"match = {{ words = {json.dumps(question['words'])} }}"
    (config / "studies.toml").write_text(f'[{name}]\nquestion = "?"\narea = "{name}"\nstart = 2019-03-01\n{words}\n', encoding="utf-8")
    (config / "settings.toml").write_text("", encoding="utf-8")


def select(settings: Settings, name: str) -> tuple[int, int]:
    """Trials and matches of all days that the archives hold."""
    from pipeline import clean, count
    from pipeline.sources import archive

    n = k = 0
    for day in archive.days_held(settings, settings.area(name)):
        clean.run(settings, name, day)
        counts = count.run(settings, name, day)
        n, k = n + counts["trials"], k + counts["matches"]
    return n, k


def main() -> None:
    """Do what is asked."""
    what, path, out = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    question = read(Path(sys.argv[4]))
    configure(out, question)
    os.environ |= {"GEOBETA_CONFIG": f"{out}/config", "GEOBETA_DATA": f"{out}/var", "GEOBETA_AUTHOR_KEY": "a key for benchmarks only"}
    from pipeline import settings as settings_

    found = settings_.read()
    said: dict[str, float] = {}
    if what != "select":
        from pipeline import importing
    if what != "import":
        from pipeline import clean, count  # noqa: F401
    begun = time.process_time()
    if what != "select":
        report = importing.run(found, [path])
        said["rows"] = sum(file.stored for file in report.files)
    if what != "import":
        said["n"], said["k"] = select(found, question["name"])
    # the work alone: of a chain of many days the start is once
    print(json.dumps({**said, "work": time.process_time() - begun}))


if __name__ == "__main__":
    main()
