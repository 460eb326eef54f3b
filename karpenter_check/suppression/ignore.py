"""What somebody decided to leave be: which findings, why, and until when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from karpenter_check.finding import Finding, Ref
from karpenter_check.snapshot.metadata import Metadata
from karpenter_check.snapshot.selector import LabelSelector
from karpenter_check.suppression.glob import fits


@dataclass(frozen=True)
class Ignore:
    """Which findings are left be. What is empty matches everything; all that is not must match."""

    rule: str
    """A slug, or a glob over slugs."""
    reason: str
    until: datetime | None = None
    """From then on it holds no more."""
    kind: str = ""
    """Of the object, or of its owner; namespace, name and labels are then asked of the same one."""
    namespace: str = ""
    """A glob; so are the names."""
    name: str = ""
    nodepool: str = ""
    """The finding's NodePool."""
    labels: LabelSelector | None = None
    source: str = ""
    """Where it is written: a place in a file, or an object with its annotation."""

    def expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.until is not None and now >= self.until

    def concerns(self, slug: str) -> bool:
        """Whether it speaks of a rule's findings."""
        return fits(slug, self.rule)

    def matches(self, slug: str, finding: Finding, objects: Mapping[Ref, Metadata]) -> bool:
        """Whether the finding is meant, expired or not."""
        if not self.concerns(slug) or (self.nodepool and not fits(finding.nodepool, self.nodepool)):
            return False
        if not (self.kind or self.namespace or self.name or self.labels):
            return True
        return any(self._means(ref, objects.get(ref)) for ref in dict.fromkeys((finding.object, finding.owner)))

    def _means(self, ref: Ref, metadata: Metadata | None) -> bool:
        return (
            self.kind in {"", ref.kind}
            and (not self.namespace or fits(ref.namespace, self.namespace))
            and (not self.name or fits(ref.name, self.name))
            and (self.labels is None or (metadata is not None and self.labels.matches(metadata.labels)))
        )


@dataclass(frozen=True)
class IgnoreUse:
    """What became of an ignore in one scan."""

    ignore: Ignore
    matched: int
    """How many findings it matched, or would have, had it not expired."""
    expired: bool
    judged: bool
    """Whether every rule that it speaks of was judged: else that it matches nothing proves nothing."""

    @property
    def complaint(self) -> str:
        """What is wrong with it, if anything: it has expired, or it matches nothing any more."""
        if self.expired and self.ignore.until:
            still = f"; {self.matched} finding{'s' * (self.matched != 1)} would match" if self.matched else ""
            return f"expired at {self.ignore.until:%Y-%m-%d %H:%MZ}{still}"
        return "matches no finding; take it away" if self.judged and not self.matched else ""


@dataclass(frozen=True)
class IgnoreProblem:
    """An ignore that does not count, and why."""

    source: str
    said: str
