"""The steps of a rehearsal: deploys an app, runs its story, deploys again and destroys."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cdk_rehearsal import cloud_assembly
from cdk_rehearsal.cdk_command import CdkCommand, CdkRun
from cdk_rehearsal.display import Display
from cdk_rehearsal.docker_stand_in import write_program
from cdk_rehearsal.embedded_aws import EmbeddedAws, EmbeddedAwsError
from cdk_rehearsal.emulator_settings import Engine
from cdk_rehearsal.engines import DockerEngine, ImageSources, ProcessEngine
from cdk_rehearsal.engines.container import ContainerEngine
from cdk_rehearsal.left_behind import Inventory, kept_by_template
from cdk_rehearsal.processes.process_registry import ProcessRegistry
from cdk_rehearsal.report import Report
from cdk_rehearsal.step_failure import StepError
from cdk_rehearsal.story import Story, step_order

_WAIT_SCALE = 0.003  # the ten-minute baking period of an update takes two seconds
_SHOWN = 5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalSettings:
    """`context` entries are KEY=VALUE; `changes` are the context entries of the second deployment.

    `environment`, unless None, is passed to the app as context; otherwise the report has `reported_environment`.
    `docker` is the client program of the engine `docker`.
    """

    app_folder: Path
    work_folder: Path
    engine: Engine = "process"
    environment: str | None = None
    reported_environment: str | None = None
    context: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    docker: str = "docker"
    destroy: bool = True


class Rehearsal:
    """`run` runs all steps and fills `report`; `stop` ends every process that they started.

    For a story: `aws` is the embedded AWS, `outputs` the stacks' outputs, `registry` the registry of the processes it
    starts, `log` a file for the output of one of them.
    """

    def __init__(self, settings: RehearsalSettings, display: Display, story: Story | None = None) -> None:
        self.settings = settings
        self.display = display
        self.registry = ProcessRegistry(settings.work_folder / "processes")
        self.outputs: dict[str, dict[str, str]] = {}
        self._story = Story() if story is None else story
        self._order = step_order(self._story)
        self.report: Report = self._story.report_type(
            engine=settings.engine, environment=settings.environment or settings.reported_environment
        )
        self._cloud_assembly = settings.work_folder / "cdk.out"
        self._changed_assembly = settings.work_folder / "cdk.out.changed"
        self._synthesis: CdkRun | None = None
        self._aws_folder = settings.work_folder / "aws"
        self._aws = EmbeddedAws(
            engine=settings.engine,
            cloud_assembly=self._cloud_assembly,
            work_folder=self._aws_folder,
            wait_scale=_WAIT_SCALE,
        )
        self._before = Inventory(frozenset())
        # What templates keep adds up where an app is deployed again after it was destroyed.
        self._kept: dict[str, str] = {}
        self._resources: dict[str, Any] | None = None
        self._story.rehearsal = self

    @property
    def aws(self) -> EmbeddedAws:
        return self._aws

    def run(self) -> None:
        """Raises StepError; `report.failed_step` then names the step."""
        self.walk(*self._order)
        self.report.passed = True

    def walk(self, *names: str) -> None:
        """Runs these steps of `run`, for another order; `synthesise` must precede a second `deploy`."""
        steps: dict[str, Callable[[], None]] = {
            "start": self._start,
            "bootstrap": self._bootstrap,
            "synthesise": self._synthesise_again,
            "deploy": self._deploy,
            "permissions": self._check_permissions,
            "redeploy": self._redeploy,
            "destroy": self._destroy,
            **self._story.steps(),
        }
        for name in names:
            with self._timed(name), self.display.step(name):
                steps[name]()

    def destroy_stacks(self, *stacks: str) -> None:
        """Deletes these stacks and keeps the others."""
        self._story.before_destroy()
        self._run_destroy("--exclusively", *stacks)

    def stop(self) -> None:
        """Can be called at any time and repeatedly."""
        if self._synthesis is not None:
            self._synthesis.stop()
        self._record_permissions()
        self._story.stop()
        self._aws.stop()
        self.registry.reclaim()
        if self.settings.engine == "docker":
            self._docker().remove_all()

    def complete_report(self) -> None:
        """Lets the story complete the report."""
        self._story.complete_report()

    def container_engine(self) -> ContainerEngine:
        """The engine that runs the programs of the deployed app's images on this machine."""
        if self.settings.engine == "docker":
            return self._docker()
        return ProcessEngine(
            ImageSources(cloud_assembly=self._cloud_assembly),
            base_environment=self._aws.program_environment,
        )

    def synthesise_changed(self) -> None:
        """Starts in the background the synthesis that `redeploy` deploys; otherwise `redeploy` runs it."""
        if self._synthesis is None:
            self._synthesise(self.settings.changes, self._changed_assembly)

    def deploy_again(self) -> tuple[list[str], Path]:
        """Deploys the output of `synthesise_changed`; returns the resources that differ, and the log."""
        log = self.settings.work_folder / "redeploy.log"
        before = cloud_assembly.resources(self._cloud_assembly)
        self.synthesise_changed()
        self._finish_synthesis()
        self._require_known()
        self._run_deploy(log=log)
        self.report.stacks = self._stacks()
        after = cloud_assembly.resources(self._cloud_assembly)
        changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        self.report.changed_settings = list(self.settings.changes)
        self.report.changed_resources = changed
        # The templates deployed now.
        self._resources = self._aws.deployed_resources()
        return changed, log

    def latest_log(self, kind: str) -> Path:
        """The newest log of a kind of program in the embedded AWS (`training`, `endpoints`, …), otherwise the
        emulator's.
        """
        logs = sorted((self._aws_folder / kind).rglob("log.txt"), key=lambda path: path.stat().st_mtime)
        return logs[-1] if logs else self._aws_folder / "emulator.log"

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
        self.registry.reclaim()
        if self.settings.engine == "docker":
            self._docker().remove_all()
        ProcessRegistry(self._aws_folder / "processes").reclaim()
        for left in (self._aws_folder, self._cloud_assembly, self._changed_assembly):
            shutil.rmtree(left, ignore_errors=True)
        self._start_aws()
        self._synthesise((), self._cloud_assembly)
        self.display.result(self._aws.endpoint_url)

    def _start_aws(self) -> None:
        try:
            self._aws.start()
        except EmbeddedAwsError as error:
            raise StepError(str(error), log=self._aws_folder / "emulator.log") from error

    def _synthesise_again(self) -> None:
        self._synthesise((), self._cloud_assembly)

    def _synthesise(self, changes: tuple[str, ...], output: Path) -> None:
        """Starts the synthesis in the background; the step that deploys waits for it."""
        context = (*self._story.context(), *self.settings.context, *changes)
        environment = self.settings.environment
        entries = (*(() if environment is None else (f"environment={environment}",)), *context)
        self._synthesis = self._cdk().start(
            [
                "synth",
                "--quiet",
                # Look-ups in the embedded AWS must not be stored in the project's cdk.context.json.
                "--no-lookups",
                *(f"--context={entry}" for entry in entries),
                f"--output={output}",
            ],
            cwd=self.settings.app_folder,
            log=output.with_suffix(".log"),
        )

    def _finish_synthesis(self) -> None:
        assert self._synthesis is not None, "the system must be synthesised before it is deployed"
        self.display.progress("cdk synth")
        self._synthesis.finish()
        self._synthesis = None
        if self._changed_assembly.exists():
            shutil.rmtree(self._cloud_assembly)
            self._changed_assembly.rename(self._cloud_assembly)

    def _cdk(self) -> CdkCommand:
        stand_in = write_program(
            self.settings.work_folder / "docker-stand-in",
            engine=self.settings.engine,
            docker=self.settings.docker,
        )
        return CdkCommand(
            app_folder=self.settings.app_folder,
            environment=self._aws.child_environment | {"CDK_DOCKER": str(stand_in)},
            registry=self.registry,
            alive=lambda: self._aws.running,
        )

    def _bootstrap(self) -> None:
        """Bootstraps the app's account and region; first refuses an app with a type that the embedded AWS lacks."""
        self._finish_synthesis()
        self._require_known()
        account, region = cloud_assembly.environment(
            self._cloud_assembly, account=self._aws.account, region=self._aws.region
        )
        if (account, region) != (self._aws.account, self._aws.region):
            self._aws.stop()
            self._aws.move(account=account, region=region)
            self._start_aws()
        self._cdk().run(
            ["bootstrap", f"aws://{account}/{region}"],
            cwd=self.settings.work_folder,  # in a folder without an app: the CLI would synthesise it needlessly
            log=self.settings.work_folder / "bootstrap.log",
        )
        self._before = Inventory.take(self._aws.client)
        self.display.result(f"aws://{account}/{region}")

    def _require_known(self) -> None:
        cloud_assembly.require_known_types(self._cloud_assembly, self._aws.resource_types())

    def _deploy(self) -> None:
        if self._synthesis is not None:
            self._finish_synthesis()
        outputs = self.settings.work_folder / "outputs.json"
        outputs.unlink(missing_ok=True)
        log = self.settings.work_folder / "deploy.log"
        self._run_deploy(f"--outputs-file={outputs}", log=log)
        self.report.stacks = self._stacks()
        self.outputs = json.loads(outputs.read_text(encoding="utf-8")) if outputs.exists() else {}
        self._story.deployed()
        self.display.result(", ".join(self.report.stacks))

    def _run_deploy(self, *options: str, log: Path) -> None:
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
            cwd=self.settings.app_folder,
            log=log,
            on_line=self._show_deploy,
        )

    def _stacks(self) -> dict[str, str]:
        return {
            stack["StackName"]: stack["StackStatus"]
            for stack in self._aws.client("cloudformation").describe_stacks()["Stacks"]
            if stack["StackName"] != "CDKToolkit"
        }

    def _updates(self) -> dict[str, str]:
        """Each stack's last update time: a change of a parameter, tag or output is visible only here."""
        described = self._aws.client("cloudformation").describe_stacks()["Stacks"]
        return {stack["StackName"]: str(stack.get("LastUpdatedTime")) for stack in described}

    def _show_deploy(self, line: str) -> None:
        words = line.strip()
        if words.startswith("✅"):
            self.display.note(words.removeprefix("✅").strip())
        elif words:
            self.display.progress(words[:100])

    def _redeploy(self) -> None:
        """Deploys again. With changes, something must differ; without, nothing may differ."""
        changes = self.settings.changes
        before = self._updates()
        changed, log = self.deploy_again()
        if changes:
            if not changed:
                raise StepError(
                    f"{', '.join(changes)} changes no resource: the app has these values, or reads none", log=log
                )
            self.display.result(f"{', '.join(changes)}: {len(changed)} resources changed")
            return
        if changed:
            more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
            raise StepError(
                f"nothing was changed, and {', '.join(changed[:_SHOWN])}{more} differ in a second deployment: the app "
                "synthesises differently from time to time, by the clock, at random or in no order",
                log=log,
            )
        after = self._updates()
        if updated := [stack for stack in self.report.stacks if before.get(stack) != after.get(stack)]:
            raise StepError(
                f"nothing was changed, and a second deployment updated {', '.join(updated)}: parameters, tags or "
                "outputs differ from synthesis to synthesis",
                log=log,
            )
        self.display.result(f"{len(self.report.stacks)} stacks, no difference")

    def _destroy(self) -> None:
        """Destroys the stacks and shows what is left.

        Calls denied during the deletion count as missing permissions too.
        """
        if not self.settings.destroy:
            self.display.result("skipped: --keep")
            return
        self._story.before_destroy()
        stacks = list(self.report.stacks)
        self._kept |= kept_by_template(self._aws.client, self._cloud_assembly, stacks=stacks)
        self._stop_schedules()
        log = self._run_destroy("--all")
        if standing := [stack for stack in stacks if stack in self._stacks()]:
            raise StepError(f"{', '.join(standing)}: not deleted", log=log)
        self.report.destroyed_stacks = stacks
        self.report.left_behind = Inventory.take(self._aws.client).left_since(self._before, kept=self._kept)
        for left in self.report.left_behind:
            priced = f"; {left.price}" if left.price else ""
            what = f"{left.why}{priced}" if left.why else "nobody deletes it, and no template keeps it"
            self.display.note(f"left: {left.kind} {left.name}: {what}")
        self._require_permissions()
        found = len(self.report.left_behind)
        found_words = {0: "nothing is", 1: "1 resource is"}.get(found, f"{found} resources are")
        self.display.result(f"{len(stacks)} stacks; {found_words} left")

    def _stop_schedules(self) -> None:
        """Disables rules first: a function that starts while its stack is deleted would lack its role and every
        permission.
        """
        events = self._aws.client("events")
        for page in events.get_paginator("list_rules").paginate():
            for rule in page["Rules"]:
                if "ScheduleExpression" in rule:
                    events.disable_rule(Name=rule["Name"])

    def _run_destroy(self, *which: str) -> Path:
        log = self.settings.work_folder / "destroy.log"
        self._cdk().run(
            ["destroy", *which, "--force", "--concurrency=4", f"--app={self._cloud_assembly}"],
            cwd=self.settings.app_folder,
            log=log,
            on_line=self._show_deploy,
        )
        return log

    def _check_permissions(self) -> None:
        self._resources = self._aws.deployed_resources()
        self._require_permissions()
        report = self.report
        self.display.result(
            f"{report.judged_calls:,} calls asked for {report.judged_permissions} permissions, and none was missing"
        )

    def _require_permissions(self) -> None:
        self._record_permissions()
        if denied := self.report.denied_permissions:
            raise StepError(f"{len(denied)} permissions are missing")

    def _note_denials(self) -> None:
        """Shows denied permissions: a step may fail because of one, with a less clear message."""
        self._record_permissions()
        for call in self.report.denied_permissions:
            self.display.note(_denied_line(call))

    def _record_permissions(self) -> None:
        """Writes the permissions to the report, and in full to a file beside it, for a second evaluation."""
        if not self._aws.running:
            return
        with contextlib.suppress(EmbeddedAwsError, OSError, http.client.HTTPException):
            calls = self._aws.judged_calls()
            self.report.judged(calls)
            # The deployed templates: after a destroy they cannot be read any more.
            resources = self._aws.deployed_resources() if self._resources is None else self._resources
            recording = {"resources": resources, "calls": calls}
            path = self.settings.work_folder / "judged_calls.json"
            path.write_text(json.dumps(recording, indent=1) + "\n", encoding="utf-8")

    def _docker(self) -> DockerEngine:
        return DockerEngine(owner=str(self._aws_folder.absolute()), program=self.settings.docker)


def _denied_line(call: Mapping[str, Any]) -> str:
    return (
        f"{call['caller']} may not {call['action']} on {call['resource']} ({call['operation']}): {call['reason']}"
        + (f"; missing: {json.dumps(call['missing'])}" if call["missing"] else "")
    )
