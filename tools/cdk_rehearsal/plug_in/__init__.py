"""What ministack lacks: it is put in at ministack's private places, each of which a smoke test pins."""

from cdk_rehearsal.plug_in.install import install

__all__ = ["install"]
