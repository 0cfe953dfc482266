"""Whether a rollback restores what somebody deleted: the endpoint, and each thing that its releases are made of."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.constructs.sagemaker.faults.conftest import (
    POSTS,
    STACK,
    WAIT_SCALE,
    Lane,
    make_table,
    record_of,
    synthesise,
    wait_for,
)
from tests.deployed_assembly import deploy
from tests.proofs.proof import ProofError, Suite
from tests.slack_webhook import slack_webhook

_LANE = "lane-r"


@dataclass
class Endpoint:
    """One endpoint with its workflows; somebody deletes what its releases are made of."""

    lane: Lane
    runs: int = 0
    deleted: list[Callable[[], None]] = field(default_factory=list)

    # ---- doing -----------------------------------------------------------------------------------------------------

    def release(self) -> str:
        self.runs += 1
        ended = self.lane.release(f"good{self.runs}")
        _require(ended["status"] == "SUCCEEDED", f"a release ended {ended['status']}: {ended.get('cause')}")
        return f"{self.lane.name}-good{self.runs}"

    def roll_back(self, given: dict[str, str] | None = None) -> tuple[bool, str]:
        """Whether a rollback succeeded, and the one alert that it sent."""
        self.runs += 1
        name = f"back{self.runs}"
        ended = self.lane.ended(self.lane.start("rollback", name, given))
        alerts = self.lane.told_about(name)
        _require(len(alerts) == 1, f"{len(alerts)} alerts of one rollback: {alerts}")
        return ended["status"] == "SUCCEEDED", alerts[0]

    def delete(self, what: str, release: str) -> None:
        """Deletes the endpoint, or a part of a release, as a person would by mistake."""
        ways: dict[str, Callable[[], object]] = {
            "endpoint": lambda: self.lane.remove_endpoint(failed=False),
            "configuration": lambda: self._sagemaker.delete_endpoint_config(EndpointConfigName=release),
            "model": lambda: self._sagemaker.delete_model(ModelName=release),
            "artefact": lambda: self._delete_artefact(release),
            "record": lambda: self._delete_record(release),
        }
        ways[what]()

    def bring_back(self) -> None:
        """What no workflow can make again comes back: archives and records."""
        for again in self.deleted:
            again()
        self.deleted.clear()

    def _delete_artefact(self, release: str) -> None:
        s3, place = (
            self.lane.client("s3"),
            {"Bucket": self.lane.outputs["bucket"], "Key": f"models/{release}/output/model.tar.gz"},
        )
        body = s3.get_object(**place)["Body"].read()
        s3.delete_object(**place)
        self.deleted.append(lambda: s3.put_object(**place, Body=body, ChecksumAlgorithm="SHA256"))

    def _delete_record(self, release: str) -> None:
        record = record_of(release, self.lane.entries())
        if record is None:
            raise ProofError(f"there is no record of {release} to delete")
        dynamodb, table = self.lane.client("dynamodb"), self.table
        key = {"endpoint": {"S": self.lane.name}, "entry": {"S": record["entry"]}}
        item = dynamodb.get_item(TableName=table, Key=key)["Item"]
        dynamodb.delete_item(TableName=table, Key=key)

        def again() -> None:
            made_again = record_of(release, self.lane.entries())
            if made_again is not None:
                key["entry"] = {"S": made_again["entry"]}
                dynamodb.delete_item(TableName=table, Key=key)
            dynamodb.put_item(TableName=table, Item=item)

        self.deleted.append(again)

    # ---- looking ---------------------------------------------------------------------------------------------------

    @property
    def table(self) -> str:
        return self.lane.outputs[f"{self.lane.name.replace('-', '')}table"]

    @property
    def _sagemaker(self) -> Any:
        return self.lane.client("sagemaker")

    def require_serves(self, release: str) -> None:
        """Requires that endpoint, table and parameter agree on what serves."""
        serving = self.lane.serving()
        pointer = next((entry["release"] for entry in self.lane.entries() if entry["entry"] == "current"), None)
        found = {"answers": serving, "table": pointer, "parameter": self.lane.current()}
        _require(set(found.values()) == {release}, f"needed {release}, found {found}")
        _require(record_of(release, self.lane.entries()) is not None, f"there is no record of {release}")

    def require_outcome(self, release: str, outcome: str) -> None:
        record = record_of(release, self.lane.entries()) or {}
        found = record.get("outcome")
        _require(found == outcome, f"{release} is recorded as {found}, needed {outcome}")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ProofError(otherwise)


# ---- rows ------------------------------------------------------------------------------------------------------------
# Each gets the good releases, oldest first, of which the last is current and serves, and leaves it so.

Row = Callable[[Endpoint, list[str], bool], None]


def endpoint_gone(endpoint: Endpoint, releases: list[str], record_gone: bool) -> None:
    """The current release serves again, and nothing is marked."""
    current = releases[-1]
    endpoint.delete("endpoint", current)
    _without_record(endpoint, current, record_gone)
    restored, alert = endpoint.roll_back()
    _require(restored, alert)
    _require(
        "the current release was restored and no release is marked as bad; an older one needs its name" in alert, alert
    )
    endpoint.require_serves(current)
    for release in releases:
        endpoint.require_outcome(release, "released")


def by_hand(endpoint: Endpoint, releases: list[str], record_gone: bool) -> None:
    """What the page says under "The endpoint is gone", by hand: the workflow finds it as it should be."""
    current = releases[-1]
    endpoint.delete("endpoint", current)
    _without_record(endpoint, current, record_gone)
    endpoint.lane.client("sagemaker").create_endpoint(EndpointName=endpoint.lane.name, EndpointConfigName=current)
    wait_for(endpoint.lane.settled, "the endpoint does not come to serve")
    restored, alert = endpoint.roll_back({"release": current})
    _require(restored, alert)
    endpoint.require_serves(current)


def configuration_gone(endpoint: Endpoint, releases: list[str], record_gone: bool) -> None:
    """The configuration is made again from the record; without that one line says what is gone and what can serve."""
    current = releases[-1]
    endpoint.delete("endpoint", current)
    endpoint.delete("configuration", current)
    _without_record(endpoint, current, record_gone)
    restored, alert = endpoint.roll_back()
    if record_gone:
        _require(not restored, f"it was made of nothing: {alert}")
        _require(f"the record of the current release {current} is gone, and so is its endpoint" in alert, alert)
        _require_offer(alert, releases[:-1])
        endpoint.bring_back()
        restored, alert = endpoint.roll_back()
    _require(restored, alert)
    _require("its endpoint configuration was gone and made again from the record" in alert, alert)
    endpoint.require_serves(current)


def older_configuration_gone(endpoint: Endpoint, releases: list[str], record_gone: bool) -> None:
    """The older release's configuration is made again, and it serves; then back by name."""
    *_, older, current = releases
    endpoint.delete("configuration", older)
    _without_record(endpoint, current, record_gone)
    back, alert = endpoint.roll_back()
    _require(back, alert)
    endpoint.require_serves(older)
    endpoint.require_outcome(current, "rolled_back")
    _forth(endpoint, older, current)


def artefact_gone(endpoint: Endpoint, releases: list[str], record_gone: bool) -> None:
    """The reason is in the alert, which offers the next good release; the endpoint is left alone."""
    *_, older, current = releases
    endpoint.delete("artefact", older)
    _without_record(endpoint, current, record_gone)
    back, alert = endpoint.roll_back()
    _require(not back, f"it went back without its artefact: {alert}")
    _require(f"models/{older}/output/model.tar.gz" in alert and "is gone" in alert, alert)
    _require_offer(alert, releases[:-2])
    _require(endpoint.lane.serving() == current, f"{endpoint.lane.serving()} serves, not {current}")


def record_gone_alone(endpoint: Endpoint, releases: list[str], record_gone: bool) -> None:
    """Neither workflow is locked out: the record is made again from endpoint and parameter, first by a rollback."""
    *_, older, current = releases
    endpoint.delete("record", current)
    back, alert = endpoint.roll_back()
    _require(back, alert)
    endpoint.require_serves(older)
    endpoint.require_outcome(current, "rolled_back")
    _forth(endpoint, older, current)
    endpoint.bring_back()
    endpoint.delete("record", current)
    releases.append(endpoint.release())
    endpoint.require_outcome(current, "released")


def _without_record(endpoint: Endpoint, current: str, record_gone: bool) -> None:
    if record_gone:
        endpoint.delete("record", current)


def _forth(endpoint: Endpoint, older: str, current: str) -> None:
    forth, alert = endpoint.roll_back({"release": current})
    _require(forth, alert)
    endpoint.require_serves(current)
    # The one that was left by name is as good as it was, for the next row.
    record = record_of(older, endpoint.lane.entries()) or {}
    endpoint.lane.client("dynamodb").update_item(
        TableName=endpoint.table,
        Key={"endpoint": {"S": endpoint.lane.name}, "entry": {"S": record["entry"]}},
        UpdateExpression="SET outcome = :released",
        ExpressionAttributeValues={":released": {"S": "released"}},
    )


def _require_offer(alert: str, others: list[str]) -> None:
    """An alert is JSON for Slack, in which quotes are escaped."""
    offered = f'start again with {{"release": "{others[-1]}"}}' if others else "release again"
    _require(offered in alert.replace("\\", ""), f"needed {offered}: {alert}")


_ONE: Mapping[str, Row] = {"endpoint gone, one good release": endpoint_gone}
_TWO: Mapping[str, Row] = {
    "endpoint gone, two good releases": endpoint_gone,
    "by hand": by_hand,
    "endpoint and configuration gone": configuration_gone,
    "an older release's configuration gone": older_configuration_gone,
}
_THREE: Mapping[str, Row] = {"an older release's artefact gone": artefact_gone}


def every_row(folder: Path) -> str:
    """The seven states, and each of the other six with the current release's record gone as well."""
    with _deployed(folder) as endpoint:
        done: list[str] = []
        releases: list[str] = []
        for rows in (_ONE, _TWO, _THREE):
            releases.append(endpoint.release())
            for name, row in rows.items():
                for record_gone in (False, True):
                    _walk(endpoint, row, name, releases, done, record_gone=record_gone)
        _walk(endpoint, record_gone_alone, "the current release's record gone", releases, done, record_gone=False)
    return f"{len(done)} rows in one deployment: {'; '.join(done)}"


def two_rows(folder: Path) -> str:
    """Of one good release: the endpoint is gone, and then its configuration and its record too."""
    with _deployed(folder) as endpoint:
        done: list[str] = []
        releases = [endpoint.release()]
        _walk(endpoint, endpoint_gone, "endpoint gone", releases, done, record_gone=True)
        _walk(endpoint, configuration_gone, "endpoint and configuration gone", releases, done, record_gone=False)
    return f"{len(done)} rows: {'; '.join(done)}"


RESTORED = Suite(
    name="restored",
    question=(
        "Does a rollback restore what somebody deleted, or report in one line what is missing and which release can "
        "serve? Both workflows are deployed on the embedded AWS, with real functions. Each row runs a rollback with "
        "`{}`; afterwards endpoint, table and parameter must agree. *No record* repeats a row without the current "
        "release's record."
    ),
    cases={"every row": every_row},
    samples={"two rows": two_rows},
)


def _walk(endpoint: Endpoint, row: Row, name: str, releases: list[str], done: list[str], *, record_gone: bool) -> None:
    title = f"{name}, no record" if record_gone else name
    started = time.monotonic()
    try:
        row(endpoint, releases, record_gone)
    except (ProofError, AssertionError) as failure:
        raise ProofError(f"{title}: {failure}") from failure
    endpoint.bring_back()
    done.append(f"{title} ({time.monotonic() - started:.0f} s)")


@contextlib.contextmanager
def _deployed(folder: Path) -> Iterator[Endpoint]:
    """One endpoint with both workflows and Slack, in a fresh account."""
    assembly, orders = folder / "assembly", folder / "orders"
    for made in (assembly, orders / _LANE):
        made.mkdir(parents=True, exist_ok=True)
    synthesise(assembly, [_LANE], orders)
    with slack_webhook() as slack, EmbeddedAws(cloud_assembly=assembly, wait_scale=WAIT_SCALE) as aws:
        outputs = deploy(aws, assembly, STACK)
        aws.client("secretsmanager").put_secret_value(SecretId=outputs["secret"], SecretString=slack.url)
        s3, bucket = aws.client("s3"), outputs["bucket"]
        lines = "".join(json.dumps({"text": text, "label": int(text.startswith("bad"))}) + "\n" for text in POSTS)
        s3.put_object(Bucket=bucket, Key="posts/posts.jsonl", Body=lines.encode())
        s3.put_object(Bucket=bucket, Key=f"pretrained/{_LANE}/weights", Body=b"pretrained")
        make_table(aws.client("glue"), f"s3://{bucket}/posts/")
        yield Endpoint(Lane(name=_LANE, aws=aws, slack=slack, outputs=outputs, orders=orders / _LANE))
