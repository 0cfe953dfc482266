"""Adds an image's Debian or Ubuntu packages, and the image that it starts from, to a bill of materials of CycloneDX.

    docker run --rm --entrypoint cat IMAGE /var/lib/dpkg/status | python add_system_packages.py BILL --base-image NAME

With no status file on standard input, as where the image is not built, the bill says that they are missing.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote


def system_packages(status: str, distribution: str) -> list[dict[str, Any]]:
    """One component of CycloneDX per installed package of dpkg's status file, in order of names."""
    found = {}
    for paragraph in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
        if fields.get("Status", "").endswith(" installed"):
            name, version, architecture = fields["Package"], fields["Version"], fields["Architecture"]
            purl = f"pkg:deb/{distribution}/{quote(name)}@{quote(version)}?arch={architecture}"
            found[purl] = {"bom-ref": purl, "type": "library", "name": name, "version": version, "purl": purl}
    return [found[purl] for purl in sorted(found)]


def base_image(name: str) -> dict[str, Any]:
    """The component of the image that another starts from, with its digest where it is named by one."""
    tagged, _, digest = name.partition("@sha256:")
    repository, _, tag = tagged.rpartition(":")
    component = {"bom-ref": f"base:{name}", "type": "container", "name": repository, "version": tag}
    return component | ({"hashes": [{"alg": "SHA-256", "content": digest}]} if digest else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bill", type=Path)
    parser.add_argument("--base-image", required=True)
    parser.add_argument("--distribution", default="debian", choices=["debian", "ubuntu"])
    given = parser.parse_args()
    bill = json.loads(given.bill.read_text(encoding="utf-8"))
    packages = system_packages(sys.stdin.read(), given.distribution)
    bill["components"] = [*bill.get("components", []), base_image(given.base_image), *packages]
    name = given.bill.name.removesuffix(".cdx.json")
    bill["metadata"]["component"] = {"bom-ref": f"image:{name}", "type": "container", "name": f"moderation-{name}"}
    whole = "yes" if packages else "no: the image was not built on this machine"
    bill["metadata"].setdefault("properties", []).append({"name": "system-packages-listed", "value": whole})
    given.bill.write_text(json.dumps(bill, indent=2) + "\n", encoding="utf-8")
    print(f"{given.bill}: {len(bill['components'])} components, {len(packages)} of the system")


if __name__ == "__main__":
    main()
