"""What a configuration file says: settings and severities of rules, and what to leave be."""

from karpenter_check.configuration.configuration import Configuration, ConfigurationError
from karpenter_check.configuration.read import configuration_of
from karpenter_check.configuration.schema import schema

__all__ = ["Configuration", "ConfigurationError", "configuration_of", "schema"]
