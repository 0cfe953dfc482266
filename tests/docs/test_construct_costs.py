"""What the pages say that each construct costs and leaves: every public one, with the figures of its templates."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from constructs import Construct

from cdk_fargate_sagemaker import storage
from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.constructs.public_classes import public_classes
from tests.docs.aws_commands import commands_of, run_command

DOCS = Path(__file__).parents[2] / "docs"
COSTS, AWAY = "what-it-costs.md", "take-it-away.md"
# The quickest to synthesise; `make docs` writes them all.
SAMPLE = ("RetryQueue", "FallbackAlarms", "ReviewQueue")


@pytest.fixture
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DOCS)


@pytest.fixture
def construct_costs(on_path: None) -> ModuleType:
    return importlib.import_module("construct_costs")


@pytest.fixture
def construct_remains(on_path: None) -> ModuleType:
    return importlib.import_module("construct_remains")


def rows(page: str, marker: str) -> dict[str, str]:
    """The rows of the table behind a marker, by the construct of each."""
    _, _, behind = (DOCS / page).read_text(encoding="utf-8").partition(f"<!-- {marker} -->\n")
    table = behind[: behind.index("\n\n")]
    return {match[1]: match[0] for match in re.finditer(r"^\| `(\w+)` \|.*\|$", table, re.MULTILINE)}


def public_constructs() -> Iterator[str]:
    found = {**dict(public_classes()), **{name: getattr(storage, name) for name in storage.__all__}}
    return (name for name, kind in found.items() if issubclass(kind, Construct))


def test_every_public_construct_has_a_row(construct_costs: ModuleType) -> None:
    uses = importlib.import_module("construct_uses")
    shared = rows(COSTS, "costs of the constructs: shared")
    each = rows(COSTS, "costs of the constructs: each")
    assert shared.keys() & each.keys() == set()
    assert shared.keys() | each.keys() | uses.PARTS.keys() == set(public_constructs())


def test_every_public_construct_is_said_to_leave_something_or_nothing() -> None:
    text = (DOCS / AWAY).read_text(encoding="utf-8")
    nothing = set(re.findall(r"`(\w+)`", re.findall(r"^Nothing is left of (.*)$", text, re.MULTILINE)[0]))
    leaves = rows(AWAY, "what each construct leaves").keys()
    assert nothing & leaves == set()
    parts = {"IReviewQueue", "ReleaseRecords", "RollbackWorkflow"}
    assert nothing | leaves | parts == set(public_constructs())


@pytest.mark.parametrize("name", SAMPLE)
def test_the_page_has_what_is_printed_now(
    construct_costs: ModuleType, construct_remains: ModuleType, name: str
) -> None:
    assert rows(COSTS, "costs of the constructs: each")[name] in construct_costs.use_table([name])
    left, month = construct_remains.remains(name)
    shown = rows(AWAY, "what each construct leaves").get(name)
    assert shown is None if not left else f"| {left} | {month:.2f} |" in str(shown)


@pytest.mark.parametrize(
    ("schedule", "runs"), [("rate(5 minutes)", 8760), ("rate(1 hour)", 730), ("cron(10 0 * * ? *)", 730 / 24)]
)
def test_a_schedule_is_counted(construct_costs: ModuleType, schedule: str, runs: float) -> None:
    assert construct_costs.runs_a_month({"ScheduleExpression": schedule}) == pytest.approx(runs)


def test_the_page_gets_the_tables_that_are_printed(
    construct_costs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(construct_costs, "tables", lambda: {"shared": "| one |\n", "each": "| two |\n"})
    page = tmp_path / "page.md"
    page.write_text("<!-- costs of the constructs: each -->\n| old |\nand\n<!-- costs of the constructs: shared -->\n")
    construct_costs.main(["--page", str(page)])
    assert page.read_text() == (
        "<!-- costs of the constructs: each -->\n| two |\nand\n<!-- costs of the constructs: shared -->\n| one |\n"
    )
    assert capsys.readouterr().out == "| one |\n\n| two |\n"


def test_what_is_left_is_replaced_as_a_whole(
    construct_remains: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(construct_remains, "table", lambda: "| new |\n\nNothing is left of `B`.\n")
    page = tmp_path / "page.md"
    page.write_text("<!-- what each construct leaves -->\n| old |\n\nNothing is left of `A`.\n\nafter\n")
    construct_remains.main(["--page", str(page)])
    assert page.read_text() == "<!-- what each construct leaves -->\n| new |\n\nNothing is left of `B`.\n\nafter\n"


def test_the_commands_remove_what_is_left(embedded_aws: EmbeddedAws) -> None:
    """Those that delete do; those of deleted stacks are calls that there are, with queries that can be read."""
    client = embedded_aws.client
    client("s3").create_bucket(Bucket="left-behind")
    client("dynamodb").create_table(
        TableName="left-behind",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        DeletionProtectionEnabled=True,
    )
    client("logs").create_log_group(logGroupName="left-behind")
    queue = client("sqs").create_queue(QueueName="left-behind")["QueueUrl"]
    client("secretsmanager").create_secret(Name="left-behind", SecretString="…")
    key = client("kms").create_key()["KeyMetadata"]["KeyId"]

    commands = commands_of((DOCS / AWAY).read_text(encoding="utf-8"))
    meant = {"QUEUE_URL": queue, "KEY": key}
    places = r"\b(STACK_ID|STACK|TABLE|LOG_GROUP|QUEUE_URL|SECRET|BUCKET|ENDPOINT|KEY)\b"
    ran = 0
    for command in commands:
        written = re.sub(places, lambda found: meant.get(found[0], "left-behind"), command)
        if "list-stack-resources" in command or "delete-endpoint" in command:
            # The embedded AWS has neither deleted stacks nor this endpoint: it says so of the name that was given.
            with pytest.raises(Exception, match="left-behind"):
                run_command(written, client)
        else:
            run_command(written, client)
        ran += 1

    assert ran == 11
    assert "left-behind" not in client("dynamodb").list_tables()["TableNames"]
    assert "left-behind" not in [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]]
    assert client("logs").describe_log_groups(logGroupNamePrefix="left-behind")["logGroups"] == []
    assert queue not in client("sqs").list_queues().get("QueueUrls", [])
    assert "DeletedDate" in client("secretsmanager").describe_secret(SecretId="left-behind")
    assert client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
