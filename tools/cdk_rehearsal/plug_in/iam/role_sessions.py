"""The credentials of the roles that functions, tasks, jobs and endpoints use."""

from __future__ import annotations

import hashlib
import threading

from cdk_rehearsal.permissions import Principal
from cdk_rehearsal.plug_in.ministack_adapter import sts


class RoleSessions:
    """Assigns an access key to each role session, and finds the session of a request by its access key.

    Any other key (`test`) is that of the deploying user, who is not checked.
    """

    def __init__(self) -> None:
        self._principals: dict[str, Principal] = {}
        self._lock = threading.Lock()

    def credentials(self, principal: Principal) -> dict[str, str]:
        """The environment variables with which an SDK uses this session; the same at each call."""
        digest = hashlib.sha256(principal.arn.encode()).hexdigest().upper()
        key, secret = f"ASIA{digest[:16]}", digest[16:56]
        with self._lock:
            if key not in self._principals:
                self._principals[key] = principal
                # ministack finds a request's account by its session.
                sts.register_session(
                    key, {"Arn": principal.arn, "SecretAccessKey": secret, "SessionToken": "", "UserId": principal.arn}
                )
        return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}

    def principal(self, access_key: str) -> Principal | None:
        return self._principals.get(access_key)
