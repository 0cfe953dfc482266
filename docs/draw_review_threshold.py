"""Draws docs/images/review-threshold.png: the curve of `review-threshold`, of 60,000 posts made up here."""

import random
from pathlib import Path

from review_threshold.curve import draw_curve
from review_threshold.proposal import for_precision
from review_threshold.review_estimates import ReviewedPost, ReviewEstimates

IMAGE = Path(__file__).parent / "images" / "review-threshold.png"
THRESHOLD = 0.5
SAMPLED = 0.02
REVIEWED = 0.92


def made_up_posts() -> list[ReviewedPost]:
    """Three weeks of posts: the flagged ones and a sample of the others, most of them judged."""
    chance = random.Random(11)  # nosec B311  # seeded
    posts = []
    for number in range(60_000):
        probability = chance.betavariate(0.35, 5.5) if chance.random() < 0.93 else chance.betavariate(5, 1.4)
        violation = chance.random() < probability**1.4
        flagged = probability >= THRESHOLD
        if flagged or chance.random() < SAMPLED:
            posts.append(
                ReviewedPost(
                    probability=probability,
                    flagged=flagged,
                    weight=1.0 if flagged else 1 / SAMPLED,
                    received=21.0 * number / 60_000,
                    verdict=(verdict := _verdict(violation) if chance.random() < REVIEWED else None),
                    first_verdict=_verdict(violation != (chance.random() < 0.05))
                    if verdict and number % 20 == 0
                    else None,
                )
            )
    return posts


def _verdict(violation: bool) -> str:
    return "violation" if violation else "fine"


def main() -> None:
    estimates = ReviewEstimates(made_up_posts())
    proposed = for_precision(estimates, 0.8)
    draw_curve(estimates, proposed.threshold, IMAGE)
    print(proposed, estimates.agreement())
    print(f"{IMAGE.name}: {IMAGE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
