from cdk_rehearsal.permissions.call import Call, Principal
from cdk_rehearsal.permissions.evaluation import judge, judge_trust
from cdk_rehearsal.permissions.grant import Grant
from cdk_rehearsal.permissions.policies import Policies
from cdk_rehearsal.permissions.policy import PolicyDocument
from cdk_rehearsal.permissions.request_context import request_context
from cdk_rehearsal.permissions.verdict import Verdict, Where

__all__ = [
    "Call",
    "Grant",
    "Policies",
    "PolicyDocument",
    "Principal",
    "Verdict",
    "Where",
    "judge",
    "judge_trust",
    "request_context",
]
