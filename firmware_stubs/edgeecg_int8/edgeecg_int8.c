#include "edgeecg_int8.h"

#include <stddef.h>

/* 32768 * 128 * 255 < 2^30, so that a sum and a bias within 2^30 stay inside int32. */
#define MAX_PRODUCTS 32768
#define MAX_BIAS (INT32_C(1) << 30)

const char *edgeecg_status_text(edgeecg_status status) {
#define TEXT_OF(name, text) text,
    static const char *const texts[] = {EDGEECG_STATUSES(TEXT_OF)};
#undef TEXT_OF
    if ((int)status < 0 || status >= EDGEECG_STATUS_COUNT) {
        return "no such status";
    }
    return texts[status];
}

static int32_t saturate(int64_t value) {
    if (value > INT32_MAX) {
        return INT32_MAX;
    }
    return value < INT32_MIN ? INT32_MIN : (int32_t)value;
}

/* value / 2^bits, halves away from zero: no shift of a negative number, whose result C leaves open. */
static int64_t rounded_shift(int64_t value, int32_t bits) {
    const int64_t half = bits > 0 ? INT64_C(1) << (bits - 1) : 0;
    return value < 0 ? -((-value + half) >> bits) : (value + half) >> bits;
}

/* a * b / 2^31 with halves upwards: TFLite adds 2^30, or 1 - 2^30 when negative, and truncates. */
static int32_t doubling_high_mul(int32_t a, int32_t b) {
    const int64_t product = (int64_t)a * b;
    const int64_t nudge = product >= 0 ? INT64_C(1) << 30 : 1 - (INT64_C(1) << 30);
    return saturate((product + nudge) / (INT64_C(1) << 31));
}

int32_t edgeecg_rescale(int32_t acc, int32_t multiplier, int32_t shift) {
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    const int32_t scaled = saturate((int64_t)acc * (INT64_C(1) << left));
    return (int32_t)rounded_shift(doubling_high_mul(scaled, multiplier), right);
}

static int8_t requantised(const edgeecg_requant *requant, int32_t channel, int32_t acc) {
    const int64_t value =
        (int64_t)edgeecg_rescale(acc, requant->multiplier[channel], requant->shift[channel]) +
        requant->output_zero_point;
    if (value < requant->activation_min) {
        return (int8_t)requant->activation_min;
    }
    return (int8_t)(value > requant->activation_max ? requant->activation_max : value);
}

static int in_int8(int32_t value) {
    return value >= INT8_MIN && value <= INT8_MAX;
}

static edgeecg_status requant_check(const edgeecg_requant *requant, int32_t channels) {
    if (requant->multiplier == NULL || requant->shift == NULL || requant->bias == NULL) {
        return EDGEECG_NULL;
    }
    if (!in_int8(requant->input_zero_point) || !in_int8(requant->output_zero_point) ||
        !in_int8(requant->activation_min) || !in_int8(requant->activation_max) ||
        requant->activation_min > requant->activation_max) {
        return EDGEECG_RANGE;
    }
    for (int32_t c = 0; c < channels; ++c) {
        if (requant->multiplier[c] < 0 || requant->shift[c] < -31 || requant->shift[c] > 30) {
            return EDGEECG_SCALE;
        }
        if (requant->bias[c] > MAX_BIAS || requant->bias[c] < -MAX_BIAS) {
            return EDGEECG_BIAS;
        }
    }
    return EDGEECG_OK;
}

edgeecg_status edgeecg_fully_connected_check(const edgeecg_dense *layer) {
    if (layer == NULL || layer->weights == NULL) {
        return EDGEECG_NULL;
    }
    if (layer->inputs <= 0 || layer->outputs <= 0) {
        return EDGEECG_SIZE;
    }
    if (layer->inputs > MAX_PRODUCTS) {
        return EDGEECG_TOO_LONG;
    }
    return requant_check(&layer->requant, layer->outputs);
}

void edgeecg_fully_connected(const edgeecg_dense *layer, const int8_t *input, int8_t *output) {
    const int8_t *weight = layer->weights;
    for (int32_t o = 0; o < layer->outputs; ++o) {
        int32_t acc = layer->requant.bias[o];
        for (int32_t i = 0; i < layer->inputs; ++i) {
            acc += (input[i] - layer->requant.input_zero_point) * *weight++;
        }
        output[o] = requantised(&layer->requant, o, acc);
    }
}

edgeecg_status edgeecg_conv1d_check(const edgeecg_conv *layer) {
    if (layer == NULL || layer->weights == NULL) {
        return EDGEECG_NULL;
    }
    if (layer->in_length <= 0 || layer->in_channels <= 0 || layer->out_length <= 0 ||
        layer->out_channels <= 0 || layer->kernel <= 0 || layer->stride <= 0 ||
        layer->pad_left < 0 || layer->pad_left >= layer->kernel) {
        return EDGEECG_SIZE;
    }
    /* Every window must touch the input: the last one starts before its end. */
    if ((int64_t)(layer->out_length - 1) * layer->stride - layer->pad_left >= layer->in_length) {
        return EDGEECG_SIZE;
    }
    if ((int64_t)layer->kernel * layer->in_channels > MAX_PRODUCTS) {
        return EDGEECG_TOO_LONG;
    }
    return requant_check(&layer->requant, layer->out_channels);
}

static int32_t window_sum(const edgeecg_conv *layer, const int8_t *input, const int8_t *weight,
                          int32_t start) {
    int32_t acc = 0;
    for (int32_t k = 0; k < layer->kernel; ++k) {
        const int32_t t = start + k;
        if (t < 0 || t >= layer->in_length) {
            continue;
        }
        const int8_t *x = input + (size_t)t * (size_t)layer->in_channels;
        const int8_t *w = weight + (size_t)k * (size_t)layer->in_channels;
        for (int32_t i = 0; i < layer->in_channels; ++i) {
            acc += (x[i] - layer->requant.input_zero_point) * w[i];
        }
    }
    return acc;
}

void edgeecg_conv1d(const edgeecg_conv *layer, const int8_t *input, int8_t *output) {
    const size_t filter = (size_t)layer->kernel * (size_t)layer->in_channels;
    for (int32_t t = 0; t < layer->out_length; ++t) {
        const int32_t start = t * layer->stride - layer->pad_left;
        for (int32_t o = 0; o < layer->out_channels; ++o) {
            const int8_t *weight = layer->weights + (size_t)o * filter;
            const int32_t acc = layer->requant.bias[o] + window_sum(layer, input, weight, start);
            *output++ = requantised(&layer->requant, o, acc);
        }
    }
}
