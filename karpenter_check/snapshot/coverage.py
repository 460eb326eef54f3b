"""What was seen of each kind, and what was not."""

from enum import StrEnum

import msgspec

from karpenter_check.snapshot.kind import Kind


class Status(StrEnum):
    """How much of a kind a snapshot holds."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    ABSENT = "absent"
    FORBIDDEN = "forbidden"
    FAILED = "failed"
    NOT_COLLECTED = "not-collected"


LOOSE_MANIFESTS = "manifests"
"""Why a kind is partial that was read from loose manifests: there may be more objects of it, so absence proves nothing."""


class Coverage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of one kind: its status, how many objects, and why it is not complete."""

    status: Status
    count: int = 0
    reason: str = ""

    @property
    def sufficient(self) -> bool:
        """Whether rules may conclude from what is missing: all of it is there, or all but a few unreadable objects."""
        return self.status is Status.COMPLETE or (self.status is Status.PARTIAL and not self.loose)

    @property
    def loose(self) -> bool:
        """Whether it was read from loose manifests: what an object says is known, and not what others there are."""
        return self.status is Status.PARTIAL and self.reason.endswith(LOOSE_MANIFESTS)

    @property
    def not_had(self) -> bool:
        """Whether some of it was asked for and could not be had."""
        return self.status in {Status.FORBIDDEN, Status.FAILED} or (self.status is Status.PARTIAL and self.sufficient)

    def __str__(self) -> str:
        return f"{self.status} ({self.reason})" if self.reason else str(self.status)


class CollectionError(msgspec.Struct, frozen=True, omit_defaults=True):
    """An object or a source that could not be read: where it came from, which object, which field, what is wrong."""

    source: str
    message: str
    kind: str = ""
    name: str = ""

    @property
    def optional(self) -> bool:
        """Whether it is of a kind that need not be read."""
        return self.kind in set(Kind) and Kind(self.kind).optional

    def __str__(self) -> str:
        return ": ".join(part for part in (self.source, f"{self.kind} {self.name}".strip(), self.message) if part)
