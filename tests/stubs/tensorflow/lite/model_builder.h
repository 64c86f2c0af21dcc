#include "tensorflow/lite/all.h"
