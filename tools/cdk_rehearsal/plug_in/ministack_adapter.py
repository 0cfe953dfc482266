"""The only module that uses private names of ministack.

ministack has no extension interface. This module gives a public name to everything that the plug-in reads, calls or
replaces; other modules use only these names. Setting a name replaces the object in ministack. If the installed
ministack lacks a name, the embedded AWS does not start. `tests/tools/cdk_rehearsal/plug_in/test_ministack_adapter.py`
is the smoke test: it checks the assumptions about each.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import types
from collections.abc import Iterator
from typing import Any

WRITTEN_FOR = "1.5.33"


class MinistackChangedError(ImportError):
    """The installed ministack lacks a name that the plug-in needs. The message is one line."""


class Part:
    """A module of ministack: `part.alarms` reads an object by its public name, `part.alarms = …` replaces it.

    It is imported at first use, because ministack reads its settings from the environment at import.
    """

    _path: str
    _names: dict[str, str]

    def __init__(self, path: str, *public: str, **private: str) -> None:
        """`public` names are the same as ministack's; `private` ones are given as `name="_ministacks_name"`."""
        vars(self)["_path"] = f"ministack.{path}"
        vars(self)["_names"] = {**{name: name for name in public}, **private}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module(), self._own(name))

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._module(), self._own(name), value)

    def __iter__(self) -> Iterator[str]:
        """The names that the plug-in uses."""
        return iter(self._names)

    def missing(self) -> list[str]:
        """The required names that the installed ministack lacks."""
        try:
            module = self._module()
        except ModuleNotFoundError:
            return [self._path]
        return [f"{self._path}.{name}" for name in self._names.values() if not hasattr(module, name)]

    def _module(self) -> types.ModuleType:
        return importlib.import_module(self._path)

    def _own(self, name: str) -> str:
        if name not in self._names:
            raise AttributeError(f"the plug-in declares no {name} of {self._path}: add it to its Part")
        return self._names[name]


# ---- requests
app = Part("app", "app", service_handlers="SERVICE_HANDLERS")
router = Part("core.router", "extract_access_key_id", service_patterns="SERVICE_PATTERNS")
concurrency = Part("core.concurrency", "run_reentrant", "spawn_background")
responses = Part("core.responses", "error_response_json", "get_account_id", "get_region", "json_response")
iam_actions = Part("core.iam_actions", "access_denied_response")

# ---- services
athena = Part(
    "services.athena",
    executions="_executions",
    mock_query_results="_mock_query_results",
    run_duckdb="_run_duckdb",
    workgroups="_workgroups",
)
cloudformation = Part("services.cloudformation", stacks="_stacks")
cloudformation_stacks = Part("services.cloudformation.stacks", runs_on_worker_thread="_runs_on_worker_thread")
cloudformation_resources = Part(
    "services.cloudformation.provisioners",
    handlers="_RESOURCE_HANDLERS",
    metric_alarm_record="_cw_metric_alarm_record",
    name_seed="_NAME_SEED",
    normalize_container_definitions="_normalize_container_defs",
    physical_name="_physical_name",
)
cloudwatch = Part(
    "services.cloudwatch",
    alarms="_alarms",
    calculate_statistics="_calc_stats",
    composite_alarms="_composite_alarms",
    dimensions_key="_dims_key",
    dispatch_alarm_actions="_dispatch_alarm_actions",
    evaluate_alarm="_evaluate_alarm",
    evaluate_all_alarms="_evaluate_all_alarms",
    evaluate_parent_alarms="_evaluate_parent_alarms",
    evict_old_metrics="_evict_old_metrics",
    is_sns_action_arn="_is_sns_action_arn",
    metrics="_metrics",
    put_composite_alarm="_put_composite_alarm",
    record_history="_record_history",
    request_parameter="_p",
    statistic_value="_stat_value",
    store_datum="_store_datum",
)
dynamodb = Part(
    "services.dynamodb",
    describe_export="_describe_export",
    export_table_to_point_in_time="_export_table_to_point_in_time",
    exports="_exports",
    lock="_lock",
    point_in_time_recovery="_pitr_settings",
    table_name_from_arn="_table_name_from_arn",
    tables="_tables",
)
ecr = Part("services.ecr", "repository_policy_for_arn")
ecs = Part("services.ecs", describe_task_definition="_describe_task_definition")
elasticloadbalancingv2 = Part("services.alb", load_balancer_attributes="_lb_attrs")
events = Part(
    "services.eventbridge",
    event_bus_policies="_event_bus_policies",
    invoke_target="_invoke_target",
    put_events="_put_events",
)
iam = Part("services.iam", lookup_policy="_lookup_policy", roles="_roles")
kms = Part("services.kms", "key_policy_for_arn", grants="_grants", resolve_key="_resolve_key")
lambda_ = Part(
    "services.lambda_svc",
    "execution_credentials",
    "function_policy_for_arn",
    "invoke_async_with_retry",
    emit_logs="_emit_lambda_logs",
    execute_function="_execute_function_with_config_scope",
    execution_record="_execution_record_for_config",
    function_record="_get_func_record_for_ref",
    functions="_functions",
    route_asynchronous_failure="_route_async_failure",
)
lambda_runtime = Part("core.lambda_runtime", "execution_credentials")
logs = Part("services.cloudwatch_logs", append_log_events="_append_log_events", log_groups="_log_groups")
s3 = Part(
    "services.s3",
    "bucket_policy_for_arn",
    compute_checksum="_compute_s3_checksum",
    copy_object="_copy_object",
    multipart_uploads="_multipart_uploads",
    query_parameter="_qp",
    upload_part_copy="_upload_part_copy",
)
secretsmanager = Part("services.secretsmanager", "secret_policy_for_arn", secrets="_secrets")
sns = Part(
    "services.sns",
    "topic_policy_for_arn",
    deliver_to_lambda="_deliver_to_lambda",
    deliver_to_sqs="_deliver_to_sqs",
    fan_out="_fanout",
    topic_by_arn="_topic_by_arn_any_scope",
    topics="_topics",
)
sqs = Part("services.sqs", "queue_policy_for_arn")
stepfunctions = Part(
    "services.stepfunctions",
    "now_iso",
    ExecutionError="_ExecutionError",
    add_event="_add_event",
    apply_jsonata_output="_apply_jsonata_output",
    apply_output_path="_apply_output_path",
    aws_sdk_error_codes="_AWS_SDK_ERROR_CODE_OVERRIDES",
    aws_sdk_error_prefixes="_AWS_SDK_ERROR_PREFIX",
    aws_sdk_services="_AWS_SDK_SERVICE_MAP",
    emit_execution_status_event="_emit_execution_status_event",
    epoch_milliseconds="_iso_to_epoch_ms",
    execute_task="_execute_task",
    executions="_executions",
    fail_execution="_fail_execution",
    invoke_nested_start_execution="_invoke_nested_start_execution",
    invoke_nested_start_execution_sync="_invoke_nested_start_execution_sync",
    invoke_resource="_invoke_resource",
    invoke_resource_with_timeout="_invoke_resource_with_timeout",
    optimized_integrations="_SERVICE_DISPATCH",
    run_execution="_run_execution",
    state_machines="_state_machines",
    stop_execution="_stop_execution",
)
sts = Part("services.sts", "register_session")
tagging = Part("services.tagging", "resource_tags")

PARTS = tuple(each for each in list(vars().values()) if isinstance(each, Part))


def require_ministack() -> None:
    """Raises MinistackChangedError if the installed ministack lacks a name. Call it before replacing anything."""
    missing = [name for part in PARTS for name in part.missing()]
    if missing:
        raise MinistackChangedError(
            f"ministack {importlib.metadata.version('ministack')} has no {', '.join(missing)}: the embedded AWS is "
            f"written for {WRITTEN_FOR}; pip install ministack=={WRITTEN_FOR}"
        )
