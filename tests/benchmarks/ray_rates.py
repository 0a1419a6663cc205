"""Ray Tune's trials per second, said as JSON: ``python -m tests.benchmarks.ray_rates '{"add": 20}' 5``."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from typing import Any

from tests.benchmarks import searches


def rate(function: Any, jobs: int, folder: str) -> float:
    """One search of so many trials, two at a time, in workers that are kept from trial to trial."""
    from ray import tune

    def trainable(config: dict[str, Any]) -> dict[str, float]:
        return {"objective": function(**config)}

    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space={name: tune.uniform(0, 1) for name in searches.NAMES},
        tune_config=tune.TuneConfig(num_samples=jobs, max_concurrent_trials=2, reuse_actors=True),
        run_config=tune.RunConfig(storage_path=folder, verbose=0),
    )
    began = time.perf_counter()
    ended = tuner.fit()
    seconds = time.perf_counter() - began
    assert len(ended) == jobs
    assert not ended.errors
    return jobs / seconds


def main(jobs: dict[str, int], turns: int) -> dict[str, list[float]]:
    """The rates of each function, by its name."""
    import ray

    with tempfile.TemporaryDirectory() as folder:
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _temp_dir=folder)
        rate(searches.add, 2, folder)  # which starts its workers
        found = {
            name: [rate(getattr(searches, name), number, folder) for _ in range(turns)] for name, number in jobs.items()
        }
        ray.shutdown()
    return found


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]), int(sys.argv[2]))))
