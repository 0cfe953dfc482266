"""Drops root privileges inside the image."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from pathlib import Path

USER = "trainer"
"""The Dockerfile creates this user. Outside the image the user does not exist, and the program keeps its own user."""


def become_unprivileged(writable: Iterable[Path], *, readable: Path) -> None:
    """Give `USER` the folders, and the content of `readable` if it exists; then become that user permanently.

    SageMaker mounts /opt/ml as root, so with a `USER` line in the Dockerfile the job could not write its model.
    """
    if os.geteuid() != 0:
        return
    try:
        user = pwd.getpwnam(USER)
    except KeyError:
        return
    for folder in writable:
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, user.pw_uid, user.pw_gid)
    for path in (readable, *readable.rglob("*")) if readable.is_dir() else ():
        os.chown(path, user.pw_uid, user.pw_gid)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.environ["HOME"] = user.pw_dir
