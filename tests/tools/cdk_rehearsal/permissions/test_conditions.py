from collections.abc import Mapping

import pytest

from cdk_rehearsal.permissions.condition import Condition

TOPIC = "arn:aws:sns:eu-west-1:111122223333:Alerts"


def holds(
    operation: str,
    values: object,
    actual: str | tuple[str, ...] | None,
    others: Mapping[str, str] | None = None,
    *,
    variables: bool = True,
) -> bool:
    context: dict[str, str | tuple[str, ...]] = dict(others or {})
    if actual is not None:
        context["aws:key"] = actual
    listed = values if isinstance(values, list) else [values]
    return Condition(operation=operation, key="AWS:Key", values=listed, variables=variables).holds(context)


@pytest.mark.parametrize(
    ("operation", "value", "fits", "differs"),
    [
        ("StringEquals", "Ab*", "Ab*", "Abc"),
        ("StringEquals", "${*}", "*", "x"),
        ("stringequals", "Ab", "Ab", "ab"),
        ("StringEqualsIgnoreCase", "Ab", "aB", "abc"),
        ("StringLike", "a?c*", "abcdef", "ac"),
        ("StringLike", "a${*}${?}${$}", "a*?$", "abcd"),
        ("StringLike", "a.c", "a.c", "abc"),
        ("NumericEquals", "10", "10.0", "11"),
        ("NumericLessThan", 10, "9", "10"),
        ("NumericLessThanEquals", "10", "10", "11"),
        ("NumericGreaterThan", "10", "11", "10"),
        ("NumericGreaterThanEquals", "10", "10", "9"),
        ("DateEquals", "2026-11-26T12:00:00Z", "1795694400", "2026-11-26T12:00:01Z"),
        ("DateLessThan", "2026-11-26T12:00:00Z", "2026-11-26T12:59:59+01:00", "2026-11-26T12:00:00Z"),
        ("DateLessThanEquals", "2026-11-26", "2026-11-26T00:00:00Z", "2026-11-26T00:00:01Z"),
        ("DateGreaterThan", "2026-11-26T12:00:00Z", "2026-11-27T00:00:00Z", "2026-11-26T12:00:00Z"),
        ("DateEquals", "2026-11", "2026-11-01T00:00:00Z", "2026"),
        ("DateEquals", "2026", "2026-01-01T00:00Z", "2026-01-01T00:00:00.5Z"),
        ("DateGreaterThanEquals", "1795694400", "2026-11-26T12:00:00Z", "1795694399"),
        ("Bool", "true", "True", "false"),
        ("Bool", False, "false", "true"),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", "Qmlu"),
        ("IpAddress", "203.0.113.0/24", "203.0.113.7", "203.0.114.7"),
        ("IpAddress", "203.0.113.7", "203.0.113.7", "203.0.113.8"),
        ("IpAddress", "2001:db8::/32", "2001:db8::17", "203.0.113.7"),
        ("ArnEquals", "arn:aws:sns:*:*:Al*", TOPIC, "arn:aws:sns:eu-west-1:111122223333:alerts"),
        ("ArnLike", "arn:aws:s?s:*:111122223333:*", TOPIC, "arn:aws:sns:eu-west-1:444455556666:Alerts"),
        ("ArnLike", "arn:aws:events:*:*:rule/*", "arn:aws:events:eu-west-1:1:rule/a:b/c", "Alerts"),
    ],
)
def test_an_operator_compares(operation: str, value: object, fits: str, differs: str) -> None:
    assert holds(operation, value, fits)
    assert not holds(operation, value, differs)
    assert not holds(operation, value, None)
    assert holds(f"{operation}IfExists", value, None)
    assert not holds(f"{operation}IfExists", value, differs)
    # Several values are an OR.
    assert holds(operation, [value, value], fits)


@pytest.mark.parametrize(
    ("operation", "value", "equal", "differs"),
    [
        ("StringNotEquals", "a", "a", "A"),
        ("StringNotEqualsIgnoreCase", "a", "A", "b"),
        ("StringNotLike", "a*", "abc", "b"),
        ("NumericNotEquals", "10", "10.0", "11"),
        ("DateNotEquals", "2026-11-26T12:00:00Z", "1795694400", "1795694401"),
        ("NotIpAddress", "203.0.113.0/24", "203.0.113.7", "10.1.2.3"),
        ("ArnNotEquals", "arn:aws:sns:*:*:Alerts", TOPIC, f"{TOPIC}-2"),
        ("ArnNotLike", "arn:aws:sns:*:*:Alerts", TOPIC, f"{TOPIC}-2"),
    ],
)
def test_a_negated_operator_holds_for_none_of_its_values_and_for_an_absent_key(
    operation: str, value: str, equal: str, differs: str
) -> None:
    assert holds(operation, value, differs)
    assert not holds(operation, value, equal)
    assert holds(operation, value, None)
    other = {"Num": "5", "Dat": "2020-01-01T00:00:00Z", "Not": "192.0.2.0/24", "Arn": "arn:aws:s3:::b"}.get(
        operation[:3], "z"
    )
    assert holds(operation, [other, value], differs)
    assert not holds(operation, [other, value], equal)


def test_a_wildcard_of_an_arn_does_not_reach_past_a_colon() -> None:
    assert not holds("ArnLike", "arn:aws:*:Alerts", TOPIC)
    assert not holds("ArnLike", "arn:aws:sns:*:Alerts", TOPIC)
    assert holds("StringLike", "arn:aws:*:Alerts", TOPIC)
    stream = "arn:aws:logs:eu-west-1:111122223333:log-group:/jobs:log-stream:run-1"
    assert not holds("ArnLike", "arn:aws:logs:*:*:log-stream:run-1", stream)
    assert not holds("ArnLike", "arn:aws:logs:*:run-1:*:log-stream", stream)
    assert holds("ArnLike", "arn:aws:logs:*:*:log-group:*:run-1", stream)


@pytest.mark.parametrize(
    ("operation", "values", "actual", "expected"),
    [
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "b"), True),
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "c"), False),
        ("ForAllValues:StringEquals", ["a", "b"], "a", True),
        ("ForAllValues:StringEquals", ["a"], None, True),
        ("ForAnyValue:StringEquals", ["a", "b"], ("c", "b"), True),
        ("ForAnyValue:StringEquals", ["a", "b"], ("c",), False),
        ("ForAnyValue:StringEquals", ["a"], None, False),
        ("ForAnyValue:StringEqualsIfExists", ["a"], None, True),
        ("ForAllValues:StringNotEquals", ["a", "b"], ("c", "d"), True),
        ("ForAllValues:StringNotEquals", ["a", "b"], ("c", "a"), False),
        ("ForAnyValue:StringNotEquals", ["a", "b"], ("a", "c"), True),
        ("ForAnyValue:StringNotEquals", ["a", "b"], ("a", "b"), False),
        ("ForAnyValue:StringNotEquals", ["a"], None, False),
        ("foranyvalue:ARNLIKE", ["arn:aws:sns:*:*:A*"], (TOPIC,), True),
    ],
)
def test_set_operators_compare_each_value_of_the_request(
    operation: str, values: list[str], actual: str | tuple[str, ...] | None, expected: bool
) -> None:
    assert holds(operation, values, actual) is expected


@pytest.mark.parametrize("operation", ["StringEquals", "StringLike", "StringNotEquals"])
def test_a_multivalued_key_takes_a_set_operator(operation: str) -> None:
    assert not holds(operation, "a", ("a",))


@pytest.mark.parametrize(("value", "absent"), [("true", True), (True, True), ("false", False), ("False", False)])
def test_null_asks_whether_a_key_is_there(value: object, absent: bool) -> None:
    assert holds("Null", value, None) is absent
    assert holds("Null", value, "a") is not absent
    assert holds("Null", ["true", "false"], "a")


def test_a_variable_stands_for_a_value_of_the_request() -> None:
    assert holds("StringEquals", "${aws:PrincipalTag/Team}-x", "red-x", {"aws:principaltag/team": "red"})
    assert not holds("StringEquals", "${aws:PrincipalTag/team}-x", "blue-x", {"aws:principaltag/team": "red"})
    assert holds("StringLike", "${aws:PrincipalTag/team}*", "red-x", {"aws:principaltag/team": "red"})
    assert holds("StringEqualsIgnoreCase", "${aws:PrincipalTag/team}", "RED", {"aws:principaltag/team": "red"})
    assert holds("ArnLike", "arn:aws:sns:*:${aws:PrincipalAccount}:*", TOPIC, {"aws:principalaccount": "111122223333"})
    assert holds("StringEquals", "${aws:PrincipalTag/team, 'none'}", "none")


def test_a_default_comes_after_a_comma_and_a_space() -> None:
    assert not holds("StringEquals", "${aws:PrincipalTag/team,'none'}", "none")
    assert not holds("StringEquals", "${aws:PrincipalTag/team, none}", "none")
    assert holds("StringEquals", "${aws:PrincipalTag/team, 'no, ne'}", "no, ne")


def test_what_is_no_variable_is_text() -> None:
    assert holds("StringEquals", "a${b", "a${b")
    assert holds("StringEquals", "$a}", "$a}")
    assert holds("StringEquals", "${$}{aws:PrincipalTag/team}", "${aws:PrincipalTag/team}")


def test_a_wildcard_in_the_value_of_a_variable_is_a_character() -> None:
    assert not holds("StringLike", "${aws:PrincipalTag/team}", "red", {"aws:principaltag/team": "r*"})
    assert holds("StringLike", "${aws:PrincipalTag/team}", "r*", {"aws:principaltag/team": "r*"})


def test_a_variable_without_a_value_equals_nothing() -> None:
    assert not holds("StringEquals", "${aws:PrincipalTag/team}", "${aws:PrincipalTag/team}")
    assert not holds("StringLike", "*${aws:PrincipalTag/team}", "red")
    assert holds("StringNotEquals", "${aws:PrincipalTag/team}", "red")
    assert holds("ArnNotLike", "arn:aws:sns:*:*:${aws:PrincipalTag/team}", TOPIC)
    condition = Condition(operation="StringEquals", key="a", values=["${aws:TagKeys}"], variables=True)
    assert not condition.holds({"a": "red", "aws:tagkeys": ("red",)})


def test_a_variable_in_a_field_of_an_arn_does_not_add_fields() -> None:
    assert not holds("ArnLike", "arn:aws:sns:${aws:x}:*:Alerts", TOPIC, {"aws:x": "eu-west-1:111122223333"})


def test_only_the_newer_policy_language_knows_variables() -> None:
    assert holds("StringEquals", "${aws:PrincipalTag/team}", "${aws:PrincipalTag/team}", variables=False)
    assert not holds("StringEquals", "${*}", "*", variables=False)


@pytest.mark.parametrize(
    "operation",
    [
        "StringIs",
        "StringEqualsNot",
        "NumericLike",
        "NumericNotLessThan",
        "BoolEquals",
        "NullIfExists",
        "ForAnyValue:Null",
        "Arn",
    ],
)
def test_fails_when_aws_knows_no_such_operator(operation: str) -> None:
    with pytest.raises(ValueError, match=f'operator of a condition is "{operation}": allowed those of AWS'):
        Condition(operation=operation, key="a", values=["b"], variables=True)


def test_fails_when_a_value_is_a_function_of_a_template() -> None:
    with pytest.raises(ValueError, match=r"StringEquals a is {'Ref': 'X'}: allowed a text; resolve"):
        Condition(operation="StringEquals", key="a", values=[{"Ref": "X"}], variables=True)
