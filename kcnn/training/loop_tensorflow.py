"""The steps of a training on TensorFlow: Keras's own compiled training step, one at a time."""

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kcnn.training.class_weights import image_weights
from kcnn.training.objective import Objective, cross_entropy
from kcnn.training.running import Logs, Training

if TYPE_CHECKING:
    import tensorflow as tf

    from kcnn.data import Data


def compile_for(
    model: keras.Model,
    data: "Data",
    objective: Objective,
    optimizer: keras.optimizers.Optimizer,
) -> None:
    """Compile `model` with the objective's loss and the accuracy."""
    probabilities = objective.needs_probabilities(soft_labels=has_soft_labels(data))
    loss = cross_entropy(keras.losses, probabilities=probabilities)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])


def has_soft_labels(data: "Data") -> bool:
    """Return whether the training labels are probabilities, as mixup and cutmix make them."""
    spec: Any = data.train.element_spec
    return spec[1].shape.rank == 2


class TensorFlowSteps:
    """The steps of a compiled model on the batches of `data`."""

    def __init__(self, model: keras.Model, data: "Data", objective: Objective) -> None:
        self._model, self._data, self._objective = model, data, objective
        self.per_epoch = data.steps_per_epoch
        self._soft = has_soft_labels(data)
        self._validation = self._with_targets(data.validation, training=False)
        self._batches: Any = None

    def begin(self, epoch: int, step: int) -> None:
        """Open the batches. One iterator serves all epochs, because making one takes seconds.

        Only a training that goes back to an earlier state opens them again.
        """
        batches: Any = self._with_targets(self._data.batches(epoch, step), training=True)
        strategy: Any = self._model.distribute_strategy
        if strategy.num_replicas_in_sync > 1:
            batches = strategy.experimental_distribute_dataset(batches)
        self._batches = iter(batches)
        self._build_metrics()
        self._model.make_train_function()

    def rebuild(self) -> None:
        """Trace the step again."""
        self._model.make_train_function(force=True)

    def reset(self) -> None:
        """Reset Keras's metrics."""
        self._model.reset_metrics()

    def take(self) -> Any:
        """Take one step, and return the loss and metrics of the epoch so far."""
        model: Any = self._model
        return model.train_function(self._batches)

    def run(self, training: Training) -> Logs:
        """Take the steps that are left of the epoch."""
        model: Any = self._model
        callbacks, logs = training.callbacks, {}
        for number in range(training.step, self.per_epoch):
            callbacks.on_train_batch_begin(number)
            logs = self.take()
            callbacks.on_train_batch_end(number, logs)
            if not model.stop_training:  # as TerminateOnNaN does
                training.check("loss", float(logs.get("loss", 0.0)), number)
            if training.count(number + 1):
                break
        # Those of a training step of the user's own, where they are not the compiled metrics.
        # A training that goes on after the last step of an epoch has none of these, only the sums.
        logs = model._get_metrics_result_or_logs(logs or model.get_metrics_result())
        return {name: float(value) for name, value in logs.items()}

    def validate(self, callbacks: keras.callbacks.CallbackList) -> Logs:
        """Return loss and metrics on the validation images."""
        return self._model.evaluate(
            self._validation,
            callbacks=callbacks,  # pyright: ignore[reportArgumentType] - as Keras's own `fit`
            return_dict=True,
            verbose=0,  # pyright: ignore[reportArgumentType] - Keras annotates its default alone
        )

    def agree(self, signal: int | None, step: int) -> int | None:
        """Return the signal of this process: the training has no other one."""
        return signal

    def sums(self) -> list[np.ndarray]:
        """Return the values of Keras's metrics."""
        return [np.array(each) for each in self._model.metrics_variables]

    def restore_sums(self, sums: list[np.ndarray]) -> None:
        """Assign the values of Keras's metrics."""
        for variable, value in zip(self._model.metrics_variables, sums, strict=True):
            variable.assign(value)

    def _build_metrics(self) -> None:
        """Make the metrics' variables: made while the step is traced, they cost a second trace."""
        model: Any = self._model
        if model._compile_metrics is None or model._compile_metrics.built:
            return  # by a training that goes back: compiled steps would not know the new ones
        batch: Any = self._with_targets(self._data.train, training=True).element_spec
        images, targets, *_ = batch
        if outputs := getattr(model, "outputs", None):
            targets = keras.KerasTensor(targets.shape, targets.dtype.name)
            model._compile_metrics.build(targets, outputs[0])
        else:  # a model of the user's own class, which Keras has to call
            model._symbolic_build(data_batch=(images, targets))

    def _with_targets(self, dataset: "tf.data.Dataset", *, training: bool) -> "tf.data.Dataset":
        import tensorflow as tf

        objective, classes = self._objective, len(self._data.class_names)
        probabilities = objective.needs_probabilities(soft_labels=self._soft)
        weighted = training and objective.class_weights is not None
        if not (probabilities or weighted):
            return dataset

        @tf.autograph.experimental.do_not_convert
        def prepare(
            images: "tf.Tensor", labels: "tf.Tensor", *weights: "tf.Tensor"
        ) -> "tuple[tf.Tensor, ...]":
            if not training:
                return images, tf.one_hot(labels, classes)
            if objective.class_weights is not None:
                own = image_weights(objective.class_weights, labels)
                weights = (own * weights[0] if weights else own,)
            targets = objective.targets(labels, classes, soft_labels=self._soft, one_hot=tf.one_hot)
            return images, targets, *weights

        return dataset.map(prepare)


class Student(keras.Model):
    """The student's own layers, trained with a teacher in the loss."""

    def __init__(self, student: keras.Model, teacher: keras.Model, objective: Objective) -> None:
        super().__init__(student.inputs[0], student.outputs[0], name=student.name)
        self._objective = objective
        # As functions, because Keras would track models among the attributes as layers.
        self._predict_by_teacher = lambda images: teacher(images, training=False)
        self._save_student = student.save

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the loss of the labels; in training, mixed with the distillation loss."""
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if not training:
            return loss
        logits = keras.ops.stop_gradient(self._predict_by_teacher(x))
        losses = self._objective.distillation_loss(logits, y_pred, keras.ops)
        distillation: Any = keras.ops.mean(losses)
        # Penalties of the student's layers, such as L2, are part of `loss` and stay whole.
        return self._objective.add_teacher(loss, distillation + sum(self.losses))

    def save(
        self, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **options: Any
    ) -> None:
        """Save the student, which stock Keras can load."""
        self._save_student(filepath, overwrite=overwrite, zipped=zipped, **options)
