"""`cdk-rehearse` in a project that it knows nothing of."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tools.cdk_rehearsal.any_app import QUEUE, TABLE, write_app

STORY = '''
from typing import Annotated
import typer
from cdk_rehearsal.step_failure import InvalidInputError, StepError
from cdk_rehearsal.story import Story

class Shop(Story):
    """Orders are sent and received."""
    def __init__(self, *, orders: Annotated[int, typer.Option(help="How many orders to send.")] = 1):
        if orders > 9:
            raise InvalidInputError(f"--orders is {orders}; give 9 or fewer")
        self.orders = orders
    def steps(self):
        return {"order": self.order}
    def order(self):
        sqs, queue = self.rehearsal.aws.client("sqs"), self.rehearsal.outputs["Shop"]["OrdersRef"]
        for number in range(self.orders):
            sqs.send_message(QueueUrl=queue, MessageBody=str(number))
        if self.orders == 7:
            raise StepError("seven orders are too many")
        self.rehearsal.display.result(f"{self.orders} orders")
    def stop(self):
        print("the shop is closed", flush=True)
'''


def rehearse(app: Path, *options: str, before: str = "") -> subprocess.CompletedProcess[str]:
    program = f"{before}\nfrom cdk_rehearsal.cli import main\nmain()"
    return subprocess.run(
        [sys.executable, "-c", program, "--app-dir", str(app), *options],
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def report_of(app: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((app / "build/rehearsal/report.json").read_text())
    return report


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A queue and a table that outlives the stack, with a story, for an account and a region of its own."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/shop_rehearsal.py").write_text(STORY)
    return write_app(
        tmp_path,
        {"Orders": QUEUE, "Kept": TABLE},
        environment="aws://210987654321/eu-west-1",
        settings={"rehearsal": {"story": "shop_rehearsal:Shop", "path": "tools"}},
    )


def test_it_is_deployed_judged_deployed_again_and_destroyed_with_its_story(shop: Path) -> None:
    ran = rehearse(shop, "--orders", "3")
    assert ran.returncode == 0, ran.stdout
    report = report_of(shop)
    steps = ["start", "bootstrap", "deploy", "order", "permissions", "redeploy", "destroy"]
    assert list(report["seconds"]) == steps
    assert (report["passed"], report["errors"], report["changed_resources"]) == (True, [], [])
    assert report["stacks"] == {"Shop": "CREATE_COMPLETE"}
    assert report["destroyed_stacks"] == ["Shop"]
    (left,) = report["left_behind"]
    assert (left["kind"], left["why"]) == ("AWS::DynamoDB::Table", "its template keeps it (DeletionPolicy)")
    said = ran.stdout
    for words in (
        "3 orders",
        "aws://210987654321/eu-west-1",
        "1 stacks, no difference",
        "1 stacks; 1 resource is left",
    ):
        assert words in said
    assert "the shop is closed" in said


def test_an_app_that_synthesises_by_the_clock_fails_the_second_deployment(tmp_path: Path) -> None:
    named = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "orders-NOW"}}
    app = write_app(tmp_path, {"Orders": QUEUE, "Clock": named})
    ran = rehearse(app)
    assert ran.returncode == 1
    assert (
        "step redeploy failed: nothing was changed, and Shop/Clock (AWS::SQS::Queue) differ in a second" in ran.stdout
    )
    report = report_of(app)
    assert (report["failed_step"], report["changed_resources"]) == ("redeploy", ["Shop/Clock (AWS::SQS::Queue)"])


def test_a_type_that_the_embedded_aws_lacks_ends_it_before_anything_is_deployed(tmp_path: Path) -> None:
    app = write_app(tmp_path, {"Orders": QUEUE, "Thing": {"Type": "AWS::Acme::Thing"}})
    ran = rehearse(app)
    assert ran.returncode == 2
    last = ran.stdout.splitlines()[-1]
    assert last.startswith("the embedded AWS lacks AWS::Acme::Thing (Shop/Thing): nothing was deployed")
    report = report_of(app)
    assert (report["passed"], report["failed_step"], report["stacks"]) == (False, "bootstrap", {})
    assert report["errors"] == [last]
    left = {path.name for path in (app / "build/rehearsal").glob("*.log")}
    assert left == {"cdk.log"}


def test_a_story_refuses_an_option_before_anything_starts(shop: Path) -> None:
    ran = rehearse(shop, "--orders", "10")
    assert (ran.returncode, ran.stdout) == (2, "--orders is 10; give 9 or fewer\n")
    assert not (shop / "build").exists()


WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "ministack":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
"""


def test_without_the_emulator_it_helps_and_names_the_extra(shop: Path) -> None:
    helped = rehearse(shop, "--help", before=WITHOUT)
    assert helped.returncode == 0, helped.stderr
    assert "--change" in helped.stdout
    assert "How many orders to send." in helped.stdout
    ran = rehearse(shop, before=WITHOUT)
    assert ran.returncode == 2
    (line,) = ran.stdout.splitlines()
    assert line.startswith("the embedded AWS needs ministack, which the extra [rehearsal] installs: pip install '")
    assert line.endswith("[rehearsal]'")


def test_a_wrong_entry_is_refused_in_one_line(shop: Path) -> None:
    settings = json.loads((shop / "cdk.json").read_text())
    (shop / "cdk.json").write_text(json.dumps({**settings, "rehearsal": {"story": "shop_rehearsal:Absent"}}))
    ran = rehearse(shop)
    assert ran.returncode == 2
    (line,) = ran.stdout.splitlines()
    assert line.startswith(f'{shop}/cdk.json: "rehearsal.story": shop_rehearsal cannot be imported from {shop}')


def test_where_there_is_no_app_it_says_so(tmp_path: Path) -> None:
    ran = rehearse(tmp_path)
    message = f"there is no {tmp_path}/cdk.json: give the folder of a CDK app's cdk.json with --app-dir\n"
    assert (ran.returncode, ran.stdout) == (2, message)
