"""The credentials of the roles that functions, tasks, jobs and endpoints act under."""

from __future__ import annotations

import hashlib
import threading

from cdk_rehearsal.permissions import Principal
from cdk_rehearsal.plug_in.ministack_adapter import sts


class RoleSessions:
    """Gives each session of a role an access key, and knows from a request's access key whose request it is.

    A key that nobody was given (`test`) is the deployer's, who is not judged.
    """

    def __init__(self) -> None:
        self._principals: dict[str, Principal] = {}
        self._lock = threading.Lock()

    def credentials(self, principal: Principal) -> dict[str, str]:
        """The environment variables with which an SDK acts as this session; the same ones each time."""
        digest = hashlib.sha256(principal.arn.encode()).hexdigest().upper()
        key, secret = f"ASIA{digest[:16]}", digest[16:56]
        with self._lock:
            if key not in self._principals:
                self._principals[key] = principal
                # ministack finds the account that a request is for by its session.
                sts.register_session(
                    key, {"Arn": principal.arn, "SecretAccessKey": secret, "SessionToken": "", "UserId": principal.arn}
                )
        return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}

    def principal(self, access_key: str) -> Principal | None:
        return self._principals.get(access_key)
