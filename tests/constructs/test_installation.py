"""The library as another team gets it: a wheel, in another folder, without this repository."""

import json
import subprocess
import sys
from pathlib import Path

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


def test_the_wheel_synthesises_its_functions_where_the_repository_is_not(consumer: Path) -> None:
    (consumer / "app.py").write_text(CONSUMER)
    command = [consumer / ".venv/bin/python", "app.py", "cdk.out"]
    result = subprocess.run(command, cwd=consumer, check=True, capture_output=True, text=True)
    library = Path(json.loads(result.stdout)["library"])
    assert library.is_relative_to(consumer)
    assert not (library.parent / "__pycache__" / "handler.pyc").exists()
    code = list(consumer.glob("cdk.out/asset.*/slack_notifier.py"))
    assert len(code) == 1
    assert code[0].read_bytes() == (PROJECT / "lambda/slack_notifier/slack_notifier.py").read_bytes()


def test_the_wheel_carries_types_and_every_function_and_nothing_else(consumer: Path) -> None:
    package = next(consumer.glob(".venv/lib/*/site-packages/cdk_fargate_sagemaker"))
    functions = {path.name for path in (PROJECT / "lambda").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert (package / "py.typed").is_file()
    assert {path.name for path in (package / "_lambda").iterdir()} == functions
    (wheel,) = consumer.glob("*.whl")
    listing = subprocess.run([sys.executable, "-m", "zipfile", "-l", wheel], check=True, capture_output=True, text=True)
    names = [line.split()[0] for line in listing.stdout.splitlines()[1:]]
    assert all(name.startswith(("cdk_fargate_sagemaker/", "cdk_fargate_sagemaker-")) for name in names)
    assert not [name for name in names if name.endswith(".pyc") or "/tests/" in name]
