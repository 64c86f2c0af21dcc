"""Long proofs that CI runs in small: `python -m tests.campaign --minutes N`."""
