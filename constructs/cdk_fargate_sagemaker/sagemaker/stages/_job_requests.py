"""The jobs of a release in the words of the API."""

from collections.abc import Mapping

from ..machines._instance_type import has_local_disks
from ..machines.vpc_placement import VpcPlacement
from .processing_job import INPUT_FOLDER, OUTPUT_FOLDER, ProcessingJob
from .training_job import TrainingJob
from .transform_job import TransformJob

Request = dict[str, object]


def training_job_request(
    training: TrainingJob,
    *,
    name: str,
    image_uri: str,
    role_arn: str,
    volume_key_id: str,
    output_key_id: str | None,
    channels: Mapping[str, str],
    output: str,
    checkpoints: str,
) -> Request:
    """Returns the request of `createTrainingJob`."""
    resources: Request = {
        "InstanceType": training.instance_type,
        "InstanceCount": 1,
        "VolumeSizeInGB": training.volume_gib,
        **_volume_key(training.instance_type, volume_key_id),
    }
    if training.keep_alive is not None:
        resources["KeepAlivePeriodInSeconds"] = training.keep_alive.to_seconds()
    stopping: Request = {"MaxRuntimeInSeconds": training.max_runtime.to_seconds()}
    request: Request = {
        "TrainingJobName": name,
        "RoleArn": role_arn,
        "AlgorithmSpecification": {"TrainingImage": image_uri, "TrainingInputMode": "File"},
        "HyperParameters": dict(training.hyperparameters),
        "InputDataConfig": [_channel(channel, uri) for channel, uri in channels.items()],
        "OutputDataConfig": {"S3OutputPath": output, **_output_key(output_key_id)},
        "ResourceConfig": resources,
        "StoppingCondition": stopping,
        "EnableNetworkIsolation": training.network_isolation,
    }
    if training.spot_max_wait is not None:
        request["EnableManagedSpotTraining"] = True
        stopping["MaxWaitTimeInSeconds"] = training.spot_max_wait.to_seconds()
    if training.checkpoints:
        request["CheckpointConfig"] = {"S3Uri": checkpoints}
    if training.vpc is not None:
        request["VpcConfig"] = _vpc(training.vpc)
    return request


def processing_job_request(
    processing: ProcessingJob,
    *,
    name: str,
    image_uri: str,
    role_arn: str,
    volume_key_id: str,
    output_key_id: str | None,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
) -> Request:
    """Returns the request of `createProcessingJob`; each input and output is a folder of its name."""
    program: Request = {"ImageUri": image_uri}
    if processing.entry_point is not None:
        program["ContainerEntrypoint"] = list(processing.entry_point)
    if processing.arguments:
        program["ContainerArguments"] = list(processing.arguments)
    network: Request = {"EnableNetworkIsolation": processing.network_isolation}
    if processing.vpc is not None:
        network["VpcConfig"] = _vpc(processing.vpc)
    return {
        "ProcessingJobName": name,
        "RoleArn": role_arn,
        "AppSpecification": program,
        "Environment": dict(processing.environment),
        "ProcessingInputs": [
            {
                "InputName": side,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"{INPUT_FOLDER}/{side}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                    "S3DataDistributionType": "FullyReplicated",
                },
            }
            for side, uri in inputs.items()
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": side,
                    "S3Output": {
                        "S3Uri": uri,
                        "LocalPath": f"{OUTPUT_FOLDER}/{side}",
                        "S3UploadMode": "EndOfJob",
                    },
                }
                for side, uri in outputs.items()
            ],
            **_output_key(output_key_id),
        },
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": processing.instance_type,
                "VolumeSizeInGB": processing.volume_gib,
                **_volume_key(processing.instance_type, volume_key_id),
            }
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": processing.max_runtime.to_seconds()},
        "NetworkConfig": network,
    }


def transform_job_request(
    transform: TransformJob,
    *,
    name: str,
    model_name: str,
    volume_key_id: str,
    output_key_id: str | None,
    texts: str,
    output: str,
) -> Request:
    """Returns the request of `createTransformJob` that asks a model about each line of the objects below `texts`."""
    return {
        "TransformJobName": name,
        "ModelName": model_name,
        "BatchStrategy": "SingleRecord",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": texts}},
            "ContentType": "application/json",
            "SplitType": "Line",
        },
        "TransformOutput": {
            "S3OutputPath": output,
            "Accept": "application/json",
            "AssembleWith": "Line",
            **_output_key(output_key_id),
        },
        "TransformResources": {
            "InstanceType": transform.instance_type,
            "InstanceCount": 1,
            **_volume_key(transform.instance_type, volume_key_id),
            **({} if transform.transform_ami is None else {"TransformAmiVersion": transform.transform_ami}),
        },
    }


def _channel(name: str, uri: str) -> Request:
    return {
        "ChannelName": name,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": uri,
                "S3DataDistributionType": "FullyReplicated",
            }
        },
    }


def _volume_key(instance_type: str, key_id: str) -> Request:
    """Nothing for an instance with disks of its own: its hardware encrypts those, and SageMaker refuses a key."""
    return {} if has_local_disks(instance_type) else {"VolumeKmsKeyId": key_id}


def _output_key(key_id: str | None) -> Request:
    """Without it SageMaker takes the account's own key for S3, whatever the bucket's is."""
    return {} if key_id is None else {"KmsKeyId": key_id}


def _vpc(placement: VpcPlacement) -> Request:
    return {
        "SecurityGroupIds": [group.security_group_id for group in placement.security_groups],
        "Subnets": list(placement.subnet_ids),
    }
