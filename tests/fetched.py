"""A whole X partition on the disk, as extract.run leaves it, of made-up pages: for tests of the stages after it."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from typing import Any

import zstandard

from pipeline import extract, storage
from pipeline.settings import Settings


def put_pages(settings: Settings, area: str, day: date, *pages: dict[str, Any], synthetic: bool | None = None) -> None:
    """Write the partition of one day."""
    listed = []
    with storage.publish_directory(extract.partition(settings, area, day)) as folder:
        for number, page in enumerate(pages, start=1):
            body = json.dumps(page).encode()
            file = f"page-{number:05d}.json.zst"
            (folder / file).write_bytes(zstandard.compress(body))
            posts, sha256 = len(page.get("data") or ()), hashlib.sha256(body).hexdigest()
            listed.append({"file": file, "query": 0, "posts": posts, "next_token": None, "sha256": sha256, "status": 200})
        made_up = settings.synthetic if synthetic is None else synthetic
        manifest = {"area": area, "day": day.isoformat(), "synthetic": made_up, "pages": listed}
        counts = {"posts": sum(page["posts"] for page in listed), "requests": len(listed)}
        storage.write_json(folder / "manifest.json", manifest | counts)
