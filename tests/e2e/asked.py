"""What a scan asks an API server for: every URL with its headers, in order.

`python -m tests.e2e.asked KUBECONFIG` scans once and prints it as JSON, in a process whose memory nobody measures.
"""

import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

from karpenter_check.collect import api
from karpenter_check.collect.access import connect
from karpenter_check.collect.answer import Answer
from karpenter_check.collect.live import collect_live
from karpenter_check.collect.wire import ask


def asked(kubeconfig: Path) -> list[tuple[str, dict[str, str]]]:
    """The URLs, continue tokens and all, and the headers that go with each."""
    found: list[tuple[str, dict[str, str]]] = []

    def noting(pool: Any, host: str, url: str, headers: Any, seconds: float) -> Answer:
        found.append((url, dict(headers)))
        return ask(pool, host, url, headers, seconds)

    with patch.object(api, "ask", noting):
        collect_live(connect(kubeconfig))
    return found


if __name__ == "__main__":
    json.dump(asked(Path(sys.argv[1])), sys.stdout)
