"""The workflow that a stage binds to."""

import copy
from collections.abc import Mapping, Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from ..._checks import check_duration, check_flags
from ..._interfaces import AnyFunction, check_function
from ..configuration.endpoint_configuration import EndpointConfiguration
from ..machines.vpc_placement import VpcPlacement
from ..workflow._task_states import TaskStates, assigned_failure
from ..workflow.release_records import ReleaseRecords
from ._data_access import allow_bucket_key, allow_listing, allow_reading, allow_writing
from ._job_role import job_role

STATES = {
    "source": "Extract",
    "preprocess": "Preprocess",
    "train": "Train",
    "evaluate": "Evaluate",
    "score_current": "Score-Current-Step",
    "check": "Check",
}
SLOTS = tuple(STATES)

# A job waits for its instances before it runs, and for its files to be written afterwards.
AROUND_A_JOB = Duration.hours(1)
_RUN_PREFIX = "'runs/' & $states.context.Execution.Name & '/'"


class ReleaseBinding:
    """The release workflow that a stage binds to: it creates the stage's states and grants the calls they make.

    `ModelReleaseWorkflow` creates one for each stage. A state that fails, or a condition of `refuse_when` that holds,
    ends the release: the endpoint is rolled back, and one notification names the state.

    Args:
        tasks: makes the workflow's tasks.
        records: the table of the releases, and the functions that keep it.
        endpoint_name: the name of the endpoint.
        endpoint_role: the role of the serving containers.
        configuration: what the endpoint runs.
        inference_environment: the variables of the serving container.
        data_bucket: the bucket of posts, runs and models.
        encryption_key: the key of volumes, records and logs.
        removal_policy: what happens to the workflow's resources when the stack is deleted.
        trains: whether the workflow trains.
        slot: the stage's slot. Default: `source`.

    Example:
        ```python
        class DataQuality(ReleaseStage):
            slots = ("preprocess",)

            def __init__(self, function: lambda_.IFunction) -> None:
                self._function = function

            def bind(self, release: ReleaseBinding, then: sfn.IChainable) -> sfn.IChainable:
                looking = release.function("Data-Quality", self._function, {"train": "{% $posts.train.uri %}"})
                looking.next(then)
                return looking
        ```
    """

    def __init__(
        self,
        scope: Construct,
        *,
        tasks: TaskStates,
        records: ReleaseRecords,
        endpoint_name: str,
        endpoint_role: iam.Role,
        configuration: EndpointConfiguration,
        inference_environment: Mapping[str, str],
        data_bucket: s3.IBucket,
        encryption_key: kms.IKey,
        removal_policy: RemovalPolicy,
        trains: bool,
        slot: str = "source",
    ) -> None:
        self._scope = scope
        self._tasks = tasks
        self._records = records
        self._endpoint_name = endpoint_name
        self._endpoint_role = endpoint_role
        self._configuration = configuration
        self._inference_environment = inference_environment
        self._data_bucket = data_bucket
        self._encryption_key = encryption_key
        self._removal_policy = removal_policy
        self._trains = trains
        self._slot = slot
        # What the stages add to the workflow; the bindings of all slots share it.
        self._longest: list[Duration] = []
        self._inputs: list[tuple[str, str]] = []
        self._job_roles: dict[str, iam.Role] = {}
        self._endpoint_reads: list[str] = []
        self._endpoint_writes: list[str] = []

    def in_slot(self, slot: str) -> "ReleaseBinding":
        """Returns a binding to the same workflow for another slot.

        Args:
            slot: the other slot.
        """
        binding = copy.copy(self)
        binding._slot = slot
        return binding

    # ---- the workflow ----------------------------------------------------------------------------------------------

    @property
    def scope(self) -> Construct:
        """The workflow's construct, below which a stage makes its own."""
        return self._scope

    @property
    def slot(self) -> str:
        """The stage's slot, for example `preprocess`."""
        return self._slot

    @property
    def state_name(self) -> str:
        """The name of the slot's state: `Preprocess`."""
        return STATES[self._slot]

    @property
    def endpoint_name(self) -> str:
        """The name of the endpoint."""
        return self._endpoint_name

    @property
    def endpoint_arn(self) -> str:
        """The ARN of the endpoint."""
        return self._tasks.sagemaker_arn("endpoint", self._endpoint_name)

    @property
    def configuration(self) -> EndpointConfiguration:
        """What the endpoint runs."""
        return self._configuration

    @property
    def inference_environment(self) -> Mapping[str, str]:
        """The variables of the serving container."""
        return self._inference_environment

    @property
    def data_bucket(self) -> s3.IBucket:
        """The bucket of posts, runs and models."""
        return self._data_bucket

    @property
    def encryption_key(self) -> kms.IKey:
        """The key of volumes, records and logs."""
        return self._encryption_key

    @property
    def removal_policy(self) -> RemovalPolicy:
        """What happens to the workflow's resources when the stack is deleted."""
        return self._removal_policy

    @property
    def output_key_id(self) -> str | None:
        """The key that encrypts the output of jobs: the bucket's; None if it has none."""
        key = self._data_bucket.encryption_key
        return key.key_arn if key is not None else None

    @property
    def role(self) -> iam.Role:
        """The role of the state machine."""
        return self._tasks.role

    @property
    def endpoint_role(self) -> iam.Role:
        """The role of the serving containers, and of a transform job that runs their model."""
        return self._endpoint_role

    @property
    def trains(self) -> bool:
        """Whether the workflow trains. If not, an execution's input names the model."""
        return self._trains

    @property
    def failed(self) -> sfn.IChainable:
        """The state that a failing release continues with, once `failure` is assigned."""
        return self._tasks.failed

    @property
    def run_prefix(self) -> str:
        """JSONata for the prefix of what an execution writes: `runs/<execution>/`."""
        return _RUN_PREFIX

    def run_uri(self, folder: str) -> str:
        """Returns JSONata for the URI of `folder` below what an execution writes.

        Args:
            folder: `trained/`.
        """
        return f"'s3://{self._data_bucket.bucket_name}/' & {_RUN_PREFIX} & '{folder}'"

    # ---- states ----------------------------------------------------------------------------------------------------

    def function(
        self,
        name: str,
        function: AnyFunction,
        payload: Mapping[str, object],
        *,
        assign: Mapping[str, object] | None = None,
        repeatable: bool = False,
    ) -> sfn.CustomState:
        """Creates a state that invokes `function`, and allows the workflow to; an exception in the function ends the
        release.

        Args:
            name: the state's, which alerts show.
            function: invoked synchronously. It needs permissions of its own for what it reads and writes.
            payload: what it is given. A text of the form `{% … %}` is JSONata.
            assign: variables of the state machine; `$states.result.Payload` is what the function returned. Default:
                none.
            repeatable: it may be invoked again if it did not answer. Default: it may not.

        Raises:
            InvalidArgumentError: no function, a `repeatable` that is not a boolean, or a name that another state has.
        """
        check_function("function", function)
        check_flags(repeatable=repeatable)
        return self._tasks.function(name, function, dict(payload), assign=assign, repeatable=repeatable)

    def task(
        self,
        name: str,
        resource: str,
        arguments: Mapping[str, object],
        *,
        allowed: Sequence[iam.PolicyStatement],
        assign: Mapping[str, object] | None = None,
        within: Duration | None = None,
    ) -> sfn.CustomState:
        """Creates a state that calls AWS; a failure ends the release.

        Args:
            name: the state's, which alerts show.
            resource: as Step Functions names it: `glue:startJobRun.sync`.
            arguments: the call's.
            allowed: what the workflow's role needs to make the call.
            assign: variables of the state machine; `$states.result` is the answer. Default: none.
            within: time limit of the state. Default: none; the workflow's own time limit ends it.

        Raises:
            InvalidArgumentError: a name that another state has, or a time that is known at deployment only.
        """
        if within is not None:
            check_duration("within", within, above_zero=True, whole="seconds", token=False)
        for statement in allowed:
            self.role.add_to_policy(statement)
        return self._tasks.task(name, resource, arguments, allowed=[], assign=assign, within=within)

    def job(
        self,
        kind: str,
        request: Mapping[str, object],
        *,
        role: iam.IRole,
        longest: Duration,
        within: Duration,
        assign: Mapping[str, object],
    ) -> sfn.CustomState:
        """Creates the slot's state, which runs a SageMaker job and waits until it ends.

        Args:
            kind: `Training`, `Processing` or `Transform`.
            request: the request to `Create<kind>Job`. The job's name in it is the release's.
            role: the role that the job assumes.
            longest: how long the job may take; the workflow's time limit is extended by it.
            within: time limit of the state, after which it fails.
            assign: variables of the state machine.

        Raises:
            InvalidArgumentError: a second job in this slot, or a time that is known at deployment only.
        """
        for name, given in (("longest", longest), ("within", within)):
            check_duration(name, given, above_zero=True, whole="seconds", token=False)
        self.lasts(longest.plus(AROUND_A_JOB))
        return self._tasks.job(
            self.state_name,
            kind,
            request,
            endpoint_name=self._endpoint_name,
            passed_role=role,
            within=within,
            assign=assign,
        )

    def choice(self, name: str) -> sfn.Choice:
        """Creates a choice state, which continues with `otherwise`.

        Args:
            name: the state's.

        Raises:
            InvalidArgumentError: a name that another state has.
        """
        return self._tasks.choice(name)

    def refuse_when(self, choice: sfn.Choice, condition: str, *, error: str, cause: str) -> None:
        """Ends the release if `condition` holds.

        Args:
            choice: made by `choice`.
            condition: JSONata: `$quality.rows < 500`. A comparison with a missing value is neither true nor false.
            error: the error's name, as alerts and the record show it.
            cause: JSONata for one sentence: `$string($quality.rows) & ' rows, needed 500'`.
        """
        choice.when(
            sfn.Condition.jsonata(f"{{% {condition} %}}"),
            self.failed,
            assign=assigned_failure(choice.id, error, cause),
        )

    # ---- beside states ---------------------------------------------------------------------------------------------

    def lasts(self, longest: Duration) -> None:
        """Extends the time limit of the whole workflow.

        Args:
            longest: how long the stage takes at most, beyond a quarter of an hour for a function.

        Raises:
            InvalidArgumentError: a time that is known at deployment only.
        """
        # The time limit of the whole workflow is computed from it.
        check_duration("longest", longest, above_zero=True, whole="seconds", token=False)
        self._longest.append(longest)

    def needs(self, prefix: str, *, remedy: str) -> None:
        """Lets a release check, before anything else, that there are objects below a prefix of the data bucket.

        Args:
            prefix: the prefix.
            remedy: what to do if there are no objects.
        """
        allow_listing(self._records.files.role, self._data_bucket, f"{prefix}*")
        self._inputs.append((f"s3://{self._data_bucket.bucket_name}/{prefix}", remedy))

    def keeps_models_of(self, objects: str) -> None:
        """Lets the workflow copy what training wrote, before anything serves it.

        Args:
            objects: a pattern of keys in the data's bucket: `runs/*/trained/*`.
        """
        allow_reading(self._records.files.role, self._data_bucket, objects)

    def job_role(self, id: str, jobs: str, *, vpc: VpcPlacement | None) -> iam.Role:
        """Creates the role of jobs: it may write logs, and has no access to the data yet.

        Args:
            id: the role's, below the workflow.
            jobs: the kind of the jobs, as in the name of SageMaker's log group: `TrainingJobs`.
            vpc: where the job is.
        """
        role = job_role(
            self._scope,
            id,
            endpoint_name=self._endpoint_name,
            jobs=jobs,
            vpc=vpc,
            volume_key=self._encryption_key,
        )
        self._job_roles[id] = role
        return role

    def let_endpoint_read(self, objects: str) -> None:
        """Lets the endpoint's role read more than models.

        Args:
            objects: a pattern of keys in the data's bucket.
        """
        self._endpoint_reads.append(objects)

    def let_endpoint_write(self, objects: str) -> None:
        """Lets the endpoint's role write, as a transform job with this role does.

        Args:
            objects: a pattern of keys in the data's bucket.
        """
        self._endpoint_writes.append(objects)

    # ---- what the stages added to the workflow ---------------------------------------------------------------------

    @property
    def longest(self) -> Sequence[Duration]:
        """By how much the stages extend the workflow's time limit."""
        return self._longest

    @property
    def inputs(self) -> Sequence[tuple[str, str]]:
        """The URIs that a release checks before anything else, each with what to do if there are no objects."""
        return self._inputs

    def find_job_role(self, id: str) -> iam.Role | None:
        """Returns the role that a stage made with this id; None if no stage did.

        Args:
            id: the role's, below the workflow.
        """
        return self._job_roles.get(id)

    def allow_endpoint_data(self) -> None:
        """Lets the endpoint's role do what the stages asked for, in as few statements as possible."""
        role, bucket = self._endpoint_role, self._data_bucket
        allow_reading(role, bucket, "models/*", *self._endpoint_reads)
        if self._endpoint_writes:
            allow_writing(role, bucket, *self._endpoint_writes)
        allow_bucket_key(role, bucket, *(["kms:Encrypt"] if self._endpoint_writes else []))
