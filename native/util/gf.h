// Arithmetic in GF(2^8) with the polynomial x^8+x^4+x^3+x^2+1 (0x11d), and the product
// of a small matrix with long rows of bytes, which is all that Reed-Solomon needs.
#ifndef SHARDRIVE_GF_H
#define SHARDRIVE_GF_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint8_t product[256][256];   // product[a][b] = a * b
  uint8_t inverse[256];        // inverse[0] is 0 and means nothing
  uint8_t nibbles[256][32];    // a * low nibble, then a * (high nibble << 4)
  uint64_t affine[256];        // a as the bit matrix of GF2P8AFFINEQB
} gf_tables;

// Made by gf_init, which must have returned once before anything else here is used.
extern gf_tables gf;
void gf_init(void);

// out[r] = sum over c of coefficients[r * columns + c] * in[c], for `length` bytes.
// Input and output rows must not overlap. A kernel takes any length.
typedef void (*gf_kernel)(const uint8_t *coefficients, unsigned rows, unsigned columns,
                          const uint8_t *const *in, uint8_t *const *out, size_t length);

void gf_multiply_scalar(const uint8_t *coefficients, unsigned rows, unsigned columns,
                        const uint8_t *const *in, uint8_t *const *out, size_t length);
// Only where cpu_detect() says avx2, gfni256, gfni512.
void gf_multiply_avx2(const uint8_t *coefficients, unsigned rows, unsigned columns,
                      const uint8_t *const *in, uint8_t *const *out, size_t length);
void gf_multiply_gfni256(const uint8_t *coefficients, unsigned rows, unsigned columns,
                         const uint8_t *const *in, uint8_t *const *out, size_t length);
void gf_multiply_gfni512(const uint8_t *coefficients, unsigned rows, unsigned columns,
                         const uint8_t *const *in, uint8_t *const *out, size_t length);

#endif
