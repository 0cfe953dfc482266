"""Erases posts from the objects of a bucket, and from every version of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from post_erasure.place_report import PlaceReport
from post_erasure.stored_file import NotDivisibleError, NotReadableError, take_out
from post_erasure.wanted_posts import WantedPosts

_SIDES: Final = "sides/"
_RUNS: Final = "runs/"
_MODELS: Final = "models/"
_WEIGHTS: Final = ("/checkpoints/", "/model.tar.gz")
_NO_POSTS: Final = ("pretrained/",)
_OF_ATHENA: Final = ".metadata"
_KEPT: Final = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Metadata")
_MOST_LISTED: Final = 20


class BucketErasure:
    """Looks at every version of every object of a bucket.

    A post is removed from an object's current version, and versions that contained it are permanently deleted.

    Args:
        s3: boto3's client.
        bucket: the bucket's name.
        posts_prefix: the prefix of the base data.
        wanted: the posts to erase.
        erase: False changes nothing.
    """

    def __init__(self, s3: Any, bucket: str, posts_prefix: str, wanted: WantedPosts, *, erase: bool) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._wanted = wanted
        self._erase = erase
        self._posts_prefix = posts_prefix
        self._reports: dict[str, PlaceReport] = {}
        self._trained: set[str] = set()

    def run(self) -> list[PlaceReport]:
        """Return the findings for each part of the bucket."""
        for prefix, name in (
            (self._posts_prefix, "base data"),
            (_RUNS, "releases' data, exports of tables among them"),
            (_MODELS, "models"),
            (_SIDES, "sides of posts"),
            ("", "other objects"),
        ):
            self._reports[prefix] = PlaceReport(place=f"{name} (s3://{self._bucket}/{prefix})")
        with tempfile.TemporaryDirectory() as folder:
            for version in self._versions():
                self._look_at(version, Path(folder))
        self._say_what_remains()
        return list(self._reports.values())

    def _versions(self) -> Iterator[dict[str, Any]]:
        # Lists all before the first change: otherwise versions written meanwhile would be listed too.
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket)
        listed = [version for page in pages for version in page.get("Versions", [])]
        yield from listed

    def _report_of(self, key: str) -> PlaceReport:
        prefixes = [prefix for prefix in self._reports if key.startswith(prefix)]
        return self._reports[max(prefixes, key=len)]

    def _look_at(self, version: dict[str, Any], folder: Path) -> None:
        key: str = version["Key"]
        if key.endswith(("/", _OF_ATHENA)) or key.startswith(_NO_POSTS) or _WEIGHTS[0] in key:
            return
        report = self._report_of(key)
        report.searched += 1
        source, target = folder / "given", folder / "written"
        try:
            given = self._download(version, source)
            found = take_out(source, target, key, self._wanted)
        except NotReadableError as fault:
            report.failed.append(f"s3://{self._bucket}/{key}: {fault}")
            return
        except NotDivisibleError:
            report.found += 1
            report.failed.append(f"s3://{self._bucket}/{key}: a post is in one JSON document: change it by hand")
            return
        except (ClientError, BotoCoreError) as fault:
            report.failed.append(f"s3://{self._bucket}/{key}: {_code(fault)}")
            return
        if not found:
            return
        report.found += 1
        if key.startswith(_RUNS) and "/train/" in key:
            self._trained.add(key.split("/")[1])
        if key.startswith(_SIDES):
            report.remains.append(
                f"s3://{self._bucket}/{key}: the SHA-256 of {found} posts, by which each stays on its side"
            )
        elif key.endswith(_WEIGHTS[1]):
            report.remains.append(
                f"s3://{self._bucket}/{key}: a model's archive, which is served by its hash; it goes with its release"
            )
        elif self._erase:
            try:
                self._replace(version, given, target)
                report.erased += 1
            except (ClientError, BotoCoreError) as fault:
                report.failed.append(f"s3://{self._bucket}/{key}: {_code(fault)}")

    def _download(self, version: dict[str, Any], source: Path) -> dict[str, Any]:
        answer: dict[str, Any] = self._s3.get_object(Bucket=self._bucket, Key=version["Key"], **_id(version))
        with source.open("wb") as file:
            shutil.copyfileobj(answer["Body"], file)
        return answer

    def _replace(self, version: dict[str, Any], given: dict[str, Any], target: Path) -> None:
        if version["IsLatest"]:
            kept = {name: given[name] for name in _KEPT if given.get(name)}
            with target.open("rb") as body:
                # Not if the object was written meanwhile.
                self._s3.put_object(Bucket=self._bucket, Key=version["Key"], Body=body, IfMatch=version["ETag"], **kept)
        if not version["IsLatest"] or version["VersionId"] != "null":
            self._s3.delete_object(Bucket=self._bucket, Key=version["Key"], VersionId=version["VersionId"])

    def _say_what_remains(self) -> None:
        if self._trained:
            shown = sorted(self._trained)
            more = f" and {len(shown) - _MOST_LISTED} more" if len(shown) > _MOST_LISTED else ""
            self._reports[_MODELS].remains.append(
                f"models and checkpoints that learnt from a post, in runs {', '.join(shown[:_MOST_LISTED])}{more}: "
                "weights cannot be searched, they end with their release; release a model of what is left"
            )


def _id(version: dict[str, Any]) -> dict[str, str]:
    return {} if version["VersionId"] == "null" and version["IsLatest"] else {"VersionId": version["VersionId"]}


def _code(fault: Exception) -> str:
    if isinstance(fault, ClientError):
        code = str(fault.response["Error"]["Code"])
        return f"{code}: somebody changed it meanwhile" if code == "PreconditionFailed" else code
    return type(fault).__name__
