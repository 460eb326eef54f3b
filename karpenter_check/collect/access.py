"""The way in: a kubeconfig, found as kubectl finds it, else the service account of the pod that we run in."""

import os
import re
from pathlib import Path
from typing import Any

import yaml

from karpenter_check.collect.api import Api
from karpenter_check.collect.refusal import CannotScan

# kubernetes is imported where it is used: `karpenter-check --help` must not wait for it


def connect(kubeconfig: Path | None = None, context: str | None = None, *, request_timeout: float = 30) -> Api:
    """The API server that `kubeconfig`, else KUBECONFIG, else ~/.kube/config names, else that of this pod's cluster.

    No request is made yet. `context` is the kubeconfig's current one if not given; `request_timeout` is in seconds. Raises CannotScan.
    """
    files = _kubeconfig_files(kubeconfig)
    if files:
        return _by_kubeconfig(files, context, request_timeout)
    if context:
        raise CannotScan(f"no kubeconfig, so no context {context!r}; give --kubeconfig, or set KUBECONFIG")
    return _by_service_account(request_timeout)


def _kubeconfig_files(given: Path | None) -> tuple[Path, ...]:
    """The files to merge; none means to try the pod's service account. One that is asked for and missing is refused."""
    if given is not None:
        if not given.is_file():
            raise CannotScan(f"kubeconfig {given}: no such file")
        return (given,)
    if listed := os.environ.get("KUBECONFIG"):
        files = tuple(path for name in listed.split(os.pathsep) if name and (path := Path(name)).is_file())
        if not files:
            raise CannotScan(f"KUBECONFIG={listed}: no such file; set it to a kubeconfig, or unset it")
        return files
    try:
        default = Path("~/.kube/config").expanduser()
    except RuntimeError:  # a container's user often has no home
        return ()
    return (default,) if default.is_file() else ()


def _by_kubeconfig(files: tuple[Path, ...], context: str | None, request_timeout: float) -> Api:
    from kubernetes.client import ApiClient, Configuration  # noqa: PLC0415
    from kubernetes.config import ConfigException  # noqa: PLC0415

    # not load_kube_config: of several files it takes the last current-context, where kubectl takes the first
    from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger  # noqa: PLC0415

    named = f"kubeconfig {os.pathsep.join(map(str, files))}"
    try:
        merged = KubeConfigMerger(os.pathsep.join(map(str, files)))
        name = _chosen(merged, context, named)
        loader = KubeConfigLoader(merged.config, active_context=name, config_base_path=None)
        configuration = Configuration()
        loader.load_and_set(configuration)
        cluster = str(loader.current_context["context"]["cluster"])
    except yaml.YAMLError as error:
        raise CannotScan(f"{named}: is not YAML: {_one_line(error)}") from error
    except (ConfigException, OSError, ValueError) as error:
        raise CannotScan(f"{named}: {_one_line(error)}") from error
    except (AttributeError, KeyError, TypeError) as error:  # the client trusts a kubeconfig's shape
        raise CannotScan(f"{named}: does not have the shape of a kubeconfig; see kubectl config view") from error
    if not configuration.host:
        raise CannotScan(f"{named}: cluster {cluster!r} names no server")
    return Api(ApiClient(configuration), cluster=cluster, request_timeout=request_timeout)


def _chosen(merged: Any, context: str | None, named: str) -> str:
    """The context asked for, else the first file's current one."""
    known = [entry["name"] for entry in merged.config["contexts"].value]
    choice = f"choose one with --context: {', '.join(known)}" if known else "it has none"
    currents = (config.get("current-context") for config in merged.config_files.values())
    name = context or next(filter(None, currents), None)
    if name is None:
        raise CannotScan(f"{named}: no current-context; {choice}")
    if name not in known:
        raise CannotScan(f"{named}: no context {name!r}; {choice}")
    return str(name)


def _by_service_account(request_timeout: float) -> Api:
    from kubernetes.client import ApiClient, Configuration  # noqa: PLC0415
    from kubernetes.config import ConfigException, load_incluster_config  # noqa: PLC0415

    if not os.environ.get("KUBERNETES_SERVICE_HOST"):
        raise CannotScan(
            "no cluster to scan: no kubeconfig (--kubeconfig, KUBECONFIG, ~/.kube/config) and this is no pod; "
            "give a kubeconfig, or scan files with -f"
        )
    configuration = Configuration()
    try:
        load_incluster_config(client_configuration=configuration)
    except (ConfigException, OSError) as error:
        raise CannotScan(
            f"no kubeconfig, and this pod's service account cannot be used: {_one_line(error)}; "
            "the pod needs a serviceAccountName, and automountServiceAccountToken not false"
        ) from error
    return Api(ApiClient(configuration), request_timeout=request_timeout)


def _one_line(error: Exception) -> str:
    """An error's text without its line breaks, and without what the message says already."""
    return re.sub(r"^Invalid kube-config( file)?\. ", "", " ".join(str(error).split())).rstrip(".")
