"""What a Keras notebook does: its own compile, its own fit, stock callbacks; nothing to learn."""

import keras

import kcnn


def test_a_users_own_compile_and_fit(tmp_path):
    keras.utils.set_random_seed(0)
    data = kcnn.data.load("digits", batch_size=64, augment="shift")
    model = kcnn.models.simple_cnn()
    model.compile(
        optimizer=keras.optimizers.Adam(2e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(
        data.train,
        validation_data=data.validation,
        epochs=8,
        verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True),
            keras.callbacks.ReduceLROnPlateau(patience=2),
            keras.callbacks.ModelCheckpoint(tmp_path / "{epoch:02d}.keras", save_best_only=True),
            *kcnn.callbacks.standard(tmp_path / "run"),
        ],
    )
    assert len(history.history["loss"]) == 8
    loss, accuracy = model.evaluate(data.test, verbose=0)
    assert accuracy > 0.8
    reloaded = keras.models.load_model(max(tmp_path.glob("*.keras")))
    assert reloaded.evaluate(data.validation, verbose=0)[1] > 0.6
    assert (tmp_path / "run" / "history.csv").is_file()
