"""The output of every operation of a model, watched while the model runs.

Sequential, functional, nested and subclassed models all run in the same way, so watching works for
any of them. Their graphs, where they have one, are neither rebuilt nor extended.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import keras

# Only one thread at a time may replace attributes: two could restore them in the wrong order.
_LOCK = threading.RLock()


@dataclass(frozen=True, eq=False)
class Call:
    """The last call of one operation.

    Attributes:
        operation: a layer, or an operation of `keras.ops`.
        output: what it returned: a tensor, or a structure of tensors.
    """

    operation: keras.Operation
    output: Any


def operations(model: keras.Model) -> dict[str, keras.Operation]:
    """Return all operations of a model by name, those inside an operation after it.

    An operation inside a nested model, or inside a layer of the user's own class, has the name of
    that in front: "backbone/relu". Layers of Keras count as one operation each.

    >>> image = keras.Input((8, 8, 3))
    >>> backbone = keras.Sequential([image, keras.layers.ReLU(name="relu")], name="backbone")
    >>> list(operations(keras.Sequential([image, backbone])))
    ['backbone', 'backbone/relu']
    """
    found: dict[str, keras.Operation] = {}
    seen: set[int] = set()

    def visit(parent: keras.Operation, prefix: str) -> None:
        for operation in _children(parent):
            if id(operation) in seen or isinstance(operation, keras.layers.InputLayer):
                continue
            seen.add(id(operation))
            name = prefix + operation.name
            while name in found:  # only a subclassed model can use one name twice
                name += "'"
            found[name] = operation
            visit(operation, f"{name}/")

    visit(model, "")
    return found


def _children(parent: keras.Operation) -> list[keras.Operation]:
    if isinstance(parent, keras.Model):
        return getattr(parent, "operations", None) or parent.layers
    stock = type(parent).__module__.split(".")[0] == "keras"
    if stock or not isinstance(parent, keras.layers.Layer):
        return []
    return parent._flatten_layers(include_self=False, recursive=False)


@contextmanager
def hooked(
    watched: Mapping[str, keras.Operation], see: Callable[[str, Any], None]
) -> Iterator[None]:
    """Call `see(name, output)` after each call of a watched operation, inside the `with` block."""
    thread = threading.get_ident()

    def hook(name: str) -> Callable[[Callable], Callable]:
        def seen(call: Callable) -> Callable:
            @wraps(call)
            def seen_call(*args, **kwargs):
                output = call(*args, **kwargs)
                if threading.get_ident() == thread:  # other threads may use the model too
                    see(name, output)
                return output

            return seen_call

        return seen

    with ExitStack() as hooks:
        for name, operation in watched.items():
            hooks.enter_context(replaced(operation, "call", hook(name)))
        yield


@contextmanager
def recorded(model: keras.Model) -> Iterator[dict[str, Call]]:
    """Record the last call of each operation by name, in the order in which the calls end.

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv")])
    >>> with recorded(model) as calls:
    ...     answer = model(keras.ops.zeros((1, 8, 8, 3)), training=False)
    >>> calls["conv"].output.shape
    TensorShape([1, 6, 6, 4])
    """
    known = operations(model)
    calls: dict[str, Call] = {}

    def keep(name: str, output: Any) -> None:
        calls.pop(name, None)  # so that the last use of a layer has its own place in the order
        calls[name] = Call(known[name], output)

    with hooked(known, keep):
        yield calls


@contextmanager
def replaced(
    operation: keras.Operation, attribute: str, change: Callable[[Callable], Callable]
) -> Iterator[None]:
    """Replace an attribute of an operation by `change(attribute)` inside the `with` block.

    Keras's own tracking of attributes does not see it, and nothing of it is left afterwards.
    """
    with _LOCK:
        own = vars(operation)
        before = {attribute: own[attribute]} if attribute in own else {}
        own[attribute] = change(getattr(operation, attribute))
        try:
            yield
        finally:
            del own[attribute]
            own.update(before)
