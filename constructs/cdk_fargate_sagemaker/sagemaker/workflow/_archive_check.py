from aws_cdk import aws_stepfunctions as sfn

from ._task_states import TaskStates

UNCHECKED = "its archive was not checked, as the release was recorded before hashes were"
"""What an alert says of a release that serves again without a hash to compare its archive with."""


def archive_checked(
    tasks: TaskStates, files_arn: str, *, release: str, model_data: str, sha256: str
) -> sfn.CustomState:
    """Makes the state that refuses an archive which is not the one that was recorded, before an endpoint gets it.

    `release`, `model_data` and `sha256` are JSONata expressions. It assigns `archive_checked`: false where nothing was
    recorded to compare with.
    """
    return tasks.function(
        "Archive-Checking-Step",
        files_arn,
        {
            "operation": "check",
            "release": f"{{% {release} %}}",
            "model_data": f"{{% {_or_null(model_data)} %}}",
            "sha256": f"{{% {_or_null(sha256)} %}}",
        },
        assign={"archive_checked": "{% $states.result.Payload.checked %}"},
        repeatable=True,
    )


def _or_null(expression: str) -> str:
    # What is undefined fails the state.
    return f"$exists({expression}) ? {expression} : null"
