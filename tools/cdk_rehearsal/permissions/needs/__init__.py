"""The permissions that AWS requires of the caller of an API, and of roles that services assume."""

from cdk_rehearsal.permissions.needs.absent_object import absent_object_need
from cdk_rehearsal.permissions.needs.call_needs import needs
from cdk_rehearsal.permissions.needs.need import Need
from cdk_rehearsal.permissions.needs.step_functions_call import StepFunctionsCall, step_functions_call
from cdk_rehearsal.permissions.needs.task_needs import task_needs
from cdk_rehearsal.permissions.needs.world import World

__all__ = [
    "Need",
    "StepFunctionsCall",
    "World",
    "absent_object_need",
    "needs",
    "step_functions_call",
    "task_needs",
]
