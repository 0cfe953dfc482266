"""What callers of this AWS may do is judged as AWS judges it."""

from cdk_rehearsal.plug_in.iam.acting_role import ActingRole
from cdk_rehearsal.plug_in.iam.permissions import AccessDeniedError, Permissions

__all__ = ["AccessDeniedError", "ActingRole", "Permissions"]
