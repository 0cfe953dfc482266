"""Gives up root inside the image."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from pathlib import Path

USER = "trainer"
"""Made by the Dockerfile; where it does not exist, the program is not in its image and keeps the user it has."""


def become_unprivileged(writable: Iterable[Path], *, readable: Path) -> None:
    """Hands the folders to `USER`, with what lies in `readable` if that is there, and becomes that user, for good.

    SageMaker mounts /opt/ml as root's, so a `USER` line in the Dockerfile would keep the job from writing its model.
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
