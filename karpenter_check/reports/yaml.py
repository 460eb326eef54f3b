"""The JSON document as YAML, for people who read it and for tools that take nothing else."""

from typing import Any

import msgspec
import yaml

from karpenter_check.reports.document import report_document
from karpenter_check.scan import Report


class _Dumper(yaml.SafeDumper):
    """Without anchors: what is the same twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  PyYAML's signature
        """Always."""
        return True


def render_yaml(report: Report, version: str) -> str:
    """One document, `karpenter-check/v1`. What is not ASCII is written as an escape, so that nothing hides or reorders."""
    document = msgspec.to_builtins(report_document(report, version))
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=10_000)
