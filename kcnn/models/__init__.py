"""The classic networks by name: each a plain `keras.Model` from raw pixels to logits.

Every builder takes `input_shape` and `num_classes` and returns a model for images
`(batch, height, width, channels)` of raw values 0-255, uint8 or float. The model's output is
float32 logits `(batch, num_classes)`. Its layers are Keras's own, except for two of `kcnn.layers`
that Keras lacks, in LeNet-5 and AlexNet. Keras is imported when the first builder is used.

>>> import kcnn.models
>>> kcnn.models.names()[:3]
('mlp', 'simple_cnn', 'lenet5')
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
