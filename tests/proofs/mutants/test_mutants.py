"""What the suite makes of mutants and of tests' outcomes on them."""

import dataclasses

import pytest

from tests.proofs.mutants.mutant import Mutant, mutants_of
from tests.proofs.mutants.suite import CHOSEN, EQUIVALENT, drawn, equivalent, judged

_RULE = "container/api/moderation/decision.py"
_NAME = (_RULE, "a < b", "a <= b")
_MUTANT = Mutant(file=_RULE, line=7, before="a < b", after="a <= b", source="")


def test_a_mutant_is_the_file_with_one_line_changed() -> None:
    line = "return Decision(flag=int(score.probability >= self._threshold), score=score)"
    mutants = [mutant for mutant in mutants_of(_RULE) if mutant.before == line]
    assert {line.replace(">=", ">"), line.replace(", score=score", ", ")} <= {mutant.after for mutant in mutants}
    for mutant in mutants:
        compile(mutant.source, mutant.file, "exec")
        assert mutant.source.splitlines()[mutant.line - 1].strip() == mutant.after


def test_fails_when_a_mutant_survives_that_is_not_reviewed() -> None:
    with pytest.raises(AssertionError, match=rf"1 of 1 mutants survive: {_RULE}:7: `a < b` → `a <= b`"):
        judged([_MUTANT], [False], {})


@pytest.mark.parametrize(("mutants", "killed"), [([], []), ([_MUTANT], [True])])
def test_fails_when_a_reviewed_mutant_is_none_or_dies(mutants: list[Mutant], killed: list[bool]) -> None:
    with pytest.raises(AssertionError, match="are none or die: `a < b` → `a <= b`"):
        judged(mutants, killed, {_NAME: "reason"})


def test_a_reviewed_mutant_may_survive() -> None:
    other = dataclasses.replace(_MUTANT, after="a > b")
    assert judged([_MUTANT, other], [False, True], {_NAME: "reason"}) == "2 mutants: 1 killed, 1 equivalent"


def test_a_sample_does_not_depend_on_where_lines_are_and_grows_with_its_share() -> None:
    mutants = mutants_of(_RULE)
    moved = [dataclasses.replace(mutant, line=mutant.line + 9) for mutant in mutants]
    sample = drawn(mutants, 0.4)
    assert 0 < len(sample) < len(mutants)
    assert [mutant.name for mutant in drawn(moved, 0.4)] == [mutant.name for mutant in sample]
    assert drawn(mutants[3:], 0.4) == [mutant for mutant in sample if mutant in mutants[3:]]
    assert set(drawn(mutants, 0.2)) <= set(sample)
    assert drawn(mutants, 1.0) == mutants


def test_each_reviewed_mutant_is_of_a_chosen_file_and_has_a_reason() -> None:
    reviewed = [reason for chosen in CHOSEN.values() for reason in equivalent(chosen.file).values()]
    assert EQUIVALENT.read_text(encoding="utf-8").count("[[mutant]]") == len(reviewed)
    assert all(reviewed)
