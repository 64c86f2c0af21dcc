"""The settings of the command line, and the images and networks that they need."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.race import Rules, Spec, environment, run
from benchmarks.results import Fact, Race

# The models of the benchmarks and their batch sizes.
BATCHES = {
    "simple_cnn": 256,
    "resnet8": 256,
    "resnet20": 256,
    "vgg16": 128,
    "speed_net": 512,
}


@dataclass(frozen=True)
class Plan:
    """The settings of the command line.

    Attributes:
        folder: where `prepare` writes images and networks.
        rules: how a race is run.
        models: the models of part "fit".
        close_up: the model of the parts "scaling", "ladder" and "startup".
        threads: cores that a contestant may use.
        seed: of weights and images.
        only: the contestants that take part; all if empty.
        quick: take seconds instead of minutes, with tiny networks; the numbers mean nothing.
        data_dir: the folder of prepared tfds data sets.
        runs: folders that are searched for finished runs.
    """

    folder: Path
    rules: Rules
    models: tuple[str, ...]
    close_up: str
    threads: int
    seed: int = 0
    only: tuple[str, ...] = ()
    quick: bool = False
    data_dir: str | None = None
    runs: tuple[Path, ...] = ()

    @property
    def all_models(self) -> tuple[str, ...]:
        """The models that the parts may train."""
        return tuple(dict.fromkeys((*self.models, self.close_up)))

    def batch(self, model: str) -> int:
        """Return the batch size of a model."""
        return 16 if self.quick else BATCHES.get(model, 256)

    @property
    def settings(self) -> dict[str, Fact]:
        """The settings that are stored with the numbers."""
        timing = self.rules.timing
        return {
            "rounds": self.rules.rounds,
            "seconds_a_turn": timing.turn,
            "seed": self.seed,
            "quick": int(self.quick),
        }


@dataclass(frozen=True)
class Prepared:
    """A plan whose images and networks have been written.

    Attributes:
        plan: the settings.
        facts: what `networks.write` returned.
        fits: races of training by model, batch and threads, because two parts use the same one.
        offered: the contestants that could take part so far.
    """

    plan: Plan
    facts: dict
    fits: dict[tuple[str, int, int], Race] = field(default_factory=dict)
    offered: set[str] = field(default_factory=set)

    def spec(self, contestant: str, loop: str, **changes: Any) -> Spec:
        """Return the specification of one contestant."""
        plan = self.plan
        spec = Spec(contestant, loop, str(plan.folder), threads=plan.threads, seed=plan.seed)
        return replace(spec, **changes)

    def race(self, specs: Sequence[Spec], unit: str, facts: dict[str, Fact]) -> Race:
        """Run a race of those contestants that take part."""
        return run(self.among(specs), self.plan.rules, unit=unit, facts=facts)

    def among(self, specs: Sequence[Spec]) -> list[Spec]:
        """Return the contestants that take part."""
        only = self.plan.only
        self.offered.update(spec.contestant for spec in specs)
        return [spec for spec in specs if not only or spec.contestant in only]

    def facts_of(self, **facts: Fact) -> dict[str, Fact]:
        """Return the facts of a race, completed by those of its model and data."""
        model = self.facts["models"].get(facts.get("model"), {})
        return {**facts, **model, "data": self.facts["data"]}


def prepare(plan: Plan) -> Prepared:
    """Write images and networks to the plan's folder, in a process of its own.

    Raises:
        RuntimeError: that process failed.
    """
    narrow = {"width": 4} if plan.quick else {}
    job = {
        "models": {model: narrow if model != "simple_cnn" else {} for model in plan.all_models},
        "images": 400 if plan.quick else 50_000,
        "data_dir": plan.data_dir,
        "seed": plan.seed,
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.networks", str(plan.folder), json.dumps(job)],
        capture_output=True,
        text=True,
        env=environment(),
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise RuntimeError(f"Images and networks cannot be written: {reason}")
    return Prepared(plan, json.loads(done.stdout))
