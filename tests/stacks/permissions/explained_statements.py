"""Why a statement is there that no call of the recorded rehearsal needs, by its name.

A rehearsal goes one way through the system. What lies beside that way is driven by the tests named here, in the
embedded AWS, where every call is judged too.
"""

_FAULTS = "A fault's way: tests/constructs/sagemaker/faults drives it."
_ADMINISTRATORS = "Lets the account's administrators manage the key; only services use it."
_MEASURES = (
    "The measures run every hour, which no rehearsal waits for: tests/constructs/review runs the function as its role."
)
_DRIFT = (
    "The drift is measured once a day, which no rehearsal waits for: tests/constructs/monitoring/test_model_drift.py "
    "runs the function as its role."
)
_OR_ABSENT = "Tells an object that is not there from one that may not be read, which the function reports differently."
_EITHER = (
    "SageMaker asks a job's grant of the caller or of the job's role, and the caller has it; a job that a person "
    "starts with this role has only the role's."
)
_OWN_POLICY = (
    "The CDK's, for principals of the account that use the secret through Secrets Manager; the role that reads it is "
    "allowed by its own policy."
)
_LEFT_OVER = "For an endpoint that an earlier life of the stack left: tests/proofs/second_lives.py drives it (kept)."
_DELETED = "For a model or configuration that somebody deleted: tests/proofs/restored.py drives it."
_FAILED_LOOK = "For a look of the tuner that failed; tests/constructs/tuning drives it."

EXPLAINED: dict[str, str] = {
    "alerts/AlertsKey9D05DB5E kms:CreateGrant+5 by AWS": _OWN_POLICY,
    "model/DriftMeasuresRoleDefaultPolicy8FB985E7 cloudwatch:PutMetricData": _DRIFT,
    "model/DriftMeasuresRoleDefaultPolicy8FB985E7 dynamodb:GetItem+1": _DRIFT,
    "model/DriftMeasuresRoleDefaultPolicy8FB985E7 dynamodb:Query": _DRIFT,
    "model/DriftMeasuresRoleDefaultPolicy8FB985E7 kms:Decrypt": _DRIFT,
    "model/Key961B73FD kms:CreateGrant+5 by AWS": _OWN_POLICY,
    "model/ReleaseExtractorRoleDefaultPolicy4A9A3735 kms:Decrypt": "Secrets Manager decrypts the secret of the draws "
    "for the function; the embedded AWS makes no such call.",
    "model/ReviewsKey4E77642B kms:CreateGrant+5 by AWS": _OWN_POLICY,
    "model/ReleaseCheckerRoleDefaultPolicyA52733E0 s3:ListBucket": _OR_ABSENT,
    "model/ReleaseEndGoesOn24319C57 lambda:InvokeFunction": "For an endpoint whose change outlasts the function's 15 "
    "minutes, and for a release that runs as the stack is deleted; tests/lambda/test_endpoint_remover.py has both.",
    "model/ReleaseEndRemoverRoleDefaultPolicyAA7F99FB states:StopExecution": "For a release that runs as the stack is "
    "deleted: tests/proofs/second_lives.py drives it (destroyed while a release runs).",
    "model/ReleaseEvaluatorRoleDefaultPolicy2DF324E0 s3:ListBucket": _OR_ABSENT,
    "model/ReleaseRecordsFilesRoleDefaultPolicy7BF8A2A1 s3:ListBucket": _OR_ABSENT,
    "model/ReleaseRecordsFilesRoleDefaultPolicy7BF8A2A1 s3:ListBucket #2": _OR_ABSENT,
    "model/ReleaseRecordsLedgerRoleDefaultPolicy4E93B763 iam:GetRole": _LEFT_OVER,
    "model/ReleaseRecordsLedgerRoleDefaultPolicy4E93B763 iam:PassRole": _DELETED,
    "model/ReleaseRecordsLedgerRoleDefaultPolicy4E93B763 kms:Decrypt+1": _LEFT_OVER,
    "model/ReleaseRecordsLedgerRoleDefaultPolicy4E93B763 sns:Publish": _LEFT_OVER,
    "model/ReleaseRecordsLedgerRoleDefaultPolicy4E93B763 states:DescribeExecution": _FAULTS,
    "model/ReleaseSageMakerRoleDefaultPolicy3A1F590F kms:CreateGrant": _EITHER,
    "model/ReleaseTrainingRoleDefaultPolicy9E85D607 kms:CreateGrant": _EITHER,
    "model/ReviewsMeasuresRoleDefaultPolicy345C81B1 cloudwatch:PutMetricData": _MEASURES,
    "model/ReviewsMeasuresRoleDefaultPolicy345C81B1 dynamodb:Query": _MEASURES,
    "model/ReviewsMeasuresRoleDefaultPolicy345C81B1 dynamodb:Query #2": _MEASURES,
    "model/ReviewsMeasuresRoleDefaultPolicy345C81B1 kms:Decrypt": _MEASURES,
    "network/VpcLogKeyB5BDDF22 kms:* by AWS": _ADMINISTRATORS,
    "service/ApiLogKeyCB69AA94 kms:* by AWS": _ADMINISTRATORS,
    "service/TunerLogKeyA6B4C738 kms:* by AWS": _ADMINISTRATORS,
    "service/TunerRoleDefaultPolicyF4D53500 kms:Decrypt+1": _FAILED_LOOK,
    "service/TunerRoleDefaultPolicyF4D53500 sns:Publish": _FAILED_LOOK,
    "service/UnscoredDeadLettersPolicy7DAEAC7B not sqs:* by *": "Nobody uses this queue in a rehearsal, so that no "
    "call could be made without TLS.",
}
