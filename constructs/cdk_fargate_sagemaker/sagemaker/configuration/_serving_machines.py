"""The machines that serve a model, for checks of the memory that it needs."""

from collections.abc import Mapping
from typing import Any

from ..machines._instance_memory import InstanceSize, instance_size
from .endpoint_configuration import EndpointConfiguration

# The limits of container/inference/serve.py: more threads hardly speed up one prediction, and each worker has its own
# copy of the model.
_MOST_THREADS_A_PREDICTION = 8
_MOST_WORKERS = 8
_SERVERLESS_VCPUS = 2


def serving_machines(configuration: EndpointConfiguration, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """Returns `name`, memory in `mib` and `workers` of each machine type that serves the released model.

    Types that `instance_size` does not know are left out.
    """
    machines = []
    for variant in configuration.all_variants:
        if variant.model_name is not None:
            continue
        if variant.serverless is not None:
            name = f"serverless capacity of {variant.serverless.memory_mib} MiB"
            size: InstanceSize | None = InstanceSize(_SERVERLESS_VCPUS, variant.serverless.memory_mib)
        else:
            name = variant.instance_type or ""
            size = instance_size(name)
        if size is not None:
            machines.append({"name": name, "mib": size.mib, "workers": _workers(size.vcpus, environment)})
    return machines


def _workers(vcpus: int, environment: Mapping[str, str]) -> int:
    given = environment.get("MODEL_SERVER_WORKERS", "")
    if given.isascii() and given.isdigit():
        return max(1, int(given))
    if environment.get("SERVE_FOR") == "throughput":
        return min(vcpus, _MOST_WORKERS)
    return min(-(-vcpus // _MOST_THREADS_A_PREDICTION), _MOST_WORKERS)
