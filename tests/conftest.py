"""Settings every tier shares: hypothesis is derandomised, so that a red run is red again."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("gate", derandomize=True, deadline=None, max_examples=200)
settings.register_profile("hunt", derandomize=False, deadline=None, max_examples=5000)
settings.load_profile("gate")
