"""pyarrow asks for pandas at its first conversion, whoever calls: 0.3 s and 30 MB that reading, cleaning and counting have no use for."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec

import pyarrow as pa


class _Absent:
    """A finder that has no pandas."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """None leaves every other module to the next finder."""
        if name == "pandas":
            raise ModuleNotFoundError(name)
        return None


def without_pandas() -> None:
    """Let pyarrow ask for pandas now, and find none; a process in which pandas is imported already keeps it.

    pyarrow notes the answer. It looks again as soon as anybody converts to or from pandas by name (Table.to_pandas, from_pandas).
    """
    if "pandas" not in sys.modules:
        sys.meta_path.insert(0, _Absent)
        try:
            pa.array([])
        finally:
            sys.meta_path.remove(_Absent)


def with_pandas() -> None:
    """Let pyarrow know pandas, which takes `pa.array(series)` for what it means; for whoever works with both."""
    pa.array([]).to_pandas()
