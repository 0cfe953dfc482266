"""The rehearsal, step by step: from nothing to a moderated post and a scaled service."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import math
import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from cdk_rehearsal.cdk_command import CdkCommand, CdkRun
from cdk_rehearsal.docker_stand_in import write_program
from cdk_rehearsal.embedded_aws import EmbeddedAws, EmbeddedAwsError
from cdk_rehearsal.emulator_settings import Engine
from cdk_rehearsal.engines import ContainerRequest, DockerEngine, ImageError, ImageSources, ProcessEngine
from cdk_rehearsal.engines.container import ContainerEngine
from cdk_rehearsal.left_behind import Inventory, kept_by_template
from cdk_rehearsal.processes.free_port import free_port
from cdk_rehearsal.processes.process_registry import ProcessRegistry
from cdk_rehearsal.processes.supervised_process import SupervisedProcess
from cdk_rehearsal.step_failure import StepError
from moderation_rehearsal.cpu_spike import find_spike_alarm, put_spike
from moderation_rehearsal.deployed_service import DeployedService
from moderation_rehearsal.display import Display
from moderation_rehearsal.later_releases import LaterReleases, upload_posts
from moderation_rehearsal.local_sign_in import LocalSignIn
from moderation_rehearsal.moderation_client import moderate, percentile
from moderation_rehearsal.program_log import first_line_with
from moderation_rehearsal.redeployment import DeployedState
from moderation_rehearsal.report import Report, ReviewReport
from moderation_rehearsal.review import DECISIONS_A_MINUTE, SAMPLE_PERCENT, Review
from moderation_rehearsal.sample_posts import Post
from moderation_rehearsal.slack_receiver import SlackReceiver
from moderation_rehearsal.stack_outputs import StackOutputs
from moderation_rehearsal.target_tuning import TargetTuning
from moderation_rehearsal.workflow_execution import WorkflowExecution

_EXECUTION_SECONDS = 600.0
_API_START_SECONDS = 60.0
_SCALING_SECONDS = 30.0
_ALERT_SECONDS = 10.0
_WAIT_SCALE = 0.003  # the ten minutes that an update bakes are two seconds
_FIRST_SHARE = 0.9  # the rest come with the second release
_DEADLINE_MS = "20000"
_STEPS = (
    *("start", "bootstrap", "deploy", "upload", "release", "endpoint", "api", "moderate", "review", "update", "refuse"),
    *("put back", "roll back", "tune", "scale", "redeploy", "permissions", "destroy"),
)
_FIRST_ONLY = "skipped: --releases first"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalSettings:
    """`context` entries are KEY=VALUE; `changes` are those with which the app is deployed a second time.

    `posts` are what the team has, `arriving` what comes to the ML API later, beside what is held out of `posts`.

    `releases` may leave out all after the first, for posts too few to judge a model by. `docker` is the program that
    the engine `docker` is reached through.
    """

    app_folder: Path
    environment: str
    engine: Engine
    work_folder: Path
    posts: list[Post] = dataclasses.field(repr=False)
    arriving: list[Post] = dataclasses.field(default_factory=list, repr=False)
    context: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    held_out: int = 200
    clients: int = 4
    releases: Literal["all", "first"] = "all"
    seed: int = 1998
    docker: str = "docker"
    destroy: bool = True


class Rehearsal:
    """`run` goes through all steps; `stop` ends every process that they started. `report` is filled on the way."""

    def __init__(self, settings: RehearsalSettings, display: Display) -> None:
        self._settings = settings
        self._display = display
        self.report = Report(engine=settings.engine, environment=settings.environment)
        self._cloud_assembly = settings.work_folder / "cdk.out"
        self._changed_assembly = settings.work_folder / "cdk.out.changed"
        self._synthesis: CdkRun | None = None
        self._aws_folder = settings.work_folder / "aws"
        self._registry = ProcessRegistry(settings.work_folder / "processes")
        self._aws = EmbeddedAws(
            engine=settings.engine,
            cloud_assembly=self._cloud_assembly,
            work_folder=self._aws_folder,
            wait_scale=_WAIT_SCALE,
        )
        self._slack = SlackReceiver()
        self._sign_in = LocalSignIn()
        self._review_table: str | None = None
        self._review: Review | None = None
        self._api: SupervisedProcess | None = None
        self._outputs: StackOutputs | None = None
        shuffled = list(settings.posts)
        random.Random(settings.seed).shuffle(shuffled)  # nosec B311  # seeded
        held_out = min(settings.held_out, len(shuffled) // 4)
        self._held_out, self._posts = shuffled[:held_out], shuffled[held_out:]
        self._uploaded = self._posts[: math.ceil(len(self._posts) * _FIRST_SHARE)]
        self.api_port: int | None = None
        self._before = Inventory(frozenset())
        self._resources: dict[str, Any] | None = None

    @property
    def aws(self) -> EmbeddedAws:
        return self._aws

    @property
    def slack(self) -> SlackReceiver:
        return self._slack

    @property
    def outputs(self) -> StackOutputs:
        assert self._outputs is not None, "deploy comes before what needs the outputs"
        return self._outputs

    def run(self) -> None:
        """Raises StepError; `report.failed_step` then names the step."""
        self.walk(*_STEPS)
        self.report.passed = True

    def walk(self, *names: str) -> None:
        """Takes these steps of `run`, for another way through them; `synthesise` comes before a second `deploy`."""
        steps: dict[str, Callable[[], None]] = {
            "start": self._start,
            "bootstrap": self._bootstrap,
            "synthesise": self._synthesise_again,
            "deploy": self._deploy,
            "upload": self._upload,
            "release": self._release,
            "endpoint": self._check_endpoint,
            "api": self._start_api,
            "moderate": self._moderate,
            "review": self._review_posts,
            "update": self._update,
            "refuse": self._refuse,
            "put back": self._put_back,
            "roll back": self._roll_back,
            "tune": self._tune,
            "scale": self._scale,
            "redeploy": self._redeploy,
            "permissions": self._check_permissions,
            "destroy": self._destroy,
        }
        for name in names:
            with self._timed(name), self._display.step(name):
                steps[name]()

    def destroy_stacks(self, *stacks: str) -> None:
        """Deletes these and leaves the others. The ML API ends with them."""
        if self._api is not None:
            self._api.stop()
        self._run_destroy("--exclusively", *stacks)

    def stop(self) -> None:
        """Can be called at any moment, and again."""
        if self._synthesis is not None:
            self._synthesis.stop()
        if self._api is not None:
            self._api.stop()
        self._record_permissions()
        self._aws.stop()
        self._registry.reclaim()
        if self._settings.engine == "docker":
            self._docker().remove_all()
        self.report.received(self._slack.messages)
        self._slack.stop()
        self._sign_in.stop()

    @contextlib.contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        self.report.failed_step = name
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            gone = "" if self._aws.running else "the embedded AWS ended: "
            self._note_denials()
            raise StepError(f"{gone}{error}", log=self._aws_folder / "emulator.log") from error
        except StepError:
            self._note_denials()
            raise
        finally:
            self.report.seconds[name] = round(time.monotonic() - started, 2)
        self.report.failed_step = None

    def _start(self) -> None:
        self._registry.reclaim()
        if self._settings.engine == "docker":
            self._docker().remove_all()
        ProcessRegistry(self._aws_folder / "processes").reclaim()
        for left in (self._aws_folder, self._cloud_assembly, self._changed_assembly):
            shutil.rmtree(left, ignore_errors=True)
        try:
            self._aws.start()
        except EmbeddedAwsError as error:
            raise StepError(str(error), log=self._aws_folder / "emulator.log") from error
        self._synthesise(self._settings.context, self._cloud_assembly)
        self._display.result(self._aws.endpoint_url)

    def _synthesise_again(self) -> None:
        self._synthesise(self._settings.context, self._cloud_assembly)

    def _synthesise(self, context: tuple[str, ...], output: Path) -> None:
        """Begins it, beside the steps before the one that deploys it."""
        self._synthesis = self._cdk().start(
            [
                "synth",
                "--quiet",
                f"--context=environment={self._settings.environment}",
                *(f"--context={entry}" for entry in context),
                f"--output={output}",
            ],
            cwd=self._settings.app_folder,
            log=output.with_suffix(".log"),
        )

    def _cdk(self) -> CdkCommand:
        stand_in = write_program(
            self._settings.work_folder / "docker-stand-in",
            engine=self._settings.engine,
            docker=self._settings.docker,
        )
        return CdkCommand(
            app_folder=self._settings.app_folder,
            environment=self._aws.child_environment | {"CDK_DOCKER": str(stand_in)},
            registry=self._registry,
            alive=lambda: self._aws.running,
        )

    def _bootstrap(self) -> None:
        self._cdk().run(
            ["bootstrap", f"aws://{self._aws.account}/{self._aws.region}"],
            cwd=self._settings.work_folder,  # where there is no app: one would be synthesised for nothing
            log=self._settings.work_folder / "bootstrap.log",
        )
        self._before = Inventory.take(self._aws.client)

    def _deploy(self) -> None:
        outputs = self._settings.work_folder / "outputs.json"
        outputs.unlink(missing_ok=True)
        log = self._settings.work_folder / "deploy.log"
        self._deploy_all(f"--outputs-file={outputs}", log=log)
        if not outputs.exists():
            raise StepError("the app has no stack with an output", log=log)
        self.report.stacks = self._stacks()
        self._outputs = StackOutputs.read(outputs)
        self._display.result(", ".join(self.report.stacks))

    def _deploy_all(self, *options: str, log: Path) -> None:
        assert self._synthesis is not None, "what is deployed is synthesised before"
        self._display.progress("cdk synth")
        self._synthesis.finish()
        if self._changed_assembly.exists():
            shutil.rmtree(self._cloud_assembly)
            self._changed_assembly.rename(self._cloud_assembly)
        self._cdk().run(
            [
                "deploy",
                "--all",
                "--require-approval=never",
                f"--app={self._cloud_assembly}",
                "--concurrency=4",
                "--progress=events",
                *options,
            ],
            cwd=self._settings.app_folder,
            log=log,
            on_line=self._show_deploy,
        )

    def _stacks(self) -> dict[str, str]:
        return {
            stack["StackName"]: stack["StackStatus"]
            for stack in self._aws.client("cloudformation").describe_stacks()["Stacks"]
            if stack["StackName"] != "CDKToolkit"
        }

    def _show_deploy(self, line: str) -> None:
        words = line.strip()
        if words.startswith("✅"):
            self._display.note(words.removeprefix("✅").strip())
        elif words:
            self._display.progress(words[:100])

    def _fix_draws(self) -> None:
        """Every rehearsal draws alike: which posts are held out decides what the second model can learn."""
        secrets = self._aws.client("secretsmanager")
        for page in secrets.get_paginator("list_secrets").paginate():
            for secret in page["SecretList"]:
                if "SideSecret" in secret["Name"] or "DrawSecret" in secret["Name"]:
                    secrets.put_secret_value(
                        SecretId=secret["ARN"], SecretString="of a rehearsal alone, drawn by nobody"
                    )

    def _upload(self) -> None:
        self._fix_draws()
        upload_posts(self._aws.client("s3"), self.outputs, self._uploaded)
        self.report.posts_uploaded = len(self._uploaded)
        self._aws.client("secretsmanager").put_secret_value(
            SecretId=self.outputs.slack_webhook_secret_name, SecretString=self._slack.url
        )
        self._display.result(f"{len(self._uploaded):,} posts; {len(self._held_out):,} held out")

    def _release(self) -> None:
        execution = WorkflowExecution(
            self._aws.client("stepfunctions"), self.outputs.release_workflow_arn, purpose="first"
        )
        self.report.execution_arn = execution.arn
        self.report.execution_states = execution.states
        try:
            execution.follow(
                timeout_seconds=_EXECUTION_SECONDS, alive=lambda: self._aws.running, on_state=self._display.state
            )
            execution.require_success()
        except StepError as error:
            self._wait_for_alert()
            raise StepError(str(error), log=error.log or self._latest_log("training")) from error
        finally:
            self.report.execution_status = execution.status
        self._display.result(f"{execution.status}, {len(execution.states)} states")

    def _wait_for_alert(self) -> None:
        """A failed release has to be told: the alert comes a moment after the execution has ended."""
        deadline = time.monotonic() + _ALERT_SECONDS
        while not self._slack.messages and self._aws.running and time.monotonic() < deadline:
            time.sleep(0.1)
        for message in self._slack.messages:
            self._display.note(f"Slack: {message}")

    def _check_endpoint(self) -> None:
        name = self.outputs.endpoint_name
        endpoint = self._aws.client("sagemaker").describe_endpoint(EndpointName=name)
        self.report.endpoint_name, self.report.endpoint_status = name, endpoint["EndpointStatus"]
        if endpoint["EndpointStatus"] != "InService":
            raise StepError(
                f"endpoint {name} is {endpoint['EndpointStatus']}: {endpoint.get('FailureReason', 'no reason given')}",
                log=self._latest_log("endpoints"),
            )
        # Where nginx is missing, the serving program does without.
        if note := first_line_with("nginx", self._latest_log("endpoints")):
            self._display.note(note)
        self._display.result(f"{name} InService with {endpoint['EndpointConfigName']}")

    def _start_api(self) -> None:
        container = self._service().container()
        try:
            credentials = self._aws.task_credentials(container.task_definition)
        except EmbeddedAwsError as error:
            raise StepError(f"ECS cannot start the task: {error}") from error
        environment = dict(container.environment)
        if "DEADLINE_MS" in environment:
            # One machine trains, deploys and serves at once: what is late here would not be late there.
            self._display.note(f"DEADLINE_MS is {_DEADLINE_MS} here instead of {environment['DEADLINE_MS']}")
            environment["DEADLINE_MS"] = _DEADLINE_MS
        if table := environment.get("REVIEW_TABLE"):
            self._prepare_review(table, environment)
        port = free_port()
        log = self._settings.work_folder / "api.log"
        log.unlink(missing_ok=True)
        try:
            command = self._engine().command(
                ContainerRequest(
                    image_uri=container.image_uri,
                    arguments=container.arguments,
                    environment={
                        **self._aws.environment,
                        **credentials,
                        **environment,
                    },
                    port=port,
                    port_variable="PORT",
                )
            )
        except ImageError as error:
            raise StepError(str(error)) from error
        self._api = SupervisedProcess(
            command.command, log=log, environment=command.environment, cwd=command.cwd, registry=self._registry
        )
        deadline = time.monotonic() + _API_START_SECONDS
        while not _healthy(port):
            if self._api.poll() is not None or time.monotonic() > deadline:
                raise StepError(f"the ML API does not become healthy:\n{self._api.log_tail()}", log=log)
            time.sleep(0.1)
        self.api_port = port
        self._display.result(f"http://localhost:{port}/v1/moderations")

    def _moderate(self) -> None:
        assert self.api_port is not None
        total = len(self._held_out)
        answers = moderate(
            self._held_out,
            port=self.api_port,
            clients=self._settings.clients,
            on_answer=lambda done: self._display.progress(f"{done} of {total}"),
        )
        report = self.report
        report.posts_sent = len(answers)
        report.posts_flagged = sum(answer.flag for answer in answers)
        report.agreement_with_labels = round(sum(a.flag == a.label for a in answers) / len(answers), 4)
        milliseconds = [answer.milliseconds for answer in answers]
        report.latency_p50_ms = round(percentile(milliseconds, 50), 2)
        report.latency_p99_ms = round(percentile(milliseconds, 99), 2)
        if fallbacks := [answer.fallback for answer in answers if answer.fallback]:
            raise StepError(
                f"{len(fallbacks)} of {total} posts were answered without the endpoint: {fallbacks[0]}",
                log=self._settings.work_folder / "api.log",
            )
        self._display.result(
            f"{total} posts, {report.posts_flagged} flagged, {report.agreement_with_labels:.1%} as labelled, "
            f"p50 {report.latency_p50_ms:.1f} ms, p99 {report.latency_p99_ms:.1f} ms"
        )

    def _prepare_review(self, table: str, environment: dict[str, str]) -> None:
        """The load balancer that signs reviewers in is one of this machine."""
        # Hundreds of posts come here, not a day's: of one in a hundred nothing would be found.
        self._display.note(
            f"REVIEW_SAMPLE_PERCENT is {SAMPLE_PERCENT} here instead of {environment.get('REVIEW_SAMPLE_PERCENT')}"
        )
        # A rehearsal's reviewers decide in seconds what takes people hours.
        self._display.note(
            f"REVIEW_DECISIONS_A_MINUTE is {DECISIONS_A_MINUTE} here instead of "
            f"{environment.get('REVIEW_DECISIONS_A_MINUTE')}"
        )
        environment |= {
            "REVIEW_SAMPLE_PERCENT": SAMPLE_PERCENT,
            "REVIEW_DECISIONS_A_MINUTE": DECISIONS_A_MINUTE,
            **self._sign_in.environment,
        }
        self._review_table = table

    def _review_posts(self) -> None:
        if self._review_table is None:
            self._display.result("skipped: the service stores no posts for reviewers")
            return
        assert self.api_port is not None
        self.report.review = ReviewReport()
        self._review = Review(
            clients=self._aws.client,
            outputs=self.outputs,
            display=self._display,
            report=self.report.review,
            sign_in=self._sign_in,
            table=self._review_table,
            api_port=self.api_port,
            api_clients=self._settings.clients,
            sent=self._held_out,
            arriving=self._settings.arriving,
        )
        self._review.review()

    def _later_releases(self) -> LaterReleases:
        assert self.api_port is not None
        assert self.report.execution_arn is not None
        return LaterReleases(
            clients=self._aws.client,
            outputs=self.outputs,
            display=self._display,
            report=self.report,
            slack=self._slack,
            api_port=self.api_port,
            posts=self._posts,
            asked=self._held_out,
            first_execution=self.report.execution_arn,
            seed=self._settings.seed,
            alive=lambda: self._aws.running,
        )

    def _update(self) -> None:
        if self._settings.changes:
            self._synthesise((*self._settings.context, *self._settings.changes), self._changed_assembly)
        if self._settings.releases == "first":
            self._display.result(_FIRST_ONLY)
        else:
            self._later_releases().update()
            if self._review is not None and self.report.second_release is not None:
                self._review.compare(self.report.second_release.execution_arn)

    def _refuse(self) -> None:
        if self._has_rollback():
            self._later_releases().refuse()

    def _put_back(self) -> None:
        if self._has_rollback():
            self._later_releases().put_back()

    def _roll_back(self) -> None:
        if self._has_rollback():
            self._later_releases().roll_back()

    def _has_rollback(self) -> bool:
        if self._settings.releases == "first":
            self._display.result(_FIRST_ONLY)
        elif self.outputs.rollback_workflow_arn is None:
            self._display.result("skipped: no stack has the output RollbackWorkflowArn")
        else:
            return True
        return False

    def _tune(self) -> None:
        if self.outputs.tuner_workflow_arn is None:
            self._display.result("skipped: no stack has the output TunerWorkflowArn")
        else:
            self._tuning().walk()

    def _tuning(self) -> TargetTuning:
        return TargetTuning(
            clients=self._aws.client,
            outputs=self.outputs,
            service=self._service(),
            display=self._display,
            report=self.report,
            told=lambda: self._slack.messages,
            alive=lambda: self._aws.running,
        )

    def _scale(self) -> None:
        service = self._service()
        alarm = find_spike_alarm(self._aws.client, service)
        before = service.desired_count()
        self.report.desired_tasks_before = self.report.desired_tasks_after = before
        wanted = min(before + alarm.adds, alarm.max_tasks)
        maximum = put_spike(self._aws.client, alarm, tasks=before)
        self._display.note(f"CPU maximum {maximum:g} % in one task, threshold {alarm.threshold:g} %")
        deadline = time.monotonic() + _SCALING_SECONDS
        while (after := service.desired_count()) != wanted and time.monotonic() < deadline:
            time.sleep(0.1)
        self.report.desired_tasks_after = after
        if after != wanted:
            raise StepError(f"desired tasks went from {before} to {after}; the spike policy makes it {wanted}")
        self._display.result(f"desired tasks {before} → {after}")

    def _redeploy(self) -> None:
        """A deploy must not take back what scaling has added, and the dashboards have to show new thresholds."""
        changes = self._settings.changes
        if not changes:
            self._display.result("skipped: no --change KEY=VALUE says what to change")
            return
        log = self._settings.work_folder / "redeploy.log"
        self.report.changed_settings = list(changes)
        before = self._observe()
        self._deploy_all(log=log)
        if self.report.tuning is not None:
            self._tuning().require_kept()
        after = self._observe()
        self.report.stacks = self._stacks()
        self.report.desired_tasks_after_redeploy = after.desired_tasks
        self.report.changed_resources = after.changed_resources(before)
        self.report.changed_dashboards = after.changed_dashboards(before)
        if not self.report.changed_resources:
            raise StepError(
                f"{', '.join(changes)} changes no resource: the app has these values, or reads none", log=log
            )
        if after.desired_tasks != before.desired_tasks:
            raise StepError(
                f"desired tasks went from {before.desired_tasks} to {after.desired_tasks} in a deploy; it must leave "
                "them to the scaling",
                log=log,
            )
        if undrawn := after.undrawn_thresholds(before):
            shown = ", ".join(f"{value:g}" for value in undrawn)
            raise StepError(f"the new threshold {shown} is a horizontal line on no dashboard", log=log)
        for change in self.report.changed_dashboards:
            self._display.note(change)
        self._display.result(
            f"{', '.join(changes)}: {len(self.report.changed_resources)} resources changed, "
            f"desired tasks stay {after.desired_tasks}"
        )

    def _destroy(self) -> None:
        """Shows what outlives the stacks. What their own deletion may not do counts as a missing permission too."""
        if not self._settings.destroy:
            self._display.result("skipped: --keep")
            return
        if self._api is not None:
            # Its tasks end with the service.
            self._api.stop()
        stacks = list(self.report.stacks)
        kept = kept_by_template(self._aws.client, stacks)
        self._stop_schedules()
        log = self._run_destroy("--all")
        if standing := [stack for stack in stacks if stack in self._stacks()]:
            raise StepError(f"{', '.join(standing)}: not deleted", log=log)
        self.report.destroyed_stacks = stacks
        self.report.left_behind = Inventory.take(self._aws.client).left_since(self._before, kept=kept)
        for left in self.report.left_behind:
            what = f"{left.why}; {left.price}" if left.why else "nobody deletes it, and no template keeps it"
            self._display.note(f"left: {left.kind} {left.name}: {what}")
        self._require_permissions()
        found = len(self.report.left_behind)
        found_words = {0: "nothing is", 1: "1 resource is"}.get(found, f"{found} resources are")
        self._display.result(f"{len(stacks)} stacks; {found_words} left")

    def _stop_schedules(self) -> None:
        """A function that a rule starts while its stack goes would find its role gone, and miss each permission."""
        events = self._aws.client("events")
        for page in events.get_paginator("list_rules").paginate():
            for rule in page["Rules"]:
                if "ScheduleExpression" in rule:
                    events.disable_rule(Name=rule["Name"])

    def _run_destroy(self, *which: str) -> Path:
        log = self._settings.work_folder / "destroy.log"
        self._cdk().run(
            ["destroy", *which, "--force", "--concurrency=4", f"--app={self._cloud_assembly}"],
            cwd=self._settings.app_folder,
            log=log,
            on_line=self._show_deploy,
        )
        return log

    def _check_permissions(self) -> None:
        self._resources = self._aws.deployed_resources()
        self._require_permissions()
        report = self.report
        self._display.result(
            f"{report.judged_calls:,} calls asked for {report.judged_permissions} permissions, and none was missing"
        )

    def _require_permissions(self) -> None:
        self._record_permissions()
        if denied := self.report.denied_permissions:
            raise StepError(f"{len(denied)} permissions are missing")

    def _note_denials(self) -> None:
        """What fails may fail for want of a permission, and say so less plainly."""
        self._record_permissions()
        for call in self.report.denied_permissions:
            self._display.note(_denied_line(call))

    def _record_permissions(self) -> None:
        """Into the report, and in full beside it for whoever judges them again."""
        if not self._aws.running:
            return
        with contextlib.suppress(EmbeddedAwsError, OSError, http.client.HTTPException):
            calls = self._aws.judged_calls()
            self.report.judged(calls)
            # As they were deployed: what a destroy has deleted tells nothing any more.
            resources = self._aws.deployed_resources() if self._resources is None else self._resources
            recording = {"resources": resources, "calls": calls}
            path = self._settings.work_folder / "judged_calls.json"
            path.write_text(json.dumps(recording, indent=1) + "\n", encoding="utf-8")

    def _observe(self) -> DeployedState:
        return DeployedState.observe(self._aws.client, self._service(), stacks=self.report.stacks)

    def _service(self) -> DeployedService:
        return DeployedService(self._aws.client, cluster=self.outputs.cluster_name, service=self.outputs.service_name)

    def _engine(self) -> ContainerEngine:
        if self._settings.engine == "docker":
            return self._docker()
        return ProcessEngine(
            ImageSources(cloud_assembly=self._cloud_assembly),
            base_environment=self._aws.program_environment,
        )

    def _docker(self) -> DockerEngine:
        return DockerEngine(owner=str(self._aws_folder.absolute()), program=self._settings.docker)

    def _latest_log(self, kind: str) -> Path:
        logs = sorted((self._aws_folder / kind).rglob("log.txt"), key=lambda path: path.stat().st_mtime)
        return logs[-1] if logs else self._aws_folder / "emulator.log"


def _denied_line(call: Mapping[str, Any]) -> str:
    return (
        f"{call['caller']} may not {call['action']} on {call['resource']} ({call['operation']}): {call['reason']}"
        + (f"; missing: {json.dumps(call['missing'])}" if call["missing"] else "")
    )


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
