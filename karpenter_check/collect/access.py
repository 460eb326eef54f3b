"""The way in: a kubeconfig, found as kubectl finds it, else the service account of the pod that we run in."""

import os
from pathlib import Path

from karpenter_check.collect.api import Api
from karpenter_check.collect.credentials import TokenFile, credentials_of
from karpenter_check.collect.impersonation import impersonation
from karpenter_check.collect.kubeconfig import content, read_context
from karpenter_check.collect.refusal import CannotScan
from karpenter_check.collect.transport import Transport

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its own account."""


def connect(
    kubeconfig: Path | None = None,
    context: str | None = None,
    *,
    as_user: str | None = None,
    as_groups: tuple[str, ...] = (),
    request_timeout: float = 30,
    timeout: float = 300,
    service_account: Path = SERVICE_ACCOUNT,
) -> Api:
    """The API server that `kubeconfig`, else KUBECONFIG, else ~/.kube/config names, else that of this pod's cluster.

    No request is made yet. `context` is the kubeconfig's current one if not given; `request_timeout`, of each request, and `timeout`,
    of all of them together and from now on, are in seconds. Raises CannotScan.
    """
    files = _kubeconfig_files(kubeconfig)
    if files:
        return _by_kubeconfig(files, context, as_user, as_groups, request_timeout, timeout)
    if context:
        raise CannotScan(f"no kubeconfig, so no context {context!r}; give --kubeconfig, or set KUBECONFIG")
    return _by_service_account(service_account, as_user, as_groups, request_timeout, timeout)


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


def _by_kubeconfig(
    files: tuple[Path, ...],
    context: str | None,
    as_user: str | None,
    as_groups: tuple[str, ...],
    request_timeout: float,
    timeout: float,
) -> Api:
    chosen = read_context(files, context)
    cluster = chosen.cluster
    transport = Transport(
        cluster.server,
        authority=content(
            cluster.certificate_authority_data, cluster.certificate_authority, chosen.cluster_folder, "certificate-authority"
        ),
        verify=not cluster.insecure_skip_tls_verify,
        server_name=cluster.tls_server_name,
        proxy=cluster.proxy_url,
    )
    return Api(
        transport,
        credentials_of(chosen, min(request_timeout, timeout)),
        impersonation(chosen, as_user, as_groups),
        cluster=chosen.cluster_name,
        request_timeout=request_timeout,
        timeout=timeout,
    )


def _by_service_account(
    folder: Path, as_user: str | None, as_groups: tuple[str, ...], request_timeout: float, timeout: float
) -> Api:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT") or "443"
    if not host:
        raise CannotScan(
            "no cluster to scan: no kubeconfig (--kubeconfig, KUBECONFIG, ~/.kube/config) and this is no pod; "
            "give a kubeconfig, or scan files with -f"
        )
    token, authority = folder / "token", folder / "ca.crt"
    missing = next((path for path in (token, authority) if not path.is_file()), None)
    if missing:
        raise CannotScan(
            f"no kubeconfig, and this pod's service account cannot be used: there is no {missing}; "
            "the pod needs a serviceAccountName, and automountServiceAccountToken not false"
        )
    return Api(
        Transport(
            f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
            authority=content("", str(authority), folder, "certificate-authority"),
        ),
        TokenFile(token, f"check the pod's service account ({token})"),
        impersonation(None, as_user, as_groups),
        request_timeout=request_timeout,
        timeout=timeout,
    )
