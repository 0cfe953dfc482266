"""Container images that SageMaker runs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_iam as iam
from constructs import Construct

from .._resource_policy import open_to_account

# https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policy-examples.html
_PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]


class ModelImage(ABC):
    """A container image that SageMaker runs: one that trains a model, or one that serves it."""

    @staticmethod
    def from_asset(
        directory: str | Path,
        *,
        file: str | None = None,
        platform: ecr_assets.Platform | None = None,
        build_args: Mapping[str, str] | None = None,
    ) -> "ModelImage":
        """An image that the deployment builds from `directory` and pushes.

        `file` is the Dockerfile's path below it (`Dockerfile`). It is built for linux/amd64, which is what SageMaker's
        instances of most types are, whatever the machine that builds.
        """
        return _AssetImage(directory, file=file, platform=platform, build_args=build_args)

    @staticmethod
    def from_ecr_repository(repository: ecr.IRepository, tag_or_digest: str) -> "ModelImage":
        """An image that is in ECR already, by its tag (`1.4.2`) or its digest (`sha256:…`).

        Of a repository of another account, imported by its ARN, the owner has to let this account pull: the app warns
        with the statement.
        """
        return _RepositoryImage(repository, tag_or_digest)

    @abstractmethod
    def bind(self, scope: Construct, id: str, *, puller: iam.IGrantable) -> str:
        """Declares the image below `scope` where it has to be, lets `puller` pull it, and returns its URI."""


class _AssetImage(ModelImage):
    def __init__(
        self,
        directory: str | Path,
        *,
        file: str | None,
        platform: ecr_assets.Platform | None,
        build_args: Mapping[str, str] | None,
    ) -> None:
        self._directory = Path(directory)
        if not (self._directory / (file or "Dockerfile")).is_file():
            raise ValueError(
                f"directory is {str(directory)!r}, and there is no {file or 'Dockerfile'} in it: "
                "give the image's folder, and file=… where its Dockerfile has another name"
            )
        self._file = file
        self._platform = platform or ecr_assets.Platform.LINUX_AMD64
        self._build_args = dict(build_args) if build_args else None

    def bind(self, scope: Construct, id: str, *, puller: iam.IGrantable) -> str:
        asset = ecr_assets.DockerImageAsset(
            scope,
            id,
            directory=str(self._directory),
            file=self._file,
            platform=self._platform,
            build_args=self._build_args,
        )
        asset.repository.grant_pull(puller).assert_success()
        return asset.image_uri


class _RepositoryImage(ModelImage):
    def __init__(self, repository: ecr.IRepository, tag_or_digest: str) -> None:
        self._repository = repository
        self._tag_or_digest = tag_or_digest

    def bind(self, scope: Construct, id: str, *, puller: iam.IGrantable) -> str:
        repository = self._repository
        repository.grant_pull(puller).assert_success()
        open_to_account(repository, repository.repository_arn, puller, _PULL)
        return self._repository.repository_uri_for_tag_or_digest(self._tag_or_digest)
