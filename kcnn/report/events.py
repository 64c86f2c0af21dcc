"""What happened in the course of a training, epoch by epoch."""

from dataclasses import dataclass

from kcnn.report.run_files import RunFiles


@dataclass(frozen=True)
class Event:
    """Something that a callback did, or found."""

    epoch: int
    """From 1."""
    kind: str
    """"best", "rate" (the learning rate was reduced), "stopped" (early) or "finished"."""
    text: str


def events(run: RunFiles) -> tuple[Event, ...]:
    """Return the best epoch, every reduction of the learning rate and the end, in their order.

    The learning rate of a schedule that falls all the time is no event.
    """
    found = _reductions(run)
    training = run.report.training
    best, last = training.get("best_epoch"), training.get("epochs")
    if isinstance(best, int):
        text = f"the best epoch{_loss(run, best)}; its weights are the model's"
        found.append(Event(best, "best", text))
    if isinstance(last, int):
        reason = training.get("stop_reason", "finished")
        if reason == "finished":
            found.append(Event(last, "finished", "the last epoch, as the recipe says"))
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
    why = "the validation loss stalled" if schedule == "plateau" else "as the schedule says"
    rates = (run.history or {}).get("learning_rate", ())
    return [
        Event(epoch, "rate", f"learning rate {before:.3g} → {after:.3g}: {why}")
        for epoch, (before, after) in enumerate(zip(rates, rates[1:], strict=False), start=2)
        if after < before
    ]
