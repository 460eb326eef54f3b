"""The demo is made from the recording `faults`, and nothing else."""

import gzip

from tests.make_demo import DEMO, demo_document


def test_the_demo_is_what_the_recording_makes() -> None:
    assert gzip.decompress(DEMO.read_bytes()) == demo_document(), "run python -m tests.make_demo"
