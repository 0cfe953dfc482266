"""The story of `make rehearse`: releases models, moderates and reviews posts, tunes targets, adds tasks."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, cast

import typer

from cdk_rehearsal.display import Display
from cdk_rehearsal.embedded_aws import EmbeddedAws, EmbeddedAwsError
from cdk_rehearsal.engines import ContainerRequest, ImageError
from cdk_rehearsal.processes.free_port import free_port
from cdk_rehearsal.processes.supervised_process import SupervisedProcess
from cdk_rehearsal.step_failure import StepError
from cdk_rehearsal.story import Story
from moderation_rehearsal.cpu_spike import find_spike_alarm, put_spike
from moderation_rehearsal.deployed_service import DeployedService
from moderation_rehearsal.fixed_draws import fix_draws
from moderation_rehearsal.later_releases import LaterReleases, upload_posts
from moderation_rehearsal.local_sign_in import LocalSignIn
from moderation_rehearsal.moderation_client import moderate, percentile
from moderation_rehearsal.program_log import first_line_with
from moderation_rehearsal.redeployment import DeployedState
from moderation_rehearsal.rehearsal_posts import SEED, RehearsalPosts, file_layout
from moderation_rehearsal.rehearsed_recipe import Recipe, RehearsedRecipe
from moderation_rehearsal.report import ModerationReport, ReviewReport
from moderation_rehearsal.review import DECISIONS_A_MINUTE, SAMPLE_PERCENT, Review
from moderation_rehearsal.slack_receiver import SlackReceiver
from moderation_rehearsal.stack_outputs import StackOutputs
from moderation_rehearsal.target_tuning import TargetTuning
from moderation_rehearsal.workflow_execution import WorkflowExecution

_EXECUTION_SECONDS = 600.0
_API_START_SECONDS = 60.0
_SCALING_SECONDS = 30.0
_ALERT_SECONDS = 10.0
_DEADLINE_MS = "20000"
_FIRST_ONLY = "skipped: --releases first"


class ModerationStory(Story):
    """Takes the deployed reference system from its posts to a moderated post, a reviewed one and a scaled service.

    `releases` may omit all after the first, if there are too few posts to evaluate a model.
    """

    report_type = ModerationReport
    order_of_steps: ClassVar[tuple[str, ...]] = (
        *("start", "bootstrap", "deploy", "upload", "release", "endpoint", "api", "moderate", "review", "update"),
        *("refuse", "put back", "roll back", "tune", "scale", "redeploy", "permissions", "destroy"),
    )

    def __init__(
        self,
        *,
        data: Annotated[
            Path | None, typer.Option(help="Your own posts: .csv, .tsv or .jsonl with text and label; .gz too.")
        ] = None,
        data_format: Annotated[
            Literal["csv", "tsv", "jsonl"] | None,
            typer.Option(help="The format of --data, where its name does not say."),
        ] = None,
        encoding: Annotated[str, typer.Option(help="The encoding of --data, as cp932, euc_jp or latin-1.")] = "utf-8",
        text_column: Annotated[
            str, typer.Option(help="The column of --data with the posts; its number from 1 where there is no header.")
        ] = "text",
        label_column: Annotated[str, typer.Option(help="The column of --data with the labels, likewise.")] = "label",
        positive: Annotated[
            list[str] | None,
            typer.Option(
                help="The label of violations in --data; every other is fine. Repeatable. Default: 1, and 0 is."
            ),
        ] = None,
        write_posts: Annotated[
            Path | None, typer.Option(help="Write the posts of --data there, .jsonl, as a deployed system reads them.")
        ] = None,
        posts: Annotated[int, typer.Option(help="How many sample posts to make, without --data.", min=100)] = 3000,
        held_out: Annotated[int, typer.Option(help="How many posts to keep aside and moderate.", min=1)] = 200,
        clients: Annotated[int, typer.Option(help="How many send posts at the same time.", min=1, max=64)] = 4,
        releases: Annotated[
            Literal["all", "first"] | None,
            typer.Option(
                help="Leave out all releases after the first, for posts too few to judge a model by. "
                "Default: all; first where --recipe starts from a tiny encoder.",
                show_default=False,
            ),
        ] = None,
        recipe: Annotated[
            Recipe | None,
            typer.Option(
                help="The recipe of the training; bert and student start from a tiny encoder. Default: the settings'.",
                show_default=False,
            ),
        ] = None,
    ) -> None:
        layout = file_layout(
            format=data_format,
            encoding=encoding,
            text_column=text_column,
            label_column=label_column,
            positive=tuple(positive or ()),
        )
        self._posts = RehearsalPosts.choose(
            data=data, layout=layout, written=write_posts, sample_posts=posts, held_out=held_out
        )
        self._clients = clients
        self._recipe = RehearsedRecipe(recipe) if recipe else None
        self._releases = releases or ("first" if self._recipe and self._recipe.is_tiny else "all")
        self._slack = SlackReceiver()
        self._sign_in = LocalSignIn()
        self._shown_messages = 0
        self._review_table: str | None = None
        self._review: Review | None = None
        self._api: SupervisedProcess | None = None
        self._outputs: StackOutputs | None = None
        self.api_port: int | None = None

    @property
    def slack(self) -> SlackReceiver:
        return self._slack

    @property
    def outputs(self) -> StackOutputs:
        assert self._outputs is not None, "deploy comes before what needs the outputs"
        return self._outputs

    @property
    def report(self) -> ModerationReport:
        return cast(ModerationReport, self.rehearsal.report)

    @property
    def _aws(self) -> EmbeddedAws:
        return self.rehearsal.aws

    @property
    def _display(self) -> Display:
        return self.rehearsal.display

    def steps(self) -> Mapping[str, Callable[[], None]]:
        return {
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
        }

    def context(self) -> tuple[str, ...]:
        if self._recipe is None:
            return ()
        if self._recipe.is_tiny and self.rehearsal.settings.engine != "process":
            raise StepError("--recipe bert and student take --engine process: images know the pinned model's hashes")
        return self._recipe.context

    def deployed(self) -> None:
        work_folder = self.rehearsal.settings.work_folder
        if not self.rehearsal.outputs:
            raise StepError("the app has no stack with an output", log=work_folder / "deploy.log")
        self._outputs = StackOutputs.of(self.rehearsal.outputs)

    def before_destroy(self) -> None:
        if self._api is not None:
            # The service's tasks end with it.
            self._api.stop()

    def complete_report(self) -> None:
        self.report.received(self._slack.messages)

    def stop(self) -> None:
        if self._api is not None:
            self._api.stop()
        self.report.received(self._slack.messages)
        self._slack.stop()
        self._sign_in.stop()

    def kept_lines(self) -> list[str]:
        workflow, api = self.outputs.release_workflow_arn, f"http://localhost:{self.api_port}"
        return [
            f"  ML API        {api}",
            f"  workflow      {workflow}",
            "",
            f"""  curl -d '{{"text": "…"}}' -H 'Content-Type: application/json' {api}/v1/moderations""",
            f"  aws --endpoint-url {self._aws.endpoint_url} stepfunctions start-execution "
            f"--state-machine-arn {workflow}",
        ]

    def while_kept(self) -> None:
        for message in self._slack.messages[self._shown_messages :]:
            self._display.note(f"Slack: {message}")
            self._shown_messages += 1

    def _upload(self) -> None:
        fix_draws(self._aws.client("secretsmanager"))
        if self._recipe is not None:
            texts = [post.text for post in self._posts.team]
            self._recipe.prepare(self.rehearsal, bucket=self.outputs.data_bucket_name, texts=texts)
        upload_posts(self._aws.client("s3"), self.outputs, self._posts.uploaded)
        self.report.posts_uploaded = len(self._posts.uploaded)
        self._aws.client("secretsmanager").put_secret_value(
            SecretId=self.outputs.slack_webhook_secret_name, SecretString=self._slack.url
        )
        self._display.result(f"{len(self._posts.uploaded):,} posts; {len(self._posts.held_out):,} held out")

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
            raise StepError(str(error), log=error.log or self.rehearsal.latest_log("training")) from error
        finally:
            self.report.execution_status = execution.status
        self._display.result(f"{execution.status}, {len(execution.states)} states")

    def _wait_for_alert(self) -> None:
        """A failed release must be reported; the alert comes shortly after the execution's end."""
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
                log=self.rehearsal.latest_log("endpoints"),
            )
        # If nginx is missing, the serving program runs without it.
        if note := first_line_with("nginx", self.rehearsal.latest_log("endpoints")):
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
            # One machine trains, deploys and serves at the same time: delays here would not occur on AWS.
            self._display.note(f"DEADLINE_MS is {_DEADLINE_MS} here instead of {environment['DEADLINE_MS']}")
            environment["DEADLINE_MS"] = _DEADLINE_MS
        if table := environment.get("REVIEW_TABLE"):
            self._prepare_review(table, environment)
        port = free_port()
        log = self.rehearsal.settings.work_folder / "api.log"
        log.unlink(missing_ok=True)
        try:
            command = self.rehearsal.container_engine().command(
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
            command.command, log=log, environment=command.environment, cwd=command.cwd, registry=self.rehearsal.registry
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
        total = len(self._posts.held_out)
        answers = moderate(
            self._posts.held_out,
            port=self.api_port,
            clients=self._clients,
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
                log=self.rehearsal.settings.work_folder / "api.log",
            )
        self._display.result(
            f"{total} posts, {report.posts_flagged} flagged, {report.agreement_with_labels:.1%} as labelled, "
            f"p50 {report.latency_p50_ms:.1f} ms, p99 {report.latency_p99_ms:.1f} ms"
        )

    def _prepare_review(self, table: str, environment: dict[str, str]) -> None:
        """A local program replaces the load balancer that signs reviewers in."""
        # Only hundreds of posts arrive here: a sample of one in a hundred would find nothing.
        self._display.note(
            f"REVIEW_SAMPLE_PERCENT is {SAMPLE_PERCENT} here instead of {environment.get('REVIEW_SAMPLE_PERCENT')}"
        )
        # A rehearsal's reviewers decide in seconds; people need hours.
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
            api_clients=self._clients,
            sent=self._posts.held_out,
            arriving=self._posts.arriving,
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
            posts=self._posts.team,
            asked=self._posts.held_out,
            first_execution=self.report.execution_arn,
            seed=SEED,
            alive=lambda: self._aws.running,
        )

    def _update(self) -> None:
        if self.rehearsal.settings.changes:
            self.rehearsal.synthesise_changed()
        if self._releases == "first":
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
        if self._releases == "first":
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
        """A deployment must not remove tasks added by scaling, and the dashboards must show new thresholds."""
        changes = self.rehearsal.settings.changes
        if not changes:
            self._display.result("skipped: no --change KEY=VALUE says what to change")
            return
        before = self._observe()
        changed, log = self.rehearsal.deploy_again()
        if self.report.tuning is not None:
            self._tuning().require_kept()
        after = self._observe()
        self.report.desired_tasks_after_redeploy = after.desired_tasks
        self.report.changed_dashboards = after.changed_dashboards(before)
        if not changed:
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
            f"{', '.join(changes)}: {len(changed)} resources changed, desired tasks stay {after.desired_tasks}"
        )

    def _observe(self) -> DeployedState:
        return DeployedState.observe(self._aws.client, self._service())

    def _service(self) -> DeployedService:
        return DeployedService(self._aws.client, cluster=self.outputs.cluster_name, service=self.outputs.service_name)


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
