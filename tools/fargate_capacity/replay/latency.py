"""Latency of one task as processor sharing: its requests divide its vCPUs evenly among themselves."""

from __future__ import annotations


def stretch(utilization: float, servers: int) -> float:
    """Mean time that a request spends at a task, divided by its CPU time: 1 + C(c, ρ) / (c · (1 − ρ)).

    C is Erlang's probability of waiting. The mean does not depend on how CPU times are distributed. It grows without
    bound as the utilization approaches 1; the caller keeps it below.

    Args:
        utilization: ρ, from 0 to below 1.
        servers: c, whole vCPUs of the task.
    """
    if servers == 1:
        return 1.0 / (1.0 - utilization)
    if utilization <= 0.0:
        return 1.0
    # The reciprocal of Erlang B, which needs only one division.
    inverse_load = 1.0 / (utilization * servers)
    inverse_blocking = 1.0
    for server in range(1, servers + 1):
        inverse_blocking = 1.0 + server * inverse_load * inverse_blocking
    idle = 1.0 - utilization
    waiting = 1.0 / (inverse_blocking * idle + utilization)
    return 1.0 + waiting / (servers * idle)
