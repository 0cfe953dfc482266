"""The private places of ministack that the plug-in holds on to: a new version that moves one fails here, by name."""

import ast
import asyncio
import inspect
from importlib.metadata import version
from pathlib import Path

import pytest

pytest.importorskip("ministack")

from ministack import app
from ministack.core import concurrency, router
from ministack.services import (
    alb,
    athena,
    cloudformation,
    cloudwatch,
    cloudwatch_logs,
    dynamodb,
    eventbridge,
    lambda_svc,
    secretsmanager,
    sns,
    stepfunctions,
)
from ministack.services.cloudformation import provisioners, stacks

from cdk_rehearsal.plug_in import ministack_adapter as adapter
from cdk_rehearsal.plug_in.ministack_adapter import (
    PARTS,
    WRITTEN_FOR,
    MinistackChangedError,
    Part,
    require_ministack,
)


def _parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]


def test_the_version_is_the_pinned_one() -> None:
    assert version("ministack") == WRITTEN_FOR == "1.5.33"


def test_every_name_that_the_plug_in_knows_is_there() -> None:
    assert {name for part in PARTS for name in part.missing()} == set()
    assert sum(len(list(part)) for part in PARTS) > 80


def test_fails_when_a_name_is_gone_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    require_ministack()
    monkeypatch.delattr(cloudwatch, "_dims_key")
    message = r"^ministack \S+ has no ministack.services.cloudwatch._dims_key: the embedded AWS is written for 1.5.33; "
    with pytest.raises(MinistackChangedError, match=message):
        require_ministack()


def test_a_name_is_read_and_replaced_where_ministack_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    part = Part("services.cloudwatch", record_history="_record_history")
    ministacks = cloudwatch._record_history
    monkeypatch.setattr(cloudwatch, "_record_history", ministacks)  # put back at the end
    assert part.record_history is ministacks
    part.record_history = print
    assert cloudwatch._record_history is print
    with pytest.raises(AttributeError, match=r"the plug-in declares no alarms of ministack\.services\.cloudwatch"):
        _ = part.alarms


def test_nothing_else_knows_ministack() -> None:
    tools = Path(adapter.__file__).parents[2]
    known = {
        path.relative_to(tools).as_posix()
        for path in tools.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        and any(name.partition(".")[0] == "ministack" for name in _imported(node))
    }
    assert known == set()


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""] if not node.level else []
    return [alias.name for alias in node.names]


def test_services_are_added_by_name() -> None:
    for service in ("ecr", "cloudformation"):
        assert asyncio.iscoroutinefunction(app.SERVICE_HANDLERS[service])
        assert _parameters(app.SERVICE_HANDLERS[service]) == ["method", "path", "headers", "body", "query_params"]
    assert "sagemaker" not in app.SERVICE_HANDLERS
    assert "application-autoscaling" not in app.SERVICE_HANDLERS
    assert router.SERVICE_PATTERNS["ecs"]["target_prefixes"]
    assert asyncio.iscoroutinefunction(concurrency.run_reentrant)


def test_requests_find_an_added_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(router.SERVICE_PATTERNS, "sagemaker", {"target_prefixes": ["SageMaker."]})
    by_target = router.detect_service("POST", "/", {"x-amz-target": "SageMaker.CreateModel"}, {})
    signed = {"authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sagemaker/aws4_request, …"}
    by_signature = router.detect_service("POST", "/endpoints/e/invocations", signed, {})
    assert by_target == by_signature == "sagemaker"


def test_step_functions_integrations_are_tables() -> None:
    assert callable(stepfunctions._SERVICE_DISPATCH["arn:aws:states:::sns:publish"])
    assert stepfunctions._AWS_SDK_SERVICE_MAP["ecs"]["protocol"] == "json"
    assert stepfunctions._AWS_SDK_ERROR_PREFIX["ecs"] == "Ecs"
    assert "rds" in stepfunctions._AWS_SDK_ERROR_CODE_OVERRIDES
    assert _parameters(stepfunctions._execute_task) == ["state_def", "raw_input", "execution", "ctx"]
    assert _parameters(stepfunctions._invoke_resource_with_timeout) == ["resource", "input_data", "timeout"]
    assert _parameters(stepfunctions._invoke_resource) == ["resource", "input_data"]
    error = stepfunctions._ExecutionError("name", "cause")
    assert (error.error, error.cause) == ("name", "cause")


def test_executions_are_records_that_functions_of_the_module_run_and_end() -> None:
    assert _parameters(stepfunctions._run_execution) == ["exec_arn"]
    assert "_run_execution" in stepfunctions._start_execution.__code__.co_names
    assert _parameters(stepfunctions._add_event) == ["execution", "event_type", "details"]
    assert _parameters(stepfunctions._fail_execution) == ["execution", "error", "cause"]
    assert _parameters(stepfunctions._stop_execution) == ["data"]
    assert _parameters(stepfunctions._emit_execution_status_event) == ["execution"]
    for function in (
        stepfunctions._invoke_nested_start_execution,
        stepfunctions._invoke_nested_start_execution_sync,
    ):
        assert _parameters(function) == ["resource", "input_data"]
        assert function.__name__ in stepfunctions._invoke_resource.__code__.co_names
    assert stepfunctions._iso_to_epoch_ms("1970-01-01T00:00:01.000Z") == 1000
    assert stepfunctions.now_iso().endswith("Z")
    assert _parameters(eventbridge._put_events) == ["data", "allow_aws_source"]


def test_cloudformation_types_are_a_table_of_handlers() -> None:
    handlers = provisioners._RESOURCE_HANDLERS
    for kind in ("AWS::SecretsManager::Secret", "AWS::EC2::VPC"):
        assert {"create", "update", "delete"} <= handlers[kind].keys()
        assert len(_parameters(handlers[kind]["create"])) == 3
    assert _parameters(stacks._runs_on_worker_thread) == ["resource_type"]
    assert not stacks._runs_on_worker_thread("AWS::EC2::EIP")
    assert len(_parameters(provisioners._normalize_container_defs)) == 1


def test_types_that_ministack_has_by_now_need_no_longer_be_ours() -> None:
    ours = {
        "AWS::ApplicationAutoScaling::ScalableTarget",
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        "AWS::EC2::EIP",
        "AWS::EC2::NatGateway",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EC2::FlowLog",
        "AWS::CloudWatch::CompositeAlarm",
        "AWS::SageMaker::Model",
        "AWS::SageMaker::EndpointConfig",
        "AWS::SageMaker::Endpoint",
    }
    assert not ours & provisioners._RESOURCE_HANDLERS.keys()


def test_alarms_are_judged_and_dispatched_by_functions_of_the_module() -> None:
    assert _parameters(cloudwatch._evaluate_alarm) == ["alarm"]
    assert _parameters(cloudwatch._dispatch_alarm_actions) == ["alarm", "old_state", "new_state", "reason"]
    assert _parameters(cloudwatch._record_history)[:4] == ["alarm_name", "old_state", "new_state", "reason"]
    assert callable(cloudwatch._evaluate_parent_alarms)
    assert callable(cloudwatch._is_sns_action_arn)
    assert _parameters(cloudwatch._put_composite_alarm)[:2] == ["params", "cbor_data"]
    assert cloudwatch._evict_old_metrics.__name__ in cloudwatch.handle_request.__code__.co_names
    assert cloudwatch._dims_key({"b": "2", "a": "1"}) == "a=1|b=2"
    point = {"Value": 3.0, "Timestamp": 0, "Dimensions": {}}
    assert cloudwatch._stat_value(cloudwatch._calc_stats([point]), "Maximum", [point]) == 3.0


def test_topics_hand_to_functions_and_failures_are_kept_by_functions_of_the_module() -> None:
    assert _parameters(sns._deliver_to_lambda)[:4] == ["endpoint", "envelope", "topic_arn", "sub_arn"]
    assert len(_parameters(sns._deliver_to_lambda)) == 7
    assert _parameters(lambda_svc.invoke_async_with_retry) == ["func", "event"]
    assert _parameters(lambda_svc._execution_record_for_config) == ["func", "config"]
    assert _parameters(lambda_svc._get_func_record_for_ref) == ["function_ref"]
    assert _parameters(lambda_svc._route_async_failure) == ["target_arn", "func_name", "event", "result"]
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    assert _parameters(handlers["create"])[:2] == ["logical_id", "props"]
    assert _parameters(handlers["update"])[:3] == ["physical_id", "old_props", "new_props"]


def test_alarms_of_templates_go_through_one_function() -> None:
    assert _parameters(provisioners._cw_metric_alarm_record) == ["name", "props"]
    assert "_cw_metric_alarm_record" in provisioners._cw_metric_alarm_put.__code__.co_names
    with pytest.raises(ValueError, match="metric math"):
        provisioners._cw_metric_alarm_record("name", {"Metrics": [{"Id": "a"}]})


def test_queries_are_run_by_functions_of_the_module() -> None:
    assert asyncio.iscoroutinefunction(athena._run_duckdb)
    assert _parameters(athena._run_duckdb) == ["query", "database", "catalog"]
    assert _parameters(athena._mock_query_results) == ["query"]
    for function in (athena._run_duckdb, athena._mock_query_results):
        assert function.__name__ in athena._execute_query.__code__.co_names
    assert athena.get_athena_engine() == "duckdb"


def test_exports_of_tables_are_functions_of_the_module_beside_what_they_read() -> None:
    for function in (dynamodb._export_table_to_point_in_time, dynamodb._describe_export):
        assert _parameters(function) == ["data"]
        assert function.__name__ in dynamodb.handle_request.__code__.co_names
    assert dynamodb._table_name_from_arn("arn:aws:dynamodb:us-east-1:000000000000:table/posts") == "posts"
    assert dynamodb._describe_export({"ExportArn": "none"})[0] == 400
    for held in (dynamodb._tables, dynamodb._exports, dynamodb._pitr_settings):
        assert held.get("none") is None
    assert callable(dynamodb._lock.acquire)
    assert _parameters(concurrency.spawn_background)[0] == "fn"
    handlers = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]
    assert _parameters(handlers["create"])[:2] == ["logical_id", "props"]
    assert _parameters(handlers["update"])[:3] == ["physical_id", "old_props", "new_props"]


def test_names_of_resources_are_made_up_by_one_function_from_a_seed() -> None:
    assert _parameters(provisioners._physical_name) == ["stack_name", "logical_id", "lowercase", "max_len", "seeded"]
    made = provisioners._physical_name("stack", "Logs")
    token = provisioners._NAME_SEED.set("another life")
    try:
        assert provisioners._physical_name("stack", "Logs") != made
    finally:
        provisioners._NAME_SEED.reset(token)


def test_what_may_outlive_a_stack_is_kept_in_tables_of_the_modules() -> None:
    for held in (cloudformation._stacks, dynamodb._tables, cloudwatch_logs._log_groups, secretsmanager._secrets):
        assert held.get("none") is None
    assert alb._lb_attrs.get("none", []) == []
    for kind in (
        "AWS::DynamoDB::Table",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::SecretsManager::Secret",
    ):
        handlers = provisioners._RESOURCE_HANDLERS[kind]
        assert _parameters(handlers["create"]) == ["logical_id", "props", "stack_name"]
        assert _parameters(handlers["delete"]) == ["physical_id", "props"]
