"""The snapshot behind `karpenter-check scan --demo`, made from the recording `faults`.

`python -m tests.make_demo` writes it; a test holds the package's copy against this one.
"""

import gzip
from pathlib import Path

import msgspec

from karpenter_check.collect.decode import decode_object, head_of, items_of
from karpenter_check.collect.files import SCHEMA
from karpenter_check.collect.resources import kind_of
from karpenter_check.snapshot import Kind

HERE = Path(__file__).parent
RECORDING = HERE / "recordings" / "faults"
DEMO = HERE.parent / "karpenter_check" / "demo" / "cluster.json.gz"


class _Version(msgspec.Struct, rename="camel"):
    git_version: str = ""


class _List(msgspec.Struct):
    items: msgspec.Raw = msgspec.Raw(b"[]")


def demo_document() -> bytes:
    """The recording as a snapshot file: of each object what the model reads, nothing else."""
    lists: dict[str, list[object]] = {}
    for path in sorted(RECORDING.glob("*.json.gz")):
        content = gzip.decompress(path.read_bytes())
        for raw in items_of(msgspec.json.decode(content, type=_List).items):
            head = head_of(raw)
            list_head = head_of(content)
            kind = kind_of(head.kind or list_head.kind.removesuffix("List"), head.api_version or list_head.api_version)
            if kind:
                lists.setdefault(kind, []).append(decode_object(kind, raw))
    return msgspec.json.encode({
        "schema": SCHEMA,
        "takenAt": (RECORDING / "taken-at").read_text().strip(),
        "cluster": "demo",
        "kubernetesVersion": msgspec.json.decode(gzip.decompress((RECORDING / "version.json.gz").read_bytes()), type=_Version).git_version,
        "karpenterVersion": "1.13.0",
        "coverage": {kind: {"status": "complete", "count": len(lists.get(kind, []))} for kind in Kind},
        "errors": [],
        "lists": lists,
    })  # fmt: skip


if __name__ == "__main__":
    DEMO.write_bytes(gzip.compress(demo_document(), 9, mtime=0))
