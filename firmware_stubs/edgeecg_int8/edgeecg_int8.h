/* int8 kernels with the arithmetic of TFLite's reference kernels (8-bit quantisation spec):
 *
 *   real = scale * (q - zero_point); weights are symmetric (zero_point 0), one scale per output
 *   channel; bias is int32 with scale input_scale * weight_scale[channel].
 *
 *   acc    = bias[c] + sum (input - input_zero_point) * weight
 *   high   = round(acc * 2^left * multiplier[c] / 2^31), halves upwards
 *   scaled = round(high / 2^right), halves away from zero,
 *            where left = max(shift[c], 0) and right = max(-shift[c], 0)
 *   output = clamp(scaled + output_zero_point, activation_min, activation_max)
 *
 * multiplier[c] and shift[c] stand for input_scale * weight_scale[c] / output_scale
 * = multiplier / 2^31 * 2^shift, with multiplier in [2^30, 2^31) or 0.
 *
 * Call the _check function once per layer, when the model is set up; the kernels check nothing.
 */
#ifndef EDGEECG_INT8_H
#define EDGEECG_INT8_H

#include <stdint.h>

/* X(name, text): what a _check function may find. */
#define EDGEECG_STATUSES(X)                                                     \
    X(EDGEECG_OK, "ok")                                                         \
    X(EDGEECG_NULL, "a pointer is null")                                        \
    X(EDGEECG_SIZE, "a size is not positive, or does not fit the others")       \
    X(EDGEECG_TOO_LONG, "more than 32768 products in a sum could overflow")     \
    X(EDGEECG_BIAS, "a bias outside +-2^30 could overflow")                     \
    X(EDGEECG_SCALE, "a multiplier is negative or a shift is outside -31..30") \
    X(EDGEECG_RANGE, "a zero point or an activation bound is outside int8")

#define EDGEECG_NAME_OF(name, text) name,
typedef enum { EDGEECG_STATUSES(EDGEECG_NAME_OF) EDGEECG_STATUS_COUNT } edgeecg_status;
#undef EDGEECG_NAME_OF

/* The status in words. */
const char *edgeecg_status_text(edgeecg_status status);

/* How a layer's accumulators become outputs. */
typedef struct {
    int32_t input_zero_point;  /* -128..127 */
    int32_t output_zero_point; /* -128..127 */
    int32_t activation_min;    /* -128, or the zero point for ReLU */
    int32_t activation_max;    /* 127, or the quantised 6 for ReLU6 */
    const int32_t *multiplier; /* [out_channels] */
    const int32_t *shift;      /* [out_channels] */
    const int32_t *bias;       /* [out_channels] */
} edgeecg_requant;

/* output[o] from input[i] and weights[o][i]. */
typedef struct {
    int32_t inputs;
    int32_t outputs;
    const int8_t *weights; /* [outputs][inputs] */
    edgeecg_requant requant;
} edgeecg_dense;

/* output[t][o] from input[t * stride + k - pad_left][i] and weights[o][k][i]: time first, channels
 * last, as TFLite stores a CONV_2D of height 1. What lies outside the input counts as zero. */
typedef struct {
    int32_t in_length;
    int32_t in_channels;
    int32_t out_length;
    int32_t out_channels;
    int32_t kernel;
    int32_t stride;
    int32_t pad_left;
    const int8_t *weights; /* [out_channels][kernel][in_channels] */
    edgeecg_requant requant;
} edgeecg_conv;

/* acc as the output's integer, before the zero point: shift in -31..30. Saturates. */
int32_t edgeecg_rescale(int32_t acc, int32_t multiplier, int32_t shift);

edgeecg_status edgeecg_fully_connected_check(const edgeecg_dense *layer);
void edgeecg_fully_connected(const edgeecg_dense *layer, const int8_t *input, int8_t *output);

edgeecg_status edgeecg_conv1d_check(const edgeecg_conv *layer);
void edgeecg_conv1d(const edgeecg_conv *layer, const int8_t *input, int8_t *output);

#endif
