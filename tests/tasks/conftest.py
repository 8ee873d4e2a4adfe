"""Whole installations, for tests that run Luigi itself."""

from tests.chain import installation, twin

__all__ = ["installation", "twin"]
