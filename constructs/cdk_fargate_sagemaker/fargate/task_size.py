"""Which sizes of task Fargate runs."""

from .number_token import is_token

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
    """Refuses a task size that Fargate would refuse at deployment; unresolved tokens pass.

    Args:
        cpu: CPU units, 1024 a vCPU.
        memory_mib: MiB.

    Raises:
        ValueError: Fargate has no such CPU, or not this much memory with it.
    """
    if cpu not in _MEMORY_MIB:
        if is_token(cpu):
            return
        raise ValueError(f"cpu: got {cpu}, allowed: {', '.join(map(str, _MEMORY_MIB))} (1024 a vCPU); choose one")
    if memory_mib not in _MEMORY_MIB[cpu] and not is_token(memory_mib):
        allowed = _MEMORY_MIB[cpu]
        steps = (
            f"{allowed.start} to {allowed[-1]} in steps of {allowed.step}"
            if isinstance(allowed, range)
            else ", ".join(map(str, allowed))
        )
        raise ValueError(f"memory_mib: got {memory_mib}, allowed with cpu={cpu}: {steps}; choose one, or another cpu")
