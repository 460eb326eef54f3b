"""Karpenter's CustomResourceDefinitions in a control plane."""

from functools import partial

import yaml

from tests.e2e.binaries import EC2_NODECLASS, built
from tests.e2e.control_plane import ControlPlane


def apply_crds(plane: ControlPlane, module: str) -> None:
    """Apply those of a module's Karpenter and the EC2NodeClass's, and wait until they are served. Raises `binaries.CannotBuild`."""
    files = [file for name in (module, EC2_NODECLASS) for file in sorted((built(name) / "crds").iterdir())]
    definitions = [found for file in files for found in yaml.safe_load_all(file.read_text(encoding="utf-8")) if found]
    plane.api.apply(definitions)
    for definition in definitions:
        spec = definition["spec"]
        for served in spec["versions"]:
            path = f"/apis/{spec['group']}/{served['name']}/{spec['names']['plural']}"
            plane.wait_until(partial(plane.api.answers, path))
