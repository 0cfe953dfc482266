"""Authorizes the calls to this AWS by AWS's rules."""

from cdk_rehearsal.plug_in.iam.acting_role import ActingRole
from cdk_rehearsal.plug_in.iam.permissions import AccessDeniedError, Permissions

__all__ = ["AccessDeniedError", "ActingRole", "Permissions"]
