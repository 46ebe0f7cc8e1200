/* The sequences of vector instructions, by name: compiled twice, as they are and with TINYC_EMULATE, behind the kernels'
 * text. `pie_compared.c` compares what both give.
 */

#define JOIN(a, b) a##_##b
#define NAME(prefix, name) JOIN(prefix, name)

void NAME(PREFIX, dots)(int32_t *to, const int32_t *from, const int8_t *x, const int8_t *w, int vectors, int elements,
                        int count)
{
    tinyc_pie_dots_i8(to, from, x, w, vectors, elements, count);
}

void NAME(PREFIX, narrow)(int8_t *out, const int32_t *s, const int16_t *f, const int16_t *c, int count)
{
    tinyc_pie_narrow_i8(out, s, f, c, count);
}

void NAME(PREFIX, narrow_lanes)(int8_t *out, const int32_t *s, const int16_t *f, const int16_t *c, int count)
{
    tinyc_pie_narrow_lanes_i8(out, s, f, c, count);
}

void NAME(PREFIX, taps)(int32_t *sums, const int8_t *top, const int8_t *middle, const int8_t *bottom, const int8_t *w,
                        int step, int lanes)
{
    tinyc_pie_taps_i8(sums, top, middle, bottom, w, step, lanes);
}

void NAME(PREFIX, store)(int8_t *out, const int8_t *vector, int count)
{
    tinyc_pie_store_i8(out, vector, count);
}

void NAME(PREFIX, copy)(int8_t *out, const int8_t *x, int n)
{
    tinyc_pie_copy_i8(out, x, n);
}

void NAME(PREFIX, add)(int8_t *out, const int8_t *x, const int8_t *y, const int16_t *c, int places, int n)
{
    tinyc_pie_add_i8(out, x, y, c, places, n);
}

void NAME(PREFIX, patch)(int32_t *sums, const int8_t *patch, const int8_t *w, int vectors, int lanes)
{
    tinyc_pie_patch_i8(sums, patch, w, vectors, lanes);
}

void NAME(PREFIX, total)(int32_t *sums, const int8_t *x, int step, int count, int lanes)
{
    tinyc_pie_total_i8(sums, x, step, count, lanes);
}

void NAME(PREFIX, totals)(int32_t *sums)
{
    tinyc_pie_totals_i8(sums);
}

void NAME(PREFIX, most)(int8_t *best, const int8_t *x, int step, int count, int lanes)
{
    tinyc_pie_most_i8(best, x, step, count, lanes);
}
