"""A parsed policy document."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

from cdk_rehearsal.permissions.call import Call
from cdk_rehearsal.permissions.principal_element import Named
from cdk_rehearsal.permissions.request_context import Context
from cdk_rehearsal.permissions.statement import Form, Statement, listed

PolicyDocument = Mapping[str, Any]
"""A policy from a template, with intrinsic functions resolved."""


class Policy:
    """A policy's statements, found by action.

    Args:
        statements: the policy's statements.
    """

    __slots__ = ("_by_action", "_statements")

    def __init__(self, statements: tuple[Statement, ...]) -> None:
        self._statements = statements
        self._by_action: dict[str, tuple[tuple[Statement, ...], tuple[Statement, ...]]] = {}

    def about(self, action: str) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
        """Return the statements that deny an action and those that allow it."""
        found = self._by_action.get(action)
        if found is None:
            relevant = [statement for statement in self._statements if statement.has_action(action)]
            found = self._by_action[action] = (
                tuple(statement for statement in relevant if statement.denies),
                tuple(statement for statement in relevant if not statement.denies),
            )
        return found

    def denying(self, call: Call, context: Context, *, bounded: bool = False) -> Statement | None:
        """Return the first statement that denies a call."""
        for statement in self.about(call.action)[0]:
            if (
                statement.has_resource(call.resource, context)
                and statement.names(call.principal, bounded=bounded) is not Named.NOT
                and statement.has_conditions(context)
            ):
                return statement
        return None

    def allowing(self, call: Call, context: Context) -> tuple[Named, Statement | None]:
        """Return the statement that allows a call and names the caller most closely."""
        closest, best = Named.NOT, None
        for statement in self.about(call.action)[1]:
            named = statement.names(call.principal, bounded=False)
            if named > closest and statement.has_resource(call.resource, context) and statement.has_conditions(context):
                closest, best = named, statement
                if named is Named.DIRECTLY:
                    break
        return closest, best

    def nearly_allowing(self, call: Call, context: Context) -> tuple[Statement, str] | None:
        """Return a statement that would allow a call except for one unmet condition, and that condition."""
        for statement in self.about(call.action)[1]:
            named = statement.names(call.principal, bounded=False) is not Named.NOT
            if named and statement.has_resource(call.resource, context):
                unmet = next(statement.unmet(context), None)
                if unmet is not None:
                    return statement, unmet
        return None


def read_policy(document: PolicyDocument, form: Form) -> Policy:
    """Parse a policy document; documents of equal content are parsed once.

    Raises:
        ValueError: AWS refuses such a policy, or it contains an unresolved intrinsic function.
    """
    return _read(json.dumps(document, default=dict), form)


@functools.lru_cache(maxsize=4096)
def _read(document: str, form: Form) -> Policy:
    content = json.loads(document)
    # "If you do not include a Version element, the value defaults to 2008-10-17."
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html
    variables = content.get("Version") == "2012-10-17"
    return Policy(
        tuple(
            _statement(json.dumps(body), form, variables, number)
            for number, body in enumerate(listed(content.get("Statement")), start=1)
        )
    )


@functools.lru_cache(maxsize=16384)
def _statement(body: str, form: Form, variables: bool, number: int) -> Statement:
    return Statement(json.loads(body), form=form, variables=variables, number=number)
