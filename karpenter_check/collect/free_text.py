"""Text for people, such as events' messages, without the names in it."""

import re

from karpenter_check.collect.cloud_values import is_instance_type, is_place
from karpenter_check.collect.pseudonyms import Pseudonyms
from karpenter_check.collect.public_names import NAMES, is_public_group, is_public_key
from karpenter_check.collect.public_words import is_public_word
from karpenter_check.snapshot import LOOSE_MANIFESTS

_PHRASES = (
    "Pod should schedule on: nodeclaim/", "Pod should schedule on: node/", "nodeclaim/", "node/", "Preempted by a pod", "Preempted by pod",
    "on node", "Successfully assigned", "forceful termination", "nominated for a pending pod", "Failed to schedule pod",
    "no instance type", "did not tolerate taint", "no new claims to deallocate", "preemption:", "due to minvalues incompatibility",
    "persistentvolumeclaim", "pvc", "storage class", "persistentvolume", "cannot", "(NodePool=", "(taint=", "requirements=",
    "unsatisfiable topology constraint for topology spread", "unsatisfiable topology constraint for pod affinity",
    "unsatisfiable topology constraint for pod anti-affinity",
)  # fmt: skip
"""What rules and reports look for in messages: it stays, even where some object is called so."""
_SCANNED = re.compile(
    rf"(?P<phrase>(?:{'|'.join(map(re.escape, _PHRASES))})(?:(?<=[/=])|(?![^\s,.;:()\"'])))|(?P<token>[^\s\"'`()\[\]{{}}<>,;=|]+)",
    re.IGNORECASE,
)
_STOP_WORDS = frozenset({
    "a", "an", "and", "are", "at", "be", "been", "but", "by", "can", "for", "from", "has", "have", "in", "is", "it", "its", "no", "none", "not", "of", "on", "or", "that", "the", "there", "this", "to", "was", "were", "while", "will", "with",
})  # fmt: skip
"""Words that no message can do without: a label's value `a` is no secret."""
_TERMS = frozenset({
    "on-demand", "non-empty", "do-not-disrupt", "in-place", "read-only", "read-write", "not-ready", "node-pressure", "out-of-memory",
    "out-of-service", "default-scheduler", "kube-controller-manager", "kube-scheduler", "pre-bind", "in-flight", "up-to-date",
    "spot-to-spot", "long-running", "pre-shutdown", "kube-apiserver", "non-eviction", "ip-address", "amd64", "arm64", "x86_64",
    "back-off", "multi-attach", "built-in", "re-queue", "in-use", "multi-node", "single-node", "server-side", "client-side", "node-lost",
    "mountvolume.setup", "mountvolume.mountdevice", "unmountvolume.teardown", "unmountvolume.unmountdevice", "attachvolume.attach",
    "mountvolume.newmounter", "expandvolume.expandvolume", "nodeclass-not-ready", "read-write-once", "anti-affinity",
})  # fmt: skip
"""Terms that are no plain words, and no names."""
_NO_NAMES = frozenset({
    "affinity", "selector", "node", "pod", "nodeclaim", "nodepool", "api", "apis", "v1", "v1beta1", "and", "or", "nodes", "pods",
    "nodeclaims", "nodepools", "daemonsets", "replicasets", "deployments", "statefulsets", "events", "poddisruptionbudgets",
    "ec2nodeclasses", "aksnodeclasses", "kwoknodeclasses", "nodeclasses", "noschedule", "noexecute", "prefernoschedule",
    "apps", "policy", "true", "false", "list", "get", "watch", "null", "cpu", "memory", "spot", "reserved", "ready", "unknown",
})  # fmt: skip
"""Words that stay beside slashes, in quotes and after `=`, where others would be names."""
_WORD = re.compile(r"[A-Za-z]{1,40}")
_COMPOUND = re.compile(r"[A-Z]+[a-z0-9]+[A-Z].*")
_NUMBER = re.compile(
    r"[+-]?[0-9]{1,6}(?:\.[0-9]{1,9})?|[+-]?[0-9]{1,11}(?:\.[0-9]+)?(?:%|[kKMGTPEmun]i?|ms|s|m|h|d|x|st|nd|rd|th)|(?:[0-9]+(?:\.[0-9]+)?(?:d|h|m|s|ms|us|µs|ns))+"
    r"|v?[0-9]{1,4}\.[0-9]{1,4}(?:\.[0-9]{1,6})?|v[0-9]{1,3}(?:(?:alpha|beta)[0-9]{1,2})?"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]+(?:Z|[+-][0-9:]+)?)?|[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?Z?"
)
"""Numbers, quantities, durations, versions and times; not seven digits without a unit, which may be an account or a telephone."""
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_AT_THE_ENDS = ".:!?…-_/*&#~$"


class FreeText:
    """Rewrites texts, each of their parts looked up once."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms
        self._tokens: dict[tuple[str, bool], str] = {}

    def redacted(self, text: str) -> str:
        """The text with every noted name replaced, and everything that is no word of the vocabulary, number or well-known key."""
        if not text or text == LOOSE_MANIFESTS:
            return text
        return _SCANNED.sub(self._found, text)

    def _found(self, found: re.Match[str]) -> str:
        token, text = found["token"], found.string
        if token is None:
            return found[0]
        before, after = text[max(0, found.start() - 1) : found.start()], text[found.end() : found.end() + 1]
        named = (before == after and before in {'"', "'", "`"}) or (before == "=" and token[0].islower())
        made = self._tokens.get((token, named))
        if made is None:
            made = self._tokens[token, named] = self._named(token) if named else self._token(token)
        return made

    def _named(self, token: str) -> str:
        """What stands alone in quotes, or in lower case after `=`: a name, though it may be an ordinary word."""
        if _WORD.fullmatch(token) and token.lower() not in _NO_NAMES and token not in _STOP_WORDS:
            return self._pseudonyms.name(token)
        return self._token(token)

    def _token(self, token: str) -> str:
        if token in self._pseudonyms and token not in _STOP_WORDS:
            return self._pseudonyms.name(token)
        core = token.strip(_AT_THE_ENDS)
        if not core:
            return token
        before, _, after = token.partition(core)
        cut_off = after.startswith("…") and _WORD.fullmatch(core) is not None
        return f"{before}{self._pseudonyms.name(core) if cut_off else self._core(core)}{after}"

    def _core(self, core: str) -> str:
        if core in self._pseudonyms and core not in _STOP_WORDS:
            return self._pseudonyms.name(core)
        if core in self._pseudonyms.open or _is_plain(core) or is_public_word(core):
            return core
        if _WORD.fullmatch(core):
            return self._pseudonyms.name(core, "word")
        if _UUID.fullmatch(core):
            return self._pseudonyms.uid(core)
        if "://" in core:
            return provider_id(self._pseudonyms, core)
        parts = re.split(r"([/:])", core)
        addresses = "@" in core or core.startswith("arn:") or core.count(":") > 1
        if len(parts) == 1 or addresses or not self._begins_a_path(parts[0]):
            return self._pseudonyms.name(core, "name" if len(parts) == 1 else "reference")
        return "".join(self._part(part) for part in parts)

    def _begins_a_path(self, first: str) -> bool:
        """Whether what stands before a slash or colon is no host, registry or address."""
        return "." not in first or first in self._pseudonyms or is_public_group(first) or bool(_NUMBER.fullmatch(first))

    def _part(self, part: str) -> str:
        """A part of a path: of words only those that are no names."""
        if part in {"", "/", ":"} or (part not in self._pseudonyms and _is_plain_part(part)):
            return part
        return self._pseudonyms.uid(part) if _UUID.fullmatch(part) else self._pseudonyms.name(part)


def _is_plain(text: str) -> bool:
    """Whether a text can be no private name: a number, a well-known key or name."""
    known = ("/" in text and is_public_key(text)) or ("." in text and is_public_group(text))
    other = text in NAMES or text.lower() in _TERMS or is_place(text) or is_instance_type(text)
    return known or other or bool(_NUMBER.fullmatch(text))


def _is_plain_part(part: str) -> bool:
    """Whether a part of a path can be no private name; of words only kinds and those that are used so."""
    return part.lower() in _NO_NAMES or _is_plain(part) or bool(_COMPOUND.fullmatch(part) and is_public_word(part))


def provider_id(pseudonyms: Pseudonyms, text: str) -> str:
    """A provider's id of a machine, or another URL: of it the scheme stays, and AWS's zone."""
    scheme, _, rest = text.partition("://")
    if scheme == "aws":
        zone, _, instance = rest.lstrip("/").partition("/")
        shown = zone if is_place(zone) else pseudonyms.name(zone, "name")
        return f"aws:///{shown}/i-{pseudonyms.digest('instance', instance).hex()[:17]}"
    if scheme in {"kwok", "azure", "gce", "kind", "oci", "digitalocean", "hcloud", "openstack", "vsphere"}:
        return f"{scheme}://{pseudonyms.name(rest, 'node')}"
    return pseudonyms.name(text, "url")
