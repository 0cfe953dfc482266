"""How an image's program is run: as a local process, or in a container."""

from cdk_rehearsal.engines.container import ContainerCommand, ContainerRequest, ImageError
from cdk_rehearsal.engines.docker_engine import DockerEngine
from cdk_rehearsal.engines.image_sources import ImageSources
from cdk_rehearsal.engines.process_engine import ProcessEngine

__all__ = ["ContainerCommand", "ContainerRequest", "DockerEngine", "ImageError", "ImageSources", "ProcessEngine"]
