"""Finds the folder an image was built from in the cloud assembly's image assets."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from cdk_rehearsal.engines.container import ImageError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageSource:
    directory: Path
    dockerfile: Path


class ImageSources:
    """Reads its files at each look-up, because a deployment writes them meanwhile.

    Args:
        cloud_assembly: a `cdk.out` folder; an image asset's hash is the tag of its image.
        registered: a JSON file of further images: maps each URI to a folder and a Dockerfile.
    """

    def __init__(self, *, cloud_assembly: Path | None = None, registered: Path | None = None) -> None:
        self._cloud_assembly = cloud_assembly
        self._registered = registered

    def find(self, image_uri: str) -> ImageSource:
        if self._registered and self._registered.exists():
            entry = json.loads(self._registered.read_text()).get(image_uri)
            if entry:
                directory = Path(entry["directory"])
                return ImageSource(directory=directory, dockerfile=directory / entry["dockerfile"])
        tag = image_uri.rpartition(":")[2]
        for manifest in self._manifests():
            for image in json.loads(manifest.read_text()).get("dockerImages", {}).values():
                if any(place.get("imageTag") == tag for place in image["destinations"].values()):
                    source = image["source"]
                    directory = manifest.parent / source["directory"]
                    return ImageSource(
                        directory=directory, dockerfile=directory / source.get("dockerFile", "Dockerfile")
                    )
        raise ImageError(
            f"image {image_uri} is not an asset of the cloud assembly {self._cloud_assembly or '(none given)'}: "
            "the process engine runs only what it has the source of; use --engine docker for other images"
        )

    def _manifests(self) -> list[Path]:
        return sorted(self._cloud_assembly.rglob("*.assets.json")) if self._cloud_assembly else []
