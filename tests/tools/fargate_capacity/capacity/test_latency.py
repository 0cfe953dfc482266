"""The latency formula: against Erlang's own, and against a simulation of every single request."""

import heapq
import math
from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
import pytest

from fargate_capacity.replay.latency import stretch
from fargate_capacity.replay.replay import Replay
from fargate_capacity.replay.service_model import P95_RATIO, Queueing, ServiceModel
from fargate_capacity.scaling_decisions import CapacityBounds


def erlang_c(servers: Any, load: Any) -> Any:
    waiting = load**servers / math.factorial(servers) * servers / (servers - load)
    return waiting / (sum(load**k / math.factorial(k) for k in range(servers)) + waiting)


@pytest.mark.parametrize("servers", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("utilization", [0.01, 0.3, 0.6, 0.9, 0.97])
def test_is_the_mean_of_erlang_c(servers: int, utilization: float) -> None:
    expected = 1 + erlang_c(servers, servers * utilization) / (servers * (1 - utilization))
    assert stretch(utilization, servers) == pytest.approx(expected, rel=1e-12)


def test_an_idle_task_takes_a_requests_own_time() -> None:
    assert stretch(0, 1) == stretch(0, 4) == 1


def simulated_latencies_s(
    *, tasks: Any, servers: Any, cpu_seconds: Any, requests_a_minute: Any, requests: Any, seed: Any
) -> Any:
    """Every request of a service, as a process of its own: it goes to a task at random and shares its vCPUs there."""
    simpy = pytest.importorskip("simpy", reason="simpy is not installed: nothing to judge the formula by")
    chance = np.random.default_rng(seed)
    environment = simpy.Environment()
    latencies: list[float] = []
    queues = [SharedProcessor(environment, simpy, servers) for _ in range(tasks)]

    def arrivals() -> Iterator[Any]:
        gaps = chance.exponential(60 / requests_a_minute, requests)
        # CPU times vary as those of a web service do: many short ones, some ten times as long.
        sizes = chance.lognormal(math.log(cpu_seconds) - 0.32, 0.8, requests)
        routes = chance.integers(0, tasks, requests)
        for gap, size, route in zip(gaps.tolist(), sizes.tolist(), routes.tolist(), strict=True):
            yield environment.timeout(gap)
            queues[route].begin(size, latencies)

    environment.process(arrivals())
    environment.run()
    return np.array(latencies[requests // 20 :])


class SharedProcessor:
    """A task: each request in it gets an equal share of the vCPUs, never more than one.

    `attained` is the CPU time that a request has had which was there all along: a request is done when it has risen by
    the request's own.
    """

    def __init__(self, environment: Any, simpy: Any, servers: Any) -> None:
        self.environment, self.interrupted, self.servers = environment, simpy.Interrupt, servers
        self.attained, self.changed = 0.0, 0.0
        self.jobs: list[tuple[float, int, float, list[float]]] = []
        self.numbers = count()
        self.idle = environment.event()
        self.is_waiting_for_work = True
        self.process = environment.process(self.run())

    def begin(self, size: Any, latencies: Any) -> None:
        self.advance()
        heapq.heappush(self.jobs, (self.attained + size, next(self.numbers), self.environment.now, latencies))
        if self.is_waiting_for_work:
            self.is_waiting_for_work = False
            self.idle.succeed()
        else:
            self.process.interrupt()

    def advance(self) -> None:
        if self.jobs:
            share = min(1.0, self.servers / len(self.jobs))
            self.attained += (self.environment.now - self.changed) * share
        self.changed = self.environment.now

    def run(self) -> Iterator[Any]:
        while True:
            try:
                if not self.jobs:
                    self.idle, self.is_waiting_for_work = self.environment.event(), True
                    yield self.idle
                share = min(1.0, self.servers / len(self.jobs))
                yield self.environment.timeout(max(self.jobs[0][0] - self.attained, 0) / share)
            except self.interrupted:
                continue
            self.advance()
            _, _, begun, latencies = heapq.heappop(self.jobs)
            latencies.append(self.environment.now - begun)


@pytest.mark.parametrize(
    ("tasks", "vcpus", "utilization"), [(3, 1, 0.5), (3, 1, 0.75), (2, 2, 0.7), (4, 0.5, 0.6), (2, 4, 0.85)]
)
def test_a_replay_is_within_five_percent_of_a_simulation_of_every_request(
    tasks: int, vcpus: float, utilization: float
) -> None:
    model = ServiceModel(vcpus=vcpus, cpu_seconds=0.05)
    requests_a_minute = 60 * utilization * tasks * vcpus / model.cpu_seconds
    replay = Replay(model=model, policies=(), bounds=CapacityBounds(minimum=tasks, maximum=tasks))
    replay.feed(np.full(60, requests_a_minute))
    found = replay.totals().mean_latency_s
    expected = simulated_latencies_s(
        tasks=tasks,
        servers=model.servers,
        cpu_seconds=model.service_seconds,
        requests_a_minute=requests_a_minute,
        requests=120_000,
        seed=1998,
    ).mean()
    assert found == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("utilization", [0.5, 0.7, 0.8])
def test_p95_is_that_many_times_the_mean_or_a_little_less(utilization: float) -> None:
    latencies = simulated_latencies_s(
        tasks=3,
        servers=1,
        cpu_seconds=0.05,
        requests_a_minute=60 * utilization * 3 / 0.05,
        requests=120_000,
        seed=1998,
    )
    assert 0.8 * P95_RATIO < np.percentile(latencies, 95) / latencies.mean() < 1.05 * P95_RATIO


def test_the_mean_at_a_p95_leaves_out_what_is_waited_elsewhere() -> None:
    model = ServiceModel(vcpus=1, cpu_seconds=0.05, elsewhere_seconds=0.1, p95_ratio=3)
    assert model.mean_at_p95(1) == pytest.approx(0.4)
    with pytest.raises(ValueError, match="got 100, allowed: above 100"):
        model.mean_at_p95(0.1)


def test_fails_when_p95_is_below_the_mean() -> None:
    with pytest.raises(ValueError, match=r"p95_ratio: got 0\.5"):
        ServiceModel(vcpus=1, cpu_seconds=0.05, p95_ratio=0.5)


def one_after_another_s(*, utilization: Any, cpu_seconds: Any, requests: Any, seed: Any) -> Any:
    """Latencies at one synchronous worker: a few requests are very long, and the others wait behind them."""
    chance = np.random.default_rng(seed)
    squared_variation = 4
    sigma = math.sqrt(math.log(1 + squared_variation))
    sizes = chance.lognormal(math.log(cpu_seconds) - sigma**2 / 2, sigma, requests)
    gaps = chance.exponential(cpu_seconds / utilization, requests)
    waits, wait = [], 0.0
    for gap, size in zip(gaps.tolist(), sizes.tolist(), strict=True):
        wait = max(wait - gap, 0.0)
        waits.append(wait)
        wait += size
    return (np.array(waits) + sizes)[requests // 20 :]


@pytest.mark.parametrize("utilization", [0.5, 0.65, 0.75, 0.85])
def test_one_after_another_takes_twice_as_long_in_the_mean_and_at_p95(utilization: float) -> None:
    shared = ServiceModel(vcpus=1, cpu_seconds=0.05)
    fifo = ServiceModel(vcpus=1, cpu_seconds=0.05, queueing=Queueing.FIFO)
    found = fifo.seconds_at_task(utilization)
    assert found == pytest.approx(2 * shared.seconds_at_task(utilization), rel=0.15)
    latencies = one_after_another_s(utilization=utilization, cpu_seconds=0.05, requests=300_000, seed=1998)
    assert found == pytest.approx(latencies.mean(), rel=0.07)
    assert np.percentile(latencies, 95) == pytest.approx(P95_RATIO * found, rel=0.2)


def test_the_replay_serves_one_after_another_where_that_is_assumed() -> None:
    model = ServiceModel(vcpus=1, cpu_seconds=0.1, queueing=Queueing.FIFO)
    replay = Replay(model=model, policies=(), bounds=CapacityBounds(minimum=2, maximum=2))
    replay.feed(np.full(3, 840.0))
    assert replay.totals().mean_latency_s == pytest.approx(model.seconds_at_task(0.7))
    assert model.seconds_at_task(0) == pytest.approx(0.1)
