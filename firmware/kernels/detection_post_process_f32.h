/* Boxes (y, x, height, width) about their anchors as corners, and the best of those that do not
 * overlap: of all boxes with their best class, or (per_class > 0) of each class by itself.
 * Outputs: corners (y, x, y, x), class and score of each detection, best first, zeros behind the
 * last; and how many there are. Of equal scores the first counts.
 * Scratch: the corners of all boxes, their scores, and whether they may still be chosen.
 * Takes whole tensors: y0 and y1 are 0 and 1. */
#ifndef TM_KERNELS_DETECTION_POST_PROCESS_F32_H
#define TM_KERNELS_DETECTION_POST_PROCESS_F32_H

#include <math.h>

#include "tm_kernel.h"

struct detection_post_process_f32 {
    int32_t boxes, encoding; /* values of one encoding, of which four count */
    int32_t columns, classes; /* scores of one box; a column before them is the background */
    int32_t detections, per_class;
    float score_threshold, overlap_threshold;
    float scale_y, scale_x, scale_h, scale_w;
};

/* What is being chosen from. `corners` has four values for each box. */
struct detection_post_process_f32_boxes {
    float *corners, *scores;
    uint8_t *open;
};

/* The two ends of a box along one axis; in double, as the reference. */
TM_KERNEL void detection_post_process_f32_ends(float at, float size, float anchor,
                                               float anchor_size, float scale, float scale_size,
                                               float *ends)
{
    const float centre =
        (float)((double)at / (double)scale * (double)anchor_size + (double)anchor);
    const float half =
        (float)(0.5 * exp((double)size / (double)scale_size) * (double)anchor_size);
    ends[0] = centre - half;
    ends[2] = centre + half;
}

TM_KERNEL void detection_post_process_f32_decode(const struct detection_post_process_f32 *p,
                                                 const float *a, const float *anchor, float *to)
{
    for (int32_t i = 0; i < p->boxes; i++, a += p->encoding, anchor += 4, to += 4) {
        detection_post_process_f32_ends(a[0], a[2], anchor[0], anchor[2], p->scale_y, p->scale_h,
                                        to);
        detection_post_process_f32_ends(a[1], a[3], anchor[1], anchor[3], p->scale_x, p->scale_w,
                                        to + 1);
    }
}

/* Intersection over union. */
TM_KERNEL float detection_post_process_f32_overlap(const float *a, const float *b)
{
    const float area_a = (a[2] - a[0]) * (a[3] - a[1]), area_b = (b[2] - b[0]) * (b[3] - b[1]);
    if (area_a <= 0 || area_b <= 0)
        return 0;
    const float height = (a[2] < b[2] ? a[2] : b[2]) - (a[0] > b[0] ? a[0] : b[0]);
    const float width = (a[3] < b[3] ? a[3] : b[3]) - (a[1] > b[1] ? a[1] : b[1]);
    const float both = (height > 0 ? height : 0) * (width > 0 ? width : 0);
    return both / (area_a + area_b - both);
}

/* The best box that is still open, or -1; it and what overlaps it are closed. */
TM_KERNEL int32_t detection_post_process_f32_next(const struct detection_post_process_f32 *p,
                                                  struct detection_post_process_f32_boxes b)
{
    int32_t best = -1;
    for (int32_t i = 0; i < p->boxes; i++)
        if (b.open[i] && (best < 0 || b.scores[i] > b.scores[best]))
            best = i;
    if (best < 0)
        return best;
    b.open[best] = 0;
    for (int32_t i = 0; i < p->boxes; i++) {
        const float overlap =
            b.open[i]
                ? detection_post_process_f32_overlap(b.corners + 4 * best, b.corners + 4 * i)
                : 0;
        if (overlap > p->overlap_threshold)
            b.open[i] = 0;
    }
    return best;
}

/* Puts a detection behind all that are no worse, and gives the new number of them. */
TM_KERNEL int32_t detection_post_process_f32_insert(const struct detection_post_process_f32 *p,
                                                    const float *corners, float kind, float score,
                                                    int32_t count, float *boxes, float *classes,
                                                    float *scores)
{
    int32_t at = count;
    while (at > 0 && scores[at - 1] < score)
        at--;
    if (at == p->detections)
        return count;
    const int32_t moved = tm_min(count, p->detections - 1) - at;
    memmove(boxes + 4 * (at + 1), boxes + 4 * at, (size_t)moved * 16);
    memmove(classes + at + 1, classes + at, (size_t)moved * 4);
    memmove(scores + at + 1, scores + at, (size_t)moved * 4);
    memcpy(boxes + 4 * at, corners, 16);
    classes[at] = kind;
    scores[at] = score;
    return tm_min(count + 1, p->detections);
}

/* The class of a box with the largest score, the first of equal ones. */
TM_KERNEL int32_t detection_post_process_f32_class(const float *scores, int32_t classes)
{
    int32_t best = 0;
    for (int32_t c = 1; c < classes; c++)
        if (scores[c] > scores[best])
            best = c;
    return best;
}

TM_KERNEL void detection_post_process_f32(const struct detection_post_process_f32 *p, int32_t y0,
                                          int32_t y1, struct tm_in in, struct tm_in in_scores,
                                          struct tm_in anchors, struct tm_out out,
                                          struct tm_out out_classes, struct tm_out out_scores,
                                          struct tm_out out_count, void *scratch)
{
    (void)y0, (void)y1;
    float *corners = scratch, *scores = corners + 4 * p->boxes;
    const struct detection_post_process_f32_boxes b = {corners, scores,
                                                       (uint8_t *)(scores + p->boxes)};
    const float *given = (const float *)in_scores.base + p->columns - p->classes;
    const int32_t rounds = p->per_class ? p->classes : 1;
    const int32_t most = p->per_class ? p->per_class : p->detections;
    int32_t count = 0;
    memset(out.base, 0, (size_t)p->detections * 16);
    memset(out_classes.base, 0, (size_t)p->detections * 4);
    memset(out_scores.base, 0, (size_t)p->detections * 4);
    detection_post_process_f32_decode(p, in.base, anchors.base, corners);
    for (int32_t c = 0; c < rounds; c++) {
        for (int32_t i = 0; i < p->boxes; i++) {
            const float *of = given + i * p->columns;
            const int32_t kind =
                p->per_class ? c : detection_post_process_f32_class(of, p->classes);
            scores[i] = of[kind];
            b.open[i] = of[kind] >= p->score_threshold;
        }
        for (int32_t n = 0; n < most; n++) {
            const int32_t i = detection_post_process_f32_next(p, b);
            if (i < 0)
                break;
            const float *of = given + i * p->columns;
            const int32_t kind =
                p->per_class ? c : detection_post_process_f32_class(of, p->classes);
            count = detection_post_process_f32_insert(p, corners + 4 * i, (float)kind, scores[i],
                                                      count, out.base, out_classes.base,
                                                      out_scores.base);
        }
    }
    *(float *)out_count.base = (float)count;
}

#endif
