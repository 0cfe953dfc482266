"""A rehearsal fails where a permission was missing, and says which statement."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cdk_rehearsal.display import Display
from cdk_rehearsal.embedded_aws import EmbeddedAws
from cdk_rehearsal.rehearsal import Rehearsal, RehearsalSettings
from cdk_rehearsal.step_failure import StepError

CALL: dict[str, Any] = {
    "caller": "arn:aws:iam::123456789012:role/release",
    "operation": "sagemaker:UpdateEndpoint",
    "action": "kms:CreateGrant",
    "resource": "arn:aws:kms:us-east-1:123456789012:key/1",
    "reason": "no statement of the identity policies allows it",
    "missing": {"Effect": "Allow", "Action": "kms:CreateGrant", "Resource": "arn:aws:kms:us-east-1:123456789012:key/1"},
    "times": 3,
    "allowed": False,
}
LINE = (
    "arn:aws:iam::123456789012:role/release may not kms:CreateGrant on arn:aws:kms:us-east-1:123456789012:key/1 "
    "(sagemaker:UpdateEndpoint): no statement of the identity policies allows it; missing: "
    '{"Effect": "Allow", "Action": "kms:CreateGrant", "Resource": "arn:aws:kms:us-east-1:123456789012:key/1"}'
)


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def rehearsal(tmp_path: Path, said: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> Rehearsal:
    """One whose embedded AWS has judged a call."""
    monkeypatch.setattr(EmbeddedAws, "running", property(lambda aws: True))
    monkeypatch.setattr(EmbeddedAws, "judged_calls", lambda aws: [CALL])
    monkeypatch.setattr(EmbeddedAws, "deployed_resources", lambda aws: {})
    settings = RehearsalSettings(app_folder=tmp_path, engine="process", work_folder=tmp_path)
    return Rehearsal(settings, Display(Console(file=said, width=1000)))


def test_a_missing_permission_fails_the_step_and_is_said_with_its_statement(
    rehearsal: Rehearsal, said: io.StringIO, tmp_path: Path
) -> None:
    with pytest.raises(StepError, match=r"^1 permissions are missing$"), rehearsal._timed("permissions"):
        rehearsal._check_permissions()
    assert LINE in said.getvalue()
    assert rehearsal.report.failed_step == "permissions"
    assert [call["missing"] for call in rehearsal.report.denied_permissions] == [CALL["missing"]]
    assert '"kms:CreateGrant"' in (tmp_path / "judged_calls.json").read_text()


def test_what_fails_in_another_step_says_which_permission_was_missing(rehearsal: Rehearsal, said: io.StringIO) -> None:
    with pytest.raises(StepError), rehearsal._timed("release"):
        raise StepError("state Update failed")
    assert LINE in said.getvalue()


def test_nothing_missing_is_said_in_one_line(
    rehearsal: Rehearsal, said: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EmbeddedAws, "judged_calls", lambda aws: [{**CALL, "allowed": True}])
    with rehearsal.display.step("permissions"):
        rehearsal._check_permissions()
    assert "3 calls asked for 1 permissions, and none was missing" in said.getvalue()
