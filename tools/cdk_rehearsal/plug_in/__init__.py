"""What ministack lacks, by AWS service: each folder is named as the CDK's module of the service.

It uses private names of ministack, which only `ministack_adapter` knows.
"""

from cdk_rehearsal.plug_in.install import install
from cdk_rehearsal.plug_in.ministack_adapter import MinistackChangedError

__all__ = ["MinistackChangedError", "install"]
