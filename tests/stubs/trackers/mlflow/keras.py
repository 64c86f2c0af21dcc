"""MLflow's callback for Keras."""

import keras

import mlflow


class MlflowCallback(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        mlflow.active[-1]["epochs"].append([epoch, *sorted(logs)])
