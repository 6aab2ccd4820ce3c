// The product with GFNI, for vectors of either size: multiplying by a constant is linear over bits, so one instruction
// multiplies each byte of a vector by an 8x8 bit matrix. Four output rows and two vectors at a time: eight sums hide the
// latency. No guard: a file that includes this is one kernel, and has defined
//
//   GFNI, INLINE_GFNI             the instruction set that functions are compiled for
//   STEP, vector                  bytes in a vector, and its type
//   zero, load, store             as their names say
//   add_product(sum, x, factor)   sum + x * factor
//   MULTIPLY                      the name of the kernel

// `rows` and `vectors` are constants in every caller. Starts at `from`, returns where
// it stopped.
INLINE_GFNI size_t some_rows(const uint8_t *coefficients, unsigned rows, unsigned vectors,
                             unsigned columns, const uint8_t *const *in, uint8_t *const *out,
                             size_t from, size_t length) {
  size_t i = from;
  for (; i + STEP * vectors <= length; i += STEP * vectors) {
    vector sum[4][2];
    for (unsigned r = 0; r < rows; r++) {
      for (unsigned v = 0; v < vectors; v++) sum[r][v] = zero();
    }
    for (unsigned c = 0; c < columns; c++) {
      vector x[2];
      for (unsigned v = 0; v < vectors; v++) x[v] = load(in[c] + i + STEP * v);
      for (unsigned r = 0; r < rows; r++) {
        const uint8_t coefficient = coefficients[r * columns + c];
        for (unsigned v = 0; v < vectors; v++) {
          sum[r][v] = add_product(sum[r][v], x[v], coefficient);
        }
      }
    }
    for (unsigned r = 0; r < rows; r++) {
      for (unsigned v = 0; v < vectors; v++) store(out[r] + i + STEP * v, sum[r][v]);
    }
  }
  return i;
}

GFNI static void four_rows(const uint8_t *coefficients, unsigned columns, const uint8_t *const *in,
                           uint8_t *const *out, size_t length) {
  const size_t done = some_rows(coefficients, 4, 2, columns, in, out, 0, length);
  some_rows(coefficients, 4, 1, columns, in, out, done, length);
}

GFNI static void one_row(const uint8_t *coefficients, unsigned columns, const uint8_t *const *in,
                         uint8_t *const *out, size_t length) {
  const size_t done = some_rows(coefficients, 1, 2, columns, in, out, 0, length);
  some_rows(coefficients, 1, 1, columns, in, out, done, length);
}

void MULTIPLY(const uint8_t *coefficients, unsigned rows, unsigned columns,
                         const uint8_t *const *in, uint8_t *const *out, size_t length) {
  unsigned r = 0;
  for (; r + 4 <= rows; r += 4) four_rows(coefficients + r * columns, columns, in, out + r, length);
  for (; r < rows; r++) one_row(coefficients + r * columns, columns, in, out + r, length);
  gf_multiply_tail(coefficients, rows, columns, in, out, length, STEP);
}
