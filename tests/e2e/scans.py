"""What `karpenter-check scan` says of a cluster, again and again."""

import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import msgspec

from karpenter_check.finding import Finding, Ref, fingerprint

SETTINGS = """
rules:
  drift-unresolved: {settings: {warn_after: 1m, fail_after: 2m}}
  workload-on-one-node: {settings: {minimum_age: 1m}}
  nodepool-static-mismatch: {settings: {settle: 1m}}
"""
"""What a scan would have to wait days for, it is told after minutes."""


@dataclass(frozen=True)
class Told:
    """One finding of one scan, as the JSON report has it."""

    rule: str
    object: Ref
    owner: Ref
    nodepool: str
    severity: str
    text: str
    """Its message, and why."""
    fingerprint: str
    caused_by: tuple[str, ...]

    def has_cause(self, cause: str) -> bool:
        """Whether the rule's word for the cause is this one, which the report has in the fingerprint only."""
        finding = Finding(object=self.object, owner=self.owner, nodepool=self.nodepool, cause=cause, message="", fix=())
        return fingerprint(self.rule, finding) == self.fingerprint

    def __str__(self) -> str:
        return f"{self.rule} of {self.object} in NodePool {self.nodepool or 'any'}: {self.text}"


@dataclass
class Scans:
    """A thread that scans a cluster as long as the context lasts, with a pause after each scan."""

    kubeconfig: Path
    folder: Path
    pause: float = 3
    reports: list[tuple[Told, ...]] = field(default_factory=list)
    """Of each complete scan, its findings."""
    incomplete: list[str] = field(default_factory=list)
    """What scans wrote that could not see everything, or that failed."""

    def __post_init__(self) -> None:
        self._ended, self._news = threading.Event(), threading.Condition()
        self._thread = threading.Thread(target=self._work, name="scans", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._thread.join()

    @property
    def ended(self) -> bool:
        """Whether there will be no more of them."""
        return self._ended.is_set()

    def end(self) -> None:
        """Scan no more; who waits for a report waits no longer."""
        self._ended.set()
        with self._news:
            self._news.notify_all()

    def next(self, seen: int, seconds: float) -> int:
        """Wait until there are more reports than `seen`, or will be none; how many there are."""
        with self._news:
            self._news.wait_for(lambda: len(self.reports) > seen or self.ended, timeout=seconds)
            return len(self.reports)

    def _work(self) -> None:
        settings = self.folder / "settings.yaml"
        settings.write_text(SETTINGS)
        while not self._ended.is_set():
            done = scan(self.kubeconfig, "--config", str(settings), "--strict", "-o", "json", home=self.folder)
            with self._news:
                if done.returncode:
                    self.incomplete.append(f"exit {done.returncode}: {done.stderr.decode()}")
                else:
                    self.reports.append(told(done.stdout))
                self._news.notify_all()
            self._ended.wait(self.pause)


def scan(kubeconfig: Path, *words: str, home: Path) -> "subprocess.CompletedProcess[bytes]":
    """Run the program as a user does, in a process of its own."""
    command = (sys.executable, "-m", "karpenter_check", "scan", "--kubeconfig", str(kubeconfig), "--fail-on", "none", *words)
    return subprocess.run(command, capture_output=True, check=False, env={**os.environ, "HOME": str(home)})


def told(report: bytes) -> tuple[Told, ...]:
    """The findings of a JSON report."""
    return tuple(
        Told(
            finding["rule"],
            _ref(finding["object"]),
            _ref(finding["owner"]),
            finding["nodePool"] or "",
            finding["severity"],
            f"{finding['message']}; {finding['why']}",
            finding["fingerprint"],
            tuple(finding["causedBy"]),
        )
        for finding in msgspec.json.decode(report)["findings"]
    )


def _ref(found: dict[str, Any]) -> Ref:
    return Ref(found["kind"], found["name"], found.get("apiVersion", ""), found.get("namespace", ""))
