"""The assumptions of a replay about a service, besides its policies: one number each."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from enum import StrEnum

from fargate_capacity.replay.latency import stretch

# Measured: the time a Fargate task takes to run, by the size of its image.
START_S = 28.0
IMAGE_MIB_PER_SECOND = 58.0

# Documented defaults of a target group.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html
HEALTH_CHECK_INTERVAL_S = 30.0
DRAIN_S = 300.0

# Measured by AWS (2026-09-15): from load to trigger 363 s with 60-second metrics, 86 s with 20-second metrics. Three
# periods are the alarm's; the rest is the delay of a data point. Here the load begins at a full minute.
# https://github.com/aws/containers-roadmap/issues/2113
METRIC_DELAY_S = 363.0 - 3 * 60
HIGH_RESOLUTION_DELAY_S = 86.0 - 3 * 20

# An Application Load Balancer's idle timeout, after which it answers 504; many clients give up earlier.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html
GIVE_UP_S = 60.0

# At a utilization this close to 1, a queue does not reach its steady state within one minute.
STEADIEST_UTILIZATION = 0.97

# Measured by simulating one task of one vCPU at 80 % with exponential CPU times behind random routing: 17 times the CPU
# time at p95, 5 on average. Round robin has 10, so this is conservative.
P95_RATIO = 3.4

# Requests served one after another wait behind long ones: Pollaczek and Khinchine's (1 + c²) / 2 times the wait of
# processor sharing. c² = 4 (a few very long CPU times) gives twice the mean and p95 of processor sharing between 50 and
# 85 % CPU.
ONE_AFTER_ANOTHER_WAIT = 2.5


class Queueing(StrEnum):
    """How a task serves concurrent requests."""

    # They share its vCPUs: threads, an event loop.
    SHARED = "shared"
    # They are served one after another: synchronous workers, one per whole vCPU.
    FIFO = "fifo"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceModel:
    """The model of one service's tasks and load balancer.

    Args:
        vcpus: vCPUs of one task, 0.25 to 16.
        cpu_seconds: CPU time of one request, in seconds of one vCPU.
        elsewhere_seconds: time that a request waits for others: databases, endpoints, the network.
        skew: CPU of the hottest task divided by the average, at least 1.
        idle_percent: CPU of a task without requests, percent of its reservation.
        image_mib: compressed size of the image.
        boot_seconds: time from the program's start until it passes health checks.
        hot_start_minutes: minutes from the program's start in which a new task's start uses all of its CPU: a JVM that
            compiles, a model that loads. Modelled: the last minute counts in full, and such tasks count in addition to
            those that serve.
        boot_cpu_percent: CPU of a new task from its program's start until it passes health checks (`boot_seconds`),
            percent of its reservation; in whole minutes and in addition to the tasks that serve, as
            `hot_start_minutes`.
        health_check_seconds: time until the load balancer has seen one passing check; at worst the whole interval.
        drain_seconds: time that a removed task still runs and is billed while its connections drain.
        metric_delay_seconds: time from the end of a minute until alarms act on its data point.
        high_resolution_delay_seconds: the same for the 20-second CPU metric.
        give_up_seconds: the longest wait of a request; then its client or the load balancer gives up and it fails.
            Modelled: until then it uses no CPU.
        queueing: how a task serves concurrent requests.
        burstiness: the busiest minute of a traffic period divided by the mean of its minutes, at least 1. It has no
            effect on one-minute traffic.
        trusted_utilization: utilization of the hottest task beyond which a minute counts as low-confidence. A fit sets
            it to the highest observed one.
        p95_ratio: p95 of the time that a request spends at a task divided by its mean, at least 1.

    Raises:
        ValueError: an invalid value.
    """

    vcpus: float
    cpu_seconds: float
    elsewhere_seconds: float = 0.0
    skew: float = 1.0
    idle_percent: float = 0.0
    image_mib: float = 0.0
    boot_seconds: float = 0.0
    hot_start_minutes: int = 0
    boot_cpu_percent: float = 0.0
    health_check_seconds: float = HEALTH_CHECK_INTERVAL_S
    drain_seconds: float = DRAIN_S
    metric_delay_seconds: float = METRIC_DELAY_S
    high_resolution_delay_seconds: float = HIGH_RESOLUTION_DELAY_S
    give_up_seconds: float = GIVE_UP_S
    queueing: Queueing = Queueing.SHARED
    burstiness: float = 1.0
    trusted_utilization: float = STEADIEST_UTILIZATION
    p95_ratio: float = P95_RATIO

    def __post_init__(self) -> None:
        if self.queueing not in list(Queueing):
            raise ValueError(f"queueing: got {self.queueing!r}, allowed: {', '.join(Queueing)}")
        for field in fields(self):
            if field.name == "queueing":
                continue
            value = getattr(self, field.name)
            if not 0 <= value < math.inf:
                raise ValueError(f"{field.name}: got {value}, allowed: 0 or more")
        for name in ("vcpus", "cpu_seconds", "give_up_seconds"):
            if getattr(self, name) == 0:
                raise ValueError(f"{name}: got 0, allowed: above 0")
        if self.vcpus > 1 and self.vcpus != int(self.vcpus):
            raise ValueError(f"vcpus: got {self.vcpus}, allowed: 0.25, 0.5, or a whole number")
        if self.skew < 1:
            raise ValueError(
                f"skew: got {self.skew}, allowed: 1 or more; the hottest task is no cooler than the average"
            )
        if self.p95_ratio < 1:
            raise ValueError(f"p95_ratio: got {self.p95_ratio}, allowed: 1 or more; p95 is no less than the mean")
        if self.idle_percent >= 100:
            raise ValueError(f"idle_percent: got {self.idle_percent}, allowed: below 100")
        if self.burstiness < 1:
            raise ValueError(f"burstiness: got {self.burstiness}, allowed: 1 or more; 1 is evenly spread")
        if self.boot_cpu_percent > 100:
            raise ValueError(f"boot_cpu_percent: got {self.boot_cpu_percent}, allowed: at most 100")
        if self.hot_start_minutes > 60:
            raise ValueError(f"hot_start_minutes: got {self.hot_start_minutes}, allowed: at most 60")
        for name in ("metric_delay_seconds", "high_resolution_delay_seconds"):
            if getattr(self, name) > 3600:
                raise ValueError(f"{name}: got {getattr(self, name)}, allowed: at most 3600, an hour")

    def mean_at_p95(self, p95_seconds: float) -> float:
        """The mean latency for this p95; the time spent elsewhere is assumed to be equal for every request.

        Raises:
            ValueError: p95 is not above the time that a request waits elsewhere.
        """
        at_task = p95_seconds - self.elsewhere_seconds
        if not at_task > 0:
            raise ValueError(f"got {1000 * p95_seconds:g}, allowed: above {1000 * self.elsewhere_seconds:g}")
        return self.elsewhere_seconds + at_task / self.p95_ratio

    def seconds_at_task(self, utilization: float) -> float:
        """The mean time that a request spends at a task of this utilization, below 1."""
        return self.service_seconds * (1 + self.wait_factor * (stretch(utilization, self.servers) - 1))

    @property
    def wait_factor(self) -> float:
        """The wait of a request relative to processor sharing."""
        return ONE_AFTER_ANOTHER_WAIT if self.queueing is Queueing.FIFO else 1.0

    @property
    def start_seconds(self) -> float:
        """Seconds from the decision until the load balancer sends requests to a new task."""
        return self.launch_seconds + self.boot_seconds + self.health_check_seconds

    @property
    def launch_seconds(self) -> float:
        """Seconds from the decision until the program of a new task starts."""
        return START_S + self.image_mib / IMAGE_MIB_PER_SECOND

    @property
    def servers(self) -> int:
        """Whole vCPUs of a task; less than one counts as one slower vCPU."""
        return max(1, int(self.vcpus))

    @property
    def service_seconds(self) -> float:
        """A request's time at an otherwise idle task; longer with a fraction of a vCPU."""
        return self.cpu_seconds * max(1.0, 1.0 / self.vcpus)
