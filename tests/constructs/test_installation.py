"""The library as another team gets it: a wheel, in another folder, without this repository."""

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.layered_environment import LayeredEnvironment

PROJECT = Path(__file__).parents[2]
CONSUMER = """
import json
import sys
import aws_cdk as cdk
from aws_cdk import aws_secretsmanager as secretsmanager
import cdk_fargate_sagemaker
from cdk_fargate_sagemaker.notifications import AlertsTopic, SlackNotifier

app = cdk.App(outdir=sys.argv[1])
stack = cdk.Stack(app, "Alerts")
topic = AlertsTopic(stack, "Topic")
SlackNotifier(stack, "Slack", topic=topic, webhook_secret=secretsmanager.Secret(stack, "Webhook"))
app.synth()
print(json.dumps({"library": cdk_fargate_sagemaker.__file__}))
"""


def test_aws_cdk_is_importable_from_the_project_root() -> None:
    """`constructs/` there must not shadow the library of that name, which aws_cdk imports."""
    program = "import aws_cdk, constructs; print(constructs.__file__)"
    result = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, check=True, capture_output=True, text=True)
    assert Path(result.stdout.strip()).parent.parent.name == "site-packages"


def test_the_wheel_synthesises_its_functions_where_the_repository_is_not(
    consumer: LayeredEnvironment, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(CONSUMER)
    result = consumer.run("python", "app.py", "cdk.out", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    library = Path(json.loads(result.stdout)["library"])
    assert library.is_relative_to(consumer.folder)
    assert not (library.parent / "__pycache__" / "handler.pyc").exists()
    code = list(tmp_path.glob("cdk.out/asset.*/slack_notifier.py"))
    assert len(code) == 1
    assert code[0].read_bytes() == (PROJECT / "lambda/slack_notifier/slack_notifier.py").read_bytes()


def test_the_wheel_carries_types_and_every_function(consumer: LayeredEnvironment) -> None:
    package = consumer.site_packages / "cdk_fargate_sagemaker"
    functions = {path.name for path in (PROJECT / "lambda").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert (package / "py.typed").is_file()
    assert {path.name for path in (package / "_lambda").iterdir()} == functions


def test_help_reads_well_where_the_wheel_is(consumer: LayeredEnvironment, tmp_path: Path) -> None:
    """By the commands of the pages that say which construct to take, and what a message means."""
    pages = [PROJECT / "docs" / page for page in ("which-construct.md", "what-each-message-means.md")]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    asked = re.findall(r"^python -m pydoc (\S+)$", text, re.MULTILINE)
    assert len(asked) == 3
    shown = consumer.run("python", "-m", "pydoc", *asked, cwd=tmp_path).stdout
    assert "SpikeScaling(scope: constructs.Construct, id: str, *, service: " in shown
    assert "Adds tasks the minute the hottest task's CPU passes a threshold." in shown
    assert "cooldown: aws_cdk.Duration = Duration.minutes(10)" in shown
    assert "ScaledFargateService(scope: constructs.Construct, id: str, *, image: " in shown
    assert "A target that tunes itself, and a minimum that rises before the load does." in shown
    assert str(consumer.folder) in shown
    assert " object at 0x" not in shown
