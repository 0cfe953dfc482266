from constructs import Construct

from ..._console import console_url
from ..._construct_tree import region_of


def failure_alert(
    scope: Construct, *, workflow: str, execution: str, state: str, error: str, cause: str, further: str = "{}"
) -> str:
    """Writes the message of an alert, as JSONata over expressions: what the topic's readers know as `workflow_failure`.

    `further` is an object of which any part may be undefined: `rolled_back_to`, `rollback_failure`.
    """
    return (
        f"{{% $string($merge([{{'kind': 'workflow_failure', 'workflow': {workflow}, 'execution': {execution}, "
        f"'state': {state}, 'error': {error}, 'cause': {cause}, "
        f"'console': {_console(scope, execution)}}}, {further}])) %}}"
    )


def rollback_notice(scope: Construct, *, workflow: str, execution: str, left: str, target: str, note: str) -> str:
    """Writes the message about a rollback by hand, as JSONata over expressions; `note` may be null."""
    return (
        f"{{% $string({{'kind': 'rollback', 'workflow': {workflow}, 'execution': {execution}, "
        f"'from': {left}, 'to': {target}, 'note': {note}, 'console': {_console(scope, execution)}}}) %}}"
    )


def _console(scope: Construct, execution: str) -> str:
    region = region_of(scope)
    page = f"{console_url(scope)}/states/home?region={region}#/v2/executions/details/"
    return f"'{page}' & {execution}"
