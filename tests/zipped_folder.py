"""A folder as Lambda takes a function's code."""

import io
import zipfile
from pathlib import Path


def zipped(folder: Path, pattern: str = "*") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path in sorted(folder.rglob(pattern)):
            archive.write(path, path.relative_to(folder))
    return out.getvalue()
