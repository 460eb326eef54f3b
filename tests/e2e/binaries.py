"""The servers of a real cluster, built from Go's module proxy once and kept outside the tree."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

MODULES = Path(__file__).parent / "modules"
KUBERNETES = "kubernetes"
EC2_NODECLASS = "ec2nodeclass"

_CRDS = {
    "karpenter": ("sigs.k8s.io/karpenter", ("pkg/apis/crds", "kwok/apis/crds")),
    EC2_NODECLASS: ("github.com/aws/karpenter-provider-aws", ("pkg/apis/crds/karpenter.k8s.aws_ec2nodeclasses.yaml",)),
}
"""By the first word of a module's folder: the Go module, and where it keeps its CustomResourceDefinitions."""


class CannotBuild(Exception):
    """A server cannot be had: no Go, or Go's own words on what failed."""


def karpenter_versions() -> list[str]:
    """The minor versions of Karpenter that are pinned here, oldest first."""
    return sorted(folder.name.removeprefix("karpenter-") for folder in MODULES.glob("karpenter-*"))


def program(module: str, name: str) -> Path:
    """The executable of that name, of `KUBEBUILDER_ASSETS` if that folder has it, else built from the module.

    Raises `CannotBuild`.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    ready = Path(assets, name) if assets else None
    return ready if ready and ready.is_file() else built(module) / name


@cache
def version(module: str, path: str) -> str:
    """The version that a module file pins, such as `v1.36.3` of `k8s.io/kubernetes`."""
    found = re.search(rf"^\s*(?:require )?{re.escape(path)} (v\S+)", (MODULES / module / "go.mod").read_text("utf-8"), re.MULTILINE)
    assert found, f"{module}/go.mod does not require {path}"
    return found[1]


@cache
def built(module: str) -> Path:
    """The folder with a module's executables and its `crds/`; made now if no earlier run made it.

    Raises `CannotBuild`.
    """
    source = MODULES / module
    key = hashlib.sha256(b"".join((source / name).read_bytes() for name in ("go.mod", "go.sum")) + _go("version").encode())
    cache_folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "karpenter-check-e2e"
    target = cache_folder / f"{module}-{key.hexdigest()[:16]}"
    cache_folder.mkdir(parents=True, exist_ok=True)
    with _alone(cache_folder / f"{module}.lock"):
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=cache_folder) as made:
                _build(module, Path(made))
                shutil.copytree(made, target.with_suffix(".new"), dirs_exist_ok=True)
                target.with_suffix(".new").rename(target)
    return target


def _build(module: str, target: Path) -> None:
    sys.stderr.write(f"building {module} (once)\n")
    source = MODULES / module
    if "tool" in (source / "go.mod").read_text(encoding="utf-8"):
        # clients parse the version, which Kubernetes' own build stamps
        stamp = (
            f" -X k8s.io/component-base/version.gitVersion={version(module, 'k8s.io/kubernetes')}" if module == KUBERNETES else ""
        )
        _go("build", "-trimpath", "-ldflags", f"-s -w{stamp}", "-o", f"{target}/", "tool", at=source)
    if (target / "server").exists():
        (target / "server").rename(target / "etcd")  # Go names it after its folder
    (target / "crds").mkdir()
    for word, (path, places) in _CRDS.items():
        if module.startswith(word):
            _go("mod", "download", path, at=source)
            home = Path(_go("list", "-m", "-f", "{{.Dir}}", path, at=source))
            for place in places:
                for file in sorted((home / place).glob("*.yaml")) or [home / place]:
                    shutil.copy(file, target / "crds" / file.name)


def installed(program: str) -> str:
    """Where a program is. Raises `CannotBuild`."""
    found = shutil.which(program)
    if not found:
        raise CannotBuild(f"{program} is not installed")
    return found


def _go(*words: str, at: Path = MODULES) -> str:
    try:
        done = subprocess.run((installed("go"), *words), cwd=at, capture_output=True, text=True, check=True)
    except subprocess.CalledProcessError as error:
        raise CannotBuild(f"go {' '.join(words)} in {at}:\n{error.stderr[-4000:]}") from error
    return done.stdout.strip()


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Keep other runs from building the same."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
