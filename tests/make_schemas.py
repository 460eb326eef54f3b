"""Write Karpenter's schemas into the package, from the Go modules that the end-to-end tests pin: `python -m tests.make_schemas`."""

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[1] / "karpenter_check" / "collect" / "schemas"
KARPENTER, AWS = "sigs.k8s.io/karpenter", "github.com/aws/karpenter-provider-aws"
SOURCES = (
    (KARPENTER, "v1.14.1", "pkg/apis/crds/karpenter.sh_nodepools.yaml", "v1"),
    (KARPENTER, "v1.14.1", "pkg/apis/crds/karpenter.sh_nodeclaims.yaml", "v1"),
    (KARPENTER, "v1.14.1", "pkg/apis/crds/karpenter.sh_nodeoverlays.yaml", "v1alpha1"),
    (KARPENTER, "v1.14.1", "kwok/apis/crds/karpenter.kwok.sh_kwoknodeclasses.yaml", "v1alpha1"),
    (AWS, "v1.14.1", "pkg/apis/crds/karpenter.k8s.aws_ec2nodeclasses.yaml", "v1"),
    # the last ones that have v1beta1; the provider's of that time is not to be had of the module proxy
    (KARPENTER, "v1.0.0", "pkg/apis/crds/karpenter.sh_nodepools.yaml", "v1beta1"),
    (KARPENTER, "v1.0.0", "pkg/apis/crds/karpenter.sh_nodeclaims.yaml", "v1beta1"),
)
"""Module, version, file, and the version of the API that is taken from it."""
_ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def schema_file(definition: dict[str, Any], version: str, origin: str) -> dict[str, Any]:
    """What the package keeps of a version of a CustomResourceDefinition."""
    spec = definition["spec"]
    # a status that is sent with a manifest is dropped before anything looks at it
    (schema,) = (
        _without_descriptions(entry["schema"]["openAPIV3Schema"]) for entry in spec["versions"] if entry["name"] == version
    )
    return {
        "apiVersion": f"{spec['group']}/{version}",
        "kind": spec["names"]["kind"],
        "origin": origin,
        "license": "Apache-2.0, The Kubernetes Authors and Amazon Web Services; descriptions and status left out",
        "schema": {**schema, "properties": {**schema["properties"], "status": _ANYTHING}},
    }


def _without_descriptions(schema: Any) -> Any:
    """Without texts for people; a property that is called description is an object, no text."""
    if isinstance(schema, dict):
        return {
            key: _without_descriptions(part) for key, part in schema.items() if not (key == "description" and isinstance(part, str))
        }
    return [_without_descriptions(part) for part in schema] if isinstance(schema, list) else schema


def _folder_of(module: str, version: str) -> Path:
    command = ("go", "mod", "download", "-json", f"{module}@{version}")
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=True)
    return Path(json.loads(done.stdout)["Dir"])


def main() -> None:
    """Write all files."""
    FOLDER.mkdir(exist_ok=True)
    for module, release, place, version in SOURCES:
        definition = yaml.safe_load((_folder_of(module, release) / place).read_text(encoding="utf-8"))
        made = schema_file(definition, version, f"{module} {release}, {place}")
        name = f"{made['kind']}.{made['apiVersion'].replace('/', '_')}.json"
        (FOLDER / name).write_text(json.dumps(made, indent=None, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
