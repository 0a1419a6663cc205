"""Ray Tune's trials per second, said as JSON: ``python -m tests.benchmarks.ray_rates '["add"]' 5``."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from typing import Any

from tests.benchmarks import searches

_SPAN = 10


def rates(function: Any, turns: int, folder: str) -> list[float]:
    """One search, two trials at a time, in workers that are kept from trial to trial, from its first end to its last.

    Spans of it are measured, as each search starts workers of its own, which takes longer than all its trials.
    """
    from ray import tune

    def trainable(config: dict[str, Any]) -> dict[str, float]:
        return {"objective": function(**config), "ended": time.time()}

    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space={name: tune.uniform(0, 1) for name in searches.NAMES},
        tune_config=tune.TuneConfig(num_samples=turns * _SPAN + 1, max_concurrent_trials=2, reuse_actors=True),
        run_config=tune.RunConfig(storage_path=folder, verbose=0),
    )
    ended = tuner.fit()
    assert not ended.errors
    ends = sorted(result.metrics["ended"] for result in ended)
    return [_SPAN / (ends[at + _SPAN] - ends[at]) for at in range(0, turns * _SPAN, _SPAN)]


def main(names: list[str], turns: int) -> dict[str, list[float]]:
    """The rates of each function, by its name."""
    import ray

    with tempfile.TemporaryDirectory() as folder:
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _temp_dir=folder)
        found = {name: rates(getattr(searches, name), turns, folder) for name in names}
        ray.shutdown()
    return found


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]), int(sys.argv[2]))))
