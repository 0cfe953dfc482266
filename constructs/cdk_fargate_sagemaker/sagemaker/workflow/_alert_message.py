from constructs import Construct

from ..._console import console_url
from ..._construct_tree import region_of


def failure_alert(
    scope: Construct, *, workflow: str, execution: str, state: str, error: str, cause: str, further: str = "{}"
) -> str:
    """Returns the message of an alert, `workflow_failure`, as JSONata over expressions.

    `further` is an object with `rolled_back_to` and `rollback_failure`; each may be undefined.
    """
    return (
        f"{{% $string($merge([{{'kind': 'workflow_failure', 'workflow': {workflow}, 'execution': {execution}, "
        f"'state': {state}, 'error': {error}, 'cause': {cause}, "
        f"'console': {_console(scope, execution)}}}, {further}])) %}}"
    )


def rollback_notice(scope: Construct, *, workflow: str, execution: str, left: str, target: str, note: str) -> str:
    """Returns the message about a rollback that a person started, as JSONata over expressions; `note` may be null."""
    return (
        f"{{% $string({{'kind': 'rollback', 'workflow': {workflow}, 'execution': {execution}, "
        f"'from': {left}, 'to': {target}, 'note': {note}, 'console': {_console(scope, execution)}}}) %}}"
    )


def _console(scope: Construct, execution: str) -> str:
    region = region_of(scope)
    page = f"{console_url(scope)}/states/home?region={region}#/v2/executions/details/"
    return f"'{page}' & {execution}"
