"""What a kubeconfig says of one context: where the cluster is, and as whom to ask it.

The kubernetes client merges the files. Its loader is not used for what is in them: it logs failures instead of raising them, puts
whole entries, tokens included, into its errors, and knows no impersonation.
"""

import base64
import binascii
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import yaml

from karpenter_check.collect.refusal import CannotScan


class Cluster(msgspec.Struct, frozen=True, rename="kebab"):
    """An entry of `clusters`."""

    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""
    extensions: list[dict[str, Any]] = []


class ExecVariable(msgspec.Struct, frozen=True):
    """An environment variable for an exec plugin."""

    name: str
    value: str = ""


class Exec(msgspec.Struct, frozen=True, rename="camel"):
    """The plugin that gets a user's credentials."""

    command: str
    api_version: str
    args: list[str] = []
    env: list[ExecVariable] = []
    install_hint: str = ""
    provide_cluster_info: bool = False
    interactive_mode: str = "IfAvailable"


class AuthProvider(msgspec.Struct, frozen=True):
    """What exec plugins replaced."""

    name: str = ""
    config: dict[str, str] = {}


class User(msgspec.Struct, frozen=True, rename="kebab"):
    """An entry of `users`."""

    token: str = ""
    token_file: str = msgspec.field(name="tokenFile", default="")
    username: str = ""
    password: str = ""
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    exec: Exec | None = None
    auth_provider: AuthProvider | None = None
    as_user: str = msgspec.field(name="as", default="")
    as_uid: str = ""
    as_groups: list[str] = []
    as_user_extra: dict[str, list[str]] = {}


class Context(NamedTuple):
    """A context, with the folders that its entries' relative paths start from."""

    named: str
    """The kubeconfig, as errors call it."""
    cluster_name: str
    cluster: Cluster
    cluster_folder: Path
    user_name: str
    user: User
    user_folder: Path


_Entry = TypeVar("_Entry", Cluster, User)


def read_context(files: Sequence[Path], context: str | None) -> Context:
    """The context of that name, else the first file's current one. Raises CannotScan, never with a value of a secret."""
    named = f"kubeconfig {os.pathsep.join(map(str, files))}"
    try:
        config, currents = _merged(files)
        if config is None:
            raise CannotScan(f"{named}: is empty")
        names = _name_of(config, context, currents, named)
        cluster, cluster_folder = _entry(config["clusters"], "cluster", str(names["cluster"]), Cluster, named)
        user_name = str(names.get("user") or "")
        user, user_folder = _entry(config["users"], "user", user_name, User, named) if user_name else (User(), cluster_folder)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)  # the problem itself may quote a secret
        raise CannotScan(f"{named}: is not YAML{f' (line {mark.line + 1}, column {mark.column + 1})' if mark else ''}") from None
    except OSError as error:
        raise CannotScan(f"kubeconfig {error.filename}: {(error.strerror or '').lower()}") from error
    except (AttributeError, KeyError, TypeError, ValueError):  # from None: the client's errors quote what they do not understand
        raise CannotScan(f"{named}: does not have the shape of a kubeconfig; see kubectl config view") from None
    if not cluster.server:
        raise CannotScan(f"{named}: cluster {names['cluster']!r} names no server")
    return Context(named, str(names["cluster"]), cluster, cluster_folder, user_name, user, user_folder)


def content(data: str, file: str, folder: Path, field: str) -> bytes | None:
    """What stands in a field ending in `-data`, else in the file that the field without it names. Raises CannotScan."""
    if data:
        try:
            return base64.b64decode("".join(data.split()), validate=True)
        except (binascii.Error, ValueError):
            raise CannotScan(f"{field}-data in the kubeconfig is no base64") from None
    if not file:
        return None
    path = folder / file
    try:
        return path.read_bytes()
    except OSError as error:
        raise CannotScan(f"{field} {path}: {(error.strerror or '').lower()}") from error
    except ValueError as error:  # a NUL, or what is no UTF-8
        raise CannotScan(f"{field} in the kubeconfig names no file that there can be") from error


def _merged(files: Sequence[Path]) -> tuple[dict[str, Any] | None, list[Any]]:
    """The files as one, and each one's current context: kubectl takes the first, the client the last."""
    from kubernetes.config.kube_config import KubeConfigMerger  # noqa: PLC0415  slow to import

    merger = KubeConfigMerger("")  # given a list, it would take a path with a colon in it apart
    for file in files:
        if file.read_bytes().strip():
            merger.load_config(str(file))
    config = merger.config.value if merger.config else None
    return config, [one.get("current-context") for one in merger.config_files.values()]


def _name_of(config: dict[str, Any], context: str | None, currents: Sequence[Any], named: str) -> dict[str, Any]:
    known = [str(entry.value["name"]) for entry in config["contexts"]]
    choice = f"choose one with --context: {', '.join(known)}" if known else "it has none"
    name = context or next(filter(None, currents), None)
    if name is None:
        raise CannotScan(f"{named}: no current-context; {choice}")
    if name not in known:
        raise CannotScan(f"{named}: no context {name!r}; {choice}")
    names: dict[str, Any] = config["contexts"][known.index(name)].value["context"]
    return names


def _entry(entries: Sequence[Any], what: str, name: str, type_: type[_Entry], named: str) -> tuple[_Entry, Path]:
    """The entry of that name, and the folder of the file that it stands in."""
    found = next((entry for entry in entries if entry.value["name"] == name), None)
    if found is None:
        raise CannotScan(f"{named}: its context names {what} {name!r}, and there is no such {what}")
    try:
        decoded = msgspec.convert(_without_nulls(found.value.get(what) or {}), type_)
    except msgspec.ValidationError as error:  # names the field and its type, not its value
        raise CannotScan(f"{named}: {what} {name!r} cannot be read: {error}") from None
    return decoded, Path(found.path).absolute().parent


def _without_nulls(value: Any) -> Any:
    """`env: null` and the like mean that it is not there."""
    if isinstance(value, dict):
        return {key: _without_nulls(part) for key, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_without_nulls(part) for part in value]
    return value
