"""What the command line asks for, and the images and networks that it needs."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.race import Rules, Spec, environment, run
from benchmarks.results import Fact, Race

BATCHES = {"simple_cnn": 256, "resnet8": 256, "resnet20": 256, "vgg16": 128}
"""The models of the benchmarks and their batches."""


@dataclass(frozen=True)
class Plan:
    """What the command line asks for.

    Attributes:
        folder: where `prepare` writes images and networks.
        models: those of part "fit".
        close_up: the model of the parts "scaling", "ladder" and "startup".
        only: the contestants that take part; all if there are none.
        quick: seconds in place of minutes, with tiny networks: the numbers mean nothing.
        runs: folders in which finished runs are looked for.
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
        """Every model that some part may train."""
        return tuple(dict.fromkeys((*self.models, self.close_up)))

    def batch(self, model: str) -> int:
        """Return the batch of a model."""
        return 16 if self.quick else BATCHES.get(model, 256)

    @property
    def settings(self) -> dict[str, Fact]:
        """What is written beside the numbers."""
        timing = self.rules.timing
        return {
            "rounds": self.rules.rounds,
            "seconds_a_turn": timing.turn,
            "seed": self.seed,
            "quick": int(self.quick),
        }


@dataclass(frozen=True)
class Prepared:
    """A plan whose images and networks are on the disk.

    Attributes:
        facts: what `networks.write` told.
        fits: races of training, by model, batch and threads: two parts want the same one.
    """

    plan: Plan
    facts: dict
    fits: dict[tuple[str, int, int], Race] = field(default_factory=dict)

    def spec(self, contestant: str, loop: str, **changes: object) -> Spec:
        """Return what a child is told."""
        plan = self.plan
        spec = Spec(contestant, loop, str(plan.folder), threads=plan.threads, seed=plan.seed)
        return replace(spec, **changes)

    def race(self, specs: Sequence[Spec], unit: str, facts: dict[str, Fact]) -> Race:
        """Run a race among those contestants who are to take part."""
        return run(self.among(specs), self.plan.rules, unit=unit, facts=facts)

    def among(self, specs: Sequence[Spec]) -> list[Spec]:
        """Return the contestants who are to take part."""
        only = self.plan.only
        return [spec for spec in specs if not only or spec.contestant in only]

    def told(self, **facts: Fact) -> dict[str, Fact]:
        """Return the facts of a race, with those of its model."""
        model = self.facts["models"].get(facts.get("model"), {})
        return {**facts, **model, "data": self.facts["data"]}


def prepare(plan: Plan) -> Prepared:
    """Write images and networks to the plan's folder, in a process of its own.

    Raises:
        RuntimeError: it failed.
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
