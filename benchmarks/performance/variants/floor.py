"""The least that reading can cost: isal unpacks, simdjson parses every line, nothing is looked at."""

from __future__ import annotations

import io
import json
import sys

import simdjson
from isal import igzip


def main() -> None:
    """Parse every line once."""
    parser = simdjson.Parser()
    lines = 0
    with igzip.open(sys.argv[1], "rb") as packed, io.BufferedReader(packed, 256 * 1024) as text:
        for line in text:
            parser.parse(line)
            lines += 1
    print(json.dumps({"lines": lines}))


if __name__ == "__main__":
    main()
