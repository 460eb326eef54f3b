"""A snapshot judged, with what is left be."""

from collections.abc import Sequence

from karpenter_check.cli.configuration_options import ConfigurationOptions
from karpenter_check.configuration import Configuration
from karpenter_check.rule import AnyRule
from karpenter_check.rules import every_rule
from karpenter_check.scan import Report, scan
from karpenter_check.snapshot import Snapshot
from karpenter_check.suppression.annotations import annotated_ignores


def judged(snapshot: Snapshot, rules: Sequence[AnyRule], configuration: Configuration, options: ConfigurationOptions) -> Report:
    """The report, with what is left be marked."""
    annotated, problems = (
        annotated_ignores(snapshot, [rule.slug for rule in every_rule()]) if options.honor_annotations else ((), ())
    )
    return scan(
        snapshot,
        rules,
        configuration.settings,
        severities=configuration.severities,
        ignores=() if options.no_ignores else (*configuration.ignores, *annotated),
        ignore_problems=problems,
    )
