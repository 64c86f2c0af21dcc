"""The events of a training: its best epoch, reductions of the learning rate, its end."""

from dataclasses import dataclass

from kcnn.report.run_files import RunFiles


@dataclass(frozen=True)
class Event:
    """Something that happened in a training.

    Attributes:
        epoch: when it happened, from 1.
        kind: "best" (epoch), "rate" (the learning rate was reduced), "stopped" (early) or
            "finished".
        text: what happened, in words.
    """

    epoch: int
    kind: str
    text: str


def training_events(run: RunFiles) -> tuple[Event, ...]:
    """Return the best epoch, every reduction of the learning rate and the end, in their order.

    A schedule that changes the learning rate all the time, such as a cosine, gives no events.
    """
    found = _reductions(run)
    training = run.report.training
    best, last = training.get("best_epoch"), training.get("epochs")
    if isinstance(best, int):
        text = f"the best epoch{_loss(run, best)}; the model keeps its weights"
        found.append(Event(best, "best", text))
    if isinstance(last, int):
        reason = training.get("stop_reason", "finished")
        if reason == "finished":
            found.append(Event(last, "finished", "the last epoch of the recipe"))
        else:
            found.append(Event(last, "stopped", f"stopped early: {reason}"))
    return tuple(sorted(found, key=lambda event: event.epoch))


def _loss(run: RunFiles, epoch: int) -> str:
    losses = (run.history or {}).get("val_loss", ())
    return f" (validation loss {losses[epoch - 1]:.4f})" if 1 <= epoch <= len(losses) else ""


def _reductions(run: RunFiles) -> list[Event]:
    schedule = run.recipe.train.schedule if run.recipe else None
    if schedule not in ("plateau", "step", "multi_step"):
        return []
    reason = "the validation loss stalled" if schedule == "plateau" else "a step of the schedule"
    rates = (run.history or {}).get("learning_rate", ())
    return [
        Event(epoch, "rate", f"learning rate {before:.3g} → {after:.3g}: {reason}")
        for epoch, (before, after) in enumerate(zip(rates, rates[1:], strict=False), start=2)
        if after < before
    ]
