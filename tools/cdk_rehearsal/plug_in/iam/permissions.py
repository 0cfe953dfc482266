"""Authorizes the calls to this AWS by the policies of the deployed templates."""

from __future__ import annotations

from collections.abc import Iterable

from cdk_rehearsal.permissions import Call, Policies, Principal, Verdict, Where, judge, judge_trust
from cdk_rehearsal.permissions.needs import Need, World
from cdk_rehearsal.permissions.needs.acting import ActingNeed, Actor
from cdk_rehearsal.plug_in.iam import declared_policies
from cdk_rehearsal.plug_in.iam.acting_role import ActingRole
from cdk_rehearsal.plug_in.iam.permission_record import PermissionRecord
from cdk_rehearsal.plug_in.iam.role_sessions import RoleSessions

# For a role that does not exist.
_NOBODY = {"Version": "2012-10-17", "Statement": []}


class AccessDeniedError(Exception):
    """A permission is missing; the message is that of AWS."""

    def __init__(self, call: Call, verdict: Verdict) -> None:
        self.call = call
        self.verdict = verdict
        super().__init__(denial_message(call, verdict))


def denial_message(call: Call, verdict: Verdict) -> str:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html"""
    caller = call.principal.arn or call.principal.service
    if verdict.explicit:
        reason = f"with an explicit deny in {_article(verdict.where)}"
    else:
        reason = f"because no {_policy(verdict.where)} allows the {call.action} action"
    return f"User: {caller} is not authorized to perform: {call.action} on resource: {call.resource} {reason}"


def _policy(where: Where) -> str:
    return {
        "boundary": "permissions boundary",
        "session": "session policy",
        "resource": "resource-based policy",
        "key": "resource-based policy",
        "trust": "resource-based policy",
    }.get(where, "identity-based policy")


def _article(where: Where) -> str:
    policy = _policy(where)
    return f"an {policy}" if policy[0] in "aeiou" else f"a {policy}"


class Permissions:
    """Authorizes calls and records the results, from the start to the end of this AWS.

    CloudFormation, the deploying user and service-linked roles are not checked.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.account = world.account
        self.sessions = RoleSessions()
        self.record = PermissionRecord()

    def assume(self, role_arn: str, *, service: str, session: str, source: str = "") -> ActingRole:
        """Assumes the role for a service; returns the session.

        Args:
            role_arn: the role's ARN.
            service: the service principal that assumes it, such as `lambda.amazonaws.com`.
            session: the session's name.
            source: the ARN of the resource for which the service assumes it, if AWS sets `aws:SourceArn`.

        Raises:
            AccessDeniedError: the role's trust policy does not allow the service, or the role does not exist.
        """
        principal = self._session(role_arn, session)
        role = declared_policies.role_of(role_arn)
        context = {"aws:SourceAccount": self.account, **({"aws:SourceArn": source} if source else {})}
        trusted = declared_policies.trust_policy(role) if role else _NOBODY
        for name in (self._regional_name(service), service):
            caller = Principal(arn="", account=self.account, service=name)
            verdict = judge_trust(caller, trusted, role_arn=role_arn, context=context)
            if verdict.allowed:
                break
        call = Call(
            principal=caller,
            action="sts:AssumeRole",
            resource=role_arn,
            resource_account=self.account,
            context=context,
        )
        self.record.add(call, verdict, operation="AssumeRole", because="")
        if not verdict.allowed:
            raise AccessDeniedError(call, verdict)
        return ActingRole(arn=role_arn, principal=principal, credentials=self.sessions.credentials(principal))

    def _regional_name(self, service: str) -> str:
        """Step Functions has two service principals. If the role trusts neither, it reports "Neither the global service
        principal states.amazonaws.com, nor the regional one is authorized to assume the provided role":
        https://github.com/lumigo-io/lumigo-CLI/issues/83
        """
        return f"states.{self.world.region}.amazonaws.com" if service == "states.amazonaws.com" else service

    def require(self, principal: Principal, needs: Iterable[Need], *, operation: str) -> None:
        """Checks and records each need.

        Raises:
            AccessDeniedError: for the first denied need; later ones are checked and recorded too.
        """
        refused: AccessDeniedError | None = None
        for need in needs:
            call, verdict = self._judged(principal, need)
            if not verdict.allowed and need.or_of_role:
                other, of_role = self._judged(self._session(need.or_of_role, "acting"), need)
                if of_role.allowed:
                    call, verdict = other, of_role
            self.record.add(call, verdict, operation=operation, because=need.because)
            if not verdict.allowed and refused is None:
                refused = AccessDeniedError(call, verdict)
        if refused is not None:
            raise refused

    def require_acting(self, acting: Iterable[ActingNeed], *, operation: str) -> None:
        """As `require`, for a service principal or a role that a service assumes. Raises AccessDeniedError."""
        by_actor: dict[Actor, list[Need]] = {}
        for each in acting:
            by_actor.setdefault(each.actor, []).append(each.need)
        refused: AccessDeniedError | None = None
        for actor, needs in by_actor.items():
            try:
                if actor.role:
                    role = self.assume(actor.role, service=actor.service, session="acting", source=actor.source)
                    principal = role.principal
                else:
                    principal = Principal(arn="", account=self.account, service=actor.service)
                self.require(principal, needs, operation=operation)
            except AccessDeniedError as error:
                refused = refused or error
        if refused is not None:
            raise refused

    def allows_acting(self, acting: Iterable[ActingNeed], *, operation: str) -> bool:
        """As `require_acting`, but returns the result: a service drops a delivery that is denied."""
        try:
            self.require_acting(acting, operation=operation)
        except AccessDeniedError:
            return False
        return True

    def _judged(self, principal: Principal, need: Need) -> tuple[Call, Verdict]:
        call = Call(
            principal=principal,
            action=need.action,
            resource=need.resource,
            resource_account=need.resource_account,
            # Set for every request; on AWS all use TLS.
            context={"aws:SecureTransport": "true", "aws:RequestedRegion": self.world.region, **need.context},
        )
        return call, judge(call, self._policies(principal, need.resource))

    def _session(self, role_arn: str, session: str) -> Principal:
        return Principal(
            arn=f"arn:aws:sts::{self.account}:assumed-role/{role_arn.rpartition('/')[2]}/{session[:64]}",
            account=self.account,
            role_arn=role_arn,
        )

    def _policies(self, principal: Principal, resource: str) -> Policies:
        role = declared_policies.role_of(principal.role_arn) if principal.role_arn else None
        return Policies(
            identity=declared_policies.identity_policies(role) if role else (),
            boundary=declared_policies.boundary(role) if role else None,
            resource=declared_policies.resource_policy(resource),
            grants=declared_policies.grants(resource),
        )
