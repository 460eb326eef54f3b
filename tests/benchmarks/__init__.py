"""How long a scan takes, and how much memory, against what else the same bytes could cost."""
