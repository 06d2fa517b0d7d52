/* TI's INA219, INA226 and INA228 on an I2C bus: found, set up, and read as raw registers. What a
 * register means in volts is the host's business (tinyml/meters/ina.py). */
#ifndef TM_INA_H
#define TM_INA_H

#include <stdint.h>

/* Behind the errors of tm_i2c.h. */
enum tm_ina_error {
    TM_INA_NONE = 16,  /* nobody answers at 40h to 4Fh */
    TM_INA_OTHER,      /* somebody answers, and is none of these chips; `detail` is what he says */
    TM_INA_SEVERAL,    /* more than one of these chips answers; `detail` is the second's address */
    TM_INA_REFUSED,    /* the configuration does not read back; `detail` is what does */
    TM_INA_NO_COUNTER, /* this board has no cycle counter: no rate, no length of a window */
};
const char *tm_ina_error_name(int error);

struct tm_ina {
    uint32_t chip; /* 219, 226 or 228 */
    uint32_t address;
    uint32_t config; /* averaging and conversion times, as the chip has them */
    uint32_t detail; /* of an error */
};

struct tm_ina_reading {
    uint32_t shunt; /* 16 bits; of the INA228 24 */
    uint32_t bus;
};

/* All return 0 or an error. */
int tm_ina_find(struct tm_ina *ina);

/* Continuous conversions of shunt and bus, the longest average that takes `period_us` at most.
 * They begin anew with the last thing this does; the INA228's accumulators at 0. */
int tm_ina_start(struct tm_ina *ina, uint32_t period_us);

/* Whether a conversion has ended since the start or the last reading of flags: in `ready`. */
int tm_ina_ready(struct tm_ina *ina, int *ready);

int tm_ina_read(struct tm_ina *ina, struct tm_ina_reading *reading);

/* The register with the flags: of the INA226 mask/enable, of the INA228 DIAG_ALRT, of the INA219
 * its bus voltage. And ENERGY, 40 bits, of the INA228; 0 of the others. */
int tm_ina_flags(struct tm_ina *ina, uint32_t *flags);
int tm_ina_energy(struct tm_ina *ina, uint64_t *energy);

#endif
