"""Why a statement is there that no call of the recorded rehearsal needs, by its name.

A rehearsal goes one way through the system. What lies beside that way is driven by the tests named here, in the
embedded AWS, where every call is judged too.
"""

_FAULTS = "A fault's way: tests/constructs/sagemaker/faults drives it."
_UNDELIVERED = "For an event that its target did not take; nothing of the kind happens in a rehearsal."
_TLS_ALONE = "Nobody uses this queue in a rehearsal, so that no call could be made without TLS."
_ADMINISTRATORS = "Lets the account's administrators manage the key; only services use it."
_MEASURES = (
    "The measures run every hour, which no rehearsal waits for: tests/constructs/review runs the function as its role."
)
_OR_ABSENT = "Tells an object that is not there from one that may not be read, which the function reports differently."
_EITHER = (
    "SageMaker asks a job's grant of the caller or of the job's role, and the caller has it; a job that a person "
    "starts with this role has only the role's."
)
_MISSED = "Keeps an event of the schedule that the function did not take."

EXPLAINED: dict[str, str] = {
    "alerts/AlertsKey9E1197AF kms:CreateGrant+5 by AWS": "The CDK's, for principals of the account that use the secret "
    "through Secrets Manager; the notifier's role is allowed by its own policy.",
    "alerts/AlertsKey9E1197AF kms:Decrypt+1 by events.amazonaws.com": _FAULTS,
    "alerts/AlertsTopicPolicyFF1F97BA sns:Publish by events.amazonaws.com": _FAULTS,
    "alerts/SlackDeadLettersPolicy3538A2C4 sqs:SendMessage by sns.amazonaws.com": "For an alert that SNS could not "
    "hand to the function.",
    "alerts/SlackNotifierRoleDefaultPolicyE91821FF sqs:SendMessage": "For an alert that Slack did not take in three "
    "attempts.",
    "model/ReleaseCheckerRoleDefaultPolicyA52733E0 s3:ListBucket": _OR_ABSENT,
    "model/ReleaseEvaluatorRoleDefaultPolicy2DF324E0 s3:ListBucket": _OR_ABSENT,
    "model/ReleaseRecordsLedgerRoleDefaultPolicy4E93B763 sagemaker:DescribeEndpointConfig": _FAULTS,
    "model/ReleaseRecordsLedgerRoleDefaultPolicy4E93B763 states:DescribeExecution": _FAULTS,
    "model/ReleaseRollbackStarterRole0DABDCD4 sts:AssumeRole by events.amazonaws.com": _FAULTS,
    "model/ReleaseRollbackStarterRoleDefaultPolicyBB3F3204 states:StartExecution": _FAULTS,
    "model/ReleaseRollbackUndeliveredEventsPolicy0AD98887 not sqs:* by *": _TLS_ALONE,
    "model/ReleaseRollbackUndeliveredEventsPolicy0AD98887 sqs:SendMessage by events.amazonaws.com": _UNDELIVERED,
    "model/ReleaseRollbackUndeliveredEventsPolicy0AD98887 sqs:SendMessage by events.amazonaws.com #2": _UNDELIVERED,
    "model/ReleaseSageMakerRoleDefaultPolicy3A1F590F kms:CreateGrant": _EITHER,
    "model/ReleaseTrainingRoleDefaultPolicy9E85D607 kms:CreateGrant": _EITHER,
    "model/ReviewsMeasuresRoleBC408383 sts:AssumeRole by lambda.amazonaws.com": _MEASURES,
    "model/ReviewsMeasuresRoleDefaultPolicy345C81B1 cloudwatch:PutMetricData": _MEASURES,
    "model/ReviewsMeasuresRoleDefaultPolicy345C81B1 dynamodb:Query": _MEASURES,
    "model/ReviewsMeasuresRoleDefaultPolicy345C81B1 dynamodb:Query #2": _MEASURES,
    "model/ReviewsMeasuresRoleDefaultPolicy345C81B1 kms:Decrypt": _MEASURES,
    "model/ReviewsMeasuresRoleDefaultPolicy345C81B1 logs:CreateLogStream+1": _MEASURES,
    "model/ReviewsMeasuresRoleDefaultPolicy345C81B1 sqs:SendMessage": _MISSED,
    "model/ReviewsMeasuresRoleDefaultPolicy345C81B1 xray:PutTelemetryRecords+1": _MEASURES,
    "model/ReviewsMissedPolicyC77417AC not sqs:* by *": _TLS_ALONE,
    "model/ReviewsMissedPolicyC77417AC sqs:SendMessage by events.amazonaws.com": _MISSED,
    "model/ReviewsScheduleAllowEventRulemoderationdevmodelReviewsMeasuresFunction36BA94610DACE742 "
    "lambda:InvokeFunction by events.amazonaws.com": _MEASURES,
    "network/VpcLogKeyB5BDDF22 kms:* by AWS": _ADMINISTRATORS,
    "service/ApiLogKeyCB69AA94 kms:* by AWS": _ADMINISTRATORS,
    "service/TunerLogKeyA6B4C738 kms:* by AWS": _ADMINISTRATORS,
    "service/TunerRoleDefaultPolicyF4D53500 kms:Decrypt+1": "For a look of the tuner that failed; "
    "tests/constructs/tuning drives it.",
    "service/TunerRoleDefaultPolicyF4D53500 sns:Publish": "For a look of the tuner that failed; "
    "tests/constructs/tuning drives it.",
    "service/TunerUndeliveredPolicy4160F749 not sqs:* by *": _TLS_ALONE,
    "service/TunerUndeliveredPolicy4160F749 sqs:SendMessage by events.amazonaws.com": _UNDELIVERED,
    "service/TunerUndeliveredPolicy4160F749 sqs:SendMessage by events.amazonaws.com #2": _UNDELIVERED,
    "service/TunerUndeliveredPolicy4160F749 sqs:SendMessage by events.amazonaws.com #3": _UNDELIVERED,
    "service/UnscoredDeadLettersPolicy7DAEAC7B not sqs:* by *": _TLS_ALONE,
    "alerts/SlackDeadLettersPolicy3538A2C4 not sqs:* by *": _TLS_ALONE,
}
