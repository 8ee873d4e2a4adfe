"""Made-up files in a tar or a zip, by name, in the order given."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping


def tarred(files: Mapping[str, bytes]) -> bytes:
    """A tar of these files."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as packed:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip of these files, deflated; always the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return target.getvalue()
