"""A program with a plain `fit`, for tests/test_notebook_display.py: it may print no warning."""

import sys

import keras

import kcnn

if __name__ == "__main__":
    data = kcnn.data.load("digits", limit=100, batch_size=20)
    model = kcnn.models.lenet5()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(
        data.train,
        validation_data=data.validation,
        epochs=2,
        callbacks=kcnn.callbacks.standard(),
        verbose=0,
    )
    sys.stdout.write("done\n")
