"""Runs the proofs: suites that judge the project against what is outside it. `make prove` calls it.

Each suite can be run alone (`make prove ARGS=second-lives`), and goes on where it was stopped, as long as the project
is at the same commit. All together take less than an hour.
"""

from __future__ import annotations

import argparse
import datetime
import signal
import sys

from tests.proofs.attacks import ATTACKED
from tests.proofs.faults_under_load import FAULTS_UNDER_LOAD
from tests.proofs.mutants.suite import MUTANTS
from tests.proofs.other_teams import OTHER_TEAMS
from tests.proofs.peoples_posts import PEOPLES_POSTS
from tests.proofs.proof import Suite, prove, record, run, state_of_the_project
from tests.proofs.recipes import RECIPES
from tests.proofs.recommendations import RECOMMENDATIONS
from tests.proofs.replays import REPLAYS
from tests.proofs.restored import RESTORED
from tests.proofs.second_lives import SECOND_LIVES

SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        REPLAYS,
        RECOMMENDATIONS,
        ATTACKED,
        SECOND_LIVES,
        FAULTS_UNDER_LOAD,
        RESTORED,
        RECIPES,
        PEOPLES_POSTS,
        OTHER_TEAMS,
        MUTANTS,
    )
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make prove", description=__doc__)
    parser.add_argument("suites", nargs="*", choices=[*SUITES, []], help="which ones; by default all")
    parser.add_argument("--sample", action="store_true", help="a sample of each, of less than a minute, unrecorded")
    given = parser.parse_args(arguments)
    # A shell that starts this in its background has it ignore the signal, and everything that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    state = state_of_the_project()
    passed = True
    for suite in (SUITES[name] for name in given.suites or SUITES):
        if given.sample:
            results = [run(suite, name, case, state=state) for name, case in suite.samples.items()]
        else:
            results = prove(suite, state=state)
            record(suite, results, date=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}", state=state)
        passed &= all(result.passed for result in results)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
