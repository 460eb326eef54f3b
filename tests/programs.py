"""Programs that some tests start."""

import os
import shutil

import pytest


def installed(program: str) -> str:
    """Where a Debian program is; without it CI fails, and a laptop skips the test."""
    found = shutil.which(program)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"CI needs {program}; .ci/run installs it")
        pytest.skip(f"{program} is not installed")
    return found
