/* One heartbeat of 8 samples through conv1d (2 channels, stride 2, ReLU) and fully_connected
 * (3 classes). The weights show the layout; they are not trained. */
#include "edgeecg_int8.h"
#include "port.h"

#include <inttypes.h>
#include <stdio.h>

static const int8_t beat[8] = {-3, 0, 5, 90, -60, 12, 4, 1};

static const int8_t conv_weights[2][3][1] = {{{-40}, {100}, {-40}}, {{20}, {60}, {20}}};
static const int32_t conv_bias[2] = {120, -80};
static const int32_t conv_multiplier[2] = {1610612736, 1288490189};
static const int32_t conv_shift[2] = {-6, -6};

static const int8_t dense_weights[3][8] = {{10, -20, 30, -40, 50, -60, 70, -80},
                                           {-5, 15, -25, 35, -45, 55, -65, 75},
                                           {1, 2, 3, 4, 5, 6, 7, 8}};
static const int32_t dense_bias[3] = {500, -500, 0};
static const int32_t dense_multiplier[3] = {1073741824, 1073741824, 2000000000};
static const int32_t dense_shift[3] = {-7, -7, -5};

static const edgeecg_conv conv = {
    8, 1, 4, 2, 3, 2, 0, &conv_weights[0][0][0],
    {0, -128, -128, 127, conv_multiplier, conv_shift, conv_bias}};
static const edgeecg_dense dense = {
    8, 3, &dense_weights[0][0],
    {-128, 4, -128, 127, dense_multiplier, dense_shift, dense_bias}};

int main(void) {
    int8_t hidden[4][2];
    int8_t logits[3];
    const edgeecg_status statuses[2] = {edgeecg_conv1d_check(&conv),
                                        edgeecg_fully_connected_check(&dense)};
    for (int n = 0; n < 2; ++n) {
        if (statuses[n] != EDGEECG_OK) {
            printf("layer %d: %s\n", n, edgeecg_status_text(statuses[n]));
            return 1;
        }
    }
    const uint32_t start = port_ticks();
    edgeecg_conv1d(&conv, beat, &hidden[0][0]);
    edgeecg_fully_connected(&dense, &hidden[0][0], logits);
    const uint32_t ticks = port_ticks() - start;
    printf("N %d S %d V %d\n", logits[0], logits[1], logits[2]);
    printf("ticks %" PRIu32 " of %" PRIu32 " a second\n", ticks, port_ticks_per_second());
    return 0;
}
