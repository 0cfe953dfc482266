"""On which side a post is: trained with or tested with. Drawn once, by a secret, and written down for good.

The register lies in the data bucket below `sides/`: by the SHA-256 of what a post says, never by its
text, on which side it is. The first release that contains a post writes it there, and every later one reads it. So
neither another secret nor another deployment moves a post, nor does a restored table; where the register itself is
lost, the release is refused.

Drawn by a secret, since whoever writes a post can choose its text: by the hash alone, one could write posts that are
never tested with. Releases before the register drew by the hash; their posts keep what it gave them.

`fixed` is a part of what is tested with whose labels no reviewer changes: whatever reviewers say, there is something
left by which a model that learnt from them is judged.
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
FIXED_PERCENT = 50  # of what is tested with
HEADER = ["post", "side"]


class PostSidesError(Exception):
    """The register of sides is not as earlier releases left it; the message says what is wrong and what to do."""


def hashed_side(key: bytes) -> str:
    """The side that releases before the register gave a post."""
    return TEST if int.from_bytes(key[:8]) % 100 < TEST_PERCENT else TRAIN


def drawn_side(secret: bytes, key: bytes, *, hashed: bool = False) -> str:
    """The side of a post that the register does not know; with `hashed`, of one that an earlier release had."""
    drawn = hmac.digest(secret, b"side:" + key, hashlib.sha256)
    side = hashed_side(key) if hashed else hashed_side(drawn)
    return FIXED if side == TEST and int.from_bytes(drawn[8:16]) % 100 < FIXED_PERCENT else side


class PostSides:
    """The table `side` of `posts`, filled from the register.

    Raises:
        PostSidesError: there are fewer sides than `known`, or an object is none of the register's.
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
        # A release serves, and none has written a side down: it is one from before the register.
        self._hashed = known is not None and read == 0

    def draw(self, tables: tuple[str, ...], secret: Any) -> None:
        """Draws the side of each post in `tables` that is not known; `secret()` is called where there is one.

        `sided` is the post's hash in the register, `key` that under which reviewers know it with all that looks like
        it: those are on one side, but for posts of before, each of which stays where it was.
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
                # By its key too, so that what looks like it follows whichever secret there is.
                self._posts.executemany(add, {(sided, side), (key, side)})
        self._posts.execute("COMMIT")

    def write_down(self, run: str, folder: Path) -> dict[str, int]:
        """Adds what is new, in an object of its own: none is ever changed. Returns how many there are."""
        new = self._posts.execute("SELECT key, side FROM side WHERE new ORDER BY key").fetchall()
        if new:
            path = folder / "sides.csv.gz"
            with gzip.open(path, "wt", encoding="ascii", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(HEADER)
                writer.writerows((key.hex(), side) for key, side in new)
            # In the order of time: of two that a restore has brought together, the first one counts.
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
