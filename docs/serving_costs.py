"""Prints the cost of a million posts per model and machine, and above how many posts an instance is cheaper.

`python docs/serving_costs.py` prints the tables of the page on costs. `make bench-inference` measures the CPU time per
post (its column of CPU time); set your own with --cpu-ms. Prices are for us-east-1: those of the endpoint remover, and
serverless capacity per second and GB.
"""

import argparse
import json
from pathlib import Path

PRICES = Path(__file__).parents[1] / "lambda" / "endpoint_remover" / "instance_prices.json"
MONTH_HOURS = 730
BUSY = 0.5
"""The load of an instance's cores on average; the rest is for hours with more posts."""
CORES = {"ml.m5.large": 2, "ml.c6i.large": 2, "ml.c6i.xlarge": 4}
SERVERLESS_GB_SECOND = 0.00002
SERVERLESS_GB = {"BERT-base": 2, "student": 1}
SERVERLESS_SLOWER = 2
"""Serverless capacity has about one vCPU; the time was measured on two cores."""
CPU_MS = {"BERT-base": 45.0, "student": 6.0}
REVIEWER_HOUR, REVIEWED_AN_HOUR = 20.0, 200
API_POST = 0.0005


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--cpu-ms", action="append", default=[], metavar="MODEL=MS", help="CPU time per post; repeatable"
    )
    parser.add_argument("--usd-a-post", type=float, default=API_POST, help="the price of another provider's service")
    parser.add_argument("--usd-a-reviewer-hour", type=float, default=REVIEWER_HOUR)
    parser.add_argument("--posts-a-reviewer-hour", type=float, default=REVIEWED_AN_HOUR)
    given = parser.parse_args()
    taken = CPU_MS | {name: float(value) for name, _, value in (item.partition("=") for item in given.cpu_ms)}
    hourly = json.loads(PRICES.read_text(encoding="utf-8"))["instance_hour"]

    print("| model | machine | posts per second, maximum | $ per month | $ per million posts at half load |")
    print("|---|---|---:|---:|---:|")
    for model, milliseconds in taken.items():
        for machine, cores in CORES.items():
            most = 1000 * cores / milliseconds
            million = 1e6 / (BUSY * most * 3600) * hourly[machine]
            print(f"| {model} | {machine} | {most:,.0f} | {hourly[machine] * MONTH_HOURS:,.2f} | {million:,.2f} |")
        seconds = SERVERLESS_SLOWER * milliseconds / 1000
        million = 1e6 * seconds * SERVERLESS_GB.get(model, 1) * SERVERLESS_GB_SECOND
        print(f"| {model} | serverless, {SERVERLESS_GB.get(model, 1)} GB | – | per post | {million:,.2f} |")

    month = hourly["ml.m5.large"] * MONTH_HOURS
    review = given.usd_a_reviewer_hour / given.posts_a_reviewer_hour
    print()
    print("| instead of one ml.m5.large | $ per post | the endpoint is cheaper above (posts per month) |")
    print("|---|---:|---:|")
    for model, milliseconds in taken.items():
        post = SERVERLESS_SLOWER * milliseconds / 1000 * SERVERLESS_GB.get(model, 1) * SERVERLESS_GB_SECOND
        print(f"| serverless, {model} | {post:.7f} | {month / post:,.0f} |")
    print(f"| a service at ${given.usd_a_post:g} a post | {given.usd_a_post:g} | {month / given.usd_a_post:,.0f} |")
    hour = f"a reviewer at ${given.usd_a_reviewer_hour:g} an hour, {given.posts_a_reviewer_hour:g} posts"
    print(f"| {hour} | {review:g} | {month / review:,.0f} |")


if __name__ == "__main__":
    main()
