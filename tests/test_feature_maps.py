"""Feature maps: exactly what the layers give, of every kind of model, and drawn honestly."""

import keras
import numpy as np
import pytest
from matplotlib.image import imread
from narrow_models import build_narrow
from small_models import LAYERS, flatten_model, gap_model, images, output_of, randomize, snapshot
from test_explain_models import KINDS, LAYER_NAMES, SIZE, plain_model, reloaded

import kcnn.models
from kcnn.explain import FeatureMaps, feature_maps, grad_cam


def relu_net(kernels, padding="same"):
    """Convolutions with the kernels given, each with a ReLU, and a head of no interest."""
    image = x = keras.Input((9, 9, kernels[0].shape[2]))
    for number, kernel in enumerate(kernels):
        layer = LAYERS.Conv2D(kernel.shape[3], kernel.shape[:2], padding=padding, name=f"c{number}")
        x = layer(x)
        layer.set_weights([kernel, np.full(kernel.shape[3], 0.5)])
        x = LAYERS.ReLU(name=f"r{number}")(x)
    return keras.Model(image, x)


def test_maps_are_what_numpy_computes():
    rng = np.random.default_rng(0)
    kernel = rng.normal(0, 0.01, (3, 3, 3, 4))
    model, batch = relu_net([kernel], "valid"), images(2, size=9)
    expected = np.zeros((2, 7, 7, 4))
    for y in range(7):
        for x in range(7):
            window = batch[:, y : y + 3, x : x + 3].astype("float64")
            expected[:, y, x] = np.tensordot(window, kernel, axes=3) + 0.5
    seen = feature_maps(model, batch, layers=["c0", "r0"])
    np.testing.assert_allclose(seen["c0"], expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(seen["r0"], np.maximum(expected, 0), rtol=1e-4, atol=1e-4)
    assert seen["r0"].dtype == np.float32 and (expected < 0).any()


def test_every_layer_of_a_functional_model_gives_what_its_sub_model_gives():
    model, batch = randomize(build_narrow("resnet8")), images(3, size=32)
    layers = [layer for layer in model.layers[1:] if len(layer.output.shape) == 4]
    part = keras.Model(model.inputs[0], [layer.output for layer in layers])
    expected, before = part(batch.astype("float32"), training=False), snapshot(model)
    seen = feature_maps(model, batch, layers=[layer.name for layer in layers])
    assert snapshot(model) == before
    assert list(seen) == [layer.name for layer in layers] and len(seen) == len(layers) > 20
    for (name, maps), own in zip(seen.items(), expected, strict=True):
        np.testing.assert_array_equal(maps, own, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_is_seen_exactly_and_left_alone(kind):
    plain, batch = plain_model(), images(size=SIZE)
    expected, model = output_of(plain, "relu", batch), KINDS[kind](plain)
    before = snapshot(model)
    seen = feature_maps(model, batch)
    assert snapshot(model) == before
    assert list(seen) == [LAYER_NAMES.get(kind, "relu")]
    np.testing.assert_array_equal(*seen.values(), expected)


def test_a_reloaded_and_a_mixed_precision_model_are_seen(tmp_path):
    plain, batch = plain_model(), images(size=SIZE)
    expected = output_of(plain, "relu", batch)
    seen = feature_maps(reloaded(plain, tmp_path), batch)
    np.testing.assert_array_equal(seen["backbone/relu"], expected)
    policy = keras.DTypePolicy("mixed_bfloat16")
    layers = [
        type(each).from_config(each.get_config() | {"dtype": policy}) for each in plain.layers
    ]
    mixed = keras.Sequential([keras.Input((SIZE, SIZE, 3)), *layers])
    mixed.set_weights(plain.get_weights())
    maps = feature_maps(mixed, batch)["relu"]
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps, expected, atol=0.03 * expected.max())


def test_a_model_without_a_head_is_seen():
    plain, batch = plain_model(), images(2, SIZE)
    # Of one image, too: the rounding may depend on the number of images.
    model, expected = keras.Sequential(plain.layers[:4]), output_of(plain, "relu", batch[1:])
    model.build((None, SIZE, SIZE, 3))
    np.testing.assert_array_equal(feature_maps(model, batch[1])["relu"], expected)


def test_by_default_the_last_map_of_each_stage_is_seen():
    batch = images(1, size=32)
    stages = feature_maps(build_narrow("resnet8"), batch)
    assert [(name, maps.shape[1:3]) for name, maps in stages.items()] == [
        ("stage1_block1_relu", (32, 32)),
        ("stage2_block1_relu", (16, 16)),
        ("stage3_block1_relu", (8, 8)),
    ]
    vgg = feature_maps(build_narrow("vgg11"), batch)
    assert [maps.shape[1] for maps in vgg.values()] == [32, 16, 8, 4, 2]


FAMILIES = [family.builders[0] for name, family in kcnn.models.FAMILIES.items() if name != "mlp"]


@pytest.mark.parametrize("name", FAMILIES)
def test_the_stages_of_every_family_get_smaller_and_end_where_grad_cam_looks(name):
    model, batch = build_narrow(name), images(1, size=32)
    stages = feature_maps(model, batch)
    sizes = [maps.shape[1] for maps in stages.values()]
    assert sizes == sorted(set(sizes), reverse=True) and len(sizes) > 1
    assert list(stages)[-1] == grad_cam(model, batch).layer
    # speed_net pools what its convolutions give, before it is normalized and activated.
    for layer in list(stages)[-1:] if name == "speed_net" else stages:
        kinds = LAYERS.Conv2D | LAYERS.BatchNormalization | LAYERS.MaxPooling2D
        assert not isinstance(model.get_layer(layer), kinds)


def test_mirrored_kernels_see_mirrored_images_mirrored():
    rng = np.random.default_rng(1)
    kernels = [rng.normal(0, 0.05, shape) for shape in ((3, 3, 3, 4), (5, 5, 4, 2))]
    batch = images(3, size=9)
    seen = feature_maps(relu_net(kernels), batch, layers=["r0", "r1"])
    mirrored = relu_net([kernel[:, ::-1] for kernel in kernels])
    turned = feature_maps(mirrored, batch[:, :, ::-1], layers=["r0", "r1"])
    for name, maps in seen.items():
        np.testing.assert_allclose(turned[name][:, :, ::-1], maps, rtol=1e-4, atol=1e-4)
        assert not np.allclose(turned[name], maps)


def test_images_in_a_batch_are_seen_as_they_are_alone():
    model, batch = flatten_model(), images(70, size=6)  # more than run at once
    whole = feature_maps(model, batch)
    for n in (0, 1, 63, 64, 69):
        alone = feature_maps(model, batch[n].astype("float64"))
        np.testing.assert_allclose(alone["relu"][0], whole["relu"][n], rtol=1e-5, atol=1e-5)
    assert list(whole) == ["relu"] and len(whole["relu"]) == 70


def test_a_layer_used_twice_stands_for_its_last_use():
    relu, image = LAYERS.ReLU(name="relu"), keras.Input((12, 12, 3))
    model = keras.Model(image, relu(LAYERS.Conv2D(5, 3)(relu(LAYERS.Conv2D(4, 3)(image)))))
    batch = images(70)
    seen = feature_maps(model, batch, layers="relu")["relu"]
    np.testing.assert_allclose(seen, model(batch.astype("float32")), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("rellu", r"Unknown layer 'rellu'. Did you mean 'relu'\? Known: bn, conv, relu, rescale"),
        (["conv", "logits"], r"'logits' has no spatial output.*conv, bn"),
        ([], "at least one layer"),
    ],
)
def test_wrong_layers_are_refused(layers, message):
    with pytest.raises(ValueError, match=message):
        feature_maps(gap_model(), images(), layers=layers)


def test_models_and_images_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"Expected images of shape \[N, 12, 12, 3\]"):
        feature_maps(gap_model(), images(size=11))
    with pytest.raises(ValueError, match="needs a Keras 3 model"):
        feature_maps("model.keras", images())
    dense = [keras.Input((12, 12, 3)), LAYERS.Flatten(), LAYERS.Dense(3)]
    with pytest.raises(ValueError, match="no feature map"):
        feature_maps(keras.Sequential(dense), images())
    broken = gap_model()
    broken.get_layer("conv").kernel.assign(broken.get_layer("conv").kernel * np.nan)
    with pytest.raises(ValueError, match="'relu' gives NaNs"):
        feature_maps(broken, images())


def channel_axes(figure):
    """Axes of channels by number, and the titles of the layers' blocks."""
    cells = [axes for axes in figure.axes if axes.get_title() and "image" not in axes.get_title()]
    blocks = figure.subfigs[1].subfigs
    return {int(a.get_title().split(":")[0]): a for a in cells}, [
        b._suptitle.get_text() for b in blocks
    ]


def dead_model(dead=(1, 3)):
    model = gap_model()
    gamma, beta = model.get_layer("bn").gamma, model.get_layer("bn").beta
    keep = ~np.isin(np.arange(6), dead)
    gamma.assign(gamma.numpy() * keep)
    beta.assign(np.where(keep, 1.0, -1.0))
    return model


def test_dead_channels_are_said_and_not_drawn_black():
    seen = feature_maps(dead_model(), images())
    assert seen.silent("relu") == seen.silent("relu", 2) == [1, 3]
    cells, titles = channel_axes(seen.plot(2))
    assert titles == ["relu: 12 x 12 x 6; 2 of 6 channels all zero: 1, 3"]
    assert list(cells) == list(range(6))
    for channel, cell in cells.items():
        assert len(cell.images) == (channel not in (1, 3)) and len(cell.lines) == (
            channel in (1, 3)
        )
    _, titles = channel_axes(feature_maps(dead_model(dead=()), images()).plot())
    assert titles == ["relu: 12 x 12 x 6"]


def test_a_channel_silent_in_one_image_is_not_dead():
    identity = np.eye(3)[None, None]
    batch = np.zeros((2, 9, 9, 3), "uint8")
    batch[0, 4, 4] = [0, 5, 0]
    batch[1, 2, 2] = [7, 0, 0]
    model = relu_net([identity])
    model.get_layer("c0").bias.assign(np.zeros(3))
    seen = feature_maps(model, batch)
    assert (seen.silent("r0"), seen.silent("r0", 0), seen.silent("r0", 1)) == ([2], [0, 2], [1, 2])


def test_channels_are_drawn_as_they_are():
    seen = feature_maps(gap_model(), images(), layers=["conv", "relu"])
    figure = seen.plot(1, channels=[4, 0, 99])
    drawn = [axes for axes in figure.axes if axes.images][1:]
    assert [axes.get_title().split(":")[0] for axes in drawn] == ["4", "0", "4", "0"]
    shown = [("conv", 4), ("conv", 0), ("relu", 4), ("relu", 0)]
    for axes, (layer, channel) in zip(drawn, shown, strict=True):
        maps = seen[layer][1, ..., channel]
        np.testing.assert_array_equal(axes.images[0].get_array(), maps)
        peak = np.abs(maps).max()
        low = -peak if layer == "conv" else 0  # zero is white in signed maps, and black in others
        np.testing.assert_allclose(axes.images[0].get_clim(), (low, peak))
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), seen.images[1])
    both = FeatureMaps(images(), {"few": seen["relu"][..., :2], "many": seen["relu"]})
    _, titles = channel_axes(both.plot(channels=[3, 4]))
    assert titles == ["many: 12 x 12 x 6"]


@pytest.mark.parametrize("wrong", [{"image": 4}, {"image": -1}, {"channels": 0}, {"channels": [6]}])
def test_nothing_to_draw_is_refused(wrong):
    with pytest.raises(ValueError, match="Expected (image from 0 to 3|at least one channel)"):
        feature_maps(gap_model(), images()).plot(**wrong)


def test_pictures_are_written_whole_or_not_at_all(tmp_path):
    seen = feature_maps(dead_model(), images())
    seen.save(tmp_path / "maps.png")
    assert imread(tmp_path / "maps.png").shape[1] > 800
    with pytest.raises(ValueError, match="Unknown kind of picture"):
        seen.save(tmp_path / "maps.words")
    assert [file.name for file in tmp_path.iterdir()] == ["maps.png"]


def test_images_of_other_ranges_and_bands_are_drawn():
    for shape in ((8, 8, 1), (8, 8, 5)):
        model = keras.Sequential([keras.Input(shape), LAYERS.Conv2D(2, 3, name="conv")])
        batch = np.random.default_rng(0).normal(size=(1, *shape))
        drawn = feature_maps(model, batch).plot().axes[0].images[0].get_array()
        assert drawn.shape == (8, 8, 3) and (drawn.min(), drawn.max()) == (0, 255)
