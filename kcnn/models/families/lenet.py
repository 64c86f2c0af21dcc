"""LeNet-5, the first convolutional network in wide use."""

import keras

from kcnn.models import blocks


def lenet5(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    name: str = "lenet5",
) -> keras.Sequential:
    """Build LeNet-5 in its modern form: ReLU, max pooling and a dense C3.

    Layers bear the paper's names: convolutions C1 (6 of 5x5) and C3 (16 of 5x5), both without
    padding, each followed by a subsampling S2, S4; C5 (120) and F6 (84), dense here since S4 is
    5x5; then the logits. 62,006 trainable parameters for 32x32 RGB, 61,706 for the paper's grey
    images. The paper itself has a scaled tanh, trainable average pooling, a partly connected C3
    and radial basis functions at the end. Images are at least 16x16.

    Paper: LeCun et al., "Gradient-Based Learning Applied to Document Recognition" (1998),
    https://doi.org/10.1109/5.726791.

    Raises:
        ValueError: an argument is out of its range.

    >>> lenet5((32, 32, 1)).count_params()
    61706
    """
    image = blocks.image_input(input_shape, minimum_size=16)
    return keras.Sequential(
        [
            image,
            *blocks.normalize(image.shape[-1], padding=0),
            blocks.conv(6, 5, padding="valid", use_bias=True, name="c1"),
            blocks.relu("c1"),
            keras.layers.MaxPooling2D(name="s2"),
            blocks.conv(16, 5, padding="valid", use_bias=True, name="c3"),
            blocks.relu("c3"),
            keras.layers.MaxPooling2D(name="s4"),
            keras.layers.Flatten(name="flatten"),
            *blocks.dense_relu(120, name="c5"),
            *blocks.dense_relu(84, name="f6"),
            blocks.logits(num_classes),
        ],
        name=name,
    )
