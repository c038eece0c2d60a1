/* What every unit test includes. */
#ifndef WB_TESTS_UNIT_H
#define WB_TESTS_UNIT_H

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Check within a table of rows: say which row failed. */
#define ROW_TRUE(row, claim)                                                   \
    do {                                                                       \
        if (!(claim)) {                                                        \
            print_error("row \"%s\": " #claim "\n", (row)->why);               \
            fail();                                                            \
        }                                                                      \
    } while (0)

#endif
