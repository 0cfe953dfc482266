"""The permissions that AWS services need: in roles that they assume, and as service principals."""

from cdk_rehearsal.permissions.needs.acting.actor import ActingNeed, Actor
from cdk_rehearsal.permissions.needs.acting.deliveries import (
    access_log_delivery_needs,
    alarm_action_needs,
    log_group_key_needs,
    rule_target_needs,
    schedule_target_needs,
    topic_delivery_needs,
)
from cdk_rehearsal.permissions.needs.acting.ecs_roles import (
    ecs_execution_role_needs,
    ecs_task_actor,
    ecs_task_role_needs,
)
from cdk_rehearsal.permissions.needs.acting.flow_log_role import flow_log_role_needs
from cdk_rehearsal.permissions.needs.acting.lambda_roles import event_source_mapping_needs, lambda_role_needs
from cdk_rehearsal.permissions.needs.acting.rules import ACTING_RULES, ActingRule
from cdk_rehearsal.permissions.needs.acting.sagemaker_roles import (
    endpoint_role_needs,
    model_role_needs,
    processing_job_role_needs,
    training_job_role_needs,
    transform_job_role_needs,
)
from cdk_rehearsal.permissions.needs.acting.state_machine_role import state_machine_role_needs

__all__ = [
    "ACTING_RULES",
    "ActingNeed",
    "ActingRule",
    "Actor",
    "access_log_delivery_needs",
    "alarm_action_needs",
    "ecs_execution_role_needs",
    "ecs_task_actor",
    "ecs_task_role_needs",
    "endpoint_role_needs",
    "event_source_mapping_needs",
    "flow_log_role_needs",
    "lambda_role_needs",
    "log_group_key_needs",
    "model_role_needs",
    "processing_job_role_needs",
    "rule_target_needs",
    "schedule_target_needs",
    "state_machine_role_needs",
    "topic_delivery_needs",
    "training_job_role_needs",
    "transform_job_role_needs",
]
