#ifndef TINYC_QPAIRS_I8_H
#define TINYC_QPAIRS_I8_H

#include "common.h"
#include "qextras_i8.h"
#include "qstore_i8.h"
#include "run_i8.h"
#include "unscheduled.h"

/* The sums of four output channels of one pixel, two and two: `all` is first + 65536 * second modulo 2^32. */
typedef struct {
    uint32_t all, all2;
    int32_t second, second2;
} tinyc_pairs_i8;

/* The weights of two output channels for one element, in one word. */
TINYC_INLINE int32_t tinyc_qword_i8(const int8_t *w)
{
    return w[0] + w[1] * 65536;
}

/* The same of a byte that has both, 8 added to each. */
TINYC_INLINE int32_t tinyc_qhalves_i8(int8_t both)
{
    const uint32_t two = (uint8_t)both;
    return (int32_t)((two | two << 12) & 0xf000f) - 0x80008;
}

/* Writes those of four output channels, which are interleaved. */
TINYC_INLINE void tinyc_qpair_halves_i8(int32_t *words, const int8_t *w, int elements)
{
    const int8_t *const end = w + 2 * elements;
    do {
        words[0] = tinyc_qhalves_i8(w[0]);
        words[1] = tinyc_qhalves_i8(w[1]);
        words += 2;
        w += 2;
    } while (w != end);
}

/* Writes the weights of four output channels, which are interleaved, in the form that tinyc_qpairs_i8 takes. With
 * `halves` two lie in a byte, 8 added to each.
 */
TINYC_INLINE void tinyc_qpair_weights_i8(int32_t *words, const int8_t *w, int elements, int halves)
{
    if (halves) {
        tinyc_qpair_halves_i8(words, w, elements);
        return;
    }
    const int turn = elements % 2 ? 1 : 2;
    const int8_t *const end = w + 4 * elements;
    do {
        words[0] = tinyc_qword_i8(w);
        words[1] = tinyc_qword_i8(w + 2);
        if (turn > 1) {
            words[2] = tinyc_qword_i8(w + 4);
            words[3] = tinyc_qword_i8(w + 6);
        }
        words += 2 * turn;
        w += 4 * turn;
    } while (w != end);
}

/* The products of one or two elements and two channels, added. */
TINYC_INLINE int32_t tinyc_qboth_i8(const int8_t *p, const int32_t *w, int elements)
{
    return elements > 1 ? p[0] * w[0] + p[1] * w[2] : p[0] * w[0];
}

/* Adds two sums of products that lie in one word, the first of them within -32768..32767. */
TINYC_INLINE void tinyc_qadd_both_i8(uint32_t *all, int32_t *second, int32_t both)
{
    *all += (uint32_t)both;
    *second += (both + 0x8000) >> 16;
}

/* Adds the products of one or two elements of a pixel and four channels. */
TINYC_INLINE void tinyc_qadd_pairs_i8(tinyc_pairs_i8 *sums, const int8_t *p, const int32_t *w, int elements)
{
    tinyc_qadd_both_i8(&sums->all, &sums->second, tinyc_qboth_i8(p, w, elements));
    tinyc_qadd_both_i8(&sums->all2, &sums->second2, tinyc_qboth_i8(p, w + 1, elements));
}

/* The same for each of `pixels` pixels `next` apart. */
TINYC_INLINE void tinyc_qadd_pixels_i8(tinyc_pairs_i8 *a, tinyc_pairs_i8 *b, tinyc_pairs_i8 *c, tinyc_pairs_i8 *d,
                                       const int8_t *p, const int32_t *w, int elements, int pixels, int next)
{
    tinyc_qadd_pairs_i8(a, p, w, elements);
    if (pixels > 1) {
        tinyc_qadd_pairs_i8(b, p + next, w, elements);
    }
    if (pixels > 2) {
        tinyc_qadd_pairs_i8(c, p + 2 * next, w, elements);
    }
    if (pixels > 3) {
        tinyc_qadd_pairs_i8(d, p + 3 * next, w, elements);
    }
}

/* The same for four elements, whose products are added before they are taken apart. Weights of two elements at a time
 * are in registers.
 */
TINYC_INLINE void tinyc_qadd_fours_i8(tinyc_pairs_i8 *a, tinyc_pairs_i8 *b, tinyc_pairs_i8 *c, tinyc_pairs_i8 *d,
                                      const int8_t *p, const int32_t *w, int pixels, int next)
{
    const int32_t a1 = tinyc_qboth_i8(p, w, 2), a2 = tinyc_qboth_i8(p, w + 1, 2);
    const int32_t b1 = pixels > 1 ? tinyc_qboth_i8(p + next, w, 2) : 0;
    const int32_t b2 = pixels > 1 ? tinyc_qboth_i8(p + next, w + 1, 2) : 0;
    const int32_t c1 = pixels > 2 ? tinyc_qboth_i8(p + 2 * next, w, 2) : 0;
    const int32_t c2 = pixels > 2 ? tinyc_qboth_i8(p + 2 * next, w + 1, 2) : 0;
    const int32_t d1 = pixels > 3 ? tinyc_qboth_i8(p + 3 * next, w, 2) : 0;
    const int32_t d2 = pixels > 3 ? tinyc_qboth_i8(p + 3 * next, w + 1, 2) : 0;
    tinyc_qadd_both_i8(&a->all, &a->second, a1 + tinyc_qboth_i8(p + 2, w + 4, 2));
    tinyc_qadd_both_i8(&a->all2, &a->second2, a2 + tinyc_qboth_i8(p + 2, w + 5, 2));
    if (pixels > 1) {
        tinyc_qadd_both_i8(&b->all, &b->second, b1 + tinyc_qboth_i8(p + next + 2, w + 4, 2));
        tinyc_qadd_both_i8(&b->all2, &b->second2, b2 + tinyc_qboth_i8(p + next + 2, w + 5, 2));
    }
    if (pixels > 2) {
        tinyc_qadd_both_i8(&c->all, &c->second, c1 + tinyc_qboth_i8(p + 2 * next + 2, w + 4, 2));
        tinyc_qadd_both_i8(&c->all2, &c->second2, c2 + tinyc_qboth_i8(p + 2 * next + 2, w + 5, 2));
    }
    if (pixels > 3) {
        tinyc_qadd_both_i8(&d->all, &d->second, d1 + tinyc_qboth_i8(p + 3 * next + 2, w + 4, 2));
        tinyc_qadd_both_i8(&d->all2, &d->second2, d2 + tinyc_qboth_i8(p + 3 * next + 2, w + 5, 2));
    }
}

/* Sums of products of two channels for up to four pixels, not taken apart yet. */
typedef struct {
    int32_t a, b, c, d;
} tinyc_both_i8;

/* Adds the products of two elements of each pixel and two channels. */
TINYC_INLINE void tinyc_qboth_pixels_i8(tinyc_both_i8 *sums, const int8_t *p, const int32_t *w, int pixels, int next)
{
    sums->a += tinyc_qboth_i8(p, w, 2);
    sums->b += pixels > 1 ? tinyc_qboth_i8(p + next, w, 2) : 0;
    sums->c += pixels > 2 ? tinyc_qboth_i8(p + 2 * next, w, 2) : 0;
    sums->d += pixels > 3 ? tinyc_qboth_i8(p + 3 * next, w, 2) : 0;
}

/* The same for eight elements. */
TINYC_INLINE void tinyc_qadd_eights_i8(tinyc_pairs_i8 *a, tinyc_pairs_i8 *b, tinyc_pairs_i8 *c, tinyc_pairs_i8 *d,
                                       const int8_t *p, const int32_t *w, int pixels, int next)
{
    tinyc_both_i8 one = {0, 0, 0, 0}, two = one;
    tinyc_qboth_pixels_i8(&one, p, w, pixels, next);
    tinyc_qboth_pixels_i8(&two, p, w + 1, pixels, next);
    tinyc_qboth_pixels_i8(&one, p + 2, w + 4, pixels, next);
    tinyc_qboth_pixels_i8(&two, p + 2, w + 5, pixels, next);
    tinyc_qboth_pixels_i8(&one, p + 4, w + 8, pixels, next);
    tinyc_qboth_pixels_i8(&two, p + 4, w + 9, pixels, next);
    tinyc_qboth_pixels_i8(&one, p + 6, w + 12, pixels, next);
    tinyc_qboth_pixels_i8(&two, p + 6, w + 13, pixels, next);
    tinyc_qadd_both_i8(&a->all, &a->second, one.a);
    tinyc_qadd_both_i8(&a->all2, &a->second2, two.a);
    if (pixels > 1) {
        tinyc_qadd_both_i8(&b->all, &b->second, one.b);
        tinyc_qadd_both_i8(&b->all2, &b->second2, two.b);
    }
    if (pixels > 2) {
        tinyc_qadd_both_i8(&c->all, &c->second, one.c);
        tinyc_qadd_both_i8(&c->all2, &c->second2, two.c);
    }
    if (pixels > 3) {
        tinyc_qadd_both_i8(&d->all, &d->second, one.d);
        tinyc_qadd_both_i8(&d->all2, &d->second2, two.d);
    }
}

/* The first of two sums. */
TINYC_INLINE int32_t tinyc_qfirst_i8(uint32_t all, int32_t second)
{
    return (int32_t)(all - ((uint32_t)second << 16));
}

/* The register tile of tinyc_qtile_i8 for four output channels, with one multiplication for two products: a word of w
 * has the weights of one element for two channels, first + 65536 * second, two words an element.
 *
 * Of `group` elements that follow each other in a run, two, four or eight from its begin on, the weights of a channel
 * are together at most 255 in size. So the sum of their products fits 16 bits, the word that has two such sums fits 32,
 * and half a unit of the upper one added to it leaves the upper one when the lower one is shifted away. Where weights
 * are larger, the words have less of some, and `extras`, with `bits` as in tinyc_qextras_i8, what is missing; NULL for
 * none. Returns where that ends.
 */
TINYC_INLINE const uint8_t *tinyc_qpairs_i8(const int8_t **rows, const int8_t *pad, const int32_t *w, uint64_t bits,
                                            const uint8_t *extras, const int32_t *bias, const int32_t *multiplier,
                                            const int8_t *shift, int8_t *restrict out, int group, int pixels,
                                            int border, int at, int skip, int next, int limit, int kh, int kw, int step,
                                            int n, int out_next, int zero, int low, int high, int form)
{
    tinyc_pairs_i8 a = {(uint32_t)bias[0] + ((uint32_t)bias[1] << 16), (uint32_t)bias[2] + ((uint32_t)bias[3] << 16),
                        bias[1], bias[3]};
    tinyc_pairs_i8 b = a;
    tinyc_pairs_i8 c = a;
    tinyc_pairs_i8 d = a;
    for (int ky = 0; ky < kh; ++ky) {
        for (int kx = 0; kx < kw; ++kx) {
            const int8_t *p = tinyc_run_i8(rows[ky], pad, border, at + kx * step, limit, skip);
            const int turn = group == 8 ? 8 : 4;
            const int8_t *const whole = p + n / turn * turn;
            while (p != whole) {
                if (group == 8) {
                    tinyc_qadd_eights_i8(&a, &b, &c, &d, p, w, pixels, next);
                } else if (group == 4) {
                    tinyc_qadd_fours_i8(&a, &b, &c, &d, p, w, pixels, next);
                } else {
                    tinyc_qadd_pixels_i8(&a, &b, &c, &d, p, w, 2, pixels, next);
                    tinyc_qadd_pixels_i8(&a, &b, &c, &d, p + 2, w + 4, 2, pixels, next);
                }
                p += turn;
                w += 2 * turn;
            }
            if (n % turn > 3) {
                tinyc_qadd_fours_i8(&a, &b, &c, &d, p, w, pixels, next);
                p += 4;
                w += 8;
            }
            if (n % 4 > 1) {
                tinyc_qadd_pixels_i8(&a, &b, &c, &d, p, w, 2, pixels, next);
                p += 2;
                w += 4;
            }
            if (n % 2) {
                tinyc_qadd_pixels_i8(&a, &b, &c, &d, p, w, 1, pixels, next);
                w += 2;
            }
        }
    }
    int32_t s = tinyc_qfirst_i8(a.all, a.second);
    int32_t t = tinyc_qfirst_i8(b.all, b.second);
    int32_t u = tinyc_qfirst_i8(c.all, c.second);
    int32_t v = tinyc_qfirst_i8(d.all, d.second);
    extras = tinyc_qextras_i8(&s, &t, &u, &v, rows, pad, bits, extras, 0, pixels, border, at, skip, next, limit, kh, kw,
                              step, n);
    /* From here on, what results need lies in registers that the sums have left. */
    TINYC_KEEP(out);
    if (form >= 2) {
        TINYC_KEEP_AFTER(low, s);
        TINYC_KEEP_AFTER(high, s);
    }
    TINYC_KEEP(multiplier);
    tinyc_qstore_i8(out, pixels, out_next, s, t, u, v, multiplier, shift, 0, zero, low, high, form);
    s = a.second, t = b.second, u = c.second, v = d.second;
    extras = tinyc_qextras_i8(&s, &t, &u, &v, rows, pad, bits, extras, 1, pixels, border, at, skip, next, limit, kh, kw,
                              step, n);
    TINYC_KEEP(multiplier);
    tinyc_qstore_i8(out, pixels, out_next, s, t, u, v, multiplier, shift, 1, zero, low, high, form);
    s = tinyc_qfirst_i8(a.all2, a.second2);
    t = tinyc_qfirst_i8(b.all2, b.second2);
    u = tinyc_qfirst_i8(c.all2, c.second2);
    v = tinyc_qfirst_i8(d.all2, d.second2);
    extras = tinyc_qextras_i8(&s, &t, &u, &v, rows, pad, bits, extras, 2, pixels, border, at, skip, next, limit, kh, kw,
                              step, n);
    TINYC_KEEP(multiplier);
    tinyc_qstore_i8(out, pixels, out_next, s, t, u, v, multiplier, shift, 2, zero, low, high, form);
    s = a.second2, t = b.second2, u = c.second2, v = d.second2;
    extras = tinyc_qextras_i8(&s, &t, &u, &v, rows, pad, bits, extras, 3, pixels, border, at, skip, next, limit, kh, kw,
                              step, n);
    TINYC_KEEP(multiplier);
    tinyc_qstore_i8(out, pixels, out_next, s, t, u, v, multiplier, shift, 3, zero, low, high, form);
    return extras;
}

#endif
