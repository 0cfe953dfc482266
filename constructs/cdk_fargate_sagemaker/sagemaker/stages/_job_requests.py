"""What the requests of SageMaker's jobs share."""

from ..machines._instance_type import has_local_disks

Request = dict[str, object]


def volume_key(instance_type: str, key_id: str) -> Request:
    """Nothing for an instance with disks of its own: its hardware encrypts those, and SageMaker refuses a key."""
    return {} if has_local_disks(instance_type) else {"VolumeKmsKeyId": key_id}


def output_key(key_id: str | None) -> Request:
    """Without it SageMaker takes the account's own key for S3, whatever the bucket's is."""
    return {} if key_id is None else {"KmsKeyId": key_id}
