/* A PC: processor time from the C library. */
#include "port.h"

#include <time.h>

uint32_t port_ticks(void) {
    return (uint32_t)clock();
}

uint32_t port_ticks_per_second(void) {
    return (uint32_t)CLOCKS_PER_SEC;
}
