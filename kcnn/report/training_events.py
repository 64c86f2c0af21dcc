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
    found = [*_reductions(run), *_rollbacks(run)]
    training = run.report.training
    best, last = training.get("best_epoch"), training.get("epochs")
    if isinstance(best, int):
        text = f"the best epoch{_loss(run, best)}; the model keeps its weights"
        found.append(Event(best, "best", text))
    if isinstance(last, int):
        found.append(_end(run, last))
    return tuple(sorted(found, key=lambda event: event.epoch))


def _end(run: RunFiles, epoch: int) -> Event:
    reason = str(run.report.training.get("stop_reason", "epochs"))
    if reason in ("epochs", "finished"):  # as earlier versions called it
        return Event(epoch, "finished", "the last epoch of the recipe")
    if reason == "diverged":
        text = "diverged: the loss exploded, and the model is no better than guessing"
        return Event(epoch, "stopped", text)
    if reason == "early_stopping":
        patience = f" for {run.recipe.train.resolved().patience} epochs" if run.recipe else ""
        reason = f"the validation loss was no better{patience}"
    elif reason.isidentifier():  # not the sentence of an earlier version
        reason = f"by the callback {reason}"
    return Event(epoch, "stopped", f"stopped early: {reason}")


def _rollbacks(run: RunFiles) -> list[Event]:
    rollbacks = run.report.training.get("rollbacks", ())
    return [
        Event(
            epoch,
            "rate",
            f"{each.get('name')} became {each.get('value')}: back to an earlier state, with "
            f"{each.get('factor')} times the learning rate",
        )
        for each in (rollbacks if isinstance(rollbacks, list) else ())
        if isinstance(epoch := each.get("epoch"), int)
    ]


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
