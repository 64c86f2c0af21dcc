from .convolution import conv_macs as conv_macs
from .convolution import conv_parameters as conv_parameters
from .convolution import output_size as output_size
from .convolution import same_padding as same_padding
from .network import LayerArithmetic as LayerArithmetic
from .network import ModelArithmetic as ModelArithmetic
from .network import model_arithmetic as model_arithmetic
from .network import model_macs as model_macs
