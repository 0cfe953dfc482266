"""The task sizes that Fargate supports."""

from .._checks import check_number, check_one_of, refusal
from .._number_token import is_token

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html, Linux
_MEMORY_MIB = {
    256: (512, 1024, 2048),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
}


def check_task_size(*, cpu: int, memory_mib: int) -> None:
    """Refuses a task size that Fargate would refuse at deployment. Tokens pass.

    Args:
        cpu: CPU units, 1024 per vCPU.
        memory_mib: memory in MiB.

    Raises:
        InvalidArgumentError: Fargate does not support this CPU, or this memory with it.
    """
    check_one_of("cpu", cpu, _MEMORY_MIB, "choose one; 1024 is a vCPU")
    check_number("memory_mib", memory_mib)
    if is_token(cpu) or is_token(memory_mib) or memory_mib in _MEMORY_MIB[cpu]:
        return
    allowed = _MEMORY_MIB[cpu]
    steps = (
        f"{allowed.start} to {allowed[-1]} in steps of {allowed.step}"
        if isinstance(allowed, range)
        else ", ".join(map(str, allowed))
    )
    raise refusal("memory_mib", memory_mib, f"{steps} with cpu={cpu}", "choose one, or another cpu")
