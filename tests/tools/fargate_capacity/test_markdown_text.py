from fargate_capacity.markdown_text import plain_lines


def test_markdown_is_told_plainly() -> None:
    text = "# Shop\n\n* see **the** [runbook](http://x) or `run`\n---\n| a | b |\n|---|---|\n[button:Go](#there)"
    assert [(line.heading, line.text) for line in plain_lines(text)] == [
        (1, "Shop"),
        (0, ""),
        (0, "• see the runbook (http://x) or run"),
        (0, "| a | b |"),
        (0, "Go (#there)"),
    ]
