"""Finds the stacks' outputs by name, in any stack."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Self

from cdk_rehearsal.step_failure import StepError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StackOutputs:
    """The outputs that a rehearsal needs, each with the name of its CfnOutput in snake case.

    An app without the rollback workflow's output is rehearsed without the releases that need it, and one without the
    tuner's outputs without tuning.
    """

    slack_webhook_secret_name: str
    data_bucket_name: str
    posts_prefix: str
    release_workflow_arn: str
    endpoint_name: str
    cluster_name: str
    service_name: str
    rollback_workflow_arn: str | None = None
    releases_table_name: str | None = None
    dashboard_name: str | None = None
    tuner_workflow_arn: str | None = None
    tuner_table_name: str | None = None
    tuned_target_parameter_name: str | None = None

    @classmethod
    def of(cls, stacks: Mapping[str, Mapping[str, str]]) -> Self:
        """Reads the content of `cdk deploy --outputs-file`. Raises StepError that names each missing output."""
        found = {name: value for outputs in stacks.values() for name, value in outputs.items()}
        wanted = {
            field.name: "".join(part.title() for part in field.name.split("_")) for field in dataclasses.fields(cls)
        }
        optional = {field.name for field in dataclasses.fields(cls) if field.default is None}
        missing = [name for field, name in wanted.items() if name not in found and field not in optional]
        if missing:
            raise StepError(f"no stack has the output {', '.join(missing)}: a rehearsal needs a CfnOutput of that name")
        return cls(**{field: found[name] for field, name in wanted.items() if name in found})
