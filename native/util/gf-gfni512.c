// The product with GFNI on 512-bit vectors, 64 bytes an instruction.
#include "cpu.h"
#include "gf.h"
#include "gf-tail.h"

#if CPU_X86
#include <immintrin.h>

#define STEP 64
#define MULTIPLY gf_multiply_gfni512
#define GFNI __attribute__((target("avx512f,avx512bw,gfni")))
#define INLINE_GFNI GFNI __attribute__((always_inline)) static inline

typedef __m512i vector;

INLINE_GFNI vector zero(void) { return _mm512_setzero_si512(); }
INLINE_GFNI vector load(const uint8_t *at) { return _mm512_loadu_si512((const vector *)at); }
INLINE_GFNI void store(uint8_t *at, vector x) { _mm512_storeu_si512((vector *)at, x); }
INLINE_GFNI vector add_product(vector sum, vector x, uint8_t factor) {
  const vector matrix = _mm512_set1_epi64((long long)gf.affine[factor]);
  return _mm512_xor_si512(sum, _mm512_gf2p8affine_epi64_epi8(x, matrix, 0));
}

#include "gf-gfni.h"

#else

void gf_multiply_gfni512(const uint8_t *coefficients, unsigned rows, unsigned columns,
                         const uint8_t *const *in, uint8_t *const *out, size_t length) {
  gf_multiply_scalar(coefficients, rows, columns, in, out, length);
}

#endif
