import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[2] / "tools" / "add_system_packages.py"
DIGEST = "0123456789abcdef" * 4
STATUS = """Package: zlib1g
Status: install ok installed
Architecture: amd64
Version: 1:1.2.13.dfsg-1
Description: compression
 Version: of the description

Package: removed
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u14
"""


def added(bill: Path, status: str) -> dict[str, Any]:
    bill.write_text(json.dumps({"bomFormat": "CycloneDX", "metadata": {}, "components": [{"name": "flask"}]}))
    command: list[str | Path] = [sys.executable, PROGRAM, bill, "--base-image", f"python:3.11@sha256:{DIGEST}"]
    subprocess.run(command, input=status, text=True, check=True, capture_output=True)
    found: dict[str, Any] = json.loads(bill.read_text())
    return found


def test_it_lists_what_is_installed_and_the_base(tmp_path: Path) -> None:
    bill = added(tmp_path / "api.cdx.json", STATUS)
    flask, base, *system = bill["components"]
    assert flask == {"name": "flask"}
    assert (base["name"], base["version"], base["hashes"]) == (
        "python",
        "3.11",
        [{"alg": "SHA-256", "content": DIGEST}],
    )
    assert [component["purl"] for component in system] == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64",
        "pkg:deb/debian/zlib1g@1%3A1.2.13.dfsg-1?arch=amd64",
    ]
    assert bill["metadata"]["component"]["name"] == "moderation-api"


@pytest.mark.parametrize(("status", "listed"), [(STATUS, "yes"), ("", "no: the image was not built on this machine")])
def test_it_says_whether_the_systems_packages_are_listed(tmp_path: Path, status: str, listed: str) -> None:
    assert added(tmp_path / "api.cdx.json", status)["metadata"]["properties"] == [
        {"name": "system-packages-listed", "value": listed}
    ]
