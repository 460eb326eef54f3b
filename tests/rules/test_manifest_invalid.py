from karpenter_check.collect.files import read_files
from karpenter_check.rules.manifest_invalid import manifest_invalid
from tests.manifests import FOLDER

REFUSED = ("refused:", "unknown-field:", "not-served")


def is_taken(name: str) -> bool:
    """Whether a manifest would get past the API server, by what the rule says of it."""
    snapshot = read_files([FOLDER / f"{name}.yaml"]).snapshot
    return not any(finding.cause.startswith(REFUSED) for finding in manifest_invalid(snapshot))
