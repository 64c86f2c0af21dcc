// Computes all images of `images.bin` on an emulated Cortex-M, which reads and writes files of the
// host by semihosting. It writes the stored outputs, and four numbers: instructions of all images,
// and the bytes of the deepest stack, of the model in flash and of its variables.
#include <stddef.h>
#include <stdint.h>

#include "model.h"

extern uint8_t stack_bottom[], stack_top[];  // these and the next ones come from the linker
extern uint8_t flash_begin[], flash_end[], ram_begin[], ram_end[];
void start(void);
void fail(void);

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[16] = {
    (uintptr_t)stack_top, (uintptr_t)start, (uintptr_t)fail, (uintptr_t)fail,
    (uintptr_t)fail,      (uintptr_t)fail,  (uintptr_t)fail,
};

// QEMU counts one nanosecond for each instruction (-icount shift=0), and this timer runs at 25 MHz.
enum { INSTRUCTIONS_PER_TICK = 40 };
#define TIMER ((volatile uint32_t *)0x40000000) /* control, value, reload */

// Arm's semihosting: open 1, close 2, write 5, read 6, exit 0x18.
static int ask(int operation, const void *arguments) {
  register int number __asm__("r0") = operation;
  register const void *block __asm__("r1") = arguments;
  __asm__ volatile("bkpt 0xab" : "+r"(number) : "r"(block) : "memory");
  return number;
}

static void leave(int done) {
  // ADP_Stopped_ApplicationExit, or a run-time error.
  ask(0x18, (const void *)(uintptr_t)(done ? 0x20026 : 0x20023));
  for (;;) {
  }
}

void fail(void) { leave(0); }

static int open_file(const char *name, int mode, uint32_t letters) {
  const uint32_t arguments[3] = {(uint32_t)(uintptr_t)name, (uint32_t)mode, letters};
  const int file = ask(1, arguments);
  if (file < 0) fail();
  return file;
}

// Returns how many bytes were not read or written.
static uint32_t move(int operation, int file, const void *bytes, uint32_t count) {
  const uint32_t arguments[3] = {(uint32_t)file, (uint32_t)(uintptr_t)bytes, count};
  return (uint32_t)ask(operation, arguments);
}

// The compiler may call them, and there is no library.
void *memcpy(void *target, const void *source, size_t count) {
  for (size_t i = 0; i < count; ++i) ((uint8_t *)target)[i] = ((const uint8_t *)source)[i];
  return target;
}

void *memset(void *target, int value, size_t count) {
  for (size_t i = 0; i < count; ++i) ((uint8_t *)target)[i] = (uint8_t)value;
  return target;
}

void start(void) {
  static int8_t image[MODEL_INPUTS], result[MODEL_OUTPUTS];
  uint64_t ticks = 0;
  const int images = open_file("images.bin", 1, 10), outputs = open_file("outputs.bin", 5, 11);
  uint8_t *here;
  __asm__ volatile("mov %0, sp" : "=r"(here));
  for (volatile uint8_t *each = stack_bottom; each < here; ++each) *each = 0xa5;
  while (move(6, images, image, sizeof image) == 0) {
    TIMER[2] = TIMER[1] = 0xffffffffu;
    TIMER[0] = 1;
    model_run((void *)image, (void *)result);
    TIMER[0] = 0;
    ticks += 0xffffffffu - TIMER[1];
    if (move(5, outputs, result, sizeof result)) fail();
  }
  const volatile uint8_t *deepest = stack_bottom;
  while (*deepest == 0xa5) ++deepest;
  const uint64_t facts[4] = {ticks * INSTRUCTIONS_PER_TICK, (uint64_t)(here - deepest),
                             (uint64_t)(flash_end - flash_begin), (uint64_t)(ram_end - ram_begin)};
  if (move(5, open_file("facts.bin", 5, 9), facts, sizeof facts)) fail();
  leave(1);
}
