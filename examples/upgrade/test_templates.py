"""Fails when a template of this app is not what was last reviewed. `pytest --snapshot-update` accepts it."""

import json
import re
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

ASSEMBLY = Path("cdk.out")
# They change with the bytes of an asset, and say nothing about the app.
HASH = re.compile(r"\b[0-9a-f]{64}\b")


@pytest.mark.parametrize("path", sorted(ASSEMBLY.rglob("*.template.json")), ids=lambda path: path.name)
def test_a_template_is_what_was_reviewed(path: Path, snapshot: SnapshotAssertion) -> None:
    template = json.loads(HASH.sub("<hash>", path.read_text()))
    assert template == snapshot(extension_class=JSONSnapshotExtension)
