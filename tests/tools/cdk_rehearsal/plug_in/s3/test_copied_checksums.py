import base64
import hashlib
import uuid

from boto3.s3.transfer import TransferConfig

from cdk_rehearsal.embedded_aws import EmbeddedAws

MIB = 1 << 20


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def test_a_copy_has_the_checksum_that_it_asks_for(embedded_aws: EmbeddedAws) -> None:
    s3, bucket = embedded_aws.client("s3"), f"copies-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    content = bytes(range(256)) * 4096 * 11
    s3.put_object(Bucket=bucket, Key="a", Body=content)
    for key, threshold in (("whole", 100 * MIB), ("in-parts", 5 * MIB)):
        config = TransferConfig(multipart_threshold=threshold, multipart_chunksize=5 * MIB)
        s3.copy({"Bucket": bucket, "Key": "a"}, bucket, key, ExtraArgs={"ChecksumAlgorithm": "SHA256"}, Config=config)
    found = {
        key: s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED").get("ChecksumSHA256")
        for key in ("a", "whole", "in-parts")
    }
    parts = [content[start : start + 5 * MIB] for start in range(0, len(content), 5 * MIB)]
    composite = _sha256(b"".join(map(_sha256, parts)))
    assert found == {
        "a": None,
        "whole": base64.b64encode(_sha256(content)).decode(),
        "in-parts": f"{base64.b64encode(composite).decode()}-{len(parts)}",
    }
    assert s3.get_object(Bucket=bucket, Key="in-parts")["Body"].read() == content
