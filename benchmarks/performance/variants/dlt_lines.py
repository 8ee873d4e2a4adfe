"""dlt from a file of JSON lines to PostgreSQL: `dlt_lines.py FILE URL OUT`.

It makes a table of its own, without our indexes: that favours it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
import dlt

CHUNK = 10_000


def rows(path: str) -> Iterator[list[dict[str, Any]]]:
    """The lines, parsed, in the chunks that dlt's page on performance advises."""
    with open(path, encoding="utf-8") as lines:
        chunk = []
        for line in lines:
            chunk.append(json.loads(line))
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
        yield chunk


def credentials(url: str) -> str:
    """The same address with a host and a password, which dlt insists on; libpq takes the socket's folder from the query."""
    parts = urlsplit(url)
    return urlunsplit(
        parts._replace(netloc=f"{parts.username}:{parts.password or 'none'}@{parts.hostname or 'localhost'}:{parts.port or 5432}")
    )


def main() -> None:
    """Load the file."""
    path, url, out = sys.argv[1:4]
    resource = dlt.resource(rows(path), name="tweets", write_disposition="replace", primary_key="tweet_id")
    destination = dlt.destinations.postgres(credentials(url))
    pipeline = dlt.pipeline("bench", destination=destination, dataset_name="by_dlt", pipelines_dir=out)
    pipeline.run(resource)
    print(json.dumps({"rows": pipeline.last_trace.last_normalize_info.row_counts["tweets"]}))


if __name__ == "__main__":
    main()
