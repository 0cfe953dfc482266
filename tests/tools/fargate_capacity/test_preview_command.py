import json
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Command = Callable[..., subprocess.CompletedProcess[str]]


def _refused(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("fargate-capacity: ")
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


@pytest.fixture(scope="module")
def shop(
    fargate_capacity: Command, shop_assembly: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[subprocess.CompletedProcess[str], Path]:
    output = tmp_path_factory.mktemp("preview") / "made" / "here"
    return fargate_capacity("preview", shop_assembly, "--output", output), output


def test_writes_one_page_and_one_picture_a_dashboard(shop: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    result, output = shop
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    names = sorted(path.name for path in output.iterdir())
    assert names[0].startswith("Unnamed")
    assert names[1:] == ["empty.png", "index.html", "shop-api.png"]
    assert sorted(result.stdout.splitlines()) == sorted(f"wrote {output / name}" for name in names)


def test_the_picture_has_the_grid_of_the_dashboard(shop: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    with Image.open(shop[1] / "shop-api.png") as picture:
        width, height = picture.size
        colors = picture.convert("RGB").getcolors(maxcolors=1 << 24)
    assert width == round((24 * 60 + 32) * 1.5)
    assert height > 1.5 * 50 * (6 + 6)
    # The two lines of the first widget, in CloudWatch's own first colors.
    drawn = {color for _, color in colors or []}
    assert {(0x1F, 0x77, 0xB4), (0xFF, 0x7F, 0x0E)} <= drawn


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.references: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href"):
                self.references.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page(shop: tuple[subprocess.CompletedProcess[str], Path]) -> tuple[str, _Page]:
    written = (shop[1] / "index.html").read_text(encoding="utf-8")
    parsed = _Page()
    parsed.feed(written)
    return written, parsed


def test_the_page_needs_nothing_from_elsewhere(page: tuple[str, _Page]) -> None:
    written, parsed = page
    assert parsed.tags.isdisjoint({"script", "link", "img", "iframe"})
    assert all(reference.startswith("#") for reference in parsed.references)
    assert "url(http" not in written
    assert "@import" not in written


def test_the_page_keeps_the_drawings_of_its_widgets_apart(page: tuple[str, _Page]) -> None:
    written, parsed = page
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {reference.removeprefix("#") for reference in parsed.references} <= set(parsed.ids)
    assert set(re.findall(r"url\(#([^)]+)\)", written)) <= set(parsed.ids)
    for drawing in re.findall(r"<svg.*?</svg>", written, re.DOTALL):
        ElementTree.fromstring(drawing)


def test_the_page_follows_the_readers_color_scheme(page: tuple[str, _Page]) -> None:
    written, _ = page
    assert "prefers-color-scheme: dark" in written
    assert "fill: var(--ink)" in written
    body = written.partition("</style>")[2]
    assert "#16191e" not in body


def test_the_page_shows_names_stacks_titles_and_thresholds(page: tuple[str, _Page]) -> None:
    _, parsed = page
    for shown in (
        "shop-api",
        "stack shop",
        "stack queue",
        "sample data",
        "CPU",
        "target 60 %",
        "spike",
        "target 50 to 51",
        "CPUUtilization >= 85",
        "shop-failing",
        "5xx rate",
        "log query",
        "this dashboard has no widgets",
        "Percent",
    ):
        assert shown in parsed.text, shown


def test_markdown_is_text_not_markup(page: tuple[str, _Page]) -> None:
    _, parsed = page
    assert "<script>alert('no')</script> costs $5 and ${more}" in parsed.text


def test_a_change_outside_of_the_window_is_listed(page: tuple[str, _Page]) -> None:
    written, _ = page
    assert "<li>2026-05-01 00:00 UTC  first deploy</li>" in written
    assert "<li>2026-11-01" not in written


def test_the_same_assembly_is_the_same_picture(
    fargate_capacity: Command, shop_assembly: Path, shop: tuple[subprocess.CompletedProcess[str], Path], tmp_path: Path
) -> None:
    fargate_capacity("preview", shop_assembly, "--output", tmp_path, "--dashboard", "shop-api")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.html", "shop-api.png"]
    assert (tmp_path / "shop-api.png").read_bytes() == (shop[1] / "shop-api.png").read_bytes()


def test_any_body_is_drawn_with_notes_for_what_cannot_be(
    fargate_capacity: Command, write_body: Callable[..., Path], tmp_path: Path
) -> None:
    metric = {"type": "metric", "width": 6, "height": 6}
    assembly = write_body(
        [
            {**metric, "properties": {"metrics": [["..."]], "title": "broken shorthand"}},
            {**metric, "properties": {"metrics": [[{"expression": "SEARCH('x', 'Sum')", "label": "found"}]]}},
            {**metric, "properties": {"metrics": [[{"expression": "LAMBDA('mine')", "label": "own"}]]}},
            {**metric, "properties": {"metrics": [[{"expression": "a +* b", "label": "nonsense"}]]}},
            {**metric, "properties": {"metrics": [[{"expression": "b", "id": "a"}], [{"expression": "a", "id": "b"}]]}},
            {**metric, "properties": {"metrics": [], "view": "hologram"}},
            {**metric, "properties": {"metrics": []}},
            {"type": "explorer", "properties": {"metrics": [{"metricName": "CPUUtilization", "stat": "Maximum"}]}},
            {"type": "custom", "properties": {"endpoint": "arn:aws:lambda:eu-west-1:1:function:mine"}},
            {"type": "hologram"},
            {**metric, "properties": {"annotations": {"alarms": ["arn:aws:cloudwatch:eu-west-1:1:alarm:elsewhere"]}}},
            "no widget at all",
        ]
    )
    result = fargate_capacity("preview", assembly, "--output", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    for told in (
        "nothing before it to repeat",
        "SEARCH finds its metrics in CloudWatch; samples stand for them",
        "LAMBDA is not among the functions",
        "is made of itself",
        "got hologram",
        "this widget has no metrics",
        "CPUUtilization (Maximum)",
        "function:mine",
        "widget of type hologram",
        "alarm elsewhere: no template",
    ):
        assert told in page or told in re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)), told


def test_dashboards_of_one_name_get_files_of_their_own(
    fargate_capacity: Command, write_assembly: Callable[..., Path], tmp_path: Path
) -> None:
    board = {
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {"DashboardName": "a/b c", "DashboardBody": '{"widgets":[]}'},
    }
    assembly = write_assembly({"Resources": {"One": board}}, {"Resources": {"One": board}})
    result = fargate_capacity("preview", assembly, "--output", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"a-b-c.png", "stack-1-a-b-c.png", "index.html"}


def test_a_character_without_a_font_is_told_and_kept_on_the_page(
    fargate_capacity: Command, write_body: Callable[..., Path], tmp_path: Path
) -> None:
    # Deseret: printable, and in none of the fonts that are looked for.
    assembly = write_body([{"type": "alarm", "properties": {"title": "\U00010437 alarms", "alarms": []}}])
    result = fargate_capacity("preview", assembly, "--output", tmp_path / "out")
    assert result.returncode == 0
    assert "no font here has \U00010437: boxes in the PNG files" in result.stderr
    assert "\U00010437 alarms" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_fails_when_there_is_no_cloud_assembly(fargate_capacity: Command, tmp_path: Path) -> None:
    assert "run `cdk synth` first" in _refused(fargate_capacity("preview", tmp_path / "cdk.out"))


def test_fails_when_the_assembly_has_no_template(fargate_capacity: Command, tmp_path: Path) -> None:
    assert "no *.template.json" in _refused(fargate_capacity("preview", tmp_path))


def test_fails_when_no_stack_has_a_dashboard(fargate_capacity: Command, write_assembly: Callable[..., Path]) -> None:
    assert "no dashboard in 1 templates" in _refused(fargate_capacity("preview", write_assembly({"Resources": {}})))


def test_fails_when_a_dashboard_is_unknown_and_lists_those_there_are(
    fargate_capacity: Command, shop_assembly: Path
) -> None:
    told = _refused(fargate_capacity("preview", shop_assembly, "--dashboard", "shop"))
    assert "got shop, allowed: " in told
    assert "empty, shop-api" in told


def test_fails_when_a_template_is_not_json(fargate_capacity: Command, tmp_path: Path) -> None:
    (tmp_path / "shop.template.json").write_text("Resources:")
    assert "shop.template.json: cannot be read as JSON" in _refused(fargate_capacity("preview", tmp_path))


def test_fails_when_a_body_is_not_json(fargate_capacity: Command, write_assembly: Callable[..., Path]) -> None:
    board = {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"DashboardBody": "{widgets: []}"}}
    told = _refused(fargate_capacity("preview", write_assembly({"Resources": {"Board": board}})))
    assert "dashboard Board of stack stack-0: the body is not JSON" in told


def test_fails_when_the_output_is_a_file(
    fargate_capacity: Command, write_body: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("")
    assert "output: got " in _refused(fargate_capacity("preview", write_body([]), "--output", tmp_path / "taken"))


def test_draws_the_columns_of_a_csv(fargate_capacity: Command, write_body: Callable[..., Path], tmp_path: Path) -> None:
    series = tmp_path / "series.csv"
    series.write_text("timestamp,orders,unused\n2026-11-01T09:00:00Z,5,1\n2026-11-01T09:01:00Z,7,1\n")
    properties = {
        "metrics": [["Shop", "Orders", {"label": "orders", "period": 60}], ["Shop", "Returns", {"stat": "Sum"}]],
        "title": "Orders",
    }
    assembly = write_body([{"type": "metric", "properties": properties}])
    result = fargate_capacity("preview", assembly, "--data", series, "--output", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert result.stderr == "no metric of a dashboard goes by the column: unused\n"
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "data of series.csv" in page
    assert "sample data" not in page
    assert "2026-11-01 09:00 to 2026-11-01 09:02 UTC" in page
    assert "series.csv has no column &#x27;Shop/Returns/Sum&#x27;" in page


def test_fails_when_the_csv_is_bad(fargate_capacity: Command, write_body: Callable[..., Path], tmp_path: Path) -> None:
    series = tmp_path / "series.csv"
    series.write_text("timestamp,orders\n2026-11-01T09:00:00,5\n")
    told = _refused(fargate_capacity("preview", write_body([]), "--data", series))
    assert "series.csv, line 2: timestamp: got 2026-11-01T09:00:00 without a zone" in told


def _board(**further: Any) -> dict[str, Any]:
    rows = [["AWS/ApplicationELB", "RequestCount", {"stat": "Sum", "period": 60, "label": "peak ${MAX}"}]]
    widget = {"type": "metric", "width": 12, "height": 6, "properties": {"metrics": rows, "title": "Requests"}}
    body = json.dumps({"widgets": [widget], **further})
    return {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"DashboardBody": body}}


@pytest.mark.parametrize(
    ("arguments", "further", "shown", "point"),
    [
        ((), {}, "2026-01-05 00:00 to 2026-01-06 00:00 UTC", "a point every 5 minutes"),
        ((), {"start": "-P28D"}, "2025-12-09 00:00 to 2026-01-06 00:00 UTC", "a point every 60 minutes"),
        (("--view", "3h"), {}, "2026-01-05 21:00 to 2026-01-06 00:00 UTC", "a point a minute"),
        (("--view", "1d"), {"start": "-P28D"}, "2026-01-05 00:00 to 2026-01-06 00:00 UTC", "a point every 5 minutes"),
        (("--view", "1w"), {}, "2025-12-30 00:00 to 2026-01-06 00:00 UTC", "a point every 60 minutes"),
        (("--view", "4w"), {}, "2025-12-09 00:00 to 2026-01-06 00:00 UTC", "a point every 60 minutes"),
    ],
)
def test_draws_at_the_period_that_cloudwatch_would_choose(
    fargate_capacity: Command,
    write_assembly: Callable[..., Path],
    tmp_path: Path,
    arguments: tuple[str, ...],
    further: dict[str, Any],
    shown: str,
    point: str,
) -> None:
    assembly = write_assembly({"Resources": {"Board": _board(**further)}})
    result = fargate_capacity("preview", assembly, "--output", tmp_path / "out", *arguments)
    assert result.returncode == 0, result.stderr
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert f"{shown}  ·  {point}" in page


def test_a_sum_grows_with_the_period_unless_the_dashboard_keeps_it(fargate_capacity: Command, tmp_path: Path) -> None:
    def peak(view: str, **further: Any) -> str:
        assembly, output = tmp_path / f"{view}-{len(further)}.out", tmp_path / f"{view}-{len(further)}"
        assembly.mkdir()
        (assembly / "shop.template.json").write_text(json.dumps({"Resources": {"Board": _board(**further)}}))
        assert fargate_capacity("preview", assembly, "--output", output, "--view", view).returncode == 0
        (found,) = set(re.findall(r"peak ([\d.]+[KM]?)", (output / "index.html").read_text(encoding="utf-8")))
        return str(found)

    # Requests of a minute, and of an hour.
    assert float(peak("3h").removesuffix("K")) < 10
    assert float(peak("4w").removesuffix("K")) > 200
    assert float(peak("1w", periodOverride="inherit").removesuffix("K")) < 15


def test_fails_when_the_view_is_another(fargate_capacity: Command, shop_assembly: Path) -> None:
    assert "view: got 2y, allowed: 3h, 1d, 1w, 4w" in _refused(
        fargate_capacity("preview", shop_assembly, "--view", "2y")
    )


def test_fails_when_a_view_is_chosen_for_data(fargate_capacity: Command, shop_assembly: Path, tmp_path: Path) -> None:
    told = _refused(fargate_capacity("preview", shop_assembly, "--view", "1d", "--data", tmp_path / "series.csv"))
    assert "view: got 1d beside data, allowed: none" in told


def test_one_bad_dashboard_does_not_stop_the_others(
    fargate_capacity: Command, write_assembly: Callable[..., Path], tmp_path: Path
) -> None:
    good = {"type": "text", "properties": {"markdown": "| a | b |\n|---|---|\n| 1 | 2 |"}}
    bodies = {"Good": json.dumps({"widgets": [good]}), "Bad": "{", "Odd": json.dumps({"widgets": "none"})}
    resources = {
        name: {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"DashboardName": name, "DashboardBody": body}}
        for name, body in bodies.items()
    }
    result = fargate_capacity("preview", write_assembly({"Resources": resources}), "--output", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == ["Good.png"]
    assert [line.partition(" of ")[0] for line in result.stderr.splitlines() if "left out" in line] == [
        "left out: dashboard Bad",
        "left out: dashboard Odd",
    ]
