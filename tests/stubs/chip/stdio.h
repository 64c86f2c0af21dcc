// What the projects need of a chip's C library, whose headers a compiler may come without.
#pragma once
int printf(const char* format, ...);
