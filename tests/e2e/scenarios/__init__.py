"""The scenarios, by what they are about; importing this package defines them all."""

from tests.e2e.scenarios import daemonsets, disruption, expiry, nominations, unserved, workloads

__all__ = ["daemonsets", "disruption", "expiry", "nominations", "unserved", "workloads"]
