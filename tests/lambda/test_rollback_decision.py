"""What a person's rollback does in each state that the endpoint and its releases can be in, by the decision alone."""

import dataclasses
import importlib
import itertools
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

LEDGER = Path(__file__).parents[2] / "lambda" / "release_ledger"

# What there is of the current release m-b, beside an older one, m-a, of which nothing is missing: Endpoint,
# Configuration, Model, Artefact, Record, Parameter; "-" is gone. Then what {} does. `heals`: the record of m-b is made
# again first. An artefact that is gone while its hash is recorded is for the state that compares them to report.
TABLE = """
ECMARP m-a         | -CMARP m-b
ECMAR- m-a         | -CMAR- m-b
ECMA-P m-a heals   | -CMA-P m-b heals
ECMA-- m-a heals   | -CMA-- m-b heals
ECM-RP m-a         | -CM-RP m-b
ECM-R- m-a         | -CM-R- m-b
ECM--P m-a heals   | -CM--P its artefact s3://models/m-b is gone
ECM--- m-a heals   | -CM--- its artefact s3://models/m-b is gone
EC-ARP m-a         | -C-ARP m-b makes model
EC-AR- m-a         | -C-AR- m-b makes model
EC-A-P m-a heals   | -C-A-P its model is gone, and its record too
EC-A-- m-a heals   | -C-A-- its model is gone, and its record too
EC--RP m-a         | -C--RP its artefact s3://models/m-b is gone
EC--R- m-a         | -C--R- its artefact s3://models/m-b is gone
EC---P m-a heals   | -C---P its artefact s3://models/m-b is gone
EC---- m-a heals   | -C---- its artefact s3://models/m-b is gone
E-MARP m-a         | --MARP m-b makes configuration
E-MAR- m-a         | --MAR- m-b makes configuration
E-MA-P m-a heals   | --MA-P the record of the current release m-b is gone, and so is its endpoint configuration
E-MA-- m-a heals   | --MA-- the record of the current release m-b is gone, and so is its endpoint configuration
E-M-RP m-a         | --M-RP m-b makes configuration
E-M-R- m-a         | --M-R- m-b makes configuration
E-M--P m-a heals   | --M--P the record of the current release m-b is gone, and so is its endpoint configuration
E-M--- m-a heals   | --M--- the record of the current release m-b is gone, and so is its endpoint configuration
E--ARP m-a         | ---ARP m-b makes model and configuration
E--AR- m-a         | ---AR- m-b makes model and configuration
E--A-P m-a heals   | ---A-P the record of the current release m-b is gone, and so is its endpoint configuration
E--A-- m-a heals   | ---A-- the record of the current release m-b is gone, and so is its endpoint configuration
E---RP m-a         | ----RP its artefact s3://models/m-b is gone
E---R- m-a         | ----R- its artefact s3://models/m-b is gone
E----P m-a heals   | -----P the record of the current release m-b is gone, and so is its endpoint configuration
E----- m-a heals   | ------ the record of the current release m-b is gone, and so is its endpoint configuration
"""
ROWS = dict(cell.strip().split(" ", 1) for line in TABLE.strip().splitlines() for cell in line.split(" | "))


@pytest.fixture
def decision(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(LEDGER)
    return importlib.import_module("rollback_decision")


def state(decision: ModuleType, there: str) -> Any:
    endpoint, configuration, model, artefact, record, parameter = (letter != "-" for letter in there)
    current = decision.Release(
        name="m-b",
        configuration_name="m-b",
        artefact_uri="s3://models/m-b",
        outcome="released" if record else None,
        configuration=configuration,
        model=model,
        artefact=artefact,
        configuration_recorded=record,
        model_recorded=record,
        hashed=record,
    )
    older = decision.Release(name="m-a", configuration_name="m-a")
    return decision.Found(
        serves="m-b" if endpoint else None,
        pointer="m-b",
        parameter="m-b" if parameter else None,
        releases=[older, current] if record else [older],
        unrecorded=None if record else current,
    )


def outcome(decision: ModuleType, found: Any, wanted: str | None = None) -> str:
    try:
        made = decision.decide(found, wanted)
    except decision.RefusedError as refusal:
        return str(refusal)
    words = [made.target, "heals" if made.heals else "", f"makes {' and '.join(made.makes)}" if made.makes else ""]
    return " ".join(word for word in words if word)


def test_the_table_has_every_state() -> None:
    assert set(ROWS) == {
        "".join(letter if there else "-" for letter, there in zip("ECMARP", row, strict=True))
        for row in itertools.product((True, False), repeat=6)
    }


@pytest.mark.parametrize(("there", "does"), ROWS.items(), ids=list(ROWS))
def test_nothing_asked_for_goes_back_or_restores(decision: ModuleType, there: str, does: str) -> None:
    got = outcome(decision, state(decision, there))
    if does.startswith("m-"):
        assert got == does
    else:
        assert f'{does}: the next good release is m-a: start again with {{"release": "m-a"}}' in got
        assert "\n" not in got


@pytest.mark.parametrize("there", ROWS)
def test_an_older_release_serves_by_its_name_whatever_became_of_the_current_one(
    decision: ModuleType, there: str
) -> None:
    assert outcome(decision, state(decision, there), "m-a").partition(" ")[0] == "m-a"


def test_a_restored_release_is_said_to_be_the_current_one(decision: ModuleType) -> None:
    made = decision.decide(state(decision, "---ARP"), None)
    assert made.note == (
        "no endpoint served, so the current release was restored and no release is marked as bad; an older one needs "
        "its name; "
        "its model and endpoint configuration were gone and made again from the record"
    )
    assert decision.decide(state(decision, "ECMARP"), None).note is None
    assert "the record of m-b, which was gone, was made again" in decision.decide(state(decision, "ECMA-P"), None).note


def older(decision: ModuleType, name: str, **more: Any) -> Any:
    return decision.Release(name=name, configuration_name=name, artefact_uri=f"s3://models/{name}", **more)


@pytest.mark.parametrize(
    ("missing", "why"),
    [
        (
            {"configuration": False, "configuration_recorded": False},
            "its endpoint configuration is gone, and its record does not say how to make it again",
        ),
        (
            {"model": False, "model_recorded": False},
            "its model is gone, and its record does not say how to make it again",
        ),
        ({"artefact": False, "hashed": False}, "its artefact s3://models/m-b is gone"),
    ],
)
def test_what_cannot_be_made_again_is_not_offered(decision: ModuleType, missing: dict[str, bool], why: str) -> None:
    releases = [older(decision, "m-a"), older(decision, "m-b", **missing), older(decision, "m-c")]
    found = decision.Found(serves="m-c", pointer="m-c", parameter="m-c", releases=releases)
    for wanted in (None, "m-b"):
        assert outcome(decision, found, wanted) == (
            f'release m-b cannot serve, as {why}: the next good release is m-a: start again with {{"release": "m-a"}}'
        )
    assert outcome(decision, found, "m-x") == "release 'm-x' is unknown: there are m-a, m-c"


def test_an_older_release_is_made_again_from_its_record(decision: ModuleType) -> None:
    releases = [older(decision, "m-a", configuration=False), older(decision, "m-b")]
    found = decision.Found(serves="m-b", pointer="m-b", parameter="m-b", releases=releases)
    assert outcome(decision, found) == "m-a makes configuration"


def test_the_last_release_of_all_says_to_release_again(decision: ModuleType) -> None:
    found = state(decision, "----RP")
    found = dataclasses.replace(found, releases=found.releases[1:])
    assert outcome(decision, found).endswith("is gone: no other good release can serve: release again")


def test_table_endpoint_and_parameter_that_disagree_are_said(decision: ModuleType) -> None:
    found = decision.Found(
        serves="m-c",
        pointer="m-b",
        parameter="m-b",
        releases=[older(decision, "m-a")],
        unrecorded=older(decision, "m-c", outcome=None),
    )
    assert outcome(decision, found) == (
        "the current release is unknown: the table says m-b, the endpoint serves m-c and the parameter says "
        'm-b: name the release that is to serve, {"release": "<name>"}: there are m-a'
    )
    assert outcome(decision, found, "m-a") == "m-a heals"


def test_a_pointer_that_is_lost_is_set_to_what_serves(decision: ModuleType) -> None:
    releases = [older(decision, "m-a"), older(decision, "m-b")]
    for serves, parameter in (("m-b", None), (None, "m-b")):
        found = decision.Found(serves=serves, pointer=None, parameter=parameter, releases=releases)
        assert decision.decide(found, None).heals == "m-b"
    nothing = decision.Found(serves=None, pointer=None, parameter=None, releases=releases)
    assert "which release was current is recorded nowhere: the next good release is m-b" in outcome(decision, nothing)


def test_a_release_that_failed_is_not_taken_for_the_current_one(decision: ModuleType) -> None:
    releases = [older(decision, "m-a"), older(decision, "m-b", outcome="failed")]
    found = decision.Found(serves="m-b", pointer=None, parameter=None, releases=releases)
    assert "the current release is unknown" in outcome(decision, found)
    assert decision.decide(found, "m-a").heals is None
