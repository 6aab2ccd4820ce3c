// CPUID is read by hand because compilers of the supported range disagree on the
// names that __builtin_cpu_supports knows ("sha" is missing from several).
#include "cpu.h"

#if CPU_X86
#include <cpuid.h>
#include <stdint.h>

// The register sets that the operating system saves on a task switch: without its
// consent an AVX instruction is an illegal instruction.
static uint64_t saved_state(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

static bool has(uint32_t reg, int bit) { return (reg >> bit) & 1; }

cpu_features cpu_detect(void) {
  cpu_features found = {false, false, false, false, false};
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return found;
  const bool sse = has(c, 9) && has(c, 19);  // SSSE3, SSE4.1
  found.aes = sse && has(c, 25);
  const uint64_t saved = has(c, 27) ? saved_state() : 0;
  const bool ymm = (saved & 0x06) == 0x06 && has(c, 28);
  const bool zmm = ymm && (saved & 0xe0) == 0xe0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return found;
  found.sha = sse && has(b, 29);
  found.avx2 = ymm && has(b, 5);
  found.gfni256 = found.avx2 && has(c, 8);
  found.gfni512 = found.gfni256 && zmm && has(b, 16) && has(b, 30);
  return found;
}

#else

cpu_features cpu_detect(void) {
  const cpu_features none = {false, false, false, false, false};
  return none;
}

#endif
