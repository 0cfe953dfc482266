"""The apps of the pages on migration, Copilot and stages: from the wheels, outside this repository, without a finding.

They are apps of their own, as the page's reader has them; `test_examples.py` has the examples that make one app.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from stacks.nag_packs import NAG_PACKS
from tests.consumers_app import flags
from tests.layered_environment import LayeredEnvironment

PROJECT = Path(__file__).parents[2]
APPS = ["migration/migrated_service", "copilot/copilot_service", "stages/staged_pipeline"]
# Each app into a folder of its own name; a finding that nobody acknowledged fails the synth.
CHECKED = f"""
import runpy
import aws_cdk as cdk
import cdk_nag

App, synth = cdk.App, cdk.App.synth

def checked(app):
    for pack in {[pack.__name__ for pack in NAG_PACKS]}:
        cdk.Validations.of(app).add_plugins(getattr(cdk_nag, pack)(app))
    return synth(app)

App.synth = checked
for name in {[app.partition("/")[2] for app in APPS]}:
    cdk.App = lambda: App(outdir=name)
    runpy.run_path(name + ".py", run_name="__main__")
"""


@pytest.fixture(scope="module")
def assemblies(consumer: LayeredEnvironment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    for app in APPS:
        shutil.copy(PROJECT / "examples" / f"{app}.py", folder)
    done = consumer.run("python", "-c", CHECKED, cwd=folder, CDK_CONTEXT_JSON=json.dumps(flags()))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_cfn_lint_has_nothing_to_say(assemblies: Path) -> None:
    templates = sorted(map(str, assemblies.rglob("*.template.json")))
    assert len(templates) == 7
    lint = ["cfn-lint", "--config-file", str(PROJECT / ".cfnlintrc.yaml"), *templates]
    done = subprocess.run(lint, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_stage_is_of_its_account_and_region(assemblies: Path) -> None:
    places = {}
    for path in (assemblies / "staged_pipeline").glob("assembly-*/manifest.json"):
        artifacts = json.loads(path.read_text())["artifacts"].values()
        (place,) = (found["environment"] for found in artifacts if found["type"] == "aws:cloudformation:stack")
        places[path.parent.name] = place
    assert places == {
        "assembly-ShopPipeline-Staging": "aws://111122223333/eu-central-1",
        "assembly-ShopPipeline-Frankfurt": "aws://444455556666/eu-central-1",
        "assembly-ShopPipeline-Virginia": "aws://444455556666/us-east-1",
    }
