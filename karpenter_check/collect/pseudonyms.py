"""Stable pseudonyms for names: the same key and name give the same one."""

import hmac
import re
from collections.abc import Iterator
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address

from karpenter_check.collect.public_names import NAMES, TELLING_END, TELLING_PART, is_public_key, telling_domain
from karpenter_check.collect.public_words import is_public_word

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Of what Kubernetes generates (k8s.io/apimachinery/pkg/util/rand)."""
_GENERATED = re.compile(rf"(?P<before>.+)-(?P<suffix>[{_ALPHABET}]{{5}})")
_SCHEDULED = re.compile(r"(?P<before>.+)-(?P<minutes>(?:2[6-9]|3[0-9])[0-9]{6})")
"""A CronJob's Job: see snapshot/owners.py."""
_NUMBERED = re.compile(r"(?P<before>.+)-(?P<ordinal>[0-9]{1,5})")
_WORDS = (
    "nodepool", "node", "nodeclaim", "nodeclass", "ns", "daemonset", "deployment", "statefulset", "cronjob", "job", "replicaset",
    "pod", "pdb", "owner", "cluster", "priority", "scheduler", "manager", "claim", "volume", "storageclass", "container", "resource",
    "domain", "key", "zone", "value", "url", "reference", "image", "file", "word", "name",
)  # fmt: skip
"""What a pseudonym begins with; of a name that several kinds of object have, the first."""
_RANKS = {word: rank for rank, word in enumerate(_WORDS)}
_LABEL_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]")
_LABEL_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST, _LONGEST_DOMAIN = 63, 253
_DIGITS = 10
"""Hexadecimal ones: 40 bits. Longer where two names would share them."""


class Pseudonyms:
    """The pseudonyms of one snapshot. All names are to be noted before the first is asked for."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.open: set[str] = set()
        """Words that stay in texts: zones, instance types, kinds of well-known groups and the like."""
        self.compared: set[str] = set()
        """Keys of labels whose values some Gt or Lt compares."""
        self._kinds: set[str] = set()
        self._ranks: dict[str, int] = {}
        self._of: dict[str, set[str]] = {word: set() for word in ("nodepool", "daemonset", "statefulset", "job")}
        self._of_templates: dict[str, tuple[str, str]] = {}
        self._given: dict[str, str] = {}
        self._taken: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._ranks

    def __iter__(self) -> Iterator[str]:
        return iter(self._ranks)

    def note(self, name: str, word: str) -> None:
        """Take a name of an object of that kind, or of a `key` or `value`."""
        rank = _RANKS[word]
        if rank < self._ranks.get(name, len(_WORDS)):
            self._ranks[name] = rank
        if word in self._of:
            self._of[word].add(name)

    def note_key(self, key: str) -> None:
        """Take a key of a label or taint."""
        if not is_public_key(key):
            self.note_value(key, "key")

    def note_value(self, text: str, word: str) -> None:
        """Take a value of a label, or what may have a domain as those have."""
        domains, _, name = text.rpartition("/")
        for domain in domains.split("/"):
            if domain and domain != telling_domain(domain):
                self.note(domain, "domain")
        if name:
            self.note(name, word)

    def note_kind(self, kind: str) -> None:
        """Take a kind of which the group is not known to be public."""
        if not is_public_word(kind):
            self._kinds.add(kind)

    def note_template(self, replicaset: str, template_hash: str) -> None:
        """Take the name of a ReplicaSet whose name is its Deployment's and the hash of its template."""
        deployment = replicaset.removesuffix(f"-{template_hash}")
        if deployment not in {"", replicaset}:
            self.note(deployment, "deployment")
            self._of_templates[replicaset] = deployment, template_hash

    @cached_property
    def _order(self) -> dict[str, str]:
        """The places of the NodePools in the order of their names, for of equal weight the last one wins."""
        names = sorted(self._of["nodepool"])
        return {name: str(place).zfill(len(str(len(names)))) for place, name in enumerate(names, 1)}

    def name(self, name: str, word: str = "name") -> str:
        """The pseudonym of a name; `word` is for one that was not noted. Public names are their own."""
        found = self._given.get(name)
        if found is None:
            found = self._given[name] = self._made(name, word)
        return found

    def _made(self, name: str, word: str) -> str:
        if name in self._order:
            return self._unique(name, f"nodepool-{self._order[name]}-", self._telling(name))
        if not name or name in NAMES:
            return name
        if name in self._kinds and name not in self.open:
            return self._unique(name, "kind-", "NodeClass" if name.endswith("NodeClass") else "")
        if name in self._of_templates:
            deployment, template_hash = self._of_templates[name]
            return f"{self.name(deployment)}-{self.template_hash(template_hash)}"
        if (form := _GENERATED.fullmatch(name)) and (form["before"] in self._ranks or form["before"] in NAMES):
            return f"{self.name(form['before'])}-{self._generated(form['suffix'])}"
        if (form := _SCHEDULED.fullmatch(name)) and self._is(name, "job"):
            return f"{self.name(form['before'], 'cronjob')}-{form['minutes']}"
        if (form := _NUMBERED.fullmatch(name)) and self._is(form["before"], "statefulset"):
            return f"{self.name(form['before'])}-{form['ordinal']}"
        if self._is(name, "daemonset") and (family := self._family(name)):
            return self._unique(name, f"{self.name(family)}-", self._telling(name))
        rank = self._ranks.get(name)
        word = word if rank is None else _WORDS[rank]
        return self._unique(name, f"{word}-", ".example" if word == "domain" else self._telling(name))

    def kind(self, kind: str) -> str:
        """The pseudonym of a kind; public ones are their own. Node classes are known by how their kind ends."""
        return self.name(kind, "word") if kind in self._kinds and kind not in self.open else kind

    def key(self, key: str) -> str:
        """The pseudonym of a key of a label or taint; public ones are their own."""
        return key if is_public_key(key) else self.value(key, "key")

    def value(self, text: str, word: str) -> str:
        """The pseudonym of a value of a label: `domain/name` stays `domain/name`, and what is malformed stays malformed."""
        domains, slash, name = text.rpartition("/")
        known = telling_domain(domains)
        if slash and known:
            first = known if domains == known else f"{self.name(domains, 'domain')}.{known}"
        else:
            first = "/".join(part and self._shaped(part, "domain", _LABEL_DOMAIN) for part in domains.split("/"))
        return f"{first}{slash}{self._shaped(name, word, _LABEL_NAME)}"

    def _shaped(self, text: str, word: str, form: re.Pattern[str]) -> str:
        made = self.name(text, word)
        if not text or form.fullmatch(text):
            return made
        return made.ljust(_LONGEST + 1, "x") if len(text) > _LONGEST else f"{made}!"

    def _is(self, name: str, word: str) -> bool:
        return name in self._of[word]

    def _family(self, name: str) -> str:
        """The longest other DaemonSet that a DaemonSet's name begins with: rules take them for variants of each other."""
        parts = name.split("-")
        before = ("-".join(parts[:count]) for count in range(len(parts) - 1, 0, -1))
        return next((entry for entry in before if entry in NAMES or self._is(entry, "daemonset")), "")

    @staticmethod
    def _telling(name: str) -> str:
        """What rules read of a name's end; no object has a name longer than a DNS name."""
        if len(name) > _LONGEST_DOMAIN:
            return ""
        if form := TELLING_END.search(name):
            return f"-{'csi-driver-' + form['driver'] if form['driver'] else form['plain']}{form['build']}"
        form = TELLING_PART.search(name)
        return f"-{form[0]}" if form else ""

    def _unique(self, name: str, before: str, after: str) -> str:
        digest = self.digest("name", name).hex()
        for length in range(_DIGITS, len(digest) + 1):
            made = f"{before}{digest[:length]}{after}"
            if self._taken.setdefault(made, name) == name and made not in self._ranks:
                return made
        raise AssertionError("two names have the same SHA-256")

    def digest(self, purpose: str, text: str) -> bytes:
        """32 bytes that only the key and the text decide."""
        return hmac.digest(self._key, f"{purpose}\0{text}".encode(errors="surrogatepass"), "sha256")

    def template_hash(self, text: str) -> str:
        """The pseudonym of a pod-template-hash: ten characters of those that Kubernetes takes."""
        return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in self.digest("template", text)[:10])

    def _generated(self, suffix: str) -> str:
        """Another generated suffix, a different one for each: a Feistel cipher over the 27^5 there are."""
        number = 0
        for character in suffix:
            number = number * 27 + _ALPHABET.index(character)
        left, right = divmod(number, 27**2)
        for turn in range(4):
            left = (left + int.from_bytes(self.digest(f"left{turn}", str(right))[:8])) % 27**3
            right = (right + int.from_bytes(self.digest(f"right{turn}", str(left))[:8])) % 27**2
        number = left * 27**2 + right
        return "".join(_ALPHABET[number // 27**place % 27] for place in (4, 3, 2, 1, 0))

    def uid(self, uid: str) -> str:
        """A UUID in place of a UID."""
        if not uid:
            return uid
        digits = self.digest("uid", uid.lower()).hex()
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"

    def address(self, address: str) -> str:
        """An address of a private range in place of an IP address; unspecified and loopback ones stay, what is none too."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return self.name(address)
        if parsed.is_unspecified or parsed.is_loopback:
            return address
        digest = self.digest("address", str(parsed))
        return str(IPv6Address(b"\xfd" + digest[:15]) if isinstance(parsed, IPv6Address) else IPv4Address(b"\n" + digest[:3]))
