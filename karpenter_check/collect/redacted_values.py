"""What becomes of names, keywords, kinds, settings and the like when a snapshot is redacted."""

import re
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from karpenter_check.collect import public_names
from karpenter_check.collect.public_words import is_public_word
from karpenter_check.snapshot import Version, metadata, workload
from karpenter_check.snapshot.version import image_version, parse_version


class Names(Protocol):
    """What is asked for each kind of text. One that notes names answers with the same text."""

    def name(self, text: str, word: str) -> str:
        """Of a name of such an object."""

    def kind(self, kind: str) -> str:
        """Of a kind whose group is not known to be public."""

    def compare(self, key: str) -> None:
        """The values of this key are compared as numbers."""

    def number(self, key: str, text: str) -> str:
        """Of a long number that is a value of a key: it may be an account or a telephone."""

    def template(self, replicaset: str, template_hash: str) -> None:
        """A ReplicaSet's name and the hash of its template, which it ends with."""

    def template_hash(self, text: str) -> str:
        """Of a pod-template-hash."""

    def uid(self, text: str) -> str:
        """Of a UID."""

    def key(self, key: str) -> str:
        """Of a key of a label or taint."""

    def value(self, text: str, word: str) -> str:
        """Of a value of a label, or what may have a domain as keys have."""

    def open(self, text: str) -> str:
        """Of a zone, an instance type and the like."""

    def provider_id(self, text: str) -> str:
        """Of a provider's id."""

    def address(self, text: str) -> str:
        """Of an IP address."""

    def text(self, text: str) -> str:
        """Of text for people."""


Decision: TypeAlias = Callable[[Names, Any, Any, str], Any]
"""Called with the names, the Struct, the field's value and the kind of the whole object."""

_OF_KIND = {
    "Node": "node", "NodePool": "nodepool", "NodeClaim": "nodeclaim", "DaemonSet": "daemonset", "Deployment": "deployment",
    "StatefulSet": "statefulset", "ReplicaSet": "replicaset", "Pod": "pod", "PodDisruptionBudget": "pdb", "Job": "job",
    "CronJob": "cronjob", "Namespace": "ns", "PersistentVolumeClaim": "claim", "PersistentVolume": "volume", "StorageClass": "storageclass",
}  # fmt: skip
_SETTING = re.compile(
    r"|(?i:true|false|yes|no|on|off|none)|Never|[0-9]+[dw]|v?[0-9]+|[0-9]+%|(?:[0-9]+(?:\.[0-9]+)?(?:h|m|s|ms|us|µs|ns))+"
)
_TIME = re.compile(r"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:Z|[-+][0-9]{2}:[0-9]{2})")
_VERSION = re.compile(r"|v?[0-9]{1,4}(?:\.[0-9]{1,4}){0,2}(?:-?(?:alpha|beta|rc)\.?[0-9]{1,3})?")
_CRON = re.compile(r"|@[a-z]+|(?:[-0-9*/,?#LW]|MON|TUE|WED|THU|FRI|SAT|SUN|[A-Z][A-Za-z]{2}|[a-z]{3}| )+")
_EVENT_NAME = re.compile(r"(?P<object>.+)\.(?P<number>[0-9a-f]{8,20})")
_IMAGE_ALIAS = re.compile(r"|(?:al2|al2023|bottlerocket|windows20[0-9]{2})@(?:latest|v?[0-9]+(?:\.[0-9]+)*)")
_PUBLIC_PARAMETER = re.compile(r"/aws/service/[-/._0-9A-Za-z]+")
_SETTING_WORD = re.compile(r"[^\s,=]+")


def word_of_kind(kind: str) -> str:
    """What a pseudonym for an object of that kind begins with."""
    return "nodeclass" if kind.endswith("NodeClass") else _OF_KIND.get(kind, "owner")


def keep(_names: Names, _owner: Any, value: Any, _kind: str) -> Any:
    """What is no name, whatever it says."""
    return value


def message(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """Text for people."""
    return names.text(value)


def uid_of(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """A UID."""
    return names.uid(value)


def keyword(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """A word of an API: an operator, a reason, a type of a condition. What is somebody's own is a name, with a domain a key."""
    if not value or is_public_word(value):
        return value
    return names.key(value) if "/" in value else names.name(value, "word")


def keywords(names: Names, owner: Any, values: tuple[str, ...] | None, kind: str) -> tuple[str, ...] | None:
    """Several words of an API."""
    return None if values is None else tuple(keyword(names, owner, value, kind) for value in values)


def setting(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """A duration, a number, `true`, `Never`, a version of a hash; else somebody's own word."""
    return value if _SETTING.fullmatch(value) else names.value(value, "value")


def setting_or_number(names: Names, owner: Any, value: str | int | None, kind: str) -> str | int | None:
    """A number of pods, or a percentage of them."""
    return setting(names, owner, value, kind) if isinstance(value, str) else value


def time(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """A time in the API's form."""
    return value if _TIME.fullmatch(value) else names.value(value, "value")


def version(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """A version of an API or a program."""
    return value if _VERSION.fullmatch(value) else names.value(value, "value")


def versions(names: Names, owner: Any, values: tuple[str, ...], kind: str) -> tuple[str, ...]:
    """Several versions."""
    return tuple(version(names, owner, value, kind) for value in values)


def holder(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """Who holds a lease: a pod, `_` and a UUID that tells its runs apart."""
    pod, joint, run = value.rpartition("_")
    return f"{names.name(pod, 'pod')}_{names.uid(run)}" if joint else names.name(value, "pod")


def schedule(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """A cron expression."""
    return value if _CRON.fullmatch(value) else names.value(value, "value")


def name_of(word: str) -> Decision:
    """A name of an object of one kind."""

    def decide(names: Names, _owner: Any, value: str, _kind: str) -> str:
        return names.name(value, word)

    return decide


def name_if_set(word: str) -> Decision:
    """A name of an object of one kind, where there is one."""

    def decide(names: Names, _owner: Any, value: str | None, _kind: str) -> str | None:
        return value and names.name(value, word)

    return decide


def unless_public(known: Callable[[str], bool], word: str) -> Decision:
    """A name, unless it is a well-known one."""

    def decide(names: Names, _owner: Any, value: str, _kind: str) -> str:
        return value if known(value) else names.name(value, word)

    return decide


def own_name(names: Names, owner: metadata.Metadata, value: str, kind: str) -> str:
    """The object's own name, and what it is made of."""
    if template_hash := owner.labels.get("pod-template-hash"):
        replicasets = (
            [value] if kind == "ReplicaSet" else [entry.name for entry in owner.owner_references if entry.kind == "ReplicaSet"]
        )
        for replicaset in replicasets:
            names.template(replicaset, template_hash)
    return names.name(value, word_of_kind(kind))


def name_by_kind(names: Names, owner: Any, value: str, _kind: str) -> str:
    """The name of an object whose kind stands beside it."""
    return names.name(value, word_of_kind(owner.kind))


def event_name(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """An event is called as its object, and a number that nobody reads (client-go tools/record)."""
    form = _EVENT_NAME.fullmatch(value)
    return f"{names.name(form['object'], 'name')}.{form['number']}" if form else names.name(value, "name")


def kind_of_group(names: Names, owner: Any, value: str, _kind: str) -> str:
    """A kind beside its group; of somebody's own API it is a name, unless it is an ordinary word."""
    group = getattr(owner, "group", "") or owner.api_version.rpartition("/")[0]
    return names.open(value) if group and public_names.is_public_group(group) else names.kind(value)


def kind_alone(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """A kind whose group is not told, and which may be known from elsewhere."""
    return names.kind(value)


def api_version(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """An API's group and version; of somebody's own group it is the version that stays."""
    group, slash, version = value.rpartition("/")
    return value if public_names.is_public_group(group) else f"{names.name(group, 'domain')}{slash}{version}"


def environment(names: Names, owner: workload.EnvVar, value: str, _kind: str) -> str:
    """A setting of Karpenter's controller."""
    if owner.name in public_names.PLAIN_SETTINGS:
        return _SETTING_WORD.sub(lambda found: _setting_word(names, found[0]), value)
    return value if owner.name == "INTERRUPTION_QUEUE" and value == "set" else names.name(value, "cluster")


def _setting_word(names: Names, word: str) -> str:
    """A feature gate, a policy, a duration."""
    return word if _SETTING.fullmatch(word) or is_public_word(word) else names.name(word, "word")


def image(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """Of an image of Karpenter's the version is left, of others nothing."""
    if "karpenter" not in value:
        return names.name(value, "image")
    version: Version | None = image_version(value)
    return f"karpenter/controller:{version}" if version else "karpenter/controller"


def image_alias(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """A family of AWS' images and a version."""
    return value if _IMAGE_ALIAS.fullmatch(value) else names.name(value, "image")


def image_name(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """A name of images; that it is a pattern stays visible."""
    return names.name(value, "image") + ("*" if value and {"*", "?"} & set(value) else "")


def image_parameter(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """A parameter with the id of an image, by name or ARN; those that AWS publishes are the same for everybody."""
    public = _PUBLIC_PARAMETER.search(value)
    return public[0] if public else names.name(value, "image")


def kubelet_version(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """A version of Kubernetes', without what a distribution or somebody's own build appends."""
    version = parse_version(value)
    return f"v{version}" if version else names.name(value, "version")


def address_of(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """An IP address."""
    return names.address(value) if value else value


def provider_id_of(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """A provider's id of a machine."""
    return names.provider_id(value) if value else value


def owner(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """Whose image it is: an account's, unless a word says it."""
    return value if value in {"", "self", "amazon"} else names.name(value, "value")
