from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from cdk_fargate_sagemaker.sagemaker import DataCapture
from tests.constructs.known_at_deployment import whole


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"percent": 0}, "percent: got 0, allowed: a whole number, 1 to 100"),
        ({"percent": 101}, "percent: got 101, allowed: a whole number, 1 to 100"),
        ({"prefix": "captures"}, "prefix: got 'captures', allowed: a prefix that ends with a slash"),
        (
            {"prefix": "/captures/"},
            "prefix: got '/captures/', allowed: a prefix that ends with a slash and begins with none",
        ),
        ({"prefix": "c" * 440 + "/"}, "at most 440 characters"),
    ],
)
def test_fails_when_sagemaker_would_refuse_it(stack: cdk.Stack, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataCapture(bucket=s3.Bucket(stack, "Bucket"), **given)


def test_it_is_encrypted_as_the_bucket_is_unless_a_key_is_given(stack: cdk.Stack) -> None:
    of_the_bucket, given = kms.Key(stack, "BucketKey"), kms.Key(stack, "Key")
    bucket = s3.Bucket(stack, "Bucket", encryption_key=of_the_bucket)
    assert DataCapture(bucket=bucket).encryption_key is of_the_bucket
    assert DataCapture(bucket=bucket, encryption_key=given).encryption_key is given
    assert DataCapture(bucket=s3.Bucket(stack, "Plain")).encryption_key is None


def test_what_comes_at_deployment_is_not_judged(stack: cdk.Stack) -> None:
    number, text = whole(cdk.Token.as_number({"Ref": "Percent"})), cdk.Token.as_string({"Ref": "Prefix"})
    capture = DataCapture(bucket=s3.Bucket(stack, "Bucket"), percent=number, prefix=text)
    assert (capture.percent, capture.prefix) == (number, text)
