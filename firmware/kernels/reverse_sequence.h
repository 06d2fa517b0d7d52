/* The first values of each sequence back to front, the others as they are. The sequence lies along
 * the first or the second of two axes, the sequences along the other. Lengths of less than 0 count
 * as 0, longer ones than the axis as all of it. Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_REVERSE_SEQUENCE_H
#define TM_KERNELS_REVERSE_SEQUENCE_H

#include "tm_kernel.h"

struct reverse_sequence {
    int32_t outer, first, middle, second; /* sizes; the two axes, before, in between */
    int32_t item;                         /* bytes behind the second axis */
    int32_t bytes;                        /* of a length: 4 or 8 */
    int32_t sequence_first;               /* which of the axes the sequence lies along */
};

static inline int32_t reverse_sequence_place(const struct reverse_sequence *p, const void *lengths,
                                             int32_t at, int32_t which)
{
    const int64_t length = tm_integer(lengths, which, p->bytes);
    const int32_t size = p->sequence_first ? p->first : p->second;
    const int32_t most = length > size ? size : (int32_t)length;
    return at < most ? most - 1 - at : at;
}

TM_KERNEL void reverse_sequence(const struct reverse_sequence *p, int32_t y0, int32_t y1,
                                struct tm_in in, struct tm_in lengths, struct tm_out out,
                                void *scratch)
{
    (void)y0, (void)y1, (void)scratch;
    const uint8_t *from = in.base;
    uint8_t *to = out.base;
    for (int32_t o = 0; o < p->outer; o++)
        for (int32_t i = 0; i < p->first; i++)
            for (int32_t m = 0; m < p->middle; m++)
                for (int32_t j = 0; j < p->second; j++, to += p->item) {
                    const int32_t k =
                        p->sequence_first ? reverse_sequence_place(p, lengths.base, i, j) : i;
                    const int32_t l =
                        p->sequence_first ? j : reverse_sequence_place(p, lengths.base, j, i);
                    const int32_t at = ((o * p->first + k) * p->middle + m) * p->second + l;
                    memcpy(to, from + at * p->item, (size_t)p->item);
                }
}

#endif
