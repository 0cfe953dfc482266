"""The side of each post, training or test: drawn once with a secret, and recorded permanently.

The register is in the data bucket below `sides/`. It has the SHA-256 of each post, never its text, and the post's side.
The first release that contains a post records it, and every later release reads it. So neither a new secret, a new
deployment nor a restored table moves a post; if the register itself is lost, the release is refused.

The draw uses a secret because an author chooses a post's text: with the hash alone, an author could write posts that
are never test posts. Releases before the register used the hash; their posts keep that side.

`fixed` is the part of the test posts whose labels no reviewer changes: whatever reviewers decide, a model that learnt
from them is also judged by independent labels.
"""

import contextlib
import csv
import datetime
import gzip
import hashlib
import hmac
import io
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

PREFIX = "sides/"
TRAIN, TEST, FIXED = SIDES = ("train", "test", "fixed")
TEST_PERCENT = 20
FIXED_PERCENT = 50  # of the test posts
HEADER = ["post", "side"]


class PostSidesError(Exception):
    """The register of sides was changed since earlier releases; the message says what is wrong and what to do."""


def hashed_side(key: bytes) -> str:
    """A post's side in releases before the register."""
    return TEST if int.from_bytes(key[:8]) % 100 < TEST_PERCENT else TRAIN


def drawn_side(secret: bytes, key: bytes, *, hashed: bool = False) -> str:
    """The side of a post that is not in the register; with `hashed`, of a post of a release before the register."""
    drawn = hmac.digest(secret, b"side:" + key, hashlib.sha256)
    side = hashed_side(key) if hashed else hashed_side(drawn)
    return FIXED if side == TEST and int.from_bytes(drawn[8:16]) % 100 < FIXED_PERCENT else side


class PostSides:
    """The table `side` of `posts`, filled from the register.

    Raises:
        PostSidesError: there are fewer sides than `known`, or an object does not belong to the register.
    """

    def __init__(self, s3: Any, bucket: str, posts: sqlite3.Connection, *, known: int | None) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._posts = posts
        posts.execute("CREATE TABLE side (key BLOB PRIMARY KEY, side TEXT, new INTEGER) WITHOUT ROWID")
        posts.execute("BEGIN")
        for key in self._objects():
            posts.executemany("INSERT OR IGNORE INTO side VALUES (?, ?, 0)", self._read(key))
        posts.execute("COMMIT")
        read = self._count()
        if known is not None and read < known:
            raise PostSidesError(
                f"s3://{bucket}/{PREFIX} holds the sides of {read} posts, and the release that serves knew {known}: "
                f"restore its objects, of which the bucket keeps versions"
            )
        # A release serves and no side is recorded: it is older than the register.
        self._hashed = known is not None and read == 0

    def draw(self, tables: tuple[str, ...], secret: Any) -> None:
        """Draws the side of each unknown post in `tables`; `secret()` is called only if there is one.

        `sided` is the post's hash in the register, `key` the key that it shares with all posts that look alike: these
        are on one side, except older posts, which stay on their side.
        """
        given: dict[bytes, bytes] = {}
        for table in tables:
            query = f"SELECT sided, key FROM {table} WHERE sided NOT IN (SELECT key FROM side)"  # nosec B608  # our own tables
            given |= dict(self._posts.execute(query))
        unknown = sorted(given.items())
        if not unknown:
            return
        drawn_by = secret()
        add = "INSERT OR IGNORE INTO side VALUES (?, ?, 1)"
        self._posts.execute("BEGIN")
        if self._hashed:
            self._posts.executemany(add, ((sided, drawn_side(drawn_by, sided, hashed=True)) for sided, _ in unknown))
        else:
            for sided, key in unknown:
                known = self._posts.execute("SELECT side FROM side WHERE key = ?", (key,)).fetchone()
                side = known[0] if known else drawn_side(drawn_by, key)
                # By its key too, so that posts that look alike follow it with any secret.
                self._posts.executemany(add, {(sided, side), (key, side)})
        self._posts.execute("COMMIT")

    def write_down(self, run: str, folder: Path) -> dict[str, int]:
        """Records new sides in a new object; objects are never changed. Returns the number of sides."""
        new = self._posts.execute("SELECT key, side FROM side WHERE new ORDER BY key").fetchall()
        if new:
            path = folder / "sides.csv.gz"
            with gzip.open(path, "wt", encoding="ascii", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(HEADER)
                writer.writerows((key.hex(), side) for key, side in new)
            # In the order of time: if a restore brought two together, the first one counts.
            now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H%M%S.%fZ")
            with path.open("rb") as body:
                self._s3.put_object(Bucket=self._bucket, Key=f"{PREFIX}{now}-{run}.csv.gz", Body=body, IfNoneMatch="*")
        return {"known": self._count(), "new": len(new)}

    def _count(self) -> int:
        return int(self._posts.execute("SELECT count(*) FROM side").fetchone()[0])

    def _objects(self) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=PREFIX)
        keys = (entry["Key"] for page in pages for entry in page.get("Contents", []))
        return sorted(key for key in keys if not key.endswith("/"))

    def _read(self, key: str) -> Iterator[tuple[bytes, str]]:
        where = f"s3://{self._bucket}/{key}"
        with contextlib.closing(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"]) as body:
            unpacked = gzip.GzipFile(fileobj=io.BufferedReader(cast(io.RawIOBase, body)))
            rows = csv.reader(io.TextIOWrapper(unpacked, encoding="ascii", newline=""))
            try:
                if next(rows, None) != HEADER:
                    raise ValueError
                for digest, side in rows:
                    if side not in SIDES or len(digest) != 64:
                        raise ValueError
                    yield bytes.fromhex(digest), side
            except (ValueError, EOFError, OSError, csv.Error) as fault:
                raise PostSidesError(
                    f"{where}, after line {rows.line_num}: not what a release writes there ({type(fault).__name__}): "
                    f"restore the object, of which the bucket keeps versions"
                ) from None
