"""The snapshot behind `karpenter-check scan --demo`, made from the recording `faults`.

`python -m tests.make_demo` writes it; a test holds the package's copy against this one.
"""

import gzip
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from karpenter_check.collect.files import read_files
from karpenter_check.collect.gathering import Gathering
from karpenter_check.collect.snapshot_file import snapshot_file
from karpenter_check.collect.spool import Spool
from karpenter_check.snapshot import Version

HERE = Path(__file__).parent
RECORDING = HERE / "recordings" / "faults"
DEMO = HERE.parent / "karpenter_check" / "demo" / "cluster.json.gz"


def demo_document() -> bytes:
    """The recording as a snapshot file: of each object what the model reads, nothing else."""
    taken_at = datetime.fromisoformat((RECORDING / "taken-at").read_text().strip())
    with Spool() as spool:
        recorded = read_files([RECORDING], at=taken_at, gathering=Gathering(spool)).snapshot
        named = replace(recorded, cluster="demo", karpenter_version=Version(1, 13, 0))
        return b"".join(snapshot_file(named, spool))


if __name__ == "__main__":
    DEMO.write_bytes(gzip.compress(demo_document(), 9, mtime=0))
