"""An export of a DynamoDB table into a run's folder: its states and their permissions."""

import math

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_stepfunctions as sfn

from ..._allow import allow
from ..._checks import check_interface
from ..._key_use import allow_key, through_dynamodb
from ..stages._data_access import allow_bucket_key
from ..stages.release_binding import AROUND_A_JOB, ReleaseBinding
from ..workflow._later_names import OBJECTS_OF_LATER

_POLL = Duration.minutes(1)


def check_exported_table(table: object) -> None:
    """Refuses a value that is not a DynamoDB table.

    Raises:
        InvalidArgumentError: see above.
    """
    remedy = "give its table" if hasattr(table, "table") else "import a table with Table.from_table_name(…)"
    check_interface("table", table, "table_arn", "an ITable", remedy)


def table_exported(
    release: ReleaseBinding,
    then: sfn.IChainable,
    *,
    table: dynamodb.ITable,
    folder: str,
    max_runtime: Duration,
    named: str = "",
) -> sfn.IChainable:
    """Makes the states that export all items of `table` into `folder` of the run, followed by `then`.

    `named` begins the states' names. It is also part of the export's token, so that one execution can make two exports.
    """
    _allow_export(release, table)
    release.lasts(max_runtime.plus(AROUND_A_JOB))
    token = f"'{named}' & $states.context.Execution.Name" if named else "$states.context.Execution.Name"
    arguments: dict[str, object] = {
        "TableArn": table.table_arn,
        # If the call is repeated because its answer was lost, DynamoDB finds the same export by its token.
        "ClientToken": f"{{% {token} %}}",
        "ExportFormat": "DYNAMODB_JSON",
        "S3Bucket": release.data_bucket.bucket_name,
        "S3Prefix": f"{{% {release.run_prefix} & '{folder.rstrip('/')}' %}}",
    }
    if release.output_key_id is not None:
        arguments |= {"S3SseAlgorithm": "KMS", "S3SseKmsKeyId": release.output_key_id}
    starting = release.task(
        f"{named}Export-Starting-Step",
        "aws-sdk:dynamodb:exportTableToPointInTime",
        arguments,
        allowed=[],
        assign={"export": "{% $states.result.ExportDescription %}", "export_polls": 0},
    )
    wait = sfn.Wait.jsonata(release.scope, f"{named}Export-Wait", time=sfn.WaitTime.duration(_POLL))
    describing = release.task(
        f"{named}Export-Describing-Step",
        "aws-sdk:dynamodb:describeExport",
        {"ExportArn": "{% $export.ExportArn %}"},
        allowed=[],
        assign={"export": "{% $states.result.ExportDescription %}", "export_polls": "{% $export_polls + 1 %}"},
    )
    polls = math.ceil(max_runtime.to_seconds() / _POLL.to_seconds())
    exported = release.choice(f"{named}Exported")
    exported.when(sfn.Condition.jsonata("{% $export.ExportStatus = 'COMPLETED' %}"), then)
    release.refuse_when(
        exported,
        "$export.ExportStatus = 'FAILED'",
        error="ExportFailed",
        cause="$join(['the export of ' & $export.TableArn, $export.FailureCode, $export.FailureMessage], ': ')",
    )
    release.refuse_when(
        exported,
        f"$export_polls >= {polls}",
        error="ExportNotInTime",
        cause=f"'the export of ' & $export.TableArn & ' still runs after {max_runtime.to_human_string()}'",
    )
    exported.otherwise(wait)
    starting.next(wait)
    wait.next(describing)
    describing.next(exported)
    return starting


def _allow_export(release: ReleaseBinding, table: dynamodb.ITable) -> None:
    role, bucket = release.role, release.data_bucket
    allow(role, ["dynamodb:ExportTableToPointInTime"], table.table_arn)
    allow(
        role,
        ["dynamodb:DescribeExport"],
        f"{table.table_arn}/export/*",
        wildcard_reason="An export gets its id when it starts.",
    )
    allow(
        role,
        ["s3:AbortMultipartUpload", "s3:PutObject", "s3:PutObjectAcl"],
        bucket.arn_for_objects("runs/*"),
        wildcard_reason=OBJECTS_OF_LATER,
    )
    if table.encryption_key is not None:
        allow_key(
            role, table.encryption_key, ["kms:Decrypt", "kms:DescribeKey"], conditions=through_dynamodb(release.scope)
        )
    allow_bucket_key(role, bucket)
