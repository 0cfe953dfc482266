"""The parts that the requests of all SageMaker jobs have."""

from ..machines._instance_type import has_local_disks

Request = dict[str, object]


def volume_key(instance_type: str, key_id: str) -> Request:
    """The volume's key, as a part of a request; nothing for an instance with local disks.

    The instance's hardware encrypts these disks, and SageMaker refuses a key.
    """
    return {} if has_local_disks(instance_type) else {"VolumeKmsKeyId": key_id}


def output_key(key_id: str | None) -> Request:
    """The key of the output. Without it, SageMaker uses the account's own S3 key, not the bucket's."""
    return {} if key_id is None else {"KmsKeyId": key_id}
