#ifndef TINYC_BLOCK_FROM_H
#define TINYC_BLOCK_FROM_H

#include "common.h"

/* Where the block for place i lies, of `planes` planes of `blocks` blocks, while blocks that lie plane after plane come
 * to lie place after place.
 *
 * They come to their places one after the other; what is in place i then goes to where the block for i was. So this was
 * there first, or went to where the one was that is in its place now, and so on.
 */
TINYC_INLINE unsigned tinyc_block_from(unsigned i, unsigned planes, unsigned blocks)
{
    unsigned from = i;
    do {
        from = from % planes * blocks + from / planes;
    } while (from < i);
    return from;
}

#endif
