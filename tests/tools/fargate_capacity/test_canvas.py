import io

from PIL import Image

from fargate_capacity.canvas import Canvas, shortened, text_width, wrapped


def test_text_is_cut_and_wrapped_to_its_room() -> None:
    long = "a sentence that is much too long for its place"
    assert shortened(long, 80, 11).endswith("…")
    assert text_width(shortened(long, 80, 11), 11) <= 80
    assert shortened("short", 80, 11) == "short"
    lines = wrapped(f"{long} {'x' * 60}\n\nend", 80, 11)
    assert all(text_width(line, 11) <= 80 for line in lines)
    assert "".join(lines).replace(" ", "") == (long + "x" * 60 + "end").replace(" ", "")


def test_a_dashboard_without_end_is_still_a_picture() -> None:
    with Image.open(io.BytesIO(Canvas(width=20, height=70_000).png())) as picture:
        assert picture.size[1] == 60_000
    with Image.open(io.BytesIO(Canvas(width=20, height=100).png())) as picture:
        assert picture.size == (30, 150)
