from fargate_capacity.markdown_text import plain_lines


def test_markdown_is_told_plainly() -> None:
    text = "# Shop\n\n* see **the** [runbook](http://x) or `run`\n---\n| a | b |\n|---|---|\n[button:Go](#there)"
    assert [(line.heading, line.text) for line in plain_lines(text)] == [
        (1, "Shop"),
        (0, ""),
        (0, "• see the runbook (http://x) or run"),
        (0, "a  b"),
        (0, "Go (#there)"),
    ]


def test_tables_are_aligned_and_code_stays_as_it_is() -> None:
    table = "|service|`owner`|\n|:--|--:|\n| **api** | shop |\n| recommendations | ml |"
    text = f"{table}\n\n```sh\n# no heading\n| no | row\n```\nend"
    assert [(line.is_monospaced, line.text) for line in plain_lines(text)] == [
        (True, "service          owner"),
        (True, "api              shop"),
        (True, "recommendations  ml"),
        (False, ""),
        (True, "# no heading"),
        (True, "| no | row"),
        (False, "end"),
    ]


def test_a_fence_that_is_never_closed_ends_with_the_text() -> None:
    assert [line.text for line in plain_lines("~~~\na\nb")] == ["a", "b"]
