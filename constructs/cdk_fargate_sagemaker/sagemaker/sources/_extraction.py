"""The extraction, which makes training data from the labelled posts of any source."""

import dataclasses
from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn

from ..._allow import allow
from ..._draw_secret import draw_secret
from ..._key_use import allow_key, through_secrets_manager
from ..._packaged_function import PackagedFunction
from ..stages._data_access import allow_bucket_key, allow_listing
from ..stages.function_step import FunctionStep
from ..stages.release_binding import ReleaseBinding
from ..workflow._later_names import OBJECTS_OF_LATER
from .review_decisions import REVIEWS_FOLDER, ReviewDecisions

_SIDES = "sides/*"
_CURRENT = "$type($current) = 'object'"


def extracted(
    release: ReleaseBinding,
    then: sfn.IChainable,
    *,
    posts: str,
    payload: Mapping[str, object],
    reviews: ReviewDecisions | None,
) -> sfn.IChainable:
    """Makes the states that divide the posts into training and test posts and merge reviewers' decisions, followed by
    `then`.

    `posts` is the pattern of the objects with posts; `payload` is the part of the extractor's input that names them.
    """
    read = [posts]
    # The exports of both, posts and decisions, are below the same prefix.
    if reviews is not None and posts != "runs/*":
        read.append(f"runs/*/{REVIEWS_FOLDER}*")
    extract = FunctionStep(
        function=_extractor(release, *read).function,
        payload={
            "bucket": release.data_bucket.bucket_name,
            "run_prefix": f"{{% {release.run_prefix} %}}",
            **payload,
            # It is null if no release serves, and 0 if the one that serves did not record the sides of its posts.
            "known_sides": f"{{% {_CURRENT} ? ($type($current.sides) = 'number' ? $current.sides : 0) : null %}}",
            **_reviews_payload(release, reviews),
        },
    ).bind(release, then)
    return extract if reviews is None else reviews.exported(release, extract)


def _reviews_payload(release: ReleaseBinding, reviews: ReviewDecisions | None) -> dict[str, object]:
    if reviews is None:
        return {}
    since = f"{_CURRENT} and $exists($current.labels_as_of) ? $current.labels_as_of : null"
    return {
        "reviews": {
            "prefix": f"{{% {release.run_prefix} & '{REVIEWS_FOLDER}' %}}",
            "since": f"{{% {since} %}}",
            "limits": dataclasses.asdict(reviews.limits),
        }
    }


def _extractor(release: ReleaseBinding, *read: str) -> PackagedFunction:
    secret = draw_secret(
        release.scope,
        "SideSecret",
        description=f"Secret for the random choice of the posts that {release.endpoint_name} is tested with",
        encryption_key=release.encryption_key,
        removal_policy=release.removal_policy,
    )
    extractor = PackagedFunction(
        release.scope,
        "Extractor",
        name="training_data_extractor",
        description=f"Makes the training data of {release.endpoint_name} out of labelled posts",
        timeout=Duration.minutes(15),
        log_encryption_key=release.encryption_key,
        memory_mib=1024,
        ephemeral_storage_mib=4096,
        environment={"SIDE_SECRET_ARN": secret.secret_arn},
    )
    role, bucket = extractor.role, release.data_bucket
    allow(role, ["secretsmanager:GetSecretValue"], secret.secret_arn)
    allow_key(role, release.encryption_key, ["kms:Decrypt"], conditions=through_secrets_manager(release.scope))
    allow(
        role,
        ["s3:GetObject"],
        *(bucket.arn_for_objects(objects) for objects in read),
        wildcard_reason="The user decides which objects hold posts.",
    )
    allow(role, ["s3:GetObject"], bucket.arn_for_objects(_SIDES), wildcard_reason=OBJECTS_OF_LATER)
    allow_listing(role, bucket, *read, _SIDES)
    allow(
        role,
        ["s3:PutObject", "s3:AbortMultipartUpload"],
        bucket.arn_for_objects("runs/*"),
        wildcard_reason=OBJECTS_OF_LATER,
    )
    allow(role, ["s3:PutObject"], bucket.arn_for_objects(_SIDES), wildcard_reason=OBJECTS_OF_LATER)
    allow_bucket_key(role, bucket)
    return extractor
