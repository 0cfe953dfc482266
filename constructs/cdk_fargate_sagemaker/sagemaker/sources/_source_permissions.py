from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from ..._allow import allow
from ..._key_use import allow_key, through_dynamodb
from ..._resource_policy import open_to_account
from ._source_states import PostsSource
from .athena_unload import AthenaUnload
from .dynamodb_export import DynamoDbExport

_OBJECTS_OF_LATER = "The objects below this prefix are made by the workflow's later executions."


def allow_source(role: iam.Role, source: PostsSource, data_bucket: s3.IBucket) -> None:
    """Lets `role`, a release workflow's, bring the posts of `source` below `runs/` in `data_bucket`."""
    if isinstance(source, AthenaUnload):
        _allow_unload(role, source, data_bucket)
    else:
        _allow_export(role, source, data_bucket)
    if data_bucket.encryption_key is not None:
        allow_key(role, data_bucket.encryption_key, ["kms:Decrypt", "kms:GenerateDataKey"])


def _allow_unload(role: iam.Role, source: AthenaUnload, data_bucket: s3.IBucket) -> None:
    stack = Stack.of(role)
    allow(
        role,
        ["athena:GetQueryExecution", "athena:StartQueryExecution", "athena:StopQueryExecution"],
        stack.format_arn(service="athena", resource="workgroup", resource_name=source.work_group),
    )
    allow(
        role,
        ["athena:GetDataCatalog"],
        stack.format_arn(service="athena", resource="datacatalog", resource_name="AwsDataCatalog"),
    )
    # Athena looks at the default database whatever a query names. A table takes permission on its database and on the
    # catalog: https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html
    # That page has CreateDatabase too, which is for an account without a default database: a release makes none.
    allow(
        role,
        ["glue:GetDatabase"],
        stack.format_arn(service="glue", resource="catalog"),
        stack.format_arn(service="glue", resource="database", resource_name="default"),
    )
    allow(
        role,
        ["glue:BatchGetPartition", "glue:GetDatabase", "glue:GetPartition", "glue:GetPartitions", "glue:GetTable"],
        stack.format_arn(service="glue", resource="catalog"),
        stack.format_arn(service="glue", resource="database", resource_name=source.database),
        *(
            stack.format_arn(service="glue", resource="table", resource_name=f"{source.database}/{table}")
            for table in source.tables
        ),
    )
    allow(
        role,
        ["s3:GetObject"],
        source.bucket.arn_for_objects(f"{source.prefix}*"),
        wildcard_reason="Which objects hold the tables' rows changes as rows are added.",
    )
    allow(
        role,
        ["s3:ListBucket"],
        source.bucket.bucket_arn,
        conditions={"StringLike": {"s3:prefix": [f"{source.prefix}*"]}},
    )
    allow(
        role,
        ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"],
        data_bucket.arn_for_objects("runs/*"),
        wildcard_reason=_OBJECTS_OF_LATER,
    )
    allow(role, ["s3:ListBucket"], data_bucket.bucket_arn, conditions={"StringLike": {"s3:prefix": ["runs/*"]}})
    # These know no prefix.
    allow(role, ["s3:GetBucketLocation"], source.bucket.bucket_arn, data_bucket.bucket_arn)
    allow(role, ["s3:ListBucketMultipartUploads"], data_bucket.bucket_arn)
    objects = source.bucket.arn_for_objects(f"{source.prefix}*")
    open_to_account(source.bucket, source.bucket.bucket_arn, role, ["s3:GetObject"], objects)
    open_to_account(
        source.bucket,
        source.bucket.bucket_arn,
        role,
        ["s3:GetBucketLocation", "s3:ListBucket"],
        source.bucket.bucket_arn,
    )
    if source.bucket.encryption_key is not None:
        allow_key(role, source.bucket.encryption_key, ["kms:Decrypt"])


def _allow_export(role: iam.Role, source: DynamoDbExport, data_bucket: s3.IBucket) -> None:
    allow(role, ["dynamodb:ExportTableToPointInTime"], source.table.table_arn)
    allow(
        role,
        ["dynamodb:DescribeExport"],
        f"{source.table.table_arn}/export/*",
        wildcard_reason="An export gets its id when it is started.",
    )
    allow(
        role,
        ["s3:AbortMultipartUpload", "s3:PutObject", "s3:PutObjectAcl"],
        data_bucket.arn_for_objects("runs/*"),
        wildcard_reason=_OBJECTS_OF_LATER,
    )
    key = source.table.encryption_key
    if key is not None:
        allow_key(
            role,
            key,
            ["kms:Decrypt", "kms:DescribeKey"],
            conditions=through_dynamodb(role),
        )
