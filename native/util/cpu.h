// What the processor that we run on can do. Asked once, then constant.
#ifndef SHARDRIVE_CPU_H
#define SHARDRIVE_CPU_H

#include <stdbool.h>

#if defined(__x86_64__)
#define CPU_X86 1
#else
#define CPU_X86 0
#endif

typedef struct {
  bool aes;      // AES-NI with SSE4.1
  bool sha;      // SHA-NI with SSE4.1
  bool avx2;     // AVX2, saved by the operating system
  bool gfni256;  // AVX2 and GFNI
  bool gfni512;  // AVX-512 F and BW and GFNI, saved by the operating system
} cpu_features;

cpu_features cpu_detect(void);

#endif
