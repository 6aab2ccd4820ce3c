#include "matrix.h"

#include <stdlib.h>
#include <string.h>

#include "gf.h"

void matrix_coding_row(unsigned k, unsigned index, uint8_t *row) {
  for (unsigned j = 0; j < k; j++) {
    if (index < k) {
      row[j] = index == j;
    } else {
      row[j] = gf.inverse[k == 1 ? index + 1 : index ^ j];
    }
  }
}

static void scale(uint8_t *row, unsigned length, uint8_t factor) {
  for (unsigned j = 0; j < length; j++) row[j] = gf.product[factor][row[j]];
}

static void add_scaled(uint8_t *row, const uint8_t *other, unsigned length, uint8_t factor) {
  for (unsigned j = 0; j < length; j++) row[j] ^= gf.product[factor][other[j]];
}

// Gauss-Jordan on rows of [A | I], 2k wide; leaves the inverse in the right half.
static bool invert(uint8_t *rows, unsigned k) {
  const unsigned width = 2 * k;
  uint8_t swapped[2 * SHARDS_MAX];
  for (unsigned c = 0; c < k; c++) {
    unsigned pivot = c;
    while (pivot < k && rows[pivot * width + c] == 0) pivot++;
    if (pivot == k) return false;
    uint8_t *top = rows + c * width;
    if (pivot != c) {
      uint8_t *other = rows + pivot * width;
      memcpy(swapped, top, width);
      memcpy(top, other, width);
      memcpy(other, swapped, width);
    }
    if (top[c] != 1) scale(top, width, gf.inverse[top[c]]);
    for (unsigned r = 0; r < k; r++) {
      const uint8_t factor = rows[r * width + c];
      if (r != c && factor != 0) add_scaled(rows + r * width, top, width, factor);
    }
  }
  return true;
}

bool matrix_rebuild(unsigned k, const uint8_t *present, const uint8_t *wanted,
                    unsigned wanted_count, uint8_t *out) {
  const unsigned width = 2 * k;
  uint8_t row[SHARDS_MAX];
  uint8_t *rows = calloc(k, width);
  if (rows == NULL) return false;
  for (unsigned i = 0; i < k; i++) {
    matrix_coding_row(k, present[i], rows + i * width);
    rows[i * width + k + i] = 1;
  }
  if (!invert(rows, k)) {
    free(rows);
    return false;
  }
  for (unsigned w = 0; w < wanted_count; w++) {
    matrix_coding_row(k, wanted[w], row);
    uint8_t *to = out + w * k;
    memset(to, 0, k);
    for (unsigned j = 0; j < k; j++) {
      if (row[j] != 0) add_scaled(to, rows + j * width + k, k, row[j]);
    }
  }
  free(rows);
  return true;
}
