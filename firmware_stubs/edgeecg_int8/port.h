/* What a board provides; everything else in this folder is the same on every board. */
#ifndef EDGEECG_PORT_H
#define EDGEECG_PORT_H

#include <stdint.h>

/* A counter that only goes up and wraps at 2^32: subtract two readings as uint32_t. */
uint32_t port_ticks(void);

/* Ticks in one second of that counter. */
uint32_t port_ticks_per_second(void);

#endif
