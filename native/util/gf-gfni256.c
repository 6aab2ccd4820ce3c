// The product with GFNI on 256-bit vectors, 32 bytes an instruction.
#include "cpu.h"
#include "gf.h"
#include "gf-tail.h"

#if CPU_X86
#include <immintrin.h>

#define STEP 32
#define MULTIPLY gf_multiply_gfni256
#define GFNI __attribute__((target("avx2,gfni")))
#define INLINE_GFNI GFNI __attribute__((always_inline)) static inline

typedef __m256i vector;

INLINE_GFNI vector zero(void) { return _mm256_setzero_si256(); }
INLINE_GFNI vector load(const uint8_t *at) { return _mm256_loadu_si256((const vector *)at); }
INLINE_GFNI void store(uint8_t *at, vector x) { _mm256_storeu_si256((vector *)at, x); }
INLINE_GFNI vector add_product(vector sum, vector x, uint8_t factor) {
  const vector matrix = _mm256_set1_epi64x((long long)gf.affine[factor]);
  return _mm256_xor_si256(sum, _mm256_gf2p8affine_epi64_epi8(x, matrix, 0));
}

#include "gf-gfni.h"

#else

void gf_multiply_gfni256(const uint8_t *coefficients, unsigned rows, unsigned columns,
                         const uint8_t *const *in, uint8_t *const *out, size_t length) {
  gf_multiply_scalar(coefficients, rows, columns, in, out, length);
}

#endif
