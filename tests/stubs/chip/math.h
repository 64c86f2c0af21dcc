// What the snippets need of a chip's C library, whose headers a compiler may come without.
#pragma once
#ifdef __cplusplus
extern "C"
#endif
    float expf(float);
