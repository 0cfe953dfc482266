import json
import math
from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from ..workflow._task_states import TaskStates, assigned_failure
from .athena_unload import AthenaUnload
from .dynamodb_export import DynamoDbExport

PostsSource = AthenaUnload | DynamoDbExport

REVIEWS_FOLDER = "reviews/"
_POLL = Duration.minutes(1)
_FOLDERS = {AthenaUnload: "unload/", DynamoDbExport: "export/"}
_FORMATS = {AthenaUnload: "json_lines", DynamoDbExport: "dynamodb_export"}


def source_payload(source: PostsSource | None, *, posts_prefix: str, run_prefix: str) -> Mapping[str, object]:
    """Says where the extractor finds the posts; `run_prefix` is JSONata."""
    if source is None:
        return {"posts_prefix": posts_prefix}
    return {"posts_prefix": f"{{% {run_prefix} & '{_FOLDERS[type(source)]}' %}}", "format": _FORMATS[type(source)]}


def source_states(
    scope: Construct,
    tasks: TaskStates,
    source: PostsSource,
    *,
    bucket_name: str,
    run_prefix: str,
    output_key_id: str | None,
    failed: sfn.IChainable,
    then: sfn.IChainable,
) -> sfn.IChainable:
    """Makes the states that bring the posts below the run's prefix, and `then` after them."""
    if isinstance(source, AthenaUnload):
        unload = _unload(tasks, source, bucket_name=bucket_name, run_prefix=run_prefix, output_key_id=output_key_id)
        unload.next(then)
        return unload
    return _export(
        scope,
        tasks,
        source,
        folder=_FOLDERS[DynamoDbExport],
        bucket_name=bucket_name,
        run_prefix=run_prefix,
        output_key_id=output_key_id,
        failed=failed,
        then=then,
    )


def reviews_states(
    scope: Construct,
    tasks: TaskStates,
    reviews: DynamoDbExport,
    *,
    bucket_name: str,
    run_prefix: str,
    output_key_id: str | None,
    failed: sfn.IChainable,
    then: sfn.IChainable,
) -> sfn.IChainable:
    """Makes the states that bring the reviewers' table below the run's prefix, and `then` after them."""
    return _export(
        scope,
        tasks,
        reviews,
        named="Reviews-",
        folder=REVIEWS_FOLDER,
        bucket_name=bucket_name,
        run_prefix=run_prefix,
        output_key_id=output_key_id,
        failed=failed,
        then=then,
    )


def _unload(
    tasks: TaskStates, source: AthenaUnload, *, bucket_name: str, run_prefix: str, output_key_id: str | None
) -> sfn.CustomState:
    # As JSON has them, texts are JSONata's too.
    before = json.dumps(f"UNLOAD ({source.query.strip()}) TO 's3://{bucket_name}/", ensure_ascii=False)
    after = json.dumps(f"{_FOLDERS[AthenaUnload]}' WITH (format = 'JSON', compression = 'GZIP')")
    result: dict[str, object] = {"OutputLocation": f"{{% 's3://{bucket_name}/' & {run_prefix} & 'athena/' %}}"}
    if output_key_id is not None:
        result["EncryptionConfiguration"] = {"EncryptionOption": "SSE_KMS", "KmsKey": output_key_id}
    return tasks.task(
        "Unload-Step",
        "athena:startQueryExecution.sync",
        {
            # An execution's name may have an apostrophe, which SQL wants twice.
            "QueryString": f'{{% {before} & $replace({run_prefix}, "\'", "\'\'") & {after} %}}',
            "QueryExecutionContext": {"Database": source.database},
            "WorkGroup": source.work_group,
            "ResultConfiguration": result,
        },
        within=source.max_runtime,
    )


def _export(
    scope: Construct,
    tasks: TaskStates,
    source: DynamoDbExport,
    *,
    named: str = "",
    folder: str,
    bucket_name: str,
    run_prefix: str,
    output_key_id: str | None,
    failed: sfn.IChainable,
    then: sfn.IChainable,
) -> sfn.CustomState:
    # Two exports of one execution are two.
    token = f"'{named}' & $states.context.Execution.Name" if named else "$states.context.Execution.Name"
    arguments: dict[str, object] = {
        "TableArn": source.table.table_arn,
        # Asked twice for an answer that was lost, DynamoDB finds the same export by its token.
        "ClientToken": f"{{% {token} %}}",
        "ExportFormat": "DYNAMODB_JSON",
        "S3Bucket": bucket_name,
        "S3Prefix": f"{{% {run_prefix} & '{folder.rstrip('/')}' %}}",
    }
    if output_key_id is not None:
        arguments |= {"S3SseAlgorithm": "KMS", "S3SseKmsKeyId": output_key_id}
    starting = tasks.task(
        f"{named}Export-Starting-Step",
        "aws-sdk:dynamodb:exportTableToPointInTime",
        arguments,
        assign={"export": "{% $states.result.ExportDescription %}", "export_polls": 0},
    )
    wait = sfn.Wait.jsonata(scope, f"{named}Export-Wait", time=sfn.WaitTime.duration(_POLL))
    describing = tasks.task(
        f"{named}Export-Describing-Step",
        "aws-sdk:dynamodb:describeExport",
        {"ExportArn": "{% $export.ExportArn %}"},
        assign={"export": "{% $states.result.ExportDescription %}", "export_polls": "{% $export_polls + 1 %}"},
    )
    polls = math.ceil(source.max_runtime.to_seconds() / _POLL.to_seconds())
    exported = sfn.Choice.jsonata(scope, f"{named}Exported")
    exported.when(sfn.Condition.jsonata("{% $export.ExportStatus = 'COMPLETED' %}"), then)
    exported.when(
        sfn.Condition.jsonata("{% $export.ExportStatus = 'FAILED' %}"),
        failed,
        assign=assigned_failure(
            f"{named}Exported",
            "ExportFailed",
            "$join(['the export of ' & $export.TableArn, $export.FailureCode, $export.FailureMessage], ': ')",
        ),
    )
    exported.when(
        sfn.Condition.jsonata(f"{{% $export_polls >= {polls} %}}"),
        failed,
        assign=assigned_failure(
            f"{named}Exported",
            "ExportNotInTime",
            f"'the export of ' & $export.TableArn & ' still runs after {source.max_runtime.to_human_string()}'",
        ),
    )
    exported.otherwise(wait)
    starting.next(wait)
    wait.next(describing)
    describing.next(exported)
    return starting
