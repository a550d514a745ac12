"""How many examples property tests try: 200, or 10,000 at night.

`HYPOTHESIS_PROFILE=nightly uv run pytest tests/security`
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

COMMON = {
    "deadline": None,  # the machine's speed is not what is tested
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}

settings.register_profile("suite", settings(max_examples=200, **COMMON))
settings.register_profile("nightly", settings(max_examples=10_000, **COMMON))
