import io

from rich.console import Console

from cdk_rehearsal.display import Display
from cdk_rehearsal.state_run import StateRun
from moderation_rehearsal.report import ModerationReport, TuningReport


def test_a_loops_rounds_are_counted_and_errors_are_shown() -> None:
    output = io.StringIO()
    display = Display(Console(file=output, width=120))
    with display.step("release"):
        for name, error in [("Train", None), *[("Wait", None), ("Describe", None)] * 3, ("Check", "Refused")]:
            display.state(StateRun(name=name, seconds=0.5, error=error))
        display.result("done")
    lines = [line.split() for line in output.getvalue().splitlines()]
    assert lines[0] == ["…", "release"]
    assert [line[1] for line in lines[1:4]] == ["Train", "Wait", "Describe"]
    assert lines[4] == ["Wait,", "Describe", "2", "times", "more:", "2.00", "s"]
    assert lines[5] == ["·", "Check", "0.50", "s", "Refused"]
    assert lines[6][:2] == ["✓", "release"]


def test_another_steps_states_are_shown_anew() -> None:
    output = io.StringIO()
    display = Display(Console(file=output, width=120))
    for step in ("one", "two"):
        with display.step(step):
            display.state(StateRun(name="Train", seconds=0.5))
            display.state(StateRun(name="Train", seconds=0.5))
    assert output.getvalue().count("· Train") == 2
    assert output.getvalue().count("Train once more: 0.50 s") == 2


def test_the_closing_table_shows_where_the_target_went() -> None:
    output = io.StringIO()
    report = ModerationReport(engine="process", environment="dev", tuning=TuningReport(targets=[60, 61.5, 60]))
    Display(Console(file=output, width=120)).table(report)
    assert "60 → 61.5 → 60 %" in output.getvalue()
