"""What every operation of a model gives while the model answers, however the model is made.

Sequential, functional, nested and subclassed models run alike, so they are watched while they run;
their graphs, where they have any, are never rebuilt or added to.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps

import keras

# One thread at a time may replace attributes, or they would be put back in the wrong order.
_LOCK = threading.RLock()


@dataclass(frozen=True, eq=False)
class Call:
    """The last call of one operation and what it gave: a tensor, or a structure of them."""

    operation: keras.Operation
    output: object


def operations(model: keras.Model) -> dict[str, keras.Operation]:
    """Return all operations of a model by name, those of nested models and layers after theirs.

    What lies inside a model or a layer of the user's own bears its name in front: "backbone/relu".
    Stock Keras layers are taken whole.

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
            while name in found:  # only a subclassed model may use one name twice
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
    watched: Mapping[str, keras.Operation], see: Callable[[str, object], None]
) -> Iterator[None]:
    """While inside, call `see(name, output)` after each call of a watched operation."""
    thread = threading.get_ident()

    def hook(name: str) -> Callable[[Callable], Callable]:
        def seen(call: Callable) -> Callable:
            @wraps(call)
            def seen_call(*args, **kwargs):
                output = call(*args, **kwargs)
                if threading.get_ident() == thread:  # others may be using the model meanwhile
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
    """While inside, keep the last call of each operation by name, in order of completion.

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv")])
    >>> with recorded(model) as calls:
    ...     answer = model(keras.ops.zeros((1, 8, 8, 3)), training=False)
    >>> calls["conv"].output.shape
    TensorShape([1, 6, 6, 4])
    """
    known = operations(model)
    calls: dict[str, Call] = {}

    def keep(name: str, output: object) -> None:
        calls.pop(name, None)  # the last use of a layer stands at its own place in the order
        calls[name] = Call(known[name], output)

    with hooked(known, keep):
        yield calls


@contextmanager
def replaced(
    operation: keras.Operation, attribute: str, change: Callable[[Callable], Callable]
) -> Iterator[None]:
    """While inside, give an operation `change(attribute)` for its attribute.

    It goes past Keras's own tracking of attributes, and leaves no trace.
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
